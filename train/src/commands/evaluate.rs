//! `train evaluate CHECKPOINT`: test loss of a checkpoint's averaged weights.

use super::{Compute, Overwrite, load, ready, report};
use ::train::config::{Config, Source};
use ::train::data;
use ::train::data::DataSet;
use ::train::data::kind::{DataKind, Named, PointKind};
use ::train::data::table::{self, TableChoice};
use ::train::directory;
use ::train::monitoring::costs::Costs;
use ::train::reporting::path_text;
use ::train::reporting::progress::{self, Progress, duration};
use ::train::run::footprint::{self, Work};
use ::train::scoring::evaluate::{Evaluation, TestClasses};
use ::train::system;
use ::train::training::parallel::{ProcessGroup, together};
use anyhow::{Context, Result, ensure};
use clap::Args;
use datasets::console::note;
use datasets::output::{self, Existing};
use datasets::{Dequantization, Split};
use residual_flows::LogDetConfig;
use residual_flows::log_det::Method;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Measures the test bits/dim (of images) or nats (of points) of a checkpoint's averaged weights
#[derive(Args)]
pub struct Evaluate {
    /// The checkpoint, a .safetensors file or a .pth file of the research code
    checkpoint: PathBuf,
    /// Directory of the data set, if it is not where it was in training; or any file of points, all of which are evaluated, with
    /// the model's own standardisation
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Samples of a batch [default: run.eval_batch_size of the training]
    #[arg(long, value_name = "N", value_parser = super::at_least_one)]
    batch: Option<usize>,
    /// Only the first N samples
    #[arg(long, value_name = "N", value_parser = super::at_least_one)]
    limit: Option<usize>,
    /// Decides dequantisation and estimator noise [default: that of the training]
    #[arg(long)]
    seed: Option<u64>,
    /// Exact log-determinants, for few dimensions
    #[arg(long)]
    exact: bool,
    #[command(flatten)]
    table: TableChoice,
    #[command(flatten)]
    compute: Compute,
    /// Dequantises images as the research code does with 5 bits, whose bins overlap: bits/dim is too low, but compares with
    /// numbers published that way
    #[arg(long)]
    overlapping_bins: bool,
    /// Prints the result as one JSON object
    #[arg(long)]
    json: bool,
    /// Also writes the result to DIR/evaluation.json
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    overwrite: Overwrite,
}

#[derive(Serialize)]
struct Outcome {
    #[serde(flatten)]
    loss: Named<f64>,
    standard_error: f64,
    #[serde(flatten)]
    classes: Option<TestClasses>,
    #[serde(flatten)]
    samples: Named<usize>,
    log_det: Method,
    step: u64,
    /// The table of which all points were evaluated, if it was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<PathBuf>,
    seconds: f64,
    peak_memory_bytes: Option<u64>,
    #[serde(serialize_with = "path_text::serialize")]
    checkpoint: PathBuf,
}

impl Evaluate {
    /// Evaluates.
    ///
    /// # Errors
    /// If the checkpoint or the data cannot be read or do not fit each other, or the evaluation breaks down.
    pub fn run(self) -> Result<()> {
        together(Arc::default(), |group| self.run_with(group))
    }

