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
        let opposites: HashMap<&str, usize> = tensors
            .iter()
            .filter(|tensor| tensor.name.ends_with(".opposite"))
            .map(|t| (t.name.as_str(), t.values.len()))
            .collect();
        let roulettes: HashMap<&str, [usize; 2]> = tensors
            .iter()
            .filter(|tensor| tensor.name.ends_with(".roulette"))
            .filter_map(|t| Some((t.name.as_str(), <[usize; 2]>::try_from(t.shape.as_slice()).ok()?)))
            .collect();
        for (scale, layers) in self.scales.iter_mut().enumerate() {
            for (layer, flow) in layers.layers.iter_mut().enumerate() {
                if let FlowLayer::Residual(block) = flow {
                    let name = format!("scales.{scale}.layers.{layer}.Residual.roulette");
                    let device = block.net.device();
                    let empty = |&shape: &[usize; 2]| Param::from_tensor(Tensor::zeros(shape, &device));
                    block.roulette = roulettes.get(name.as_str()).map(empty);
                }
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
