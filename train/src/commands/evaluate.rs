//! `train evaluate CHECKPOINT`: the loss of a checkpoint's weights, and scores sample by sample.

use super::{Chosen, Compute, Opened, Overwrite, report};
use crate::checkpoint::Checkpoint;
use crate::data::kind::{DataKind, Named};
use crate::data::table::TableChoice;
use crate::directory;
use crate::monitoring::costs::Costs;
use crate::reporting::path_text;
use crate::reporting::progress::{self, Progress, duration};
use crate::run::footprint::{self, Work};
use crate::scoring::evaluate::{Evaluation, SampleScores};
use crate::scoring::model_data::{Found, Sought};
use crate::scoring::scores_file;
use crate::system;
use crate::training::parallel::{ProcessGroup, together};
use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use clap::Args;
use datasets::io::console::note;
use datasets::io::output::{self, Existing};
use datasets::{Dequantization, Split};
use residual_flows::LogDetConfig;
use residual_flows::log_det::Method;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Measure the bits/dim (of images) or nats (of points) of a checkpoint on test data, and score every sample
#[derive(Args)]
#[command(after_help = "Examples:
  train evaluate experiments/runs/digits --exact
  train evaluate experiments/runs/digits --data other.csv --json")]
pub struct Evaluate {
    #[command(flatten)]
    chosen: Chosen,
    /// The directory of the data set, if it has moved since training; or any file of points, all of which are evaluated, with
    /// the model's own standardisation
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// The part of the run's data that is evaluated: test, validation or train
    #[arg(long, value_name = "NAME", default_value = "test", value_parser = split)]
    split: Split,
    /// Samples of a batch [default: run.eval_batch_size of the training]
    #[arg(long, value_name = "N", value_parser = super::at_least_one)]
    batch: Option<usize>,
    /// Evaluate only the first N samples
    #[arg(long, value_name = "N", value_parser = super::at_least_one)]
    limit: Option<usize>,
    /// Seed of dequantisation and of estimator noise [default: that of the training]
    #[arg(long)]
    seed: Option<u64>,
    /// Compute exact log-determinants, for few dimensions
    #[arg(long)]
    exact: bool,
    /// Write a .csv file with a line for each sample: index, row (of points in a file), log-density in nats, bits/dim (of images)
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
    /// Mark anomalies: samples less likely than this part of the validation samples, such as 0.01
    #[arg(long, value_name = "PART", value_parser = part)]
    threshold_quantile: Option<f64>,
    /// Recognise classes by Bayes' rule too: by the density of each sample given each class, all being as probable before. Of models
    /// that are conditioned on classes; takes one evaluation for each class
    #[arg(long)]
    bayes: bool,
    #[command(flatten)]
    table: TableChoice,
    #[command(flatten)]
    compute: Compute,
    /// Dequantise images with overlapping bins, as the reference implementation does with 5 bits; underestimates bits/dim, only
    /// for comparison with published numbers
    #[arg(long)]
    overlapping_bins: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    /// Also write the result to DIR/evaluation.json
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    overwrite: Overwrite,
}

#[derive(Serialize)]
struct Outcome {
    /// `null` if a sample has a density of 0.
    #[serde(flatten)]
    loss: Named<f64>,
    standard_error: f64,
    #[serde(flatten)]
    classes: BTreeMap<String, f64>,
    #[serde(flatten)]
    samples: Named<usize>,
    #[serde(flatten)]
    anomalies: Option<Anomalies>,
    log_det: Method,
    step: u64,
    split: Option<Split>,
    /// The table of which all points were evaluated, if it was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<PathBuf>,
    #[serde(serialize_with = "path_text::serialize_option", skip_serializing_if = "Option::is_none")]
    scores: Option<PathBuf>,
    seconds: f64,
    peak_memory_bytes: Option<u64>,
    #[serde(serialize_with = "path_text::serialize")]
    checkpoint: PathBuf,
}

/// Samples below a threshold.
#[derive(Clone, Copy, Serialize)]
struct Anomalies {
    /// A log-density in nats, that of the quantile of the validation samples.
    threshold: f64,
    threshold_quantile: f64,
    anomalies: usize,
}

