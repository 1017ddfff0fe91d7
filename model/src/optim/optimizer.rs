//! The update of all parameters of a module.

use super::config::OptimConfig;
use super::rules::{Rule, Slots};
use super::state::{OptimizerState, OptimizerStateError, SLOTS};
use crate::gradients::Gradients;
use crate::numerics::parallel;
use crate::parameters::{map_parameters, visit_parameters};
use burn::module::{Module, ParamId};
use burn::tensor::Tensor;
use std::collections::HashMap;

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
        let updated = parallel::map(&device, updates, |update| {
            let Update { id, weight, gradient, slots } = update;
            (id, rule.updated(weight, gradient, slots, rate, step))
        });
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

/// What a parameter's step takes, flat.
struct Update {
    id: ParamId,
    weight: Tensor<1>,
    gradient: Tensor<1>,
    slots: Slots,
}
