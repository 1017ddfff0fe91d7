//! The contractive network `g` of a residual block: constrained convolutions with activations before and between them.

use super::activation::{Activation, ActivationKind};
use super::branch::{Branch, BranchGradients, BranchParts, GeneralBranch, Joint};
use super::concatenation::Concatenation;
use super::conditioner::Conditioner;
use super::dropout::Dropout;
use super::moving_batch_norm::MovingBatchNorm;
use super::widths::Widths;
use crate::error::{ModelError, Result};
use crate::gradients::Gradients;
use crate::lipschitz::{
    ContractiveConvolution, ContractiveConvolutionConfig, NormLearning, NormOrder, NormPair, PowerIteration, Unconverged,
    order_of, parameter,
};
use crate::monitor::Monitor;
use crate::numerics::convolution::Form;
use crate::numerics::parallel;
use crate::numerics::tensor::{channel_means, from_vec};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// `g = W_n φ(… φ(W_1 φ₀(x) + b_1) …) + b_n` with `‖W_i‖_{p_{i-1} → p_i} ≤ c < 1`.
///
/// With activations of Lipschitz constant 1, `‖g(x) - g(y)‖_{p_n} ≤ cⁿ ‖x - y‖_{p_0}`. So `g` is a contraction if
/// `p_n ≤ p_0`; pairs such as 1→2→2→∞ of the reference implementation do not guarantee it.
///
/// With dense layers it is `g = W_n z_{n-1} + b_n` with `z_i = [η₁ z_{i-1}; η₂ φ(W_i z_{i-1} + b_i)]` instead (see
/// [`Concatenation`]).
///
/// A fully connected network is one on images of a single pixel whose channels are all of the input's elements.
#[derive(Module, Debug)]
pub struct ContractiveNet {
    /// The affine layers.
    pub(crate) convolutions: Vec<ContractiveConvolution>,
    /// The activation before the first layer, if there is one, then those between layers.
    pub(crate) activations: Vec<Activation>,
    /// Of each dense layer, which has the activation of the same number; none in other networks.
    pub(crate) concatenations: Vec<Concatenation>,
    /// One before the activation before the first layer, if there is one, then one after every layer; or none at all.
    pub(crate) batch_norms: Vec<MovingBatchNorm>,
    /// Parameters of the norm orders where they are learned, each `[1]`: one a layer, for the layer's domain and the
    /// codomain of the one before, or one for all.
    pub(crate) orders: Vec<Param<Tensor<1>>>,
    /// The norm orders of each layer where they are fixed.
    #[module(skip)]
    fixed_pairs: Vec<NormPair>,
    preactivation: bool,
    dense: bool,
    elements: usize,
    /// What the first layer's output depends on beside the input, if anything.
    conditioner: Option<Conditioner>,
    #[module(skip)]
    dropout: Dropout,
    #[module(skip)]
    monitor: Monitor,
}

/// What a [`ContractiveNet`] is built for.
#[derive(Clone, Debug)]
pub struct ContractiveNetConfig {
    /// Channels, height and width of the input, which are those of the output.
    pub shape: [usize; 3],
    /// Channels of the hidden layers.
    pub hidden: Widths,
    /// Kernel sizes, one a layer; a dense network has as many layers as this is long.
    pub kernels: Vec<usize>,
    /// See [`ActivationKind`].
    pub activation: ActivationKind,
    /// Whether an activation stands before the first layer as well.
    pub preactivation: bool,
    /// Whether layers connect all elements of the input instead of neighbouring pixels.
    pub dense: bool,
    /// The bound `c` of every layer's norm.
    pub bound: f64,
    /// Norm orders `p_0, …, p_n`, one more than there are layers, or one for all.
    pub norm_orders: Vec<NormOrder>,
    /// Whether norm orders are learned instead.
    pub learn_norm_orders: NormLearning,
    /// Whether a moving batch norm stands before the preactivation and after every layer.
    pub batch_norm: bool,
    /// Probability with which a channel of the last layer's input is left out in training.
    pub dropout: f64,
    /// What the last layer's random weights are multiplied by: a small number makes a network that starts near zero.
    pub last_layer_scale: f64,
    /// Whether weights are random; else they are zero, to be replaced by stored ones, and no power iteration is run.
    pub is_random: bool,
    /// Dense layers in place of the hidden ones, with spectral norms, the first kernel size, and a last layer of kernel size 1;
    /// there is no preactivation then.
    pub dense_layers: Option<DenseLayersConfig>,
}

