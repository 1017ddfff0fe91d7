//! A module's parameters and persistent vectors by name, for checkpoints.

use crate::numerics::tensor::{from_vec, to_vec};
use crate::parameters::{map_parameters, visit_parameters};
use burn::module::Module;
use std::collections::HashMap;
use thiserror::Error;

/// One tensor of a module's state.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Path of fields and positions in the module, such as `scales.0.layers.1.ActNorm.bias`.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its values, row-major.
    pub values: Vec<f32>,
}

/// A state that does not fit the module.
#[derive(Debug, Error)]
pub enum StateError {
    /// The module has a tensor that the state lacks.
    #[error("the state has no tensor `{0}`: it belongs to another architecture")]
    Missing(String),
    /// The state has tensors that the module lacks.
    #[error("the state has {count} tensors that the model has not, the first is `{first}`: it belongs to another architecture")]
    Unexpected {
        /// How many.
        count: usize,
        /// The alphabetically first.
        first: String,
    },
    /// A tensor of another shape.
    #[error("tensor `{name}` has shape {got:?} where the model has {expected:?}: it belongs to another architecture")]
    Shape {
        /// Which.
        name: String,
        /// In the module.
        expected: Vec<usize>,
        /// In the state.
        got: Vec<usize>,
    },
}

impl NamedTensor {
    /// The first element that is not finite, with its value.
    pub fn first_not_finite(&self) -> Option<(usize, f32)> {
        let element = self.values.iter().position(|value| !value.is_finite())?;
        Some((element, self.values[element]))
    }
}

/// The state of a module, in the order of its fields.
///
/// # Examples
/// ```
/// use residual_flows::burn::tensor::Device;
/// use residual_flows::flows::ActNorm;
/// use residual_flows::state::{named_tensors, with_tensors};
///
/// let layer = ActNorm::per_channel(2, &Device::flex());
/// let mut state = named_tensors(&layer);
/// assert_eq!(state[1].name, "log_scale");
/// state[1].values = vec![0.5, -0.5];
/// let changed = with_tensors(layer, state.clone())?;
/// assert_eq!(named_tensors(&changed), state);
/// # Ok::<(), residual_flows::state::StateError>(())
/// ```
pub fn named_tensors<M: Module>(module: &M) -> Vec<NamedTensor> {
    let mut tensors = Vec::new();
    visit_parameters(module, |name, parameter| {
        tensors.push(NamedTensor { name: name.into(), shape: parameter.shape(), values: to_vec(parameter.flat()) });
    });
    tensors
}

/// The module with its whole state replaced; parameters keep their identity.
///
/// # Errors
/// If a tensor is missing, left over, or of another shape. The first fault is named.
pub fn with_tensors<M: Module>(module: M, tensors: Vec<NamedTensor>) -> Result<M, StateError> {
    let mut tensors: HashMap<String, NamedTensor> = tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
    let mut fault = None;
    let module = map_parameters(module, |name, parameter| {
        let expected = parameter.shape();
        let of_tensor = match tensors.remove(name) {
            Some(tensor) if tensor.shape == expected => {
                let length = tensor.values.len();
                return Some(from_vec(tensor.values, [length], &parameter.device()));
            }
            Some(tensor) => StateError::Shape { name: name.into(), expected, got: tensor.shape },
            None => StateError::Missing(name.into()),
        };
        fault.get_or_insert(of_tensor);
        None
    });
    match (fault, tensors.keys().min()) {
        (Some(fault), _) => Err(fault),
        (None, Some(first)) => Err(StateError::Unexpected { count: tensors.len(), first: first.clone() }),
        (None, None) => Ok(module),
    }
}
