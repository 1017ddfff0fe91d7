//! `train import FILE.pth`: a checkpoint of the reference implementation in our own format.

use super::{Overwrite, report};
use crate::checkpoint::state::TrainingState;
use crate::checkpoint::{self, Description};
use crate::pytorch::import;
use crate::reporting::path_text;
use crate::reporting::progress::{Progress, Work};
use anyhow::Result;
use burn::tensor::Device;
use clap::Args;
use datasets::io::output;
use serde::Serialize;
use std::path::PathBuf;

/// Convert a checkpoint of the reference implementation, with both sets of weights
#[derive(Args)]
#[command(after_help = "Examples:
  train import checkpt.pth --out checkpoint.safetensors")]
pub struct Import {
    /// The .pth file
    file: PathBuf,
    /// Write this file [default: beside the file, with the extension .safetensors]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    overwrite: Overwrite,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Outcome {
    #[serde(serialize_with = "path_text::serialize")]
    checkpoint: PathBuf,
    shape: [usize; 3],
    step: u64,
    #[serde(serialize_with = "path_text::serialize")]
    file: PathBuf,
}

impl Import {
    /// Converts.
    ///
    /// # Errors
    /// If the file is no usable checkpoint of the reference implementation, or the output exists or cannot be written.
    pub fn run(self) -> Result<()> {
        let out = self.out.unwrap_or_else(|| self.file.with_extension("safetensors"));
        let existing = self.overwrite.existing();
        output::check_extension(&out, &["safetensors"])?;
        output::check_all(&[&out], &[&self.file], existing)?;
        let mut progress = Progress::new();
        let stage = progress.stage("reading the checkpoint", Work::unknown());
        let imported: TrainingState = import::read(&self.file, &Device::flex())?.into();
        drop(stage);
        let stage = progress.stage("writing the checkpoint", Work::unknown());
        checkpoint::save(&out, existing, &imported)?;
        drop((stage, progress));
        let Description { shape, step, .. } = imported.description;
        let outcome = Outcome { checkpoint: out, shape, step, file: self.file };
        report(self.json, &outcome, || format!("a model of {shape:?} after {step} steps in {}", outcome.checkpoint.display()))
    }
}