/// The dense layers of a [`ContractiveNet`].
#[derive(Clone, Debug)]
pub struct DenseLayersConfig {
    /// How many there are.
    pub depth: usize,
    /// Channels that each adds to its input.
    pub growth: usize,
    /// Channels of an affine layer before them, without activation, if there is one.
    pub entrance: Option<usize>,
    /// `c` of their [`Concatenation`]s.
    pub bound: f64,
    /// Whether the weights of concatenations are learned.
    pub learnable: bool,
}

impl ContractiveNetConfig {
    /// The paper's network, `φ 3×3 φ 1×1 φ 3×3` with LipSwish and spectral norms, for inputs of this shape.
    pub fn new(shape: [usize; 3], hidden: usize) -> Self {
        Self {
            shape,
            hidden: hidden.into(),
            kernels: vec![3, 1, 3],
            activation: ActivationKind::LipSwish,
            preactivation: true,
            dense: false,
            bound: 0.98,
            norm_orders: vec![NormOrder::TWO],
            learn_norm_orders: NormLearning::Off,
            batch_norm: false,
            dropout: 0.0,
            last_layer_scale: 1.0,
            is_random: true,
            dense_layers: None,
        }
    }

    /// The network of the paper's 2-D densities, three affine layers, for points with this number of dimensions.
    pub fn points(dimensions: usize, hidden: usize) -> Self {
        Self { kernels: vec![1, 1, 1], preactivation: false, ..Self::new([dimensions, 1, 1], hidden) }
    }

    /// A network with random weights.
    pub fn init(&self, rng: &mut impl Rng, device: &Device) -> ContractiveNet {
        let [c, h, w] = self.shape;
        let channels = if self.dense { c * h * w } else { c };
        let affine = self.affine_layers(channels);
        let n = affine.len();
        let count = self.learn_norm_orders.count(n);
        let preactivation = self.preactivation && self.dense_layers.is_none();
        let mut net = ContractiveNet {
            convolutions: Vec::with_capacity(n),
            activations: Vec::new(),
            concatenations: Vec::new(),
            batch_norms: Vec::new(),
            orders: (0..count).map(|_| Param::from_tensor(Tensor::zeros([1], device))).collect(),
            fixed_pairs: (0..n).map(|layer| self.fixed_pair(layer)).collect(),
            preactivation,
            dense: self.dense,
            elements: c * h * w,
            conditioner: None,
            dropout: Dropout::new(self.dropout),
            monitor: Monitor::default(),
        };
        net.convolutions = self.layers(affine, &net.norm_pairs()).map(|layer| layer.init(rng, device)).collect();
        let n_activations = self.dense_layers.as_ref().map_or(n - 1 + usize::from(preactivation), |dense| dense.depth);
        net.activations = (0..n_activations).map(|_| Activation::new(self.activation, device)).collect();
        if let Some(dense) = &self.dense_layers {
            net.concatenations = (0..dense.depth).map(|_| Concatenation::new(dense.bound, dense.learnable, device)).collect();
        }
        if self.batch_norm {
            let before = preactivation.then_some(channels);
            let after = net.convolutions.iter().map(|layer| layer.bias.dims()[0]);
            net.batch_norms = before.into_iter().chain(after).map(|channels| MovingBatchNorm::new(channels, device)).collect();
        }
        net
    }

    /// Channels of each affine layer's input and output, and its kernel size.
    fn affine_layers(&self, channels: usize) -> Vec<[usize; 3]> {
        let widening = self.activation.widening();
        let kernel = |index: usize| if self.dense { 1 } else { self.kernels[index] };
        let Some(dense) = &self.dense_layers else {
            let last = self.kernels.len() - 1;
            let before = if self.preactivation { widening * channels } else { channels };
            let layer = |index: usize| {
                let c_in = if index == 0 { before } else { self.hidden.get(index - 1) };
                let c_out = if index == last { channels } else { self.hidden.get(index) / widening };
                [c_in, c_out, kernel(index)]
            };
            return (0..=last).map(layer).collect();
        };
        let first = dense.entrance.unwrap_or(channels);
        let entrance = dense.entrance.map(|width| [channels, width, 1]);
        let layer = |index: usize| [first + index * dense.growth, dense.growth / widening, kernel(0)];
        let last = [first + dense.depth * dense.growth, channels, 1];
        entrance.into_iter().chain((0..dense.depth).map(layer)).chain([last]).collect()
    }

