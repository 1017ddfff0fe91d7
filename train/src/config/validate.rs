//! Settings that make no sense, found before any work starts.

use super::{Config, DataConfig, Source, TaskKind};
use anyhow::{Context, Result, anyhow};
use burn::tensor::Device;
use residual_flows::{LogDetConfig, ModelError};
use std::fmt::Display;

impl Config {
    /// Checks all settings that can be checked without the data; the architecture too if `data.shape` is set.
    ///
    /// # Errors
    /// Names the first setting that is out of its range, and its place.
    pub fn validate(&self, source: &Source) -> Result<()> {
        let check = Check { source };
        let (optim, run) = (&self.optim, &self.run);
        check.data(&self.data)?;
        check.positive("optim.learning_rate", optim.learning_rate)?;
        let fraction = optim.final_fraction;
        check.require((0.0..=1.0).contains(&fraction), "optim.final_fraction", "between 0 and 1", fraction)?;
        check.at_least_one("optim.batch_size", optim.batch_size as u64)?;
        check.at_least_one("optim.accumulate", optim.accumulate as u64)?;
        check.require(optim.clip_norm > 0.0, "optim.clip_norm", "a positive number or inf", optim.clip_norm)?;
        check.at_least_one("optim.restart_epochs", optim.restart_epochs)?;
        check.at_least_one("optim.restart_factor", optim.restart_factor)?;
        let rising = optim.milestones.is_sorted() && optim.milestones.iter().all(|&epoch| epoch > 0);
        check.require(rising, "optim.milestones", "epochs in rising order", format!("{:?}", optim.milestones))?;
        check.positive("optim.milestone_factor", optim.milestone_factor)?;
        let betas = optim.betas.iter().all(|beta| (0.0..1.0).contains(beta));
        check.require(betas, "optim.betas", "two numbers from 0 to below 1", format!("{:?}", optim.betas))?;
        check.positive("optim.epsilon", optim.epsilon)?;
        check.require((0.0..1.0).contains(&optim.momentum), "optim.momentum", "from 0 to below 1", optim.momentum)?;
        check.positive("optim.norm_order_weight", optim.norm_order_weight)?;
        let enough = !self.task.kind.has_classes() || self.model.classes >= 2;
        check.require(
            enough,
            "model.classes",
            "at least 2, the number of classes that the task is to tell apart",
            self.model.classes,
        )?;
        let hybrid = !self.task.scale_dim || self.task.kind == TaskKind::Hybrid;
        check.require(hybrid, "task.scale_dim", "false, unless task.kind is \"hybrid\"", self.task.scale_dim)?;
        let decay = optim.weight_decay;
        check.require(decay.is_finite() && decay >= 0.0, "optim.weight_decay", "0 or a positive number", decay)?;
        let decay = optim.ema_decay;
        check.require((0.0..1.0).contains(&decay), "optim.ema_decay", "from 0 to below 1", decay)?;
        check.at_least_one("run.epochs", run.epochs)?;
        check.at_least_one("run.max_steps", run.max_steps.unwrap_or(1))?;
        check.positive("run.max_seconds", run.max_seconds.unwrap_or(1.0))?;
        check.at_least_one("run.eval_batch_size", run.eval_batch_size as u64)?;
        check.at_least_one("run.log_every_steps", run.log_every_steps)?;
        check.at_least_one("run.n_samples", run.n_samples as u64)?;
        let minutes = self.checkpoint.every_minutes;
        let possible = minutes.is_finite() && minutes >= 0.0;
        check.require(possible, "checkpoint.every_minutes", "0 or a positive number", minutes)?;
        check.at_least_one("checkpoint.keep", self.checkpoint.keep as u64)?;
        check.estimator("log_det.train", &self.log_det.train)?;
        check.estimator("log_det.eval", &self.log_det.eval)?;
        self.data.known_shape().map_or(Ok(()), |shape| self.validate_architecture(shape, source))
    }

    /// Checks that the architecture fits samples of this shape.
    ///
    /// # Errors
    /// Names the setting at fault and its place.
    pub fn validate_architecture(&self, shape: [usize; 3], source: &Source) -> Result<()> {
        let check = Check { source };
        let dimensions = shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side)).unwrap_or(usize::MAX);
        let expected = format!("three positive numbers whose product is at most {MAX_DIMENSIONS}");
        check.require((1..=MAX_DIMENSIONS).contains(&dimensions), "data.shape", &expected, format!("{shape:?}"))?;
        self.model.validate(shape).map_err(|error| check.of_model("model", error))?;
        let of_size =
            |section, config: &LogDetConfig| config.validate_size(dimensions).map_err(|error| check.of_model(section, error));
        of_size("log_det.train", &self.log_det.train)?;
        of_size("log_det.eval", &self.log_det.eval)
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

/// Numbers in a sample at most: more are a mistake.
const MAX_DIMENSIONS: usize = 1 << 30;

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
        self.at_least_one("data.epoch_batches", data.epoch_batches() as u64)?;
        self.at_least_one("data.test_points", data.test_points() as u64)
    }

    fn positive(&self, key: &str, value: f64) -> Result<()> {
        self.require(value.is_finite() && value > 0.0, key, "a positive number", value)
    }

    fn at_least_one(&self, key: &str, value: u64) -> Result<()> {
        self.require(value > 0, key, "at least 1", value)
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
