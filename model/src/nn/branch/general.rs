//! The branch in ordinary tensor operations: any kernel sizes, any activation, any backend.

use super::{BranchGradients, BranchParts};
use crate::nn::activation::{Activation, Slope};
use crate::numerics::convolution::Convolution;
use crate::numerics::tensor::channel_means;
use burn::tensor::{FloatDType, Tensor};

/// See the [module](super) for what it computes. Inside, images are channels-last.
pub(crate) struct GeneralBranch<'a> {
    layers: Vec<Layer<'a>>,
}

/// `W m ⊙ φ(h) + b`
struct Layer<'a> {
    activation: Option<&'a Activation>,
    /// Dropout's factors, `[batch, 1, 1, channels]`.
    mask: Option<Tensor<4>>,
    convolution: Convolution,
    bias: Tensor<4>,
}

/// The derivative of the activation before each convolution, where there is one.
pub(crate) struct Slopes(Vec<Option<Slope>>);

impl Slopes {
    /// Rounded to another type.
    pub fn rounded(&self, dtype: FloatDType) -> Self {
        Self(self.0.iter().map(|slope| slope.as_ref().map(|slope| slope.rounded(dtype))).collect())
    }
}

/// One layer's primal and tangent: before (`a`, `ȧ`) and after (`z`, `ż`) the activation.
struct ForwardOutput {
    before: Option<(Tensor<4>, Tensor<4>)>,
    after: (Tensor<4>, Tensor<4>),
}

impl Layer<'_> {
    fn masked(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.mask {
            Some(mask) => x * mask.clone(),
            None => x,
        }
    }
}

impl<'a> GeneralBranch<'a> {
    pub fn new(parts: BranchParts<'a>) -> Self {
        let activations = std::iter::once(parts.preactivation).chain(parts.activations.into_iter().map(Some));
        let layer = |((activation, convolution), bias): ((_, _), Tensor<1>)| {
            let bias = bias.reshape([1, 1, 1, -1]);
            Layer { activation, mask: None, convolution, bias }
        };
        let mut layers: Vec<Layer> = activations.zip(parts.convolutions).zip(parts.biases).map(layer).collect();
        if let Some(last) = layers.last_mut() {
            last.mask = parts.last_mask;
        }
        Self { layers }
    }

    /// With its weights rounded to another type, for products with its Jacobian.
    pub fn rounded(&self, dtype: FloatDType) -> GeneralBranch<'a> {
        let layer = |layer: &Layer<'a>| Layer {
            activation: layer.activation,
            mask: layer.mask.clone().map(|mask| mask.cast(dtype)),
            convolution: layer.convolution.rounded(dtype),
            bias: layer.bias.clone().cast(dtype),
        };
        Self { layers: self.layers.iter().map(layer).collect() }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.linearize(x).0
    }

    pub fn linearize(&self, x: Tensor<4>) -> (Tensor<4>, Slopes) {
        let mut slopes = Vec::with_capacity(self.layers.len());
        let mut h = channels_last(x);
        for layer in &self.layers {
            let slope = layer.activation.map(|activation| {
                let (value, slope) = activation.value_and_slope(h.clone());
                h = value;
                slope
            });
            slopes.push(slope);
            h = layer.convolution.apply(layer.masked(h)) + layer.bias.clone();
        }
        (channels_first(h), Slopes(slopes))
    }

    /// The mean of every convolution's output over batch and pixels, each `[channels]`.
    pub fn output_means(&self, x: Tensor<4>) -> Vec<Tensor<1>> {
        let mut h = channels_last(x);
        let mean_of = |layer: &Layer| {
            if let Some(activation) = layer.activation {
                h = activation.value_and_slope(h.clone()).0;
            }
            h = layer.convolution.apply(layer.masked(h.clone())) + layer.bias.clone();
            channel_means(channels_first(h.clone()))
        };
        self.layers.iter().map(mean_of).collect()
    }

    pub fn vjp(&self, at: &Slopes, u: Tensor<4>) -> Tensor<4> {
        let u = self.layers.iter().zip(&at.0).rev().fold(channels_last(u), |u, (layer, slope)| {
            let u = layer.masked(layer.convolution.apply_transposed(u));
            match slope {
                Some(slope) => slope.pull(u),
                None => u,
            }
        });
        channels_first(u)
    }

    pub fn jvp(&self, at: &Slopes, v: Tensor<4>) -> Tensor<4> {
        let v = self.layers.iter().zip(&at.0).fold(channels_last(v), |v, (layer, slope)| {
            let v = match slope {
                Some(slope) => slope.push(v),
                None => v,
            };
            layer.convolution.apply(layer.masked(v))
        });
        channels_first(v)
    }

    pub fn pullback(&self, x: Tensor<4>, v: Tensor<4>, y_bar: Tensor<4>, tau: Tensor<4>) -> (Tensor<4>, BranchGradients) {
        let passed = self.tangent(channels_last(x), channels_last(v));
        let (mut h_bar, mut tau) = (channels_last(y_bar), channels_last(tau));
        let (mut weights, mut biases, mut betas) = (Vec::new(), Vec::new(), Vec::new());
        for (layer, passed) in self.layers.iter().zip(passed).rev() {
            let (z, dz) = passed.after;
            // The primal and the tangent share each matrix: stacked, they are one product.
            let cotangents = Tensor::cat(vec![h_bar.clone(), tau], 0);
            weights.push(layer.convolution.weight_gradient(Tensor::cat(vec![z, dz], 0), cotangents.clone()));
            biases.push(h_bar.sum_dims_squeeze(&[0, 1, 2]));
            (h_bar, tau) = halves(layer.convolution.apply_transposed(cotangents));
            (h_bar, tau) = (layer.masked(h_bar), layer.masked(tau));
            if let (Some(activation), Some((a, da))) = (layer.activation, passed.before) {
                let jet = activation.jet(a);
                if let Some((value, slope)) = jet.by_beta {
                    betas.push((h_bar.clone() * value + tau.clone() * da.clone() * slope).sum());
                }
                h_bar = jet.slope.pull(h_bar);
                if let Some(curvature) = jet.curvature {
                    h_bar = h_bar + tau.clone() * da * curvature;
                }
                tau = jet.slope.pull(tau);
            }
        }
        weights.reverse();
        biases.reverse();
        betas.reverse();
        (channels_first(h_bar), BranchGradients { weights, biases, betas, shift: None })
    }

    /// The primal and the tangent pass.
    fn tangent(&self, x: Tensor<4>, v: Tensor<4>) -> Vec<ForwardOutput> {
        let (mut h, mut dh) = (x, v);
        let mut passed = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            let before = layer.activation.map(|_| (h.clone(), dh.clone()));
            if let Some(activation) = layer.activation {
                let (value, slope) = activation.value_and_slope(h);
                (h, dh) = (value, slope.push(dh));
            }
            (h, dh) = (layer.masked(h), layer.masked(dh));
            passed.push(ForwardOutput { before, after: (h.clone(), dh.clone()) });
            if index + 1 < self.layers.len() {
                (h, dh) = halves(layer.convolution.apply(Tensor::cat(vec![h, dh], 0)));
                h = h + layer.bias.clone();
            }
        }
        passed
    }
}

fn channels_last(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}

fn channels_first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}

/// The primal and the tangent, of a stacked batch.
fn halves(stacked: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    let batch = stacked.dims()[0] / 2;
    (stacked.clone().narrow(0, 0, batch), stacked.narrow(0, batch, batch))
}
