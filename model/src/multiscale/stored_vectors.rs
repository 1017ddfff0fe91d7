//! Models with what only some states have: both vectors of power iteration, as in the reference implementation's checkpoints, and
//! fitted roulettes.

use super::residual_flow::ResidualFlow;
use crate::flows::FlowLayer;
use crate::io::state::{NamedTensor, StateError, with_tensors};
use crate::numerics::tensor::from_vec;
use burn::module::Param;
use burn::tensor::Tensor;
use std::collections::HashMap;

impl ResidualFlow {
    /// The model with its whole state replaced, as by [`with_tensors`]; the state's vectors of power iteration are taken for those
    /// that belong to its weights. Where the state has the vector opposite to the one
    /// that a layer keeps, the model gets it too, and likewise roulettes that were fitted.
    ///
    /// # Errors
    /// If a tensor is missing, left over, or of another shape.
    pub fn with_state(mut self, tensors: Vec<NamedTensor>) -> Result<Self, StateError> {
        // By the path without the kind of layer.
        let stored = tensors.iter().filter_map(|tensor| Some((place(&tensor.name)?, tensor.values.len())));
        let opposites: HashMap<String, usize> = stored.collect();
        let roulettes: HashMap<&str, [usize; 2]> = tensors
            .iter()
            .filter(|tensor| tensor.name.ends_with(".roulette"))
            .filter_map(|t| Some((t.name.as_str(), <[usize; 2]>::try_from(t.shape.as_slice()).ok()?)))
            .collect();
        let ids = self.layer_ids();
        for (id, layer) in ids.into_iter().zip(self.layers_mut()) {
            if let FlowLayer::Residual(block) = layer {
                let name = format!("{}.Residual.roulette", id.path);
                let device = block.net.device();
                let empty = |&shape: &[usize; 2]| Param::from_tensor(Tensor::zeros(shape, &device));
                block.roulette = roulettes.get(name.as_str()).map(empty);
            }
            for (field, net) in layer.nets_mut() {
                for (index, convolution) in net.convolutions.iter_mut().enumerate() {
                    let place = format!("{}.{field}.convolutions.{index}", id.path);
                    let device = convolution.weight.lazy_device();
                    let empty = |&len: &usize| Param::from_tensor(from_vec(vec![0.0; len], [len], &device));
                    convolution.opposite = opposites.get(&place).map(empty);
                }
            }
        }
        let mut model = with_tensors(self, tensors)?;
        model.trust_vectors();
        Ok(model)
    }
}

/// `scales.0.layers.1.net.convolutions.2` of `scales.0.layers.1.Residual.net.convolutions.2.opposite`; `None` of other names.
fn place(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.strip_suffix(".opposite")?.split('.').collect();
    let (layer, of_net) = (parts.get(..4)?, parts.get(5..)?);
    Some([layer, of_net].concat().join("."))
}
