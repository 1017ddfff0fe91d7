//! What a training step does beside its gradient: constraints, norm orders, dropout and running means.

use super::residual_flow::ResidualFlow;
use crate::error::{ModelError, Result};
use crate::flow::{Flow, LayerId};
use crate::flows::FlowLayer;
use crate::gradients::Gradients;
use crate::lipschitz::PowerIteration;
use crate::nn::ContractiveNet;
use crate::numerics::randomness::NoiseKey;
use crate::numerics::tensor::to_vec;
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

/// Iterations between two readings of a GPU: more than most steps need to follow the weights.
const ROUND: usize = 4;

/// How far the norms of layers are converged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Convergence {
    /// Until estimates hardly change ([`PowerIteration::CONVERGED`]): what training evaluates and samples with.
    Estimate,
    /// To single precision, by iterations in double precision: for numbers that are compared with another program's. Takes longer.
    SinglePrecision,
}

impl ResidualFlow {
    /// Initialises ActNorm from a batch of padded images, layer by layer. Nothing needs to be known about them, as nothing depends on
    /// that before training.
    ///
    /// # Errors
    /// If the images have another shape, or an iteration does not converge.
    pub fn initialize(&mut self, x: Tensor<4>) -> Result<()> {
        self.forward_and_change(x.clone(), |layer, x| {
            layer.initialize(x.clone());
            layer.forward(x)
        })?;
        if self.classifier.is_some() {
            // The layers do not depend on a context yet.
            let inputs = self.forward_scales(x, |layer, x, _| layer.forward(x))?.head_inputs;
            self.classifier.iter_mut().for_each(|classifier| classifier.initialize(&inputs));
        }
        Ok(())
    }

    /// Updates the Lipschitz constraint of every layer; returns the largest estimate of a branch's Lipschitz constant.
    ///
    /// To be called whenever weights have changed, with the model's own settings ([`Self::power_iteration`]) in
    /// training and [`PowerIteration::CONVERGED`] before evaluation or sampling.
    ///
    /// On the CPU each layer iterates until it has settled. On a GPU all of them iterate in rounds, after each of which the
    /// host reads once what has settled and how large it is.
    pub fn update_lipschitz(&mut self, settings: &PowerIteration) -> f32 {
        if self.is_on_gpu() {
            return self.update_lipschitz_in_rounds(settings);
        }
        let layers: Vec<&mut FlowLayer> = self.layers_mut().collect();
        layers.into_par_iter().filter_map(|layer| layer.update_lipschitz(settings)).reduce(|| 0.0, f32::max)
    }

    /// [`update_lipschitz`](Self::update_lipschitz), followed by the model's [`Monitor`](crate::Monitor) layer by layer.
    ///
    /// # Errors
    /// If it was stopped; the constraint is then updated of some layers only.
    pub fn update_lipschitz_monitored(&mut self, settings: &PowerIteration) -> Result<f32> {
        let monitor = self.monitor.clone();
        if self.is_on_gpu() {
            let largest = self.update_lipschitz_in_rounds(settings);
            return if monitor.is_stopped() { Err(ModelError::Interrupted) } else { Ok(largest) };
        }
        let update = |layer: &mut FlowLayer| {
            let estimate = if monitor.is_stopped() { None } else { layer.update_lipschitz(settings) };
            monitor.pass().map(|()| estimate.unwrap_or(0.0))
        };
        let layers: Vec<&mut FlowLayer> = self.layers_mut().collect();
        layers.into_par_iter().map(update).try_reduce(|| 0.0, |a, b| Ok(a.max(b)))
    }

    fn is_on_gpu(&self) -> bool {
        let net = self.nets().next();
        net.is_some_and(|net| net.convolutions.iter().any(|layer| layer.weight.device() != Device::flex()))
    }

    /// The norms of a round and their changes are one tensor, the only one that is read.
    fn update_lipschitz_in_rounds(&mut self, settings: &PowerIteration) -> f32 {
        let mut left = settings.max_iters;
        loop {
            let iterations = if settings.tol > 0.0 { left.min(ROUND) } else { left };
            let of_layers: Vec<Tensor<1>> = self.nets_mut().flat_map(|net| net.advance_lipschitz(iterations, settings)).collect();
            if of_layers.is_empty() {
                return 0.0;
            }
            let read = to_vec(Tensor::cat(of_layers, 0));
            let (sigmas, changes): (Vec<f32>, Vec<f32>) = read.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip();
            left -= iterations;
            if left == 0 || changes.iter().all(|&change| f64::from(change) <= settings.tol) {
                return self.largest_estimate(&sigmas);
            }
        }
    }