    fn fixed_pair(&self, layer: usize) -> NormPair {
        match self.norm_orders[..] {
            [order] => NormPair { domain: order, codomain: order },
            _ => NormPair { domain: self.norm_orders[layer], codomain: self.norm_orders[layer + 1] },
        }
    }

    fn layers(&self, affine: Vec<[usize; 3]>, pairs: &[NormPair]) -> impl Iterator<Item = ContractiveConvolutionConfig> {
        let [_, h, w] = self.shape;
        let last = affine.len() - 1;
        let layers = affine.into_iter().zip(pairs).enumerate();
        layers.map(move |(index, ([channels_in, channels_out, kernel], &pair))| ContractiveConvolutionConfig {
            channels_in,
            channels_out,
            kernel,
            image: if self.dense { [1, 1] } else { [h, w] },
            form: match folds(index == last, self.dense_layers.is_some(), [channels_in, channels_out]) {
                true => Form::Fold,
                false => Form::Unfold,
            },
            bound: self.bound,
            pair,
            weight_scale: if index == last { self.last_layer_scale } else { 1.0 },
            is_random: self.is_random,
        })
    }
}

/// Whether a layer's kernel is unfolded on the side of its outputs, where then its vector is kept too: of the last layer, and of dense
/// layers that are narrower there.
pub(crate) fn folds<T: PartialOrd>(is_last: bool, has_dense_layers: bool, [c_in, c_out]: [T; 2]) -> bool {
    is_last || has_dense_layers && c_in > c_out
}

impl ContractiveNet {
    /// The affine layers.
    pub fn convolutions(&self) -> &[ContractiveConvolution] {
        &self.convolutions
    }

    /// The affine layers, to be changed.
    pub fn convolutions_mut(&mut self) -> &mut [ContractiveConvolution] {
        &mut self.convolutions
    }

    /// The activation before the first layer, if there is one, then those between layers.
    pub fn activations(&self) -> &[Activation] {
        &self.activations
    }

    /// What the dense layers put beside their inputs, in order; none in other networks.
    pub fn concatenations(&self) -> &[Concatenation] {
        &self.concatenations
    }

    /// Sets the weights of all concatenations back to where they start.
    pub(crate) fn reset_concatenations(&mut self) {
        self.concatenations.iter_mut().for_each(Concatenation::reset);
    }

    /// One batch norm before the activation before the first layer, if there is one, then one after every layer; or none at all.
    pub fn moving_batch_norms(&self) -> &[MovingBatchNorm] {
        &self.batch_norms
    }

    /// Parameters of the norm orders where they are learned, each `[1]`.
    pub fn orders(&self) -> &[Param<Tensor<1>>] {
        &self.orders
    }

    /// Whether it is fully connected, on images of a single pixel whose channels are all of the input's elements.
    pub fn is_dense(&self) -> bool {
        self.dense
    }

