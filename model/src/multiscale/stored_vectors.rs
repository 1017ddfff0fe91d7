//! Models with both vectors of power iteration, as the reference implementation's checkpoints have them.

use super::residual_flow::ResidualFlow;
use crate::io::state::{NamedTensor, StateError, with_tensors};
use crate::numerics::tensor::from_vec;
use burn::module::Param;
use std::collections::HashMap;

impl ResidualFlow {
    /// The model with its whole state replaced, as by [`with_tensors`]; the state's vectors of power iteration are taken for those
    /// that belong to its weights. Where the state has the vector opposite to the one
    /// that a layer keeps, the model gets it too.
    ///
    /// # Errors
    /// If a tensor is missing, left over, or of another shape.
    pub fn with_state(mut self, tensors: Vec<NamedTensor>) -> Result<Self, StateError> {
        let opposites: HashMap<&str, usize> = tensors
            .iter()
            .filter(|tensor| tensor.name.ends_with(".opposite"))
            .map(|t| (t.name.as_str(), t.values.len()))
            .collect();
        for (scale, layers) in self.scales.iter_mut().enumerate() {
            for (layer, flow) in layers.layers.iter_mut().enumerate() {
                let Some(net) = flow.net_mut() else { continue };
                for (index, convolution) in net.convolutions.iter_mut().enumerate() {
                    let name = format!("scales.{scale}.layers.{layer}.Residual.net.convolutions.{index}.opposite");
                    let device = convolution.weight.lazy_device();
                    let empty = |&len: &usize| Param::from_tensor(from_vec(vec![0.0; len], [len], &device));
                    convolution.opposite = opposites.get(name.as_str()).map(empty);
                }
            }
        }
        let mut model = with_tensors(self, tensors)?;
        model.trust_vectors();
        Ok(model)
    }
}
