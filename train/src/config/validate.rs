//! Settings that make no sense, found before any work starts.

use super::{Config, DataConfig, Source, TaskKind};
use anyhow::{Context, Result, anyhow};
use burn::tensor::Device;
use residual_flows::{LogDetConfig, ModelError};
use std::fmt::Display;
use std::ops::RangeInclusive;

/// Numbers in a sample at most: more are a mistake.
const MOST_DIMENSIONS: usize = 1 << 30;
/// Samples of a batch, batches of a step, and batches of an epoch at most; memory sets narrower limits.
const MOST_SAMPLES: u64 = 1 << 30;
/// Steps of a run at most.
const MOST_STEPS: u64 = 1_000_000_000_000_000;
/// Epochs at most.
const MOST_EPOCHS: u64 = 1_000_000_000;
/// What single precision holds, with some distance to its ends.
const LEAST: f64 = 1e-30;
const MOST: f64 = 1e30;
/// Factors that multiply losses and learning rates at most.
const MOST_FACTOR: f64 = 1e6;

impl Config {
    /// Checks all settings that can be checked without the data; the architecture too if `data.shape` is set.
    ///
    /// # Errors
    /// Names the first setting that is out of its range, and its place.
    pub fn validate(&self, source: &Source) -> Result<()> {
        self.check(source).map_err(|error| source.attributed(error, |config| config.check(source).is_ok()))
    }

    fn check(&self, source: &Source) -> Result<()> {
        let check = Check { source };
        check.data(&self.data)?;
        self.check_whole_numbers(&check)?;
        self.check_numbers(&check)?;
        self.check_lists(&check)?;
        let task = &self.task;
        let hybrid = !task.scale_dim || task.kind == TaskKind::Hybrid;
        check.require(hybrid, "task.scale_dim", "false, unless task.kind is \"hybrid\"", task.scale_dim)?;
        let (enough, classes) = (!task.kind.has_classes() || self.model.classes >= 2, self.model.classes);
        check.require(enough, "model.classes", "at least 2, the number of classes that the task is to tell apart", classes)?;
        check.estimator("log_det.train", &self.log_det.train)?;
        check.estimator("log_det.eval", &self.log_det.eval)?;
        self.data.known_shape().map_or(Ok(()), |shape| self.validate_architecture(shape, source))
    }

    /// What is counted. Those that are missing here may be any whole number: seeds, and intervals with 0 for never.
    fn check_whole_numbers(&self, check: &Check) -> Result<()> {
        let Self { optim, run, checkpoint, .. } = self;
        for (key, value, range) in [
            ("optim.batch_size", optim.batch_size as u64, 1..=MOST_SAMPLES),
            ("optim.accumulate", optim.accumulate as u64, 1..=MOST_SAMPLES),
            ("optim.warmup_steps", optim.warmup_steps, 0..=MOST_STEPS),
            ("optim.annealing_steps", optim.annealing_steps, 0..=MOST_STEPS),
            ("optim.restart_epochs", optim.restart_epochs, 1..=MOST_EPOCHS),
            ("optim.restart_factor", optim.restart_factor, 1..=MOST_EPOCHS),
            // As many as a file can say: those of models that are only used.
            ("run.epochs", run.epochs, 1..=u64::MAX),
            ("run.max_steps", run.max_steps.unwrap_or(1), 1..=MOST_STEPS),
            ("run.eval_batch_size", run.eval_batch_size as u64, 1..=MOST_SAMPLES),
            ("run.log_every_steps", run.log_every_steps, 1..=MOST_STEPS),
            ("run.n_samples", run.n_samples as u64, 1..=MOST_SAMPLES),
            ("checkpoint.keep", checkpoint.keep as u64, 1..=MOST_EPOCHS),
        ] {
            check.whole(key, value, range)?;
        }
        Ok(())
    }

    /// What is measured. NaN is in no range.
    fn check_numbers(&self, check: &Check) -> Result<()> {
        let Self { optim, run, checkpoint, .. } = self;
        for (key, value, range) in [
            ("optim.learning_rate", optim.learning_rate, LEAST..=MOST),
            ("optim.final_fraction", optim.final_fraction, 0.0..=1.0),
            ("optim.milestone_factor", optim.milestone_factor, LEAST..=MOST_FACTOR),
            ("optim.epsilon", optim.epsilon, LEAST..=MOST),
            ("optim.norm_order_weight", optim.norm_order_weight, LEAST..=MOST_FACTOR),
            ("optim.weight_decay", optim.weight_decay, 0.0..=MOST_FACTOR),
            ("run.max_seconds", run.max_seconds.unwrap_or(1.0), LEAST..=MOST),
            ("checkpoint.every_minutes", checkpoint.every_minutes, 0.0..=MOST),
        ] {
            check.real(key, value, range)?;
        }
        let clip = optim.clip_norm;
        check.require(clip >= LEAST, "optim.clip_norm", "a positive number of at least 1e-30, or inf", clip)?;
        for (key, value) in [("optim.momentum", optim.momentum), ("optim.ema_decay", optim.ema_decay)] {
            check.require((0.0..1.0).contains(&value), key, "from 0 to below 1", value)?;
        }
        Ok(())
    }