impl Evaluate {
    /// Evaluates.
    ///
    /// # Errors
    /// If the checkpoint or the data cannot be read or do not fit each other, or the evaluation breaks down.
    pub fn run(self) -> Result<()> {
        together(Arc::default(), |group| self.run_with(group))
    }

    fn run_with(mut self, group: &ProcessGroup) -> Result<()> {
        let start = Instant::now();
        let device = self.compute.device_for(group)?;
        let mut progress = Progress::new().seen(group.is_root());
        let checkpoint = self.chosen.file(group)?;
        let file = self.out.as_deref().filter(|_| group.is_root()).map(|dir| self.file_in(dir, &checkpoint)).transpose()?;
        if let Some(scores) = self.scores.as_deref().filter(|_| group.is_root()) {
            output::check_extension(scores, &["csv"])?;
            let inputs: Vec<&Path> = [&*checkpoint].into_iter().chain(self.data.as_deref()).collect();
            output::check_all(&[scores], &inputs, self.overwrite.existing())?;
        }
        // What is said of it has been said.
        self.chosen.checkpoint = checkpoint;
        let mut read = self.chosen.read(&device, group, &mut progress)?;
        let config = &mut read.1.description.config;
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
        let found = self.found(self.split, &read)?;
        let validation = self.threshold_quantile.map(|q| Ok::<_, anyhow::Error>((q, self.validation(&read)?))).transpose()?;
        let data = &found.data;
        let (config, shape) = (&read.1.description.config, read.1.description.shape);
        let n = config.run.eval_batch_size.min(data.batches.len());
        footprint::check_use(config, shape, (self.compute.choice, group), Work::Evaluate(n), "a batch (--batch) of")?;
        if group.is_root() {
            data.notes.iter().for_each(note);
        }
        let opened = self.chosen.ready(read, &mut progress)?;
        let classes = opened.model.context_classes();
        ensure!(!self.bayes || classes > 0, "--bayes goes with models that are conditioned on classes");
        let scoring = Scoring { opened: &opened, device: &device, group, bayes: self.bayes };
        let threshold = match &validation {
            Some((q, found)) => {
                let scores = scoring.scores(found, None, &mut progress)?;
                Some((*q, scores_file::quantile(&scores.log_density, *q)))
            }
            None => None,
        };
        let scores = scoring.scores(&found, self.limit, &mut progress)?;
        drop(progress);
        if self.scores.is_none() {
            scoring.ensure_finite(&found, &scores)?;
        }
        if !group.is_root() {
            return Ok(());
        }
        if let Some(path) = &self.scores {
            scores_file::write(path, self.overwrite.existing(), data, &scores, threshold.map(|(_, threshold)| threshold))?;
        }
        let mean = scores.mean();
        let (noun, unit) = (data.kind.noun(), data.kind.unit());
        let anomalies = threshold.map(|(threshold_quantile, threshold)| {
            let anomalies = scores.log_density.iter().filter(|log_density| **log_density < threshold).count();
            Anomalies { threshold, threshold_quantile, anomalies }
        });
        let is_own = found.table.is_none();
        let result = Outcome {
            loss: data.kind.named("", mean.mean),
            standard_error: mean.standard_error,
            classes: mean.classes.map(|classes| classes.named(&format!("{}_", self.split))).unwrap_or_default(),
            samples: data.kind.named_count(mean.n_samples),
            anomalies,
            log_det: opened.description.config.log_det.eval.method,
            step: opened.description.step,
            split: is_own.then_some(self.split),
            data: found.table.clone(),
            scores: self.scores.clone(),
            seconds: start.elapsed().as_secs_f64(),
            peak_memory_bytes: system::peak_memory_bytes(),
            checkpoint: opened.checkpoint.clone(),
        };
        if let Some((path, existing)) = &file {
            let text = serde_json::to_string_pretty(&result)?;
            output::write(path, *existing, |out| anyhow::Ok(out.write_all(text.as_bytes())?))?;
        }
        report(self.json, &result, || {
            let Outcome { loss, standard_error, samples, seconds, .. } = &result;
            let accuracy = mean.classes.map_or_else(String::new, |classes| classes.described());
            let time = duration(*seconds);
            let what = if is_own { format!("{} ", self.split) } else { String::new() };
            let marked = anomalies.map_or_else(String::new, |Anomalies { threshold, threshold_quantile, anomalies }| {
                format!(
                    "\n{anomalies} of {} {noun} are less likely than {threshold:.4} nats, the {threshold_quantile} quantile of the \
                     validation {noun}",
                    samples.value
                )
            });
            format!("{what}{unit} {:.4} ± {standard_error:.4}{accuracy} ({} {noun}, {time}){marked}", loss.value, samples.value)
        })
    }

