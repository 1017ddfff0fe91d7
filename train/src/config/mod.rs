//! An experiment's settings: one TOML file with the key `device` and the sections `[data]`, `[model]`, `[task]`, `[log_det.train]`,
//! `[log_det.eval]`, `[optim]`, `[run]` and `[checkpoint]`.
//!
//! Keys that are left out have the defaults of these types; unknown keys and wrong types are errors with their line.
//! [`Config::load`] reads a file, [`Source`] remembers where each key came from, for later messages.

mod data;
mod limits;
pub mod reference;
mod source;
mod task;
mod validate;

pub use data::{DataConfig, DataSource, Validation};
pub use source::Source;
pub use task::{TaskConfig, TaskKind};

use crate::system::device::DeviceChoice;
use crate::training::optimizer::OptimizerKind;
use anyhow::{Context, Result, anyhow};
use datasets::input;
use limits::{LEAST, MOST, MOST_EPOCHS, MOST_FACTOR, MOST_SAMPLES, MOST_STEPS};
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

/// `[optim]`: the optimiser, with warm-up, clipping and an average of the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OptimConfig {
    /// The rule that turns a gradient into a step.
    pub optimizer: OptimizerKind,
    /// The learning rate after warm-up. Narrow models of points and small images train well with 1e-2 to 3e-2, the paper's large
    /// ones with 1e-3.
    #[schemars(range(min = LEAST, max = MOST))]
    pub learning_rate: f64,
    /// The learning rate rises linearly from 0 in this many steps. Too few make the first steps of large models diverge.
    #[schemars(range(min = 0, max = MOST_STEPS), extend("x-unit" = "steps"))]
    pub warmup_steps: u64,
    /// What the learning rate does after warm-up.
    pub schedule: ScheduleKind,
    /// `cosine`, `cosine_restarts`: the fraction of `learning_rate` at which a cosine ends.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub final_fraction: f64,
    /// `cosine_restarts`: the length of the first period.
    #[schemars(range(min = 1, max = MOST_EPOCHS), extend("x-unit" = "epochs"))]
    pub restart_epochs: u64,
    /// `cosine_restarts`: how many times longer every period is than the one before.
    #[schemars(range(min = 1, max = MOST_EPOCHS))]
    pub restart_factor: u64,
    /// `multi_step`: the epochs after which the learning rate is lowered, in rising order.
    #[schemars(inner(range(min = 1, max = MOST_EPOCHS)), extend("x-unit" = "epochs"))]
    pub milestones: Vec<u64>,
    /// `multi_step`: what the learning rate is multiplied by at each of the `milestones`.
    #[schemars(range(min = LEAST, max = MOST_FACTOR))]
    pub milestone_factor: f64,
    /// The weight of the log-determinant in the loss rises linearly from 0 to 1 in this many steps. With 0 it is 1 from the
    /// beginning.
    #[schemars(range(min = 0, max = MOST_STEPS), extend("x-unit" = "steps"))]
    pub annealing_steps: u64,
    /// Samples of a micro-batch, which are in memory together. Larger batches have less noisy gradients and take more memory.
    #[schemars(range(min = 1, max = MOST_SAMPLES), extend("x-unit" = "samples"))]
    pub batch_size: usize,
    /// Whether an epoch leaves out its last samples where they do not fill a batch.
    pub drop_last: bool,
    /// Micro-batches whose gradients are averaged in one step. `accumulate = 4` with a quarter of `batch_size` makes the same step
    /// with a quarter of the memory.
    #[schemars(range(min = 1, max = MOST_SAMPLES), extend("x-unit" = "batches"))]
    pub accumulate: usize,
    /// The largest norm of all gradients together; longer ones are scaled down to it. `inf` turns clipping off.
    #[schemars(range(min = LEAST), extend("x-infinite" = true))]
    pub clip_norm: f64,
    /// Decay rates of the first and second moments in Adam and Adamax. The second is RMSprop's smoothing constant too.
    #[schemars(inner(range(min = 0.0)), extend("exclusiveMaximum" = 1.0))]
    pub betas: [f64; 2],
    /// The `ε` of Adam, Adamax and RMSprop, which keeps steps finite where gradients are close to 0.
    #[schemars(range(min = LEAST, max = MOST))]
    pub epsilon: f64,
    /// Where norm orders are learned (`model.learn_norm_orders`): the factor of the mean norm of all layers in the loss that they
    /// descend.
    #[schemars(range(min = LEAST, max = MOST_FACTOR))]
    pub norm_order_weight: f64,
    /// The momentum of SGD.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// Weight decay: decoupled from the gradient in Adam, Adamax and RMSprop, added to it in SGD. It applies to every trained
    /// parameter, and helps where data are few.
    #[schemars(range(min = 0.0, max = MOST_FACTOR))]
    pub weight_decay: f64,
    /// Decay of the exponential moving average of the weights, which evaluation and samples use. With 0 there is no average, and
    /// they use the weights of the last step.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub ema_decay: f64,
    /// Whether the average's decay after `t` steps is no more than `(1 + t) / (10 + t)`, so that it follows the weights closely at
    /// first. Runs of earlier versions go on without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "true"))]
    pub ema_warmup: Option<bool>,
}

