//! `train report DIR...`: one HTML file about some runs.

use super::Overwrite;
use ::train::directory;
use ::train::reporting::html::{self, Run};
use anyhow::Result;
use clap::Args;
use datasets::console;
use datasets::output::{self, Existing};
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
    #[command(flatten)]
    overwrite: Overwrite,
}

impl Report {
    /// Writes it.
    ///
    /// # Errors
    /// If a directory is not that of a run, a file of it cannot be read, or the report cannot be written.
    pub fn run(self) -> Result<()> {
        let runs = self.runs.iter().map(|dir| Run::read(dir)).collect::<Result<Vec<_>>>()?;
        let existing = if self.out.is_some() { self.overwrite.existing() } else { Existing::Own };
        let path = self.out.unwrap_or_else(|| self.runs[0].join("report.html"));
        output::check_extension(&path, &["html", "htm"])?;
        let inputs: Vec<PathBuf> = self.runs.iter().zip(&runs).flat_map(|(dir, run)| run.files(dir)).collect();
        output::check_all(&[&path], &inputs.iter().map(PathBuf::as_path).collect::<Vec<_>>(), existing)?;
        let page = html::html(&runs)?;
        if existing == Existing::Own {
            directory::note_file(&self.runs[0], "report.html")?;
        }
        output::write(&path, existing, |out| anyhow::Ok(out.write_all(page.as_bytes())?))?;
        Ok(console::print(path.display())?)
    }
}
