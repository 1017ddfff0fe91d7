//! `train --config FILE`: trains a model.

use super::report;
use ::train::config::Config;
use ::train::data;
use ::train::fit::{self, Summary};
use ::train::progress::duration;
use ::train::run_dir::RunDir;
use anyhow::{Context, Result};
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Arguments of training.
#[derive(Args)]
pub struct Train {
    /// The experiment's settings, a TOML file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Changes a setting of the file, such as optim.learning_rate=2e-3; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Directory of the run [default: experiments/runs/<name of the file>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replaces the run that is in the directory
    #[arg(long)]
    force: bool,
    /// Prints the summary as one JSON object
    #[arg(long)]
    json: bool,
}

impl Train {
    /// Trains.
    ///
    /// # Errors
    /// Those of the configuration, the data, and training.
    pub fn run(self) -> Result<()> {
        let (config, source) = Config::load(&self.config, &self.set)?;
        let data = data::open_both(&config, &source)?;
        let unit = data[1].kind.unit();
        let out = self.out.clone().unwrap_or_else(|| default_out(&self.config));
        let dir = RunDir::create(&out, &config, self.force)?;
        let summary = fit::fit(&config, &source, &dir, data, &*interruption()?)?;
        if !summary.finished {
            eprintln!("interrupted after {} steps; {} holds the weights", summary.steps, summary.checkpoint.display());
        }
        report(self.json, &summary, || lines(&summary, unit, &out))
    }
}

fn default_out(config: &Path) -> PathBuf {
    let runs = Path::new("experiments/runs");
    config.file_stem().map_or_else(|| runs.into(), |name| runs.join(name))
}

/// Becomes true on the first Ctrl-C; a second one ends the program at once.
fn interruption() -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    let handle = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("interrupted: finishing the step; press Ctrl-C again to stop at once");
    };
    ctrlc::set_handler(handle).context("cannot handle Ctrl-C")?;
    Ok(interrupted)
}

fn lines(summary: &Summary, unit: &str, out: &Path) -> String {
    let result = match (summary.test_loss.value, summary.test_standard_error) {
        (Some(loss), Some(error)) => format!("test {unit} {loss:.4} ± {error:.4}"),
        _ => "not evaluated".into(),
    };
    let (steps, epochs, time) = (summary.steps, summary.epochs, duration(summary.wall_seconds));
    format!("{result} after {steps} steps ({epochs} epochs) in {time}; see {}", out.display())
}
