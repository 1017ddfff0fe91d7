//! The memory of an optimiser by the names of its parameters, as checkpoints hold it.

use super::rules::OptimizerKind;
use crate::io::state::NamedTensor;
use crate::numerics::tensor::{from_vec, to_vec};
use crate::parameters::visit_parameters;
use burn::module::{Module, ParamId};
use burn::tensor::Tensor;
use std::collections::{BTreeMap, HashMap};
use thiserror::Error;

/// The names of what is remembered: in Adam the first and the second moment.
pub const SLOTS: [&str; 2] = ["first", "second"];

/// The memory of an optimiser, whichever it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    /// Which optimiser.
    pub kind: OptimizerKind,
    /// Updates made, for the corrections of bias.
    pub steps: u64,
    /// By their names ([`SLOTS`]): one tensor for every parameter that has one, named and shaped like it.
    pub slots: BTreeMap<String, Vec<NamedTensor>>,
}

/// A memory that does not fit an optimiser or its module.
#[derive(Debug, Error)]
pub enum OptimizerStateError {
    /// It is another optimiser's.
    #[error(
        "the checkpoint's optimiser is {}, `optim.optimizer` is {}; go on with the same one",
        stored.name(),
        configured.name()
    )]
    Kind {
        /// Whose memory it is.
        stored: OptimizerKind,
        /// Which optimiser is to take it.
        configured: OptimizerKind,
    },
    /// A tensor of no parameter.
    #[error("the optimiser's `{slot}` of `{name}` belongs to no parameter")]
    Unexpected {
        /// Which of the [`SLOTS`].
        slot: String,
        /// The alphabetically first such tensor.
        name: String,
    },
    /// A tensor of another shape than its parameter.
    #[error("the optimiser's `{name}` has shape {got:?}, the parameter {expected:?}")]
    Shape {
        /// The parameter.
        name: String,
        /// Its shape.
        expected: Vec<usize>,
        /// The shape of what is remembered of it.
        got: Vec<usize>,
    },
}

impl OptimizerState {
    /// Stores what an optimiser keeps for each parameter of the module.
    pub(super) fn store<M: Module>(&mut self, slot: &str, module: &M, value: impl Fn(ParamId) -> Option<Tensor<1>>) {
        let mut tensors = Vec::new();
        visit_parameters(module, |name, parameter| {
            let Some(value) = value(parameter.id()) else { return };
            tensors.push(NamedTensor { name: name.into(), shape: parameter.shape(), values: to_vec(value) });
        });
        if !tensors.is_empty() {
            self.slots.insert(slot.into(), tensors);
        }
    }

    /// What an optimiser keeps for each parameter of the module, flat, as it was stored; nothing if it keeps none.
    ///
    /// # Errors
    /// If a tensor belongs to no parameter, or has another shape.
    pub(super) fn restore<M: Module>(&self, slot: &str, module: &M) -> Result<Vec<(ParamId, Tensor<1>)>, OptimizerStateError> {
        let tensors = self.slots.get(slot).map_or(&[][..], Vec::as_slice);
        let mut tensors: HashMap<&str, &NamedTensor> = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let (mut values, mut fault) = (Vec::new(), None);
        visit_parameters(module, |name, parameter| {
            let Some(tensor) = tensors.remove(name) else { return };
            let (got, expected) = (&tensor.shape, parameter.shape());
            if *got != expected {
                fault.get_or_insert(OptimizerStateError::Shape { name: name.into(), expected, got: got.clone() });
                return;
            }
            let flat = from_vec(tensor.values.clone(), [tensor.values.len()], &parameter.device());
            values.push((parameter.id(), flat));
        });
        match (fault, tensors.keys().min()) {
            (Some(fault), _) => Err(fault),
            (None, Some(&name)) => Err(OptimizerStateError::Unexpected { slot: slot.into(), name: name.into() }),
            (None, None) => Ok(values),
        }
    }
}
