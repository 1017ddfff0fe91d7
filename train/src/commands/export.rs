//! `train export CHECKPOINT`: a checkpoint by the reference implementation's names.

use super::{Overwrite, checkpoint_at, report};
use crate::checkpoint::{self, Description};
use crate::pytorch::export;
use crate::reporting::path_text;
use crate::reporting::progress::{Progress, Work};
use crate::training::parallel::ProcessGroup;
use anyhow::{Context, Result};
use burn::tensor::Device;
use clap::Args;
use datasets::io::output;
use serde::Serialize;
use std::path::PathBuf;

/// Write both sets of weights into a safetensors file, by the reference implementation's names
#[derive(Args)]
#[command(after_help = "Examples:
  train export experiments/runs/digits --out for_pytorch.safetensors")]
pub struct Export {
    /// The checkpoint, a .safetensors file or a .pth file of the reference implementation; or the directory of a run, of which it
    /// is the best one
    checkpoint: PathBuf,
    /// Write this file; averaged weights are called ema.shadow_params.<name>
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Outcome {
    #[serde(serialize_with = "path_text::serialize")]
    file: PathBuf,
    step: u64,
    #[serde(serialize_with = "path_text::serialize")]
    checkpoint: PathBuf,
}

impl Export {
    /// Writes.
    ///
    /// # Errors
    /// If the checkpoint cannot be read, its model has what the reference implementation lacks, or the output exists or cannot be
    /// written.
    pub fn run(self) -> Result<()> {
        let existing = self.overwrite.existing();
        let checkpoint = checkpoint_at(&self.checkpoint, &ProcessGroup::alone())?;
        output::check_extension(&self.out, &["safetensors"])?;
        output::check_all(&[&self.out], &[&checkpoint], existing)?;
        let mut progress = Progress::new();
        let stage = progress.stage("reading the checkpoint", Work::unknown());
        let state = checkpoint::read_either(&checkpoint, &Device::flex())?;
        drop(stage);
        let stage = progress.stage("writing the weights", Work::unknown());
        let [model, average] = state.models(&Device::flex()).with_context(|| checkpoint.display().to_string())?;
        let Description { config, shape, kind, step, .. } = &state.description;
        let export = export::Export { config, shape: *shape, kind, step: *step, model, average };
        export::write(&export, &self.out, existing).with_context(|| checkpoint.display().to_string())?;
        drop((stage, progress));
        let outcome = Outcome { file: self.out, step: *step, checkpoint };
        report(self.json, &outcome, || format!("the weights after {} steps in {}", outcome.step, outcome.file.display()))
    }
}
