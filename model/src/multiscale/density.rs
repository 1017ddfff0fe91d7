//! A composition of layers as a density model of a single scale.

use super::gradients::{Objective, Outputs};
use super::residual_flow::ResidualFlow;
use crate::error::Result;
use crate::flow::{Flow, LogDetContext};
use crate::flows::{FlowLayer, Sequential};
use crate::gradients::Gradients;
use crate::lipschitz::PowerIteration;
use crate::numerics::shape::from_images;
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// As a density model, with a standard normal latent: what [`ResidualFlow`] does for several scales.
impl Sequential {
    /// `ln p(x) = ln N(f(x); 0, I) + ln|det ∂f/∂x|`, `[n]`, nats. See [`ResidualFlow::log_prob`].
    ///
    /// # Errors
    /// As [`ResidualFlow::log_prob`].
    pub fn log_prob<const D: usize>(&self, x: Tensor<D>) -> Result<Tensor<1>> {
        self.model().log_prob(x)
    }

    /// `n` samples, from standard normal latents.
    ///
    /// # Errors
    /// As [`ResidualFlow::sample`].
    pub fn sample<const D: usize>(&self, n: usize, rng: &mut impl Rng, device: &Device) -> Result<Tensor<D>> {
        from_images(self.model().sample(n, 1.0, rng, device)?)
    }

    /// The gradients of an objective by all parameters. See [`ResidualFlow::gradients`].
    ///
    /// # Errors
    /// As [`ResidualFlow::gradients`].
    pub fn gradients<const D: usize>(
        &self,
        x: Tensor<D>,
        objective: Objective,
        context: &LogDetContext,
        gradients: &mut Gradients,
    ) -> Result<Outputs> {
        self.model().gradients(x, objective, context, gradients)
    }

    /// Sets the data-dependent initial values of all layers from a batch, in forward order.
    ///
    /// # Errors
    /// If the batch has another shape, or an iteration does not converge.
    pub fn initialize<const D: usize>(&mut self, x: Tensor<D>) -> Result<()> {
        let mut x = self.model().as_images(x)?;
        for (index, layer) in self.layers.iter_mut().enumerate() {
            layer.initialize(x.clone());
            x = layer.forward(x).map_err(|error| error.in_layer(&format!("layers.{index}")))?;
        }
        Ok(())
    }

    /// Updates the Lipschitz constraint of every layer, after weights have changed; returns the largest estimate of a residual
    /// branch's Lipschitz constant. See [`ResidualFlow::update_lipschitz`].
    pub fn update_lipschitz(&mut self, settings: &PowerIteration) -> f32 {
        let updated = self.layers.iter_mut().filter_map(|layer: &mut FlowLayer| layer.update_lipschitz(settings));
        updated.fold(0.0, f32::max)
    }

    /// The same layers as a model; its parameters have the same identity.
    fn model(&self) -> ResidualFlow {
        self.clone().into()
    }
}
