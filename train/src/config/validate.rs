//! Settings that make no sense, found before any work starts.

use super::defaults::Facts;
use super::reference::{Range, Setting};
use super::{Config, DataConfig, Source, reference};
use anyhow::{Context, Result, anyhow};
use burn::tensor::Device;
use residual_flows::training::TaskKind;
use residual_flows::{ContextKind, LogDetConfig, ModelError};
use std::fmt::Display;
use toml::Value;

/// Numbers in a sample at most: more are a mistake.
const MOST_DIMENSIONS: usize = 1 << 30;

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
        self.check_ranges(&check)?;
        self.check_milestones(&check)?;
        let task = &self.task;
        let hybrid = !task.scale_dim || task.kind == TaskKind::Hybrid;
        check.require(hybrid, "task.scale_dim", "false, unless task.kind is \"hybrid\"", task.scale_dim)?;
        let (enough, classes) = (!task.kind.has_classes() || self.model.classes >= 2, self.model.classes);
        check.require(enough, "model.classes", "at least 2, the number of classes that the task is to tell apart", classes)?;
        let apart = !task.kind.has_classes() || self.model.context.kind != ContextKind::Classes;
        let expected = "\"none\" or \"vectors\" where classes are learned: a density given the class knows it";
        check.require(apart, "model.context.kind", expected, "\"classes\"")?;
        check.estimator("log_det.train", &self.log_det.train)?;
        check.estimator("log_det.eval", &self.log_det.eval)?;
        let Some(shape) = self.data.known_shape() else { return Ok(()) };
        // What the data will decide does not matter here.
        let mut config = self.clone();
        config.choose(source, &Facts::assumed(&self.data, shape));
        config.validate_architecture(shape, source)
    }

    /// Compares every number with the range that its schema states. The model's and the estimators' own validation does it for
    /// theirs.
    fn check_ranges(&self, check: &Check) -> Result<()> {
        let values = Value::try_from(self).context("the settings cannot be written as TOML")?;
        let of_libraries = |key: &str| key.starts_with("model.") || key.starts_with("log_det.");
        for setting in reference::settings().iter().filter(|setting| !of_libraries(&setting.key)) {
            let (Some(range), Some(value)) = (&setting.range, setting.value_in(&values)) else { continue };
            check.range(setting, range, value)?;
        }
        Ok(())
    }

    fn check_milestones(&self, check: &Check) -> Result<()> {
        let milestones = &self.optim.milestones;
        check.require(milestones.is_sorted(), "optim.milestones", "epochs in rising order", format!("{milestones:?}"))
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
        Ok(())
    }

    /// That a number, or every number of a list, lies in its range.
    fn range(&self, setting: &Setting, range: &Range, value: &Value) -> Result<()> {
        let numbers = match value {
            Value::Array(numbers) => numbers.as_slice(),
            number => std::slice::from_ref(number),
        };
        let numbers = numbers.iter().filter_map(|number| number.as_float().or(number.as_integer().map(|n| n as f64)));
        let Some(outside) = numbers.into_iter().find(|&number| !range.contains(number)) else { return Ok(()) };
        self.require(false, &setting.key, &range.expected(outside), value)
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
