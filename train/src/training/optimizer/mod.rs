//! Optimisers for modules whose gradients are computed by hand: Adam, Adamax, RMSprop and SGD with momentum.
//!
//! Each turns a gradient `g` into a direction `d`, and the weights move by `w ← w - rate · d`. To add one: write the
//! direction in a file of its own, a variant of [`OptimizerKind`], and a row in the tests below.
//!
//! Burn's `ModuleOptimizer` takes only modules on an autodiff device, which training here never needs.

mod adam;
mod adamax;
mod rmsprop;
mod sgd;

use crate::checkpoint::state::OptimizerState;
use crate::config::OptimConfig;
use anyhow::{Result, ensure};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use residual_flows::parallel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

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
    fn name(self) -> &'static str {
        match self {
            Self::Adam => "\"adam\"",
            Self::Adamax => "\"adamax\"",
            Self::RmsProp => "\"rmsprop\"",
            Self::Sgd => "\"sgd\"",
        }
    }
}

/// An optimiser and what it remembers of its parameters.
///
/// Weight decay `λ` is decoupled from the gradient in Adam, Adamax and RMSprop: `w ← w - rate · (d + λ w)` (there the
/// research code's decay was meant to be so, but has no effect); in SGD it is added to the gradient, `g + λ w`, as
/// everywhere else. It applies to every trained parameter.
///
/// # References
/// Loshchilov and Hutter (2019), Decoupled Weight Decay Regularization. <https://arxiv.org/abs/1711.05101>
pub struct Optimizer {
    rule: Rule,
    steps: u64,
    slots: [GradientsParams; 2],
}

/// The settings.
#[derive(Clone, Copy)]
struct Rule {
    kind: OptimizerKind,
    betas: [f64; 2],
    epsilon: f64,
    momentum: f64,
    weight_decay: f64,
}

/// The names of what is remembered, in checkpoints: in Adam the first and the second moment.
pub const SLOTS: [&str; 2] = ["first", "second"];

/// What is remembered of a parameter, flat; nothing before its first step.
type Slots = [Option<Tensor<1>>; 2];

/// A direction, and what is remembered after it.
struct Moved {
    direction: Tensor<1>,
    slots: Slots,
}

impl Optimizer {
    /// Before the first step.
    pub fn new(config: &OptimConfig) -> Self {
        let &OptimConfig { optimizer: kind, betas, epsilon, momentum, weight_decay, .. } = config;
        let rule = Rule { kind, betas, epsilon, momentum, weight_decay };
        Self { rule, steps: 0, slots: [GradientsParams::new(), GradientsParams::new()] }
    }

    /// The module after a step; parameters without gradient stay as they are.
    pub fn step<M: Module>(&mut self, rate: f64, module: M, gradients: GradientsParams) -> M {
        self.steps += 1;
        let mut gather = Gather { gradients, slots: &mut self.slots, updates: Vec::new() };
        module.visit(&mut gather);
        let updates = gather.updates;
        let device = module.devices().into_iter().next().unwrap_or_default();
        let (rule, step) = (self.rule, i32::try_from(self.steps).unwrap_or(i32::MAX));
        let updated = parallel::map(&device, updates, |update| (update.id, rule.updated(update, rate, step)));
        module.map(&mut Put { updated: updated.into_iter().collect(), slots: &mut self.slots })
    }

    /// Its memory, for a checkpoint.
    pub fn state<M: Module>(&self, module: &M) -> OptimizerState {
        let mut state = OptimizerState { kind: self.rule.kind, steps: self.steps, ..Default::default() };
        for (name, slot) in SLOTS.into_iter().zip(&self.slots) {
            state.store(name, slot, module);
        }
        state
    }

    /// Takes the memory that a checkpoint holds.
    ///
    /// # Errors
    /// If it is another optimiser's, or does not fit the module.
    pub fn restore<M: Module>(&mut self, state: &OptimizerState, module: &M) -> Result<()> {
        ensure!(
            state.kind == self.rule.kind,
            "the checkpoint's optimiser is {}, `optim.optimizer` is {}; go on with the same one",
            state.kind.name(),
            self.rule.kind.name()
        );
        self.steps = state.steps;
        for (name, slot) in SLOTS.into_iter().zip(&mut self.slots) {
            *slot = state.restore(name, module)?;
        }
        Ok(())
    }
}

impl Rule {
    /// The weight after this step, and what is remembered of it.
    fn updated(self, Update { weight, mut gradient, slots, .. }: Update, rate: f64, step: i32) -> (Tensor<1>, Slots) {
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

/// What a parameter's step takes, flat.
struct Update {
    id: ParamId,
    weight: Tensor<1>,
    gradient: Tensor<1>,
    slots: Slots,
}

/// Gathers the updates of a module's parameters, to be computed side by side.
struct Gather<'a> {
    gradients: GradientsParams,
    slots: &'a mut [GradientsParams; 2],
    updates: Vec<Update>,
}

impl ModuleVisitor for Gather<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return };
        self.updates.push(Update {
            id: param.id,
            weight: param.val().reshape([-1]),
            gradient: gradient.reshape([-1]),
            slots: self.slots.each_mut().map(|slot| slot.remove::<D>(param.id).map(|tensor| tensor.reshape([-1]))),
        });
    }
}

/// Puts what came out in its place.
struct Put<'a> {
    updated: HashMap<ParamId, (Tensor<1>, Slots)>,
    slots: &'a mut [GradientsParams; 2],
}

impl ModuleMapper for Put<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some((weight, slots)) = self.updated.remove(&param.id) else { return param };
        let shape = param.dims();
        for (slot, tensor) in self.slots.iter_mut().zip(slots) {
            if let Some(tensor) = tensor {
                slot.register(param.id, tensor.reshape(shape));
            }
        }
        param.map(|_| weight.reshape(shape))
    }
}

/// `factor · before + part`, without `before` at first.
fn decayed(before: Option<Tensor<1>>, factor: f64, part: Tensor<1>) -> Tensor<1> {
    match before {
        Some(before) => before * factor + part,
        None => part,
    }
}

#[cfg(test)]
mod tests;
