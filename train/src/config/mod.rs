//! An experiment's settings: one TOML file with the key `device` and the sections `[data]`, `[model]`, `[task]`, `[log_det.train]`,
//! `[log_det.eval]`, `[optim]`, `[run]` and `[checkpoint]`.
//!
//! Keys that are left out have the defaults of these types; unknown keys and wrong types are errors with their line.
//! [`Config::load`] reads a file, [`Source`] remembers where each key came from, for later messages.

mod data;
pub mod defaults;
pub mod reference;
pub mod shipped;
mod source;
mod validate;

pub use data::{DataConfig, DataSource, NoiseKind, Validation};
use defaults::DefaultsKind;
pub use source::Source;

use crate::system::device::DeviceChoice;
use anyhow::{Context, Result, anyhow};
use datasets::io::input;
use residual_flows::optim::OptimConfig;
use residual_flows::optim::limits::{LEAST, MOST, MOST_EPOCHS, MOST_SAMPLES, MOST_STEPS};
use residual_flows::training::TaskConfig;
use residual_flows::{LogDetConfig, ResidualFlowConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// All settings of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to compute: `auto`, `cpu`, `cuda`, `cuda:N`, `wgpu` or `wgpu:N`. `auto` takes a CUDA device where there is one, else
    /// the CPU.
    #[serde(default)]
    pub device: DeviceChoice,
    /// Whether settings that are left out are chosen by the data, where there is a rule for them. A run's own configuration says
    /// all that was chosen, so that it does not depend on the rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "by the data, unless the file says `model.blocks`"))]
    pub defaults: Option<DefaultsKind>,
    /// The data: images, points of a known distribution, or a table of numbers.
    pub data: DataConfig,
    /// The architecture. The default is the paper's model of CIFAR-10.
    #[serde(default)]
    pub model: ResidualFlowConfig,
    /// What is learned.
    #[serde(default)]
    pub task: TaskConfig,
    /// The estimators of the log-determinant.
    #[serde(default)]
    pub log_det: LogDetSection,
    /// The optimiser, with warm-up, clipping and an average of the weights.
    #[serde(default)]
    pub optim: OptimConfig,
    /// How long to train, and what to do meanwhile.
    #[serde(default)]
    pub run: RunConfig,
    /// When to save. A run is saved after every evaluation, at its end and when it is stopped, whatever these say.
    #[serde(default)]
    pub checkpoint: CheckpointConfig,
}

/// `[log_det]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogDetSection {
    /// The estimator of training steps.
    pub train: LogDetConfig,
    /// The estimator of evaluations. A key that is left out has a default of its own, not the value of `log_det.train`.
    pub eval: LogDetConfig,
}

impl Default for LogDetSection {
    fn default() -> Self {
        Self { train: LogDetConfig::training(), eval: LogDetConfig::evaluation() }
    }
}

/// `[run]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// Decides initial weights, the order of samples, and all noise. The same seed gives the same run, bit for bit.
    pub seed: u64,
    /// Passes over the training samples.
    #[schemars(range(min = 1), extend("x-unit" = "epochs"))]
    pub epochs: u64,
    /// Ends training after this many steps, if `epochs` has not ended it before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MOST_STEPS), extend("x-unit" = "steps", "x-default" = "no limit"))]
    pub max_steps: Option<u64>,
    /// Ends training after this time; the last evaluation comes on top. How far a run gets then depends on the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = LEAST, max = MOST), extend("x-unit" = "seconds", "x-default" = "no limit"))]
    pub max_seconds: Option<f64>,
    /// Evaluates on the validation samples every this many epochs. With 0 it does so only at the end. Without validation samples, it
    /// is on those for testing.
    #[schemars(extend("x-unit" = "epochs"))]
    pub evaluate_every_epochs: u64,
    /// Evaluates on the validation samples every this many steps too. With 0 the number of steps is no reason to do so.
    #[schemars(extend("x-unit" = "steps"))]
    pub evaluate_every_steps: u64,
    /// Evaluates on the test samples too every this many epochs. With 0 it does so only at the end, with the best weights.
    #[schemars(extend("x-unit" = "epochs"))]
    pub test_every_epochs: u64,
    /// Ends training after this many evaluations in a row that were no better than the best one. With 0 it does not end for this
    /// reason.
    #[schemars(extend("x-unit" = "evaluations"))]
    pub patience: u64,
    /// Samples of an evaluation batch. Only memory and speed depend on it.
    #[schemars(range(min = 1, max = MOST_SAMPLES), extend("x-unit" = "samples"))]
    pub eval_batch_size: usize,
    /// Writes metrics every this many steps.
    #[schemars(range(min = 1, max = MOST_STEPS), extend("x-unit" = "steps"))]
    pub log_every_steps: u64,
    /// Draws pictures every this many epochs. With 0 it draws them only at the end.
    #[schemars(extend("x-unit" = "epochs"))]
    pub sample_every_epochs: u64,
    /// Draws pictures every this many steps too. With 0 the number of steps is no reason to do so.
    #[schemars(extend("x-unit" = "steps"))]
    pub sample_every_steps: u64,
    /// Whether the untrained model is drawn too, before the first step.
    pub sample_at_start: bool,
    /// How many checkpoints with the lowest validation loss are kept; at least one is.
    #[schemars(extend("x-unit" = "checkpoints"))]
    pub keep_best: usize,
    /// Images of each kind in a picture, or sampled points. Where a picture would take minutes it has as many images as fit in a
    /// tenth of the time in training so far, or in two minutes.
    #[schemars(range(min = 1, max = MOST_SAMPLES), extend("x-unit" = "samples"))]
    pub n_samples: usize,
    /// Steps whose loss or gradient is not finite are skipped, and leave the weights as they were. The run ends after more than
    /// this many of them in a row.
    #[schemars(extend("x-unit" = "steps"))]
    pub max_skipped_in_a_row: u64,
    /// Whether event files for TensorBoard are written.
    pub tensorboard: bool,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            epochs: 1000,
            max_steps: None,
            max_seconds: None,
            evaluate_every_epochs: 1,
            evaluate_every_steps: 0,
            test_every_epochs: 0,
            patience: 0,
            eval_batch_size: 200,
            log_every_steps: 20,
            sample_every_epochs: 1,
            sample_every_steps: 0,
            sample_at_start: false,
            keep_best: 5,
            n_samples: 32,
            max_skipped_in_a_row: 10,
            tensorboard: true,
        }
    }
}

