//! `train animate DIR`: the pictures of a run as one animated picture.

use super::{Overwrite, report};
use crate::directory;
use crate::reporting::path_text;
use crate::reporting::pictures::animation;
use crate::reporting::progress::{Progress, Work};
use anyhow::Result;
use clap::Args;
use datasets::io::output::{self, Existing};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Make an animated GIF of the pictures that a run drew
#[derive(Args)]
#[command(after_help = "Examples:
  train animate experiments/runs/digits
  train animate experiments/runs/digits --each 200 --out digits.gif")]
pub struct Animate {
    /// The directory of the run
    run: PathBuf,
    /// Write this file [default: training.gif in the directory of the run]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    overwrite: Overwrite,
    /// Show each picture for this long
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 400, value_parser = super::at_least_one)]
    each: usize,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Outcome {
    #[serde(serialize_with = "path_text::serialize")]
    animation: PathBuf,
    frames: usize,
}

impl Animate {
    /// Animates.
    ///
    /// # Errors
    /// If there are no pictures, they differ in size, or the file cannot be written.
    pub fn run(self) -> Result<()> {
        let frames = animation::frames_of(&self.run)?;
        let existing = if self.out.is_some() { self.overwrite.existing() } else { Existing::Own };
        let path = self.out.unwrap_or_else(|| self.run.join("training.gif"));
        output::check_extension(&path, &["gif"])?;
        output::check_all(&[&path], &frames.iter().map(PathBuf::as_path).collect::<Vec<&Path>>(), existing)?;
        if existing == Existing::Own {
            directory::note_file(&self.run, "training.gif")?;
        }
        let mut progress = Progress::new();
        let stage = progress.stage("animating", Work::count("pictures", frames.len()));
        let told = |done: usize| stage.set(done as u64, "");
        animation::write(&path, existing, &frames, Duration::from_millis(self.each as u64), told)?;
        drop((stage, progress));
        let outcome = Outcome { animation: path, frames: frames.len() };
        report(self.json, &outcome, || format!("{} pictures in {}", outcome.frames, outcome.animation.display()))
    }
}