    /// The data that are evaluated.
    fn found(&self, split: Split, read: &(PathBuf, Checkpoint)) -> Result<Found> {
        let (checkpoint, Checkpoint { description, .. }) = read;
        let (config, elsewhere, table) = (&description.config, self.data.as_deref(), &self.table);
        Sought { description, config, checkpoint, elsewhere, split, table }.open()
    }

    /// The validation data of the run, for the threshold.
    fn validation(&self, read: &(PathBuf, Checkpoint)) -> Result<Found> {
        let (checkpoint, Checkpoint { description, .. }) = read;
        let is_image = matches!(description.kind, DataKind::Images { .. });
        let (config, table) = (&description.config, &TableChoice::default());
        let elsewhere = self.data.as_deref().filter(|_| is_image);
        let sought = Sought { description, config, checkpoint, elsewhere, split: Split::Validation, table };
        sought.open().context("--threshold-quantile")
    }

    /// The result's file in a directory, which is made, and what becomes of an earlier one.
    fn file_in(&self, dir: &Path, checkpoint: &Path) -> Result<(PathBuf, Existing)> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the directory {}", dir.display()))?;
        let path = dir.join("evaluation.json");
        let existing = if directory::is_run(dir) { Existing::Own } else { self.overwrite.existing() };
        output::check_all(&[&path], &[checkpoint], existing)?;
        directory::note_file(dir, "evaluation.json")?;
        Ok((path, existing))
    }
}

/// A model and what it is evaluated with.
struct Scoring<'a> {
    opened: &'a Opened,
    device: &'a Device,
    group: &'a ProcessGroup,
    bayes: bool,
}

impl Scoring<'_> {
    fn evaluation<'b>(&'b self, found: &'b Found, limit: Option<usize>) -> Evaluation<'b> {
        let config = &self.opened.description.config;
        let (task, log_det) = (config.task.kind, &config.log_det.eval);
        Evaluation { data: &found.data, task, log_det, seed: config.run.seed, limit, bayes: self.bayes, group: self.group }
    }

    fn scores(&self, found: &Found, limit: Option<usize>, progress: &mut Progress) -> Result<SampleScores> {
        let Opened { model, monitor, .. } = self.opened;
        let evaluation = self.evaluation(found, limit);
        let (noun, unit) = (found.data.kind.noun(), found.data.kind.unit());
        let work = progress::Work::layers(monitor, &Costs::forward(model), evaluation.n_batches());
        let stage = progress.stage(format!("evaluating {} {noun}", evaluation.n_samples()), work);
        evaluation.scores(model, self.device, |_, mean| {
            stage.note(format!("{mean:.4} {unit}"));
            true
        })
    }

    fn ensure_finite(&self, found: &Found, scores: &SampleScores) -> Result<()> {
        self.evaluation(found, None).ensure_finite(&scores.loss)
    }
}

/// For clap: a part of the run's data.
fn split(text: &str) -> Result<Split, String> {
    let split = Split::POSSIBLE.into_iter().find(|split| split.to_string() == text);
    split.ok_or_else(|| "expected test, validation or train".into())
}

/// For clap: a part of samples.
fn part(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(part) if part > 0.0 && part < 1.0 => Ok(part),
        _ => Err("expected a number between 0 and 1".into()),
    }
}