/// `[checkpoint]`
///
/// A run is saved after every evaluation, at its end and when it is stopped, whatever these say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointConfig {
    /// Saves every this many minutes. With 0 time is no reason to save.
    #[schemars(range(min = 0.0, max = MOST), extend("x-unit" = "minutes"))]
    pub every_minutes: f64,
    /// Saves every this many steps. With 0 the number of steps is no reason to save.
    #[schemars(extend("x-unit" = "steps"))]
    pub every_steps: u64,
    /// How many of the latest checkpoints stay. With two, there is one to go back to if the last is damaged.
    #[schemars(range(min = 1, max = MOST_EPOCHS), extend("x-unit" = "checkpoints"))]
    pub keep: usize,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self { every_minutes: 5.0, every_steps: 0, keep: 2 }
    }
}

/// Bytes of a configuration at most.
const MOST_BYTES: u64 = 1 << 20;

impl Config {
    /// Reads and checks a file, or one of the [shipped] configurations by its name, with `section.key=value` settings that take
    /// precedence.
    ///
    /// # Errors
    /// If the file cannot be read, is not TOML, or holds an unknown key, a value of a wrong type or out of range; with
    /// the file's line or the setting at fault.
    pub fn load(path: &Path, settings: &[String]) -> Result<(Self, Source)> {
        let read = || -> Result<String> {
            if let Some(text) = shipped::text(path).filter(|_| !path.is_file()) {
                return Ok(text.into());
            }
            let bytes = input::read_stream(path, MOST_BYTES)?;
            String::from_utf8(bytes)
                .map_err(|error| anyhow!("it is not text: byte {} is not UTF-8", error.utf8_error().valid_up_to()))
        };
        let is_no_name = path.extension().is_some() || path.exists();
        let text = read().with_context(|| match is_no_name {
            true => format!("cannot read the configuration {}", path.display()),
            false => {
                format!("cannot read the configuration {}, which is no shipped one either: {}", path.display(), short_names())
            }
        })?;
        Self::of_text(path.display().to_string(), text, settings)
    }

    /// Checks the text of a configuration, called `name` in messages, with settings that take precedence.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn of_text(name: String, text: String, settings: &[String]) -> Result<(Self, Source)> {
        let source = Source::new(name, text, settings.to_vec());
        let config = source.parse()?;
        config.validate(&source)?;
        Ok((config, source))
    }

    /// Checks settings in JSON, an object for each section, called `name` in messages, with settings that take precedence.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn of_json(name: &str, json: &serde_json::Value, settings: &[String]) -> Result<(Self, Source)> {
        let text = toml::to_string(json).with_context(|| format!("{name}: there is no TOML for these settings"))?;
        Self::of_text(name.into(), text, settings)
    }

    /// Writes down what new runs do where the settings leave it open and earlier versions did something else, so that checkpoints
    /// tell one from the other.
    pub fn settle(&mut self, source: &Source) {
        self.data.settle(source.chooses_by_data());
        self.optim.ema_warmup.get_or_insert(true);
    }

    /// Writes down what a run did before, where these settings of it leave it open.
    pub fn settle_like(&mut self, before: &Self) {
        self.data.settle_like(&before.data);
        self.optim.ema_warmup = self.optim.ema_warmup.or(before.optim.ema_warmup);
    }

    /// The keys, `section.key`, whose values are others in other settings, but for the last digits of numbers.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let [ours, theirs] =
            [self, other].map(|config| toml::Value::try_from(config).unwrap_or_else(|_| toml::Table::new().into()));
        let mut keys = Vec::new();
        differences("", Some(&ours), Some(&theirs), &mut keys);
        keys
    }

    /// The resolved settings as TOML, every default written out.
    ///
    /// # Errors
    /// If a number cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context("cannot write the configuration as TOML")
    }
}

/// Names of shipped configurations, for a message.
fn short_names() -> String {
    let names: Vec<&str> = shipped::names().filter(|name| !name.contains('_')).collect();
    format!("{} …", names.join(", "))
}

/// Adds the keys under a path whose values differ.
fn differences(path: &str, ours: Option<&toml::Value>, theirs: Option<&toml::Value>, keys: &mut Vec<String>) {
    use toml::Value::{Float, Table};
    match (ours, theirs) {
        (Some(Table(ours)), Some(Table(theirs))) => {
            let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                differences(&path, ours.get(name), theirs.get(name), keys);
            }
        }
        // Earlier versions lost last digits on the way through JSON.
        (Some(Float(a)), Some(Float(b))) if (a - b).abs() <= 1e-14 * a.abs().max(b.abs()) => {}
        _ if ours == theirs => {}
        _ => keys.push(path.into()),
    }
}