    /// The network with its weights constrained, for one or many evaluations at these weights.
    pub(crate) fn branch(&self) -> Branch<'_> {
        Branch::new(self.parts())
    }

    /// The same on the path in tensor operations, which has products `J v` as well.
    pub(crate) fn general_branch(&self) -> Branch<'_> {
        Branch::general(self.parts())
    }

    fn parts(&self) -> BranchParts<'_> {
        let (before, between) = self.activations.split_at(usize::from(self.preactivation));
        let (shift, shifts) = self.batch_norms();
        let pairs = self.norm_pairs();
        let bias = |(index, layer): (usize, &ContractiveConvolution)| match shifts.get(index) {
            Some(norm) => layer.bias.val() + norm.shift(),
            None => layer.bias.val(),
        };
        let layers = self.convolutions.iter().zip(pairs).collect();
        BranchParts {
            convolutions: parallel::map(&self.device(), layers, |(layer, pair)| layer.constrained(pair)),
            biases: self.convolutions.iter().enumerate().map(bias).collect(),
            preactivation: before.first(),
            joints: self.joints(between),
            sample_bias: self.conditioner.as_ref().and_then(Conditioner::outputs),
            input_shift: shift.map(MovingBatchNorm::shift),
            last_mask: self.dropout.mask(),
            monitor: self.monitor.clone(),
        }
    }

    /// What stands after each affine layer but the last, from the activations there.
    fn joints<'a>(&'a self, activations: &'a [Activation]) -> Vec<Option<Joint<'a>>> {
        let device = self.device();
        let plain = |activation| Some(Joint { activation, concatenation: None });
        if self.concatenations.is_empty() {
            return activations.iter().map(plain).collect();
        }
        let dense =
            self.concatenations.iter().zip(activations).map(|(concatenation, activation)| {
                Some(Joint { activation, concatenation: Some(concatenation.factors(&device)) })
            });
        (0..self.entrances()).map(|_| None).chain(dense).collect()
    }

    /// How many affine layers stand before the dense ones.
    fn entrances(&self) -> usize {
        (self.convolutions.len() - 1).saturating_sub(self.concatenations.len())
    }

    /// Has its computations followed by a monitor.
    pub(crate) fn set_monitor(&mut self, monitor: &Monitor) {
        self.monitor = monitor.clone();
    }

    /// What follows its computations.
    pub(crate) fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    pub(crate) fn device(&self) -> Device {
        self.convolutions.first().map_or_else(Device::flex, |layer| layer.weight.device())
    }

    /// The one before the preactivation, and those after the layers.
    fn batch_norms(&self) -> (Option<&MovingBatchNorm>, &[MovingBatchNorm]) {
        match &self.batch_norms[..] {
            [first, rest @ ..] if self.preactivation => (Some(first), rest),
            all => (None, all),
        }
    }

    /// The norm orders of each layer, as they are now.
    pub fn norm_pairs(&self) -> Vec<NormPair> {
        let orders: Vec<NormOrder> = self.orders.iter().map(|order| order_of(parameter(order)).0).collect();
        let pair = |(layer, &fixed): (usize, &NormPair)| match orders.len() {
            0 => fixed,
            n => NormPair { domain: orders[layer % n], codomain: orders[(layer + 1) % n] },
        };
        self.fixed_pairs.iter().enumerate().map(pair).collect()
    }

    /// `[batch, channels, height, width]` in the layout of branches.
    pub(crate) fn import(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, h, w] = x.dims();
        if self.dense { x.reshape([b, c * h * w, 1, 1]) } else { x }
    }

    /// Back from the layout of branches to `[batch, channels, height, width]`.
    pub(crate) fn export(&self, x: Tensor<4>, dims: [usize; 4]) -> Tensor<4> {
        if self.dense { x.reshape(dims) } else { x }
    }

    /// Adds a branch's gradients to the parameters', through the constraint.
    pub(crate) fn add_gradients(&self, of_branch: BranchGradients, gradients: &mut Gradients) {
        let (first, norms) = self.batch_norms();
        if let (Some(norm), Some(shift)) = (first, of_branch.shift) {
            gradients.add(&norm.bias, shift);
        }
        if let (Some(conditioner), Some(bias)) = (&self.conditioner, of_branch.sample_bias) {
            conditioner.backward(bias, gradients);
        }
        for (norm, bias) in norms.iter().zip(&of_branch.biases) {
            gradients.add(&norm.bias, bias.clone());
        }
        let layers = self.convolutions.iter().zip(self.norm_pairs()).zip(of_branch.weights).collect();
        let weights = parallel::map(&self.device(), layers, |((layer, pair), weight)| layer.pull_constraint(pair, weight));
        for ((layer, weight), bias) in self.convolutions.iter().zip(weights).zip(of_branch.biases) {
            gradients.add(&layer.weight, weight);
            gradients.add(&layer.bias, bias);
        }
        let betas = self.activations.iter().filter_map(|a| a.beta.as_ref());
        for (beta, gradient) in betas.zip(of_branch.betas) {
            gradients.add(beta, gradient);
        }
        for (concatenation, by_factors) in self.concatenations.iter().zip(of_branch.concatenations) {
            concatenation.add_gradients(by_factors, gradients);
        }
    }

    /// Number of layers whose norm orders are learned.
    pub(crate) fn learned_layers(&self) -> usize {
        if self.orders.is_empty() { 0 } else { self.convolutions.len() }
    }

    /// Adds `weight · ∂(Σ σ)/∂t`, with the layers' norms `σ`, for the parameters `t` of learned norm orders. A gradient that
    /// is not finite is left out.
    pub(crate) fn add_order_gradients(&self, weight: f64, gradients: &mut Gradients) {
        let n = self.orders.len();
        if n == 0 {
            return;
        }
        let mut by_order = vec![0.0; n];
        for (index, (layer, pair)) in self.convolutions.iter().zip(self.norm_pairs()).enumerate() {
            let [by_domain, by_codomain] = layer.sigma_by_orders(pair);
            by_order[index % n] += by_domain;
            by_order[(index + 1) % n] += by_codomain;
        }
        for (order, by_order) in self.orders.iter().zip(by_order) {
            let gradient = weight * by_order * order_of(parameter(order)).1;
            if gradient.is_finite() {
                gradients.add(order, from_vec(vec![gradient as f32], [1], &order.device()));
            }
        }
    }

    /// Draws which channels the next training step leaves out; they stay out until [`clear_dropout`](Self::clear_dropout).
    pub fn draw_dropout(&mut self, batch: usize, rng: &mut impl Rng) {
        if let Some(last) = self.convolutions.last() {
            self.dropout.draw(batch, last.weight.dims()[1], rng, &last.weight.device());
        }
    }

    /// Has the first layer's output depend on this number of features of what is known about each sample: a bias for each sample,
    /// zero until it is trained.
    pub(crate) fn condition_on(&mut self, features: usize) {
        if let Some(first) = self.convolutions.first() {
            self.conditioner = Some(Conditioner::new(features, first.bias.dims()[0], &first.weight.device()));
        }
    }

    /// Takes the features of the samples of a batch, `[batch, features]`, or forgets them.
    pub(crate) fn set_embedding(&mut self, embedding: Option<&Tensor<2>>) {
        if let Some(conditioner) = &mut self.conditioner {
            conditioner.set_embedding(embedding);
        }
    }

    /// Takes all channels in again.
    pub fn clear_dropout(&mut self) {
        self.dropout.clear();
    }

    /// Moves the means of the batch norms towards those of a batch `[batch, channels, height, width]`, all of them found at
    /// the means as they are.
    pub fn update_batch_norm(&mut self, x: Tensor<4>) {
        if self.batch_norms.is_empty() {
            return;
        }
        let x = self.import(x);
        let (first, rest) = self.batch_norms();
        let shifted = match first {
            Some(norm) => x.clone() + norm.shift().reshape([1, -1, 1, 1]),
            None => x.clone(),
        };
        let outputs = GeneralBranch::new(self.parts()).output_means(shifted);
        let after = outputs.into_iter().zip(rest).map(|(mean, norm)| mean - norm.shift());
        let means: Vec<Tensor<1>> = first.map(|_| channel_means(x)).into_iter().chain(after).collect();
        self.batch_norms.iter_mut().zip(means).for_each(|(norm, mean)| norm.observe(mean));
    }

    /// Number of values in the outputs of all layers but the last, and in concatenations, on an image of `pixels` pixels.
    #[cfg(test)]
    pub(crate) fn n_hidden_values(&self, pixels: usize) -> usize {
        let (pixels, [hidden @ .., _]) = (if self.dense { 1 } else { pixels }, &self.convolutions[..]) else { return 0 };
        let concatenated = self.convolutions.iter().rev().take(self.concatenations.len());
        let concatenated = concatenated.map(|layer| layer.weight.dims()[1]).sum::<usize>();
        pixels * (hidden.iter().map(|layer| layer.bias.dims()[0]).sum::<usize>() + concatenated)
    }

    /// Floating-point operations in the matrix products of one evaluation on an image of `pixels` pixels.
    pub(crate) fn pass_flops(&self, pixels: usize) -> f64 {
        let pixels = if self.dense { 1 } else { pixels };
        let weights = self.convolutions.iter().map(|layer| layer.weight.val().shape().num_elements());
        2.0 * (pixels * weights.sum::<usize>()) as f64
    }

    /// An estimate of `Lip(g)` in the norm of the first layer's domain: the product of the layers' Lipschitz estimates and
    /// of the activations' Lipschitz constants, with the concatenations of dense layers.
    pub fn lipschitz_estimate(&self) -> f64 {
        let layers = self.convolutions.iter().zip(self.norm_pairs());
        let estimates: Vec<f64> = layers.map(|(layer, pair)| f64::from(layer.lipschitz_estimate(pair))).collect();
        self.composed(&estimates) * self.cost_of_norms()
    }

    /// The Lipschitz constant of the network whose affine layers have these, all in one norm.
    pub(crate) fn composed(&self, layers: &[f64]) -> f64 {
        self.composed_with(layers, Concatenation::lipschitz)
    }

    fn composed_with(&self, layers: &[f64], dense: impl Fn(&Concatenation, f64) -> f64) -> f64 {
        let constants = || self.activations.iter().map(|a| a.kind().lipschitz_constant());
        if self.concatenations.is_empty() {
            return layers.iter().product::<f64>() * constants().product::<f64>();
        }
        let mut concatenations = self.concatenations.iter().zip(constants());
        let (before, rest) = layers.split_at(self.entrances());
        let of_layer = |&layer: &f64| match concatenations.next() {
            Some((concatenation, activation)) => dense(concatenation, layer * activation),
            None => layer,
        };
        before.iter().product::<f64>() * rest.iter().map(of_layer).product::<f64>()
    }

    /// The [estimate](Self::lipschitz_estimate) where it bounds the Jacobian's spectral norm: where all layers are constrained
    /// in that.
    pub(crate) fn spectral_bound(&self) -> Option<f64> {
        let spectral = self.norm_pairs().iter().all(|pair| *pair == NormPair::SPECTRAL);
        spectral.then(|| self.lipschitz_estimate())
    }

    /// Whether parameters have been replaced since the constraint was updated.
    pub fn is_stale(&self) -> bool {
        self.convolutions.iter().any(ContractiveConvolution::is_stale)
    }

    /// Takes the vectors of power iteration as those that belong to the weights as they are.
    pub(crate) fn trust_vectors(&mut self) {
        self.convolutions.iter_mut().for_each(ContractiveConvolution::trust_vector);
    }

    /// Updates the constraint of every layer; returns the [estimate](Self::lipschitz_estimate).
    pub fn update_lipschitz(&mut self, settings: &PowerIteration) -> f32 {
        let pairs = self.norm_pairs();
        let sigmas: Vec<f32> =
            self.convolutions.iter_mut().zip(pairs).map(|(layer, pair)| layer.update(pair, settings).sigma).collect();
        self.estimate_from(&sigmas)
    }

    /// Makes iterations for the constraint of every layer; of each, `σ` and its relative change in the last one, `[2]`.
    pub(crate) fn advance_lipschitz(&mut self, iterations: usize, settings: &PowerIteration) -> Vec<Tensor<1>> {
        let pairs = self.norm_pairs();
        self.convolutions.iter_mut().zip(pairs).map(|(layer, pair)| layer.advance(pair, iterations, settings)).collect()
    }

    /// The [estimate](Self::lipschitz_estimate) where the layers' norms are known, for any learned concatenation: no parameter
    /// is read.
    pub(crate) fn estimate_from(&self, sigmas: &[f32]) -> f32 {
        let layers = self.convolutions.iter().zip(sigmas);
        let estimates: Vec<f64> = layers.map(|(layer, &sigma)| f64::from(sigma).min(layer.bound())).collect();
        (self.composed_with(&estimates, Concatenation::largest_lipschitz) * self.cost_of_norms()) as f32
    }

    /// [Converges](crate::ResidualFlow::converge_lipschitz) the constraint of every layer; `path` is the network's.
    ///
    /// # Errors
    /// Names the first layer whose norm does not converge.
    pub(crate) fn converge_lipschitz(&mut self, path: &str) -> Result<()> {
        let pairs = self.norm_pairs();
        for (index, (layer, pair)) in self.convolutions.iter_mut().zip(pairs).enumerate() {
            let unconverged = |Unconverged { iterations, change }| {
                let layer = format!("{path}.convolutions.{index}");
                ModelError::Norm { layer, iterations, change }
            };
            layer.converge(pair).map_err(unconverged)?;
        }
        Ok(())
    }

    /// What the step from the last norm back to the first may cost: `‖y‖_p ≤ d^{1/p - 1/q} ‖y‖_q` for `p < q` and `d` elements.
    fn cost_of_norms(&self) -> f64 {
        let pairs = self.norm_pairs();
        let (Some(first), Some(last)) = (pairs.first(), pairs.last()) else { return 1.0 };
        let exponent = 1.0 / first.domain.get() - 1.0 / last.codomain.get();
        (self.elements as f64).powf(exponent.max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_det::{Determinant, ValueTerms};
    use crate::numerics::randomness::{NoiseKey, gaussian};
    use crate::numerics::tensor::to_vec;
    use flow_kernels::{ChainWeights, InstructionSet};

    fn assert_close<const D: usize>(what: &str, a: Tensor<D>, b: Tensor<D>) {
        let scale = largest(&b);
        assert_close_at(what, a, b, scale);
    }

    /// Within 1e-5 of this scale.
    fn assert_close_at<const D: usize>(what: &str, a: Tensor<D>, b: Tensor<D>, scale: f32) {
        assert_eq!(a.dims(), b.dims(), "{what}");
        for (a, b) in to_vec(a).into_iter().zip(to_vec(b)) {
            assert!((a - b).abs() < 1e-5 * scale, "{what}: {a} {b}, of {scale}");
        }
    }

    fn largest<const D: usize>(tensor: &Tensor<D>) -> f32 {
        to_vec(tensor.clone()).into_iter().fold(1e-3, |max, value| max.max(value.abs()))
    }

    /// The fused kernels and the tensor operations are two implementations of the same formulas.
    #[test]
    fn both_paths_agree() {
        let device = Device::flex();
        let mut rng = NoiseKey::new(21, [0, 0]).stream(0);
        let cases: [(&[usize], _, _, usize, [usize; 4]); 14] = [
            (&[3, 1, 3], ActivationKind::LipSwish, true, 20, [3, 4, 6, 5]),
            (&[3, 1, 3], ActivationKind::Elu, false, 33, [2, 1, 17, 9]),
            (&[5, 1, 1, 3], ActivationKind::LipSwish, false, 7, [2, 3, 4, 4]),
            (&[1, 3], ActivationKind::Elu, true, 1, [1, 2, 3, 3]),
            // One pixel; many images of one pixel, which go through the branch together.
            (&[3, 1, 3], ActivationKind::LipSwish, true, 5, [1, 3, 1, 1]),
            (&[1, 1, 1], ActivationKind::LipSwish, true, 18, [301, 2, 1, 1]),
            // Few of them, in halves of unequal size.
            (&[1, 1, 1], ActivationKind::LipSwish, false, 18, [45, 6, 1, 1]),
            // Wide enough for products of quarters, with pixels left over.
            (&[3, 1, 3], ActivationKind::LipSwish, true, 256, [2, 3, 10, 10]),
            // More pixels than one block, and a last block that is not full; several units of images.
            (&[3, 1, 3], ActivationKind::LipSwish, true, 20, [5, 2, 31, 29]),
            (&[3, 1, 5], ActivationKind::Elu, true, 9, [41, 3, 5, 7]),
            // By quads: one group of them, several to a unit, several units and blocks; a last group that is not full.
            (&[3, 1, 3], ActivationKind::LipSwish, true, 20, [1, 8, 16, 8]),
            (&[3, 1, 3], ActivationKind::LipSwish, false, 44, [6, 12, 8, 8]),
            (&[3, 3], ActivationKind::Elu, true, 12, [5, 8, 32, 24]),
            (&[3, 1, 1, 3], ActivationKind::LipSwish, true, 8, [3, 16, 30, 8]),
        ];
        for (kernels, activation, preactivation, hidden, dims) in cases {
            let [_, c, h, w] = dims;
            let config = ContractiveNetConfig {
                kernels: kernels.to_vec(),
                activation,
                preactivation,
                ..ContractiveNetConfig::new([c, h, w], hidden)
            };
            let net = config.init(&mut rng, &device);
            let general = net.general_branch();
            let mut random = || net.import(gaussian(dims, &mut rng, &device));
            let inputs = [(); 4].map(|()| random());
            for set in InstructionSet::available() {
                let fused = net.branch().on(set);
                assert!(fused.is_fused() && !general.is_fused());
                branches_agree(&fused, &general, inputs.clone());
            }
        }
    }

    fn branches_agree(fused: &Branch, general: &Branch, [x, u, v, y_bar]: [Tensor<4>; 4]) {
        assert_close("forward", fused.forward(x.clone()), general.forward(x.clone()));
        let ((g, at), (g_too, at_too)) = (fused.linearize(x.clone()), general.linearize(x.clone()));
        assert_close("g", g, g_too.clone());
        assert_close("vjp", fused.vjp(&at, u.clone()), general.vjp(&at_too, u.clone()));
        let ours = fused.pullback(x.clone(), v.clone(), y_bar.clone(), u.clone());
        gradients_agree(ours, general.pullback(x.clone(), v.clone(), y_bar.clone(), u));

        let terms = ChainWeights { value: &[1.0, -1.0, 0.5], gradient: &[-0.9, 1.1, -2.0] };
        let lambda = from_vec((0..x.dims()[0]).map(|i| 1.0 + i as f32).collect(), [x.dims()[0]], &x.device());
        let (mut value, mut w, mut u) = (lambda.zeros_like(), v.clone(), v.clone());
        for (a, b) in terms.value.iter().zip(terms.gradient) {
            u = general.vjp(&at_too, u);
            value = value + (u.clone() * v.clone()).sum_dims_squeeze(&[1, 2, 3]) * *a;
            w = w + u.clone() * *b;
        }
        let value_terms = ValueTerms { n_exact: 1, roulette: &[2.0, 1.5], early_end: None, determinant: Determinant::Sum };
        let (g, ours) = fused.series(x.clone(), v.clone(), value_terms).expect("the fused path has the series");
        assert_close("g of the series", g, g_too);
        assert_close("series", ours, value.clone());
        let inputs = [x.clone(), v.clone(), y_bar.clone()];
        let (ours, x_bar, gradients) =
            fused.series_pullback(inputs, &terms, lambda.clone()).expect("the fused path has the series");
        assert_close("series", ours, value);
        gradients_agree((x_bar, gradients), general.pullback(x, v, y_bar, w * lambda.reshape([-1, 1, 1, 1])));
    }

    fn gradients_agree((x_bar, ours): (Tensor<4>, BranchGradients), (x_bar_too, theirs): (Tensor<4>, BranchGradients)) {
        assert_close("input", x_bar, x_bar_too);
        for (a, b) in ours.weights.into_iter().zip(theirs.weights) {
            assert_close("weight", a, b);
        }
        // A β's gradient is a single number, which sums over channels what a bias's has of one: more of it cancels.
        let of_biases = theirs.biases.iter().map(largest).fold(0.0, f32::max);
        for (a, b) in ours.biases.into_iter().zip(theirs.biases) {
            assert_close("bias", a, b);
        }
        assert_eq!(ours.betas.len(), theirs.betas.len());
        for (a, b) in ours.betas.into_iter().zip(theirs.betas) {
            let scale = largest(&b).max(of_biases);
            assert_close_at("beta", a, b, scale);
        }
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let device = Device::flex();
        // By pixels and by quads.
        for channels in [2, 12] {
            let config = ContractiveNetConfig::new([channels, 24, 16], 32);
            let net = config.init(&mut NoiseKey::new(1, [0, 0]).stream(0), &device);
            let x = net.import(gaussian([4, channels, 24, 16], &mut NoiseKey::new(2, [0, 0]).stream(0), &device));
            do_not_depend_on_the_number_of_threads(&net, &x);
        }
    }

    fn do_not_depend_on_the_number_of_threads(net: &ContractiveNet, x: &Tensor<4>) {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
            pool.install(|| {
                let (input, gradients) = net.branch().pullback(x.clone(), x.clone(), x.clone(), x.clone());
                let weights: Vec<Vec<f32>> = gradients.weights.into_iter().map(to_vec).collect();
                (to_vec(input), weights)
            })
        };
        assert!(run(1) == run(3));
    }
}
