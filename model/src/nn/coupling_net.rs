//! The network inside of a coupling layer.

use super::activation::{Activation, ActivationKind};
use super::branch::{Branch, BranchParts, Joint};
use super::conditioner::Conditioner;
use super::dropout::Dropout;
use super::plain_convolution::PlainConvolution;
use super::widths::Widths;
use crate::gradients::Gradients;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// `W_n φ(… φ(W_1 φ₀(x) + b_1) …) + b_n` without constraint on the weights.
///
/// A dense network is one on images of a single pixel whose channels are all of the input's elements.
#[derive(Module, Debug)]
pub struct CouplingNet {
    /// The affine layers.
    pub convolutions: Vec<PlainConvolution>,
    /// The activation before the first layer, if there is one, then those between layers.
    pub activations: Vec<Activation>,
    preactivation: bool,
    dense: bool,
    channels_out: usize,
    /// What the first layer's output depends on beside the input, if anything.
    conditioner: Option<Conditioner>,
    #[module(skip)]
    dropout: Dropout,
}

/// What a [`CouplingNet`] is built for.
#[derive(Clone, Debug)]
pub struct CouplingNetConfig {
    /// Channels, height and width of the input.
    pub input: [usize; 3],
    /// Channels of the output, on as many pixels.
    pub channels_out: usize,
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
    /// Probability with which a channel of the last layer's input is left out in training.
    pub dropout: f64,
}

impl CouplingNetConfig {
    /// A network with random weights.
    pub fn init(&self, rng: &mut impl Rng, device: &Device) -> CouplingNet {
        let [c, h, w] = self.input;
        let pixels = if self.dense { h * w } else { 1 };
        let last = self.kernels.len() - 1;
        let convolution = |(index, &kernel): (usize, &usize)| {
            let c_in = if index == 0 { c * pixels } else { self.hidden.get(index - 1) };
            let c_out = if index == last { self.channels_out * pixels } else { self.hidden.get(index) };
            PlainConvolution::new([c_in, c_out], if self.dense { 1 } else { kernel }, rng, device)
        };
        let convolutions = self.kernels.iter().enumerate().map(convolution).collect();
        let n_activations = last + usize::from(self.preactivation);
        CouplingNet {
            convolutions,
            activations: (0..n_activations).map(|_| Activation::new(self.activation, device)).collect(),
            preactivation: self.preactivation,
            dense: self.dense,
            channels_out: self.channels_out,
            conditioner: None,
            dropout: Dropout::new(self.dropout),
        }
    }
}

impl CouplingNet {
    /// Whether it is fully connected.
    pub fn is_dense(&self) -> bool {
        self.dense
    }

    /// Number of values in the outputs of all layers but the last, on an image of `pixels` pixels.
    #[cfg(test)]
    pub(crate) fn n_hidden_values(&self, pixels: usize) -> usize {
        let (pixels, [hidden @ .., _]) = (if self.dense { 1 } else { pixels }, &self.convolutions[..]) else { return 0 };
        pixels * hidden.iter().map(|layer| layer.bias.val().dims()[0]).sum::<usize>()
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
            self.conditioner = Some(Conditioner::new(features, first.bias.val().dims()[0], &first.weight.device()));
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

    fn branch(&self) -> Branch<'_> {
        let (before, between) = self.activations.split_at(usize::from(self.preactivation));
        Branch::general(BranchParts {
            convolutions: self.convolutions.iter().map(PlainConvolution::matrix).collect(),
            biases: self.convolutions.iter().map(|c| c.bias.val()).collect(),
            preactivation: before.first(),
            joints: between.iter().map(|activation| Some(Joint { activation, concatenation: None })).collect(),
            sample_bias: self.conditioner.as_ref().and_then(Conditioner::outputs),
            input_shift: None,
            last_mask: self.dropout.mask(),
            monitor: Default::default(),
        })
    }

    /// `[batch, channels, height, width]` in the layout of branches.
    fn import(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, h, w] = x.dims();
        if self.dense { x.reshape([b, c * h * w, 1, 1]) } else { x }
    }

    /// Back from the layout of branches to `[batch, channels, height, width]`.
    fn export(&self, x: Tensor<4>, channels: usize, [b, _, h, w]: [usize; 4]) -> Tensor<4> {
        if self.dense { x.reshape([b, channels, h, w]) } else { x }
    }

    /// `[batch, channels, height, width]` to `[batch, channels_out, height, width]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let dims = x.dims();
        self.export(self.branch().forward(self.import(x)), self.channels_out, dims)
    }

    /// `x̄` from the cotangent of the output; adds the parameters' gradients.
    pub(crate) fn backward(&self, x: Tensor<4>, y_bar: Tensor<4>, gradients: &mut Gradients) -> Tensor<4> {
        let dims = x.dims();
        let branch = self.branch();
        let (input, y_bar) = (self.import(x), self.import(y_bar));
        let (x_bar, of_branch) = branch.pullback(input.clone(), input.zeros_like(), y_bar.clone(), y_bar.zeros_like());
        if let (Some(conditioner), Some(bias)) = (&self.conditioner, of_branch.sample_bias) {
            conditioner.backward(bias, gradients);
        }
        for ((layer, weight), bias) in self.convolutions.iter().zip(of_branch.weights).zip(of_branch.biases) {
            gradients.add(&layer.weight, weight);
            gradients.add(&layer.bias, bias);
        }
        let betas = self.activations.iter().filter_map(|a| a.beta.as_ref());
        betas.zip(of_branch.betas).for_each(|(beta, gradient)| gradients.add(beta, gradient));
        self.export(x_bar, dims[1], dims)
    }
}
