//! The rules by which gradients become directions, a file each.

mod adam;
mod adamax;
mod rmsprop;
mod sgd;

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which optimiser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam.
    #[default]
    Adam,
    /// Adamax.
    Adamax,
    /// RMSprop, whose smoothing constant is the second of `betas`.
    RmsProp,
    /// Stochastic gradient descent with momentum.
    Sgd,
}

impl OptimizerKind {
    /// As configurations have it.
    pub(in crate::optim) fn name(self) -> &'static str {
        match self {
            Self::Adam => "\"adam\"",
            Self::Adamax => "\"adamax\"",
            Self::RmsProp => "\"rmsprop\"",
            Self::Sgd => "\"sgd\"",
        }
    }
}

/// An optimiser with its settings.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub kind: OptimizerKind,
    pub betas: [f64; 2],
    pub epsilon: f64,
    pub momentum: f64,
    pub weight_decay: f64,
}

/// What is remembered of a parameter, flat; nothing before its first step.
pub(super) type Slots = [Option<Tensor<1>>; 2];

/// A direction, and what is remembered after it.
struct Moved {
    direction: Tensor<1>,
    slots: Slots,
}

impl Rule {
    /// The weight after this step, and what is remembered of it.
    pub fn updated(self, weight: Tensor<1>, mut gradient: Tensor<1>, slots: Slots, rate: f64, step: i32) -> (Tensor<1>, Slots) {
        let decay = (self.weight_decay > 0.0).then(|| weight.clone() * self.weight_decay);
        let coupled = self.kind == OptimizerKind::Sgd;
        if let (Some(decay), true) = (&decay, coupled) {
            gradient = gradient + decay.clone();
        }
        let Moved { mut direction, slots } = self.direction(step, gradient, slots);
        if let (Some(decay), false) = (decay, coupled) {
            direction = direction + decay;
        }
        (weight - direction * rate, slots)
    }

    fn direction(self, step: i32, gradient: Tensor<1>, slots: Slots) -> Moved {
        match self.kind {
            OptimizerKind::Adam => adam::direction(self.betas, self.epsilon, step, gradient, slots),
            OptimizerKind::Adamax => adamax::direction(self.betas, self.epsilon, step, gradient, slots),
            OptimizerKind::RmsProp => rmsprop::direction(self.betas[1], self.epsilon, gradient, slots),
            OptimizerKind::Sgd => sgd::direction(self.momentum, gradient, slots),
        }
    }
}

/// `factor · before + part`, without `before` at first.
fn decayed(before: Option<Tensor<1>>, factor: f64, part: Tensor<1>) -> Tensor<1> {
    match before {
        Some(before) => before * factor + part,
        None => part,
    }
}
