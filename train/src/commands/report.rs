//! `train report DIR...`: one HTML file about some runs, or a page that follows them.

use super::Overwrite;
use crate::directory;
use crate::reporting::html::{self, Address, Run, Served};
use crate::reporting::progress::{Progress, Work};
use anyhow::Result;
use clap::Args;
use datasets::io::console;
use datasets::io::output::{self, Existing};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

/// Write one HTML file with curves, samples, settings and environment of one or several runs, or serve it while they go on
#[derive(Args)]
#[command(after_help = "Examples:
  train report experiments/runs/digits
  train report experiments/runs/digits experiments/runs/slower --out both.html
  train report experiments/runs/digits --serve")]
pub struct Report {
    /// Directories of runs
    #[arg(required = true, value_name = "DIR")]
    runs: Vec<PathBuf>,
    /// Write this file [default: report.html in the first directory]
    #[arg(long, value_name = "FILE", conflicts_with = "serve")]
    out: Option<PathBuf>,
    /// Serve the report to a browser and follow the runs, until Ctrl-C; the address is printed
    #[arg(long, conflicts_with = "force")]
    serve: bool,
    /// Serve on this port [default: one that is free]
    #[arg(long, value_name = "PORT", requires = "serve", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Serve at this address of the machine; others than the default can be reached from elsewhere
    #[arg(long, value_name = "ADDRESS", requires = "serve", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    #[command(flatten)]
    overwrite: Overwrite,
}

impl Report {
    /// Writes or serves it.
    ///
    /// # Errors
    /// If a directory is not that of a run, a file of it cannot be read, or the report cannot be written or served.
    pub fn run(self) -> Result<()> {
        if self.serve {
            let served = Served::new(self.runs, Address { host: self.host, port: self.port })?;
            console::print(served.url())?;
            console::note("serving the report; Ctrl-C ends it");
            served.run();
            return Ok(());
        }
        let mut progress = Progress::new();
        let stage = progress.stage("reading the runs", Work::count("runs", self.runs.len()));
        let mut runs = Vec::new();
        for dir in &self.runs {
            runs.push(Run::read(dir)?);
            stage.set(runs.len() as u64, "");
        }
        drop(stage);
        let existing = if self.out.is_some() { self.overwrite.existing() } else { Existing::Own };
        let path = self.out.unwrap_or_else(|| self.runs[0].join("report.html"));
        output::check_extension(&path, &["html", "htm"])?;
        let inputs: Vec<PathBuf> = self.runs.iter().zip(&runs).flat_map(|(dir, run)| run.files(dir)).collect();
        output::check_all(&[&path], &inputs.iter().map(PathBuf::as_path).collect::<Vec<_>>(), existing)?;
        let stage = progress.stage("writing the report", Work::unknown());
        let page = html::html(&runs)?;
        if existing == Existing::Own {
            directory::note_file(&self.runs[0], "report.html")?;
        }
        output::write(&path, existing, |out| anyhow::Ok(out.write_all(page.as_bytes())?))?;
        drop((stage, progress));
        Ok(console::print(path.display())?)
    }
}