    /// The largest estimate of a branch's Lipschitz constant from the norms of all layers in order.
    fn largest_estimate(&self, mut sigmas: &[f32]) -> f32 {
        let of_net = |net: &ContractiveNet| {
            let (of_net, rest) = sigmas.split_at(net.convolutions.len());
            sigmas = rest;
            net.estimate_from(of_net)
        };
        self.nets().map(of_net).fold(0.0, f32::max)
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
            let mut nets = layer.nets_mut().into_iter();
            nets.try_for_each(|(field, net)| net.converge_lipschitz(&format!("{path}.{field}")))
        };
        let converged: Vec<Result<()>> = layers.into_par_iter().map(converge).collect();
        // The first in the order of layers.
        converged.into_iter().collect()
    }

    /// The model with its Lipschitz constraint converged, ready to be evaluated, to sample, and to be looked at: the one way from
    /// weights that were stored, averaged or changed to a model that is used. Followed by the model's
    /// [`Monitor`](crate::Monitor).
    ///
    /// # Errors
    /// If the computation was stopped, or a norm does not converge: names the layer.
    pub fn with_converged_constraint(mut self, to: Convergence) -> Result<Self> {
        match to {
            Convergence::Estimate => {
                self.update_lipschitz_monitored(&PowerIteration::CONVERGED)?;
            }
            Convergence::SinglePrecision => self.converge_lipschitz()?,
        }
        Ok(self)
    }

    /// Takes the vectors of power iteration as they are for those that belong to the weights, such as after a state was loaded that
    /// has both. Models that [`with_state`](Self::with_state) fills need no such word.
    pub fn trust_vectors(&mut self) {
        self.nets_mut().for_each(ContractiveNet::trust_vectors);
    }

    /// Adds `weight · ∂σ̄/∂t` to the gradients, with the mean `σ̄` of all norms whose orders are learned, for the parameters
    /// `t` of those orders. The loss itself has no gradient by them.
    ///
    /// Descending it looks for the orders in which layers are smallest, so that the constraint costs least (Chen et al. 2019,
    /// appendix).
    pub fn add_norm_order_gradients(&self, weight: f64, gradients: &mut Gradients) {
        let learned: usize = self.nets().map(ContractiveNet::learned_layers).sum();
        self.layers().for_each(|layer| layer.add_norm_order_gradients(weight / learned as f64, gradients));
    }

    /// Sets the learned weights of dense layers' concatenations back to where they start, for a training that does not change them
    /// yet.
    pub fn reset_concatenations(&mut self) {
        self.nets_mut().for_each(ContractiveNet::reset_concatenations);
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
            let z = layer.forward(x.clone())?;
            layer.update_batch_norm(x);
            Ok(z)
        })
    }

    /// Runs all layers forward with a step that may change them.
    fn forward_and_change(&mut self, x: Tensor<4>, step: impl Fn(&mut FlowLayer, Tensor<4>) -> Result<Tensor<4>>) -> Result<()> {
        self.check_input(&x)?;
        let mut x = x;
        for index in 0..self.scales.len() {
            for (position, layer) in self.scales[index].layers.iter_mut().enumerate() {
                x = step(layer, x).map_err(|error| error.in_layer(&format!("scales.{index}.layers.{position}")))?;
                self.monitor.pass()?;
            }
            if self.factors_out_after(index) {
                x = super::residual_flow::halves(x).0;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResidualFlowConfig;

    fn model(device: &Device) -> ResidualFlow {
        let config = ResidualFlowConfig { blocks: vec![2, 1], hidden_channels: 8.into(), dense_hidden: 6, ..Default::default() };
        config.init([2, 4, 4], &mut NoiseKey::new(3, [0, 0]).stream(0), device).expect("the settings make sense")
    }

    /// Every weight so large that the constraint binds, and the vectors of power iteration as they were.
    fn with_larger_weights(mut model: ResidualFlow) -> ResidualFlow {
        for layer in model.nets_mut().flat_map(|net| &mut net.convolutions) {
            let noise = layer.weight.val().sin() * 0.5;
            layer.weight = layer.weight.clone().map(|weight| weight * 3.0 + noise);
        }
        model
    }

    #[test]
    fn rounds_find_the_norms_of_single_layers() {
        let before = with_larger_weights(model(&Device::flex()));
        let settings = PowerIteration { tol: 1e-5, max_iters: 500, random_starts: 0 };
        let [mut one_by_one, mut in_rounds] = [before.clone(), before];
        let largest = one_by_one.update_lipschitz(&settings);
        let largest_too = in_rounds.update_lipschitz_in_rounds(&settings);
        assert!((largest - largest_too).abs() < 1e-4 * largest, "{largest} {largest_too}");
        let sigmas = |model: &ResidualFlow| -> Vec<f32> {
            let nets = model.nets();
            nets.flat_map(|net| net.convolutions.iter().zip(net.norm_pairs()).map(|(layer, pair)| layer.sigma(pair))).collect()
        };
        for (a, b) in sigmas(&one_by_one).into_iter().zip(sigmas(&in_rounds)) {
            assert!(a > 1.0 && (a - b).abs() < 1e-3 * a, "{a} {b}");
        }
    }

    #[test]
    fn a_round_stops_at_the_iterations_that_are_allowed() {
        let before = with_larger_weights(model(&Device::flex()));
        let [mut one_by_one, mut in_rounds] = [before.clone(), before];
        for (tol, max_iters) in [(0.0, 3), (1e-12, 6)] {
            let settings = PowerIteration { tol, max_iters, random_starts: 0 };
            assert_eq!(one_by_one.update_lipschitz(&settings), in_rounds.update_lipschitz_in_rounds(&settings));
        }
    }

    /// Nothing is read from a GPU in a step's gradient, and one tensor in the update of the constraint.
    #[test]
    #[cfg(feature = "wgpu")]
    fn a_step_on_a_gpu_reads_one_tensor() {
        use crate::{Gradients, LogDetConfig, LogDetContext, Objective};
        let device = Device::wgpu(Default::default());
        let mut model = model(&device);
        let x = Tensor::<4>::full([2, 2, 4, 4], 0.3, &device);
        let config = LogDetConfig::training();
        let context = LogDetContext { config: &config, noise: NoiseKey::new(1, [0, 0]) };
        let before = crate::numerics::tensor::reads();
        let objective = Objective::log_prob(Tensor::ones([2], &device));
        model.gradients(x, objective, &context, &mut Gradients::new()).expect("the images fit");
        assert_eq!(crate::numerics::tensor::reads() - before, 0);
        let settings = PowerIteration { tol: 0.5, ..model.power_iteration() };
        model.update_lipschitz(&settings);
        assert_eq!(crate::numerics::tensor::reads() - before, 1);
    }
}