/// The learning rate's course.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Stays as it is.
    Constant,
    /// Falls along half a cosine to `final_fraction` at the end of `epochs` or `max_steps`, whichever is first.
    Cosine,
    /// The same in periods, each `restart_factor` times as long as the one before it.
    ///
    /// Loshchilov and Hutter (2017), SGDR: Stochastic Gradient Descent with Warm Restarts.
    /// <https://arxiv.org/abs/1608.03983>
    CosineRestarts,
    /// Is multiplied by `milestone_factor` at each of the `milestones`.
    MultiStep,
}

impl Default for OptimConfig {
    fn default() -> Self {
        Self {
            optimizer: OptimizerKind::Adam,
            learning_rate: 1e-3,
            warmup_steps: 1000,
            schedule: ScheduleKind::Constant,
            final_fraction: 0.01,
            restart_epochs: 20,
            restart_factor: 2,
            milestones: vec![60, 120, 160],
            milestone_factor: 0.2,
            annealing_steps: 0,
            batch_size: 64,
            drop_last: false,
            accumulate: 1,
            clip_norm: 1.0,
            betas: [0.9, 0.99],
            epsilon: 1e-8,
            norm_order_weight: 1.0,
            momentum: 0.9,
            weight_decay: 0.0,
            ema_decay: 0.999,
            ema_warmup: None,
        }
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
            test_every_epochs: 0,
            patience: 0,
            eval_batch_size: 200,
            log_every_steps: 20,
            sample_every_epochs: 1,
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
    /// Reads and checks a file, with `section.key=value` settings that take precedence.
    ///
    /// # Errors
    /// If the file cannot be read, is not TOML, or holds an unknown key, a value of a wrong type or out of range; with
    /// the file's line or the setting at fault.
    pub fn load(path: &Path, settings: &[String]) -> Result<(Self, Source)> {
        let read = || -> Result<String> {
            let bytes = input::read_stream(path, MOST_BYTES)?;
            String::from_utf8(bytes)
                .map_err(|error| anyhow!("it is not text: byte {} is not UTF-8", error.utf8_error().valid_up_to()))
        };
        let text = read().with_context(|| format!("cannot read the configuration {}", path.display()))?;
        let source = Source::new(path.display().to_string(), text, settings.to_vec());
        let config = source.parse()?;
        config.validate(&source)?;
        Ok((config, source))
    }

    /// Writes down what new runs do where the settings leave it open and earlier versions did something else, so that checkpoints
    /// tell one from the other.
    pub fn settle(&mut self) {
        self.data.settle();
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
