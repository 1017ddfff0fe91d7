//! What a training step does beside its gradient: constraints, norm orders, dropout and running means.

use super::ResidualFlow;
use crate::error::Result;
use crate::flows::{FlowLayer, LayerId};
use crate::gradients::Gradients;
use crate::lipschitz::PowerIteration;
use crate::net::ContractiveNet;
use crate::randomness::NoiseKey;
use burn::tensor::Tensor;
use rayon::prelude::*;

impl ResidualFlow {
    /// Initialises ActNorm from a batch of padded images, layer by layer.
    ///
    /// # Errors
    /// If the images have another shape.
    pub fn initialize(&mut self, x: Tensor<4>) -> Result<()> {
        self.forward_and_change(x.clone(), |layer, x| {
            layer.initialize(x.clone());
            layer.forward(x)
        })?;
        if self.classifier.is_some() {
            let inputs = self.pass(x)?.head_inputs;
            self.classifier.iter_mut().for_each(|classifier| classifier.initialize(&inputs));
        }
        Ok(())
    }

    /// Updates the Lipschitz constraint of every layer; returns the largest estimate of a branch's Lipschitz constant.
    ///
    /// To be called whenever weights have changed, with the model's own settings ([`Self::power_iteration`]) in
    /// training and [`PowerIteration::CONVERGED`] before evaluation or sampling.
    pub fn update_lipschitz(&mut self, settings: &PowerIteration) -> f32 {
        let layers: Vec<&mut FlowLayer> = self.layers_mut().collect();
        layers.into_par_iter().filter_map(|layer| layer.update_lipschitz(settings)).reduce(|| 0.0, f32::max)
    }

    /// Converges the Lipschitz constraint of every layer to single precision, by iterations in double precision: for
    /// numbers that are compared with those of another program. [`update_lipschitz`](Self::update_lipschitz) stops as
    /// soon as estimates hardly change, which takes less time.
    ///
    /// # Errors
    /// Names the first layer whose norm does not converge.
    pub fn converge_lipschitz(&mut self) -> Result<()> {
        let ids = self.layer_ids();
        let layers: Vec<(&mut FlowLayer, LayerId)> = self.layers_mut().zip(ids).collect();
        let converge = |(layer, LayerId { path, .. }): (&mut FlowLayer, LayerId)| {
            layer.net_mut().map_or(Ok(()), |net| net.converge_lipschitz(&format!("{path}.net")))
        };
        let converged: Vec<Result<()>> = layers.into_par_iter().map(converge).collect();
        // The first in the order of layers.
        converged.into_iter().collect()
    }

    /// Adds `weight · ∂σ̄/∂t` to the gradients, with the mean `σ̄` of all norms whose orders are learned, for the parameters
    /// `t` of those orders. The loss itself has no gradient by them.
    ///
    /// Descending it looks for the orders in which layers are smallest, so that the constraint costs least (Chen et al. 2019,
    /// appendix).
    pub fn add_norm_order_gradients(&self, weight: f64, gradients: &mut Gradients) {
        let learned: usize = self.layers().filter_map(FlowLayer::net).map(ContractiveNet::learned_layers).sum();
        self.layers().for_each(|layer| layer.add_norm_order_gradients(weight / learned as f64, gradients));
    }

    /// Draws dropout's masks for a batch of this size; they hold until [`clear_dropout`](Self::clear_dropout).
    ///
    /// All passes of a training step see the same masks.
    pub fn draw_dropout(&mut self, batch: usize, noise: NoiseKey) {
        const AFTER_ALL_LAYERS: u64 = 1 << 32;
        for (index, layer) in self.layers_mut().enumerate() {
            layer.draw_dropout(batch, &mut noise.stream(AFTER_ALL_LAYERS + index as u64));
        }
    }

    /// Ends dropout: the model is as in evaluation again.
    pub fn clear_dropout(&mut self) {
        self.layers_mut().for_each(FlowLayer::clear_dropout);
    }

    /// Moves the means of all moving batch norms towards those of a batch of padded images, each found at the means as they
    /// are.
    ///
    /// To be called once for each batch that is trained on. Costs a forward pass, and nothing in models without batch norm.
    ///
    /// # Errors
    /// If the images have another shape.
    pub fn update_batch_norm(&mut self, x: Tensor<4>) -> Result<()> {
        if !self.layers().any(FlowLayer::has_batch_norm) {
            return self.check_input(&x);
        }
        self.forward_and_change(x, |layer, x| {
            let z = layer.forward(x.clone());
            layer.update_batch_norm(x);
            z
        })
    }

    /// Runs all layers forward with a step that may change them.
    fn forward_and_change(&mut self, x: Tensor<4>, step: impl Fn(&mut FlowLayer, Tensor<4>) -> Tensor<4>) -> Result<()> {
        self.check_input(&x)?;
        let mut x = x;
        for index in 0..self.scales.len() {
            for layer in &mut self.scales[index].layers {
                x = step(layer, x);
            }
            if self.factors_out_after(index) {
                x = super::halves(x).0;
            }
        }
        Ok(())
    }

    fn layers(&self) -> impl Iterator<Item = &FlowLayer> {
        self.scales.iter().flat_map(|scale| &scale.layers)
    }

    fn layers_mut(&mut self) -> impl Iterator<Item = &mut FlowLayer> {
        self.scales.iter_mut().flat_map(|scale| &mut scale.layers)
    }
}
