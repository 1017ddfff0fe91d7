//! The update of all parameters of a module.

mod adam;
mod adamax;
mod rmsprop;
mod sgd;

use super::config::OptimConfig;
use super::state::{OptimizerState, OptimizerStateError, SLOTS};
use crate::gradients::Gradients;
use crate::numerics::parallel;
use crate::parameters::{map_parameters, visit_parameters};
use burn::module::{Module, ParamId};
use burn::tensor::Tensor;
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
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Adam => "\"adam\"",
            Self::Adamax => "\"adamax\"",
            Self::RmsProp => "\"rmsprop\"",
            Self::Sgd => "\"sgd\"",
        }
    }
}

/// An optimiser and what it remembers of its parameters: a gradient `g` becomes a direction `d`, and weights move by
/// `w ← w - rate · d`.
///
/// Weight decay `λ` is decoupled from the gradient in Adam, Adamax and RMSprop: `w ← w - rate · (d + λ w)` (there the reference
/// implementation's decay was meant to be so, but has no effect); in SGD it is added to the gradient, `g + λ w`, as everywhere
/// else. It applies to every trained parameter.
///
/// Burn's optimisers are not used: there is no Adamax among them, its Adam corrects `v` before `ε` is added, which gives other
/// numbers than the reference implementation, and its `ModuleOptimizer` takes only modules on an autodiff device, which training
/// here never needs. Its trait `Optimizer` steps one tensor after the other, these step all parameters side by side.
///
/// # Examples
/// ```
/// use burn::module::Param;
/// use burn::tensor::{Device, Tensor};
/// use residual_flows::optim::{OptimConfig, Optimizer, OptimizerKind};
/// use residual_flows::Gradients;
///
/// let device = Device::flex();
/// let module = Param::from_tensor(Tensor::<1>::from_floats([1.0, 2.0], &device));
/// let config = OptimConfig { optimizer: OptimizerKind::Sgd, momentum: 0.0, ..Default::default() };
/// let mut gradients = Gradients::new();
/// gradients.add(&module, Tensor::from_floats([10.0, 0.0], &device));
/// let module = Optimizer::new(&config).step(0.1, module, gradients);
/// assert_eq!(module.val().into_data(), Tensor::<1>::from_floats([0.0, 2.0], &device).into_data());
/// ```
///
/// # References
/// Loshchilov and Hutter (2019), Decoupled Weight Decay Regularization. <https://arxiv.org/abs/1711.05101>
pub struct Optimizer {
    rule: Rule,
    pub(super) steps: u64,
    pub(super) slots: HashMap<ParamId, Slots>,
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

/// What is remembered of a parameter, flat; nothing before its first step.
pub(super) type Slots = [Option<Tensor<1>>; 2];

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
        Self { rule, steps: 0, slots: HashMap::new() }
    }

    /// The module after a step; parameters without gradient stay as they are.
    pub fn step<M: Module>(&mut self, rate: f64, module: M, mut gradients: Gradients) -> M {
        self.steps += 1;
        let mut updates = Vec::new();
        visit_parameters(&module, |_, parameter| {
            let Some(gradient) = parameter.take_gradient(&mut gradients) else { return };
            let (id, weight) = (parameter.id(), parameter.flat());
            updates.push(Update { id, weight, gradient, slots: self.slots.remove(&id).unwrap_or_default() });
        });
        let device = module.devices().into_iter().next().unwrap_or_default();
        let (rule, step) = (self.rule, i32::try_from(self.steps).unwrap_or(i32::MAX));
        let updated = parallel::map(&device, updates, |update| (update.id, rule.updated(update, rate, step)));
        let mut updated: HashMap<ParamId, (Tensor<1>, Slots)> = updated.into_iter().collect();
        map_parameters(module, |_, parameter| {
            let (weight, slots) = updated.remove(&parameter.id())?;
            self.slots.insert(parameter.id(), slots);
            Some(weight)
        })
    }

    /// Its memory, for a checkpoint.
    pub fn state<M: Module>(&self, module: &M) -> OptimizerState {
        let mut state = OptimizerState { kind: self.rule.kind, steps: self.steps, ..Default::default() };
        for (index, name) in SLOTS.into_iter().enumerate() {
            state.store(name, module, |id| self.slots.get(&id)?[index].clone());
        }
        state
    }

    /// Takes the memory that a checkpoint holds.
    ///
    /// # Errors
    /// If it is another optimiser's, or does not fit the module.
    pub fn restore<M: Module>(&mut self, state: &OptimizerState, module: &M) -> Result<(), OptimizerStateError> {
        let (stored, configured) = (state.kind, self.rule.kind);
        if stored != configured {
            return Err(OptimizerStateError::Kind { stored, configured });
        }
        self.steps = state.steps;
        self.slots.clear();
        for (index, name) in SLOTS.into_iter().enumerate() {
            for (id, values) in state.restore(name, module)? {
                self.slots.entry(id).or_default()[index] = Some(values);
            }
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

/// `factor · before + part`, without `before` at first.
fn decayed(before: Option<Tensor<1>>, factor: f64, part: Tensor<1>) -> Tensor<1> {
    match before {
        Some(before) => before * factor + part,
        None => part,
    }
}
