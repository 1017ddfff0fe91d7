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

use crate::config::OptimConfig;
use crate::state::OptimizerState;
use anyhow::{Result, ensure};
use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Which optimiser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// An optimiser and what it remembers of its parameters.
///
/// Weight decay `λ` is decoupled from the gradient in Adam, Adamax and RMSprop: `w ← w - rate · (d + λ w)` (there the
/// research code's decay was meant to be so, but has no effect); in SGD it is added to the gradient, `g + λ w`, as
/// everywhere else. It applies to every trained parameter.
///
/// # References
/// Loshchilov and Hutter (2019), Decoupled Weight Decay Regularization. <https://arxiv.org/abs/1711.05101>
pub struct Optimizer {
    kind: OptimizerKind,
    betas: [f64; 2],
    epsilon: f64,
    momentum: f64,
    weight_decay: f64,
    steps: u64,
    slots: [GradientsParams; 2],
}

/// The names of what is remembered, in checkpoints: in Adam the first and the second moment.
pub const SLOTS: [&str; 2] = ["first", "second"];

/// What is remembered of a parameter; nothing before its first step.
type Slots<const D: usize> = [Option<Tensor<D>>; 2];

/// A direction, and what is remembered after it.
struct Moved<const D: usize> {
    direction: Tensor<D>,
    slots: Slots<D>,
}

impl Optimizer {
    /// Before the first step.
    pub fn new(config: &OptimConfig) -> Self {
        let &OptimConfig { optimizer: kind, betas, epsilon, momentum, weight_decay, .. } = config;
        let slots = [GradientsParams::new(), GradientsParams::new()];
        Self { kind, betas, epsilon, momentum, weight_decay, steps: 0, slots }
    }

    /// The module after a step; parameters without gradient stay as they are.
    pub fn step<M: Module>(&mut self, rate: f64, module: M, gradients: GradientsParams) -> M {
        self.steps += 1;
        module.map(&mut Update { optimizer: self, rate, gradients })
    }

    /// Its memory, for a checkpoint.
    pub fn state<M: Module>(&self, module: &M) -> OptimizerState {
        let mut state = OptimizerState { kind: self.kind, steps: self.steps, ..Default::default() };
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
            state.kind == self.kind,
            "the checkpoint's optimiser is {:?}, `optim.optimizer` is {:?}; go on with the same one",
            state.kind,
            self.kind
        );
        self.steps = state.steps;
        for (name, slot) in SLOTS.into_iter().zip(&mut self.slots) {
            *slot = state.restore(name, module)?;
        }
        Ok(())
    }

    fn direction<const D: usize>(&self, gradient: Tensor<D>, slots: Slots<D>) -> Moved<D> {
        let step = i32::try_from(self.steps).unwrap_or(i32::MAX);
        match self.kind {
            OptimizerKind::Adam => adam::direction(self.betas, self.epsilon, step, gradient, slots),
            OptimizerKind::Adamax => adamax::direction(self.betas, self.epsilon, step, gradient, slots),
            OptimizerKind::RmsProp => rmsprop::direction(self.betas[1], self.epsilon, gradient, slots),
            OptimizerKind::Sgd => sgd::direction(self.momentum, gradient, slots),
        }
    }
}

struct Update<'a> {
    optimizer: &'a mut Optimizer,
    rate: f64,
    gradients: GradientsParams,
}

impl ModuleMapper for Update<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(mut gradient) = self.gradients.remove::<D>(param.id) else { return param };
        let optimizer = &mut *self.optimizer;
        let decay = (optimizer.weight_decay > 0.0).then(|| param.val() * optimizer.weight_decay);
        let coupled = optimizer.kind == OptimizerKind::Sgd;
        if let (Some(decay), true) = (&decay, coupled) {
            gradient = gradient + decay.clone();
        }
        let before = optimizer.slots.each_mut().map(|slot| slot.remove::<D>(param.id));
        let Moved { mut direction, slots } = optimizer.direction(gradient, before);
        for (slot, tensor) in optimizer.slots.iter_mut().zip(slots) {
            if let Some(tensor) = tensor {
                slot.register(param.id, tensor);
            }
        }
        if let (Some(decay), false) = (decay, coupled) {
            direction = direction + decay;
        }
        param.map(|weight| weight - direction * self.rate)
    }
}

/// `factor · before + part`, without `before` at first.
fn decayed<const D: usize>(before: Option<Tensor<D>>, factor: f64, part: Tensor<D>) -> Tensor<D> {
    match before {
        Some(before) => before * factor + part,
        None => part,
    }
}

#[cfg(test)]
mod tests;