    fn run_with(self, group: &ProcessGroup) -> Result<()> {
        let start = Instant::now();
        let device = self.compute.device_for(group)?;
        let file = self.out.as_deref().filter(|_| group.is_root()).map(|dir| self.file_in(dir)).transpose()?;
        let mut progress = Progress::new().seen(group.is_root());
        let checkpoint = load(&self.checkpoint, &device, &mut progress)?;
        let mut config = checkpoint.description.config.clone();
        let (shape, kind) = (checkpoint.description.shape, &checkpoint.description.kind);
        let other = self.data.as_deref().filter(|_| matches!(kind, DataKind::Points(_)));
        if other.is_none() {
            config.data.relocate(self.data.clone());
        }
        config.run.eval_batch_size = self.batch.unwrap_or(config.run.eval_batch_size);
        config.run.seed = self.seed.unwrap_or(config.run.seed);
        if self.exact {
            config.log_det.eval = LogDetConfig::exact();
        }
        if self.overlapping_bins {
            ensure!(
                config.data.file.is_none() && config.data.points.is_none(),
                "--overlapping-bins is for images, not for points"
            );
            config.data.dequantization = Dequantization::Overlapping;
        }
        let source = Source::new(self.checkpoint.display().to_string(), String::new(), Vec::new());
        let data = match (other, kind) {
            (Some(path), DataKind::Points(points)) => self.other_table(path, points, &config)?,
            _ => {
                let data = data::open_as(&config, &source, Split::Test, Some(kind));
                data.context("the data set (--data PATH says where it is)")?
            }
        };
        ensure!(
            data.shape() == shape && data.kind.is_scored_as(kind),
            "{} has {}, of shape {:?}; {} was trained on {kind}, of shape {shape:?}; use the same data set",
            config.data.source()?,
            data.kind,
            data.shape(),
            self.checkpoint.display()
        );
        if let Some([_, before]) = checkpoint.description.data.as_ref().filter(|_| other.is_none())
            && *before != data.batches.fingerprint()
        {
            let (from, checkpoint) = (config.data.source()?, self.checkpoint.display());
            let others = format!("{from} has other test data than the training of {checkpoint} had");
            ensure!(self.data.is_some(), "{others}; --data {from} evaluates with them all the same");
            if group.is_root() {
                note(format_args!("note: {others}"));
            }
        }
        let n = config.run.eval_batch_size.min(data.batches.len());
        footprint::check_use(&config, shape, (self.compute.choice, group), Work::Evaluate(n), "a batch (--batch) of")?;
        if group.is_root() {
            data.notes.iter().for_each(note);
        }
        let (model, monitor) = ready(checkpoint.average, &mut progress)?;
        let log_det = &config.log_det.eval;
        let evaluation =
            Evaluation { data: &data, task: config.task.kind, log_det, seed: config.run.seed, limit: self.limit, group };
        let (noun, unit) = (data.kind.noun(), data.kind.unit());
        let work = progress::Work::layers(&monitor, &Costs::forward(&model), evaluation.n_batches());
        let stage = progress.stage(format!("evaluating {} {noun}", evaluation.n_samples()), work);
        let loss = evaluation.run(&model, &device, |_, mean| {
            stage.note(format!("{mean:.4} {unit}"));
            true
        })?;
        drop((stage, progress));
        if !group.is_root() {
            return Ok(());
        }
        let result = Outcome {
            loss: data.kind.named("", loss.mean),
            standard_error: loss.standard_error,
            classes: loss.classes,
            samples: data.kind.named_count(loss.n_samples),
            log_det: log_det.method,
            step: checkpoint.description.step,
            data: other.map(Path::to_path_buf),
            seconds: start.elapsed().as_secs_f64(),
            peak_memory_bytes: system::peak_memory_bytes(),
            checkpoint: self.checkpoint.clone(),
        };
        if let Some((path, existing)) = &file {
            let text = serde_json::to_string_pretty(&result)?;
            output::write(path, *existing, |out| anyhow::Ok(out.write_all(text.as_bytes())?))?;
        }
        report(self.json, &result, || {
            let Outcome { loss, standard_error, classes, samples, seconds, .. } = &result;
            let accuracy = classes.map_or_else(String::new, |classes| classes.described());
            let time = duration(*seconds);
            let what = if other.is_some() { "" } else { "test " };
            format!("{what}{unit} {:.4} ± {standard_error:.4}{accuracy} ({} {noun}, {time})", loss.value, samples.value)
        })
    }

    /// All points of a table that need not be the run's own.
    fn other_table(&self, path: &Path, kind: &PointKind, config: &Config) -> Result<DataSet> {
        let options = self.table.options(&config.data, path);
        let (points, mut notes) = table::read_for(kind, &config.data, path, &options).context("--data")?;
        notes.push(format!(
            "all {} points of {} are evaluated, with the standardisation of the model's training points",
            points.len(),
            path.display()
        ));
        data::of_points(&points, kind, config, notes)
    }

    /// The result's file in a directory, which is made, and what becomes of an earlier one.
    fn file_in(&self, dir: &Path) -> Result<(PathBuf, Existing)> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the directory {}", dir.display()))?;
        let path = dir.join("evaluation.json");
        let existing = if directory::is_run(dir) { Existing::Own } else { self.overwrite.existing() };
        output::check_all(&[&path], &[&self.checkpoint], existing)?;
        directory::note_file(dir, "evaluation.json")?;
        Ok((path, existing))
    }
}
