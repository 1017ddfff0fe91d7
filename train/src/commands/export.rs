//! `train export CHECKPOINT`: a checkpoint by the research code's names.

use super::{Overwrite, report};
use ::train::checkpoint;
use ::train::pytorch::export;
use ::train::reporting::path_text;
use anyhow::{Context, Result};
use burn::tensor::Device;
use clap::Args;
use datasets::output;
use serde::Serialize;
use std::path::PathBuf;

/// Writes both sets of weights into a safetensors file, by the research code's names
#[derive(Args)]
pub struct Export {
    /// The checkpoint, a .safetensors file or a .pth file of the research code
    checkpoint: PathBuf,
    /// The file to write; averaged weights are called ema.shadow_params.<name>
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
    /// Prints the result as one JSON object
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
    /// If the checkpoint cannot be read, its model has what the research code lacks, or the output exists or cannot be
    /// written.
    pub fn run(self) -> Result<()> {
        let existing = self.overwrite.existing();
        output::check_extension(&self.out, &["safetensors"])?;
        output::check_all(&[&self.out], &[&self.checkpoint], existing)?;
        let state = checkpoint::read_either(&self.checkpoint, &Device::flex())?;
        export::write(&state, &self.out, existing).with_context(|| self.checkpoint.display().to_string())?;
        let outcome = Outcome { file: self.out, step: state.description.step, checkpoint: self.checkpoint };
        report(self.json, &outcome, || format!("the weights after {} steps in {}", outcome.step, outcome.file.display()))
    }
}
