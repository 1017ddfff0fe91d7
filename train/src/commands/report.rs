//! `train report DIR...`: one HTML file about some runs.

use ::train::report::{self, Run};
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;

/// Writes one HTML file with curves, samples, settings and environment of one or several runs
#[derive(Args)]
pub struct Report {
    /// Directories of runs
    #[arg(required = true, value_name = "DIR")]
    runs: Vec<PathBuf>,
    /// The file [default: report.html in the first directory]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Report {
    /// Writes it.
    ///
    /// # Errors
    /// If a directory is not that of a run, a file of it cannot be read, or the report cannot be written.
    pub fn run(self) -> Result<()> {
        let runs = self.runs.iter().map(|dir| Run::read(dir)).collect::<Result<Vec<_>>>()?;
        let path = self.out.unwrap_or_else(|| self.runs[0].join("report.html"));
        std::fs::write(&path, report::html(&runs)?).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
        Ok(())
    }
}
