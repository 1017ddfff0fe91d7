//! How gradients become steps: plain data.

use super::limits::{LEAST, MOST, MOST_EPOCHS, MOST_FACTOR, MOST_SAMPLES, MOST_STEPS};
use super::rules::OptimizerKind;
use crate::error::{ModelError, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::ops::RangeInclusive;

/// The optimiser, with warm-up, clipping and an average of the weights: the section `[optim]` of the program's settings.
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
    /// Where dense layers learn the weights of their concatenations (`model.learnable_concatenation`): the first step whose change of
    /// these is kept, counted from 1. Before it they are set back to equal weights after every step. With 0 they learn from the
    /// beginning.
    #[schemars(range(min = 0, max = MOST_STEPS), extend("x-unit" = "steps"))]
    pub concatenation_start_step: u64,
    /// The same by the number of epochs that have to end first; they learn when both have come.
    #[schemars(range(min = 0, max = MOST_EPOCHS), extend("x-unit" = "epochs"))]
    pub concatenation_start_epoch: u64,
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
            concatenation_start_step: 0,
            concatenation_start_epoch: 0,
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

impl OptimConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        for (key, value, range) in [
            ("batch_size", self.batch_size as u64, 1..=MOST_SAMPLES),
            ("accumulate", self.accumulate as u64, 1..=MOST_SAMPLES),
            ("warmup_steps", self.warmup_steps, 0..=MOST_STEPS),
            ("annealing_steps", self.annealing_steps, 0..=MOST_STEPS),
            ("concatenation_start_step", self.concatenation_start_step, 0..=MOST_STEPS),
            ("concatenation_start_epoch", self.concatenation_start_epoch, 0..=MOST_EPOCHS),
            ("restart_epochs", self.restart_epochs, 1..=MOST_EPOCHS),
            ("restart_factor", self.restart_factor, 1..=MOST_EPOCHS),
        ] {
            whole(key, value, range)?;
        }
        // NaN is in no range.
        for (key, value, range) in [
            ("learning_rate", self.learning_rate, LEAST..=MOST),
            ("final_fraction", self.final_fraction, 0.0..=1.0),
            ("milestone_factor", self.milestone_factor, LEAST..=MOST_FACTOR),
            ("epsilon", self.epsilon, LEAST..=MOST),
            ("norm_order_weight", self.norm_order_weight, LEAST..=MOST_FACTOR),
            ("weight_decay", self.weight_decay, 0.0..=MOST_FACTOR),
        ] {
            real(key, value, range)?;
        }
        let clip = self.clip_norm;
        require(clip >= LEAST, "clip_norm", "a positive number of at least 1e-30, or inf".into(), clip)?;
        for (key, value) in [("momentum", self.momentum), ("ema_decay", self.ema_decay)] {
            require((0.0..1.0).contains(&value), key, "from 0 to below 1".into(), value)?;
        }
        let milestones = &self.milestones;
        let rising = milestones.is_sorted() && milestones.iter().all(|epoch| (1..=MOST_EPOCHS).contains(epoch));
        require(rising, "milestones", "epochs in rising order".into(), format!("{milestones:?}"))?;
        let betas = self.betas.iter().all(|beta| (0.0..1.0).contains(beta));
        require(betas, "betas", "two numbers from 0 to below 1".into(), format!("{:?}", self.betas))
    }
}

fn require(holds: bool, key: &'static str, expected: String, got: impl Display) -> Result<()> {
    if holds { Ok(()) } else { Err(ModelError::Config { key, expected, got: got.to_string() }) }
}

fn whole(key: &'static str, value: u64, range: RangeInclusive<u64>) -> Result<()> {
    let (least, most) = (range.start(), range.end());
    let expected = if value < *least { format!("at least {least}") } else { format!("at most {most}") };
    require(range.contains(&value), key, expected, value)
}

fn real(key: &'static str, value: f64, range: RangeInclusive<f64>) -> Result<()> {
    let expected = match range.start() {
        0.0 => format!("0 or a positive number of at most {:e}", range.end()),
        least => format!("a positive number from {least:e} to {:e}", range.end()),
    };
    require(range.contains(&value), key, expected, format!("{value:?}"))
}