    fn check_lists(&self, check: &Check) -> Result<()> {
        let optim = &self.optim;
        let milestones = &optim.milestones;
        let rising = milestones.is_sorted() && milestones.iter().all(|epoch| (1..=MOST_EPOCHS).contains(epoch));
        check.require(rising, "optim.milestones", "epochs in rising order", format!("{milestones:?}"))?;
        let betas = optim.betas.iter().all(|beta| (0.0..1.0).contains(beta));
        check.require(betas, "optim.betas", "two numbers from 0 to below 1", format!("{:?}", optim.betas))
    }

    /// Checks that the architecture fits samples of this shape.
    ///
    /// # Errors
    /// Names the setting at fault and its place.
    pub fn validate_architecture(&self, shape: [usize; 3], source: &Source) -> Result<()> {
        let check = Check { source };
        let dimensions = shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side)).unwrap_or(usize::MAX);
        let expected = format!("three positive numbers whose product is at most {MOST_DIMENSIONS}");
        check.require((1..=MOST_DIMENSIONS).contains(&dimensions), "data.shape", &expected, format!("{shape:?}"))?;
        self.model.validate(shape).map_err(|error| check.of_model("model", error))?;
        let of_size =
            |section, config: &LogDetConfig| config.validate_size(dimensions).map_err(|error| check.of_model(section, error));
        of_size("log_det.train", &self.log_det.train)?;
        of_size("log_det.eval", &self.log_det.eval)
    }

    /// Checks that samples of this shape have room for every scale of a new model. Of an earlier one, those without room were left
    /// out.
    ///
    /// # Errors
    /// Names the setting and its place.
    pub fn validate_scales(&self, shape: [usize; 3], source: &Source) -> Result<()> {
        let (room, [_, height, width]) = (self.model.scales(shape), shape);
        let expected = format!("{room} scales at most: on more, samples of {height}x{width} would be smaller than 4x4");
        let fits = self.model.blocks.len() <= room;
        Check { source }.require(fits, "model.blocks", &expected, format!("{:?}", self.model.blocks))
    }

    /// Checks that a device computes in the precisions that are asked for.
    ///
    /// # Errors
    /// Names the setting at fault and its place.
    pub fn validate_device(&self, device: &Device, source: &Source) -> Result<()> {
        let check = Check { source };
        let on_device =
            |section, config: &LogDetConfig| config.validate_device(device).map_err(|error| check.of_model(section, error));
        on_device("log_det.train", &self.log_det.train)?;
        on_device("log_det.eval", &self.log_det.eval)
    }
}

struct Check<'a> {
    source: &'a Source,
}

impl Check<'_> {
    fn require(&self, holds: bool, key: &str, expected: &str, got: impl Display) -> Result<()> {
        if holds {
            return Ok(());
        }
        Err(anyhow!("{}: `{key}` is {got}: expected {expected}", self.source.place(key)))
    }

    fn data(&self, data: &DataConfig) -> Result<()> {
        data.source().with_context(|| self.source.place("data"))?;
        if let Some(levels) = data.levels {
            self.require((2..=256).contains(&levels), "data.levels", "2 to 256", levels)?;
        }
        let fraction = data.test_fraction();
        self.require(fraction > 0.0 && fraction < 1.0, "data.test_fraction", "between 0 and 1", fraction)?;
        let validation = data.validation_fraction.unwrap_or(0.0);
        self.require((0.0..1.0).contains(&validation), "data.validation_fraction", "0 (none) or a number below 1", validation)?;
        self.real("data.noise", data.noise, 0.0..=MOST_FACTOR)?;
        self.whole("data.validation_most", data.validation_most.unwrap_or(1) as u64, 1..=u64::MAX)?;
        self.whole("data.validation_points", data.validation_points.unwrap_or(0) as u64, 0..=MOST_SAMPLES)?;
        self.whole("data.epoch_batches", data.epoch_batches() as u64, 1..=MOST_SAMPLES)?;
        self.whole("data.test_points", data.test_points() as u64, 1..=MOST_SAMPLES)
    }

    fn whole(&self, key: &str, value: u64, range: RangeInclusive<u64>) -> Result<()> {
        let (least, most) = (range.start(), range.end());
        let expected = if value < *least { format!("at least {least}") } else { format!("at most {most}") };
        self.require(range.contains(&value), key, &expected, value)
    }

    fn real(&self, key: &str, value: f64, range: RangeInclusive<f64>) -> Result<()> {
        let expected = match range.start() {
            0.0 => format!("0 or a positive number of at most {:e}", range.end()),
            least => format!("a positive number from {least:e} to {:e}", range.end()),
        };
        self.require(range.contains(&value), key, &expected, format!("{value:?}"))
    }

    fn estimator(&self, section: &str, config: &LogDetConfig) -> Result<()> {
        config.validate().map_err(|error| self.of_model(section, error))
    }

    fn of_model(&self, section: &str, error: ModelError) -> anyhow::Error {
        match error {
            ModelError::Config { key, expected, got } => {
                let key = format!("{section}.{key}");
                anyhow!("{}: `{key}` is {got}: expected {expected}", self.source.place(&key))
            }
            other => anyhow!("{}: {other}", self.source.place(section)),
        }
    }
}
