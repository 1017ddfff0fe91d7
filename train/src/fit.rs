//! The training loop.

use crate::checkpoint::Description;
use crate::config::{Config, Source};
use crate::curve::Curve;
use crate::data::{DataSet, PREFETCH_DEPTH, samples, tensor};
use crate::data_kind::Named;
use crate::device::device;
use crate::evaluate::{Evaluation, TestLoss};
use crate::metrics::{EvaluationRecord, JsonLines, TimingRecord, TrainingRecord};
use crate::objective::Samples;
use crate::progress::Progress;
use crate::retention::Checkpoints;
use crate::run_dir::RunDir;
use crate::schedule::Timeline;
use crate::showcase::Showcase;
use crate::step::{StepStats, Stepper};
use crate::{noise, system};
use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor};
use datasets::{BatchSource, Prefetch};
use residual_flows::ResidualFlow;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What came out of a run, `summary.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Whether the run reached its end, with its last evaluation, rather than being interrupted.
    pub finished: bool,
    /// Of the averaged weights in the last checkpoint, `test_bits_per_dim` or `test_nll_nats`; `null` if they were not
    /// evaluated.
    #[serde(flatten)]
    pub test_loss: Named<Option<f64>>,
    /// Of the mean over the test samples.
    pub test_standard_error: Option<f64>,
    /// The lowest of all evaluations.
    #[serde(flatten)]
    pub best_test_loss: Named<Option<f64>>,
    /// Optimiser steps.
    pub steps: u64,
    /// Epochs completed.
    pub epochs: u64,
    /// Numbers that are trained.
    pub parameters: usize,
    /// Seed of all randomness.
    pub seed: u64,
    /// Time in training steps, without evaluations and pictures.
    pub training_seconds: f64,
    /// Time of the whole run.
    pub wall_seconds: f64,
    /// The most memory that was resident; `null` where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// The last checkpoint.
    pub checkpoint: PathBuf,
}

/// A run in progress, all but the model.
struct Fit<'a> {
    config: &'a Config,
    dir: &'a RunDir,
    device: Device,
    test: DataSet,
    batches_per_epoch: u64,
    total_steps: u64,
    stepper: Stepper,
    showcase: Showcase,
    checkpoints: Checkpoints,
    metrics: JsonLines,
    timings: JsonLines,
    curve: Curve,
    clock: Clock,
}

/// Time spent, and the state of the progress line.
struct Clock {
    start: Instant,
    training_seconds: f64,
    logged_seconds: f64,
    logged_steps: u64,
    running_loss: Option<f64>,
}

/// Trains as configured, and writes everything into the run's directory.
///
/// Once `interrupted` is set, the step in progress is finished, the last checkpoint saved, and the function returns.
///
/// # Errors
/// If data cannot be read, does not fit the configuration, training breaks down numerically, or a file cannot be
/// written.
pub fn fit(config: &Config, source: &Source, dir: &RunDir, data: [DataSet; 2], interrupted: &AtomicBool) -> Result<Summary> {
    let device = device();
    let [train, test] = data;
    let first = tensor(train.batches.train_batch(0, 0)?, &device);
    let mut model = initial_model(config, &train, first, &device).with_context(|| source.place("model"))?;
    let mut fit = Fit::new(config, dir, &train, test, device)?;
    fit.draw(&model, "start")?;

    let mut batches = Prefetch::train(train.batches, 0, 0, PREFETCH_DEPTH);
    let mut progress = Progress::new("steps", fit.total_steps);
    let mut evaluated = None;
    while fit.goes_on() && !interrupted.load(Ordering::Relaxed) {
        let begin = Instant::now();
        let micro_batches = fit.micro_batches(&mut batches)?;
        let epoch = fit.epoch();
        let (next, stats) = fit.stepper.step(model, micro_batches)?;
        model = next;
        evaluated = None;
        fit.clock.training_seconds += begin.elapsed().as_secs_f64();
        fit.log(epoch, &stats, &mut progress)?;
        if fit.epoch() > epoch {
            if due(fit.epoch(), config.run.evaluate_every_epochs) && fit.goes_on() {
                evaluated = fit.evaluate(&model, &mut progress, interrupted)?;
            }
            if due(fit.epoch(), config.run.sample_every_epochs) && fit.goes_on() {
                fit.draw(&model, &format!("epoch{:05}", fit.epoch()))?;
            }
            fit.save(&model, evaluated)?;
        }
    }
    drop(batches);
    if !fit.goes_on() {
        evaluated = fit.evaluate(&model, &mut progress, interrupted)?;
        fit.draw(&model, "end")?;
    }
    fit.save(&model, evaluated)?;
    drop(progress);
    let finished = !fit.goes_on() && evaluated.is_some();
    fit.summary(finished, &model, evaluated)
}

/// A model with random weights, ActNorm initialised from the first batch.
fn initial_model(config: &Config, train: &DataSet, first: Tensor<4>, device: &Device) -> Result<ResidualFlow> {
    let noise = noise::initial_weights(config.run.seed);
    let mut model = config.model.init(train.shape(), &mut noise.stream(0), device)?;
    let padded = model.pad(first, &mut noise.stream(1))?;
    model.initialize(padded.input)?;
    Ok(model)
}

fn due(epoch: u64, every: u64) -> bool {
    every > 0 && epoch.is_multiple_of(every)
}

impl<'a> Fit<'a> {
    fn new(config: &'a Config, dir: &'a RunDir, train: &DataSet, test: DataSet, device: Device) -> Result<Self> {
        let batches_per_epoch = train.batches.batches_per_epoch() as u64;
        let steps = (config.run.epochs.saturating_mul(batches_per_epoch) / config.optim.accumulate as u64).max(1);
        let total_steps = config.run.max_steps.map_or(steps, |most| most.min(steps));
        let steps_per_epoch = batches_per_epoch as f64 / config.optim.accumulate as f64;
        let timeline = Timeline { total_steps, steps_per_epoch };
        Ok(Self {
            stepper: Stepper::new(config, train.kind.clone(), timeline),
            showcase: Showcase::new(config, &test, &device)?,
            checkpoints: Checkpoints::new(dir.file("checkpoints"), config.run.keep_best),
            metrics: JsonLines::create(dir, "metrics.jsonl")?,
            timings: JsonLines::create(dir, "timings.jsonl")?,
            curve: Curve::new(test.kind.axis()),
            clock: Clock {
                start: Instant::now(),
                training_seconds: 0.0,
                logged_seconds: 0.0,
                logged_steps: 0,
                running_loss: None,
            },
            config,
            dir,
            device,
            test,
            batches_per_epoch,
            total_steps,
        })
    }

    fn goes_on(&self) -> bool {
        let in_time = self.config.run.max_seconds.is_none_or(|most| self.clock.training_seconds < most);
        in_time && self.stepper.steps() < self.total_steps
    }

    /// Epochs completed.
    fn epoch(&self) -> u64 {
        self.stepper.steps() * self.config.optim.accumulate as u64 / self.batches_per_epoch
    }

    fn micro_batches(&self, batches: &mut Prefetch) -> Result<Vec<Samples>> {
        let batches = batches.take(self.config.optim.accumulate);
        batches.map(|batch| Ok(samples(batch?, &self.device))).collect()
    }

    fn log(&mut self, epoch: u64, stats: &StepStats, progress: &mut Progress) -> Result<()> {
        let &StepStats { loss, log_pz, log_det, classes, gradient_norm, max_lipschitz, learning_rate } = stats;
        let step = self.stepper.steps();
        let clock = &mut self.clock;
        let running = clock.running_loss.map_or(loss, |mean| 0.97 * mean + 0.03 * loss);
        clock.running_loss = Some(running);
        let kind = &self.test.kind;
        let samples = (self.config.optim.batch_size * self.config.optim.accumulate) as f64;
        let per_second = samples * (step - clock.logged_steps) as f64 / (clock.training_seconds - clock.logged_seconds);
        progress.set(step, &format!("epoch {epoch}, {per_second:.0} {}/s, {running:.4} {}", kind.noun(), kind.unit()));
        if step.is_multiple_of(self.config.run.log_every_steps) || step == 1 || step == self.total_steps {
            self.metrics.write(&TrainingRecord {
                step,
                epoch,
                loss: kind.named("", loss),
                log_pz,
                log_det,
                classes,
                gradient_norm,
                max_lipschitz,
                learning_rate,
            })?;
            let speed = kind.named_speed(per_second);
            self.timings.write(&TimingRecord { step, elapsed_seconds: clock.training_seconds, speed })?;
            self.curve.add_training(step, loss);
            (clock.logged_seconds, clock.logged_steps) = (clock.training_seconds, step);
        }
        Ok(())
    }

    /// Evaluates the averaged weights; `None` if interrupted.
    fn evaluate(&mut self, model: &ResidualFlow, progress: &mut Progress, interrupted: &AtomicBool) -> Result<Option<TestLoss>> {
        let run = &self.config.run;
        let (task, log_det) = (self.config.task.kind, &self.config.log_det.eval);
        let evaluation = Evaluation { data: &self.test, task, log_det, seed: run.seed, limit: None };
        let n = evaluation.n_samples();
        let (noun, unit) = (self.test.kind.noun(), self.test.kind.unit());
        let loss = evaluation.run(&self.stepper.averaged_model(model), &self.device, |done, mean| {
            progress.note(&format!("evaluating: {done}/{n} {noun}, {mean:.4} {unit}"));
            !interrupted.load(Ordering::Relaxed)
        })?;
        let Some(loss) = loss else { return Ok(None) };
        let (step, epoch) = (self.stepper.steps(), self.epoch());
        let TestLoss { mean, standard_error, classes, .. } = loss;
        let accuracy = classes.map_or_else(String::new, |classes| classes.described());
        progress.line(&format!("epoch {epoch}, step {step}: test {mean:.4} ± {standard_error:.4} {unit}{accuracy}"));
        let test_loss = self.test.kind.named("test_", mean);
        self.metrics.write(&EvaluationRecord { step, epoch, test_loss, standard_error, classes })?;
        self.curve.add_test(step, mean);
        self.curve.write(&self.dir.file("curve.svg"))?;
        Ok(Some(loss))
    }

    /// Draws a picture; an inverse that does not converge is a warning only.
    fn draw(&self, model: &ResidualFlow, name: &str) -> Result<()> {
        let path = self.dir.file("images").join(format!("{name}.png"));
        for missing in self.showcase.draw(&self.stepper.averaged_model(model), &path)? {
            eprintln!("warning: {missing}");
        }
        Ok(())
    }

    fn save(&mut self, model: &ResidualFlow, evaluated: Option<TestLoss>) -> Result<()> {
        let description = Description {
            config: self.config.clone(),
            shape: model.image_shape(),
            kind: self.test.kind.clone(),
            step: self.stepper.steps(),
            epoch: self.epoch(),
            test_loss: evaluated.map(|loss| loss.mean),
        };
        self.checkpoints.save(model, self.stepper.average(model), &description)
    }

    fn summary(&self, finished: bool, model: &ResidualFlow, evaluated: Option<TestLoss>) -> Result<Summary> {
        let kind = &self.test.kind;
        let summary = Summary {
            finished,
            test_loss: kind.named("test_", evaluated.map(|loss| loss.mean)),
            test_standard_error: evaluated.map(|loss| loss.standard_error),
            best_test_loss: kind.named("best_test_", self.checkpoints.best_loss()),
            steps: self.stepper.steps(),
            epochs: self.epoch(),
            parameters: self.stepper.n_parameters(model),
            seed: self.config.run.seed,
            training_seconds: self.clock.training_seconds,
            wall_seconds: self.clock.start.elapsed().as_secs_f64(),
            peak_memory_bytes: system::peak_memory_bytes(),
            checkpoint: self.checkpoints.last(),
        };
        self.dir.write("summary.json", &format!("{}\n", serde_json::to_string_pretty(&summary)?))?;
        Ok(summary)
    }
}
