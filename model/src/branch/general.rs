//! The branch in ordinary tensor operations: any kernel sizes, any backend.

use super::{BranchGradients, BranchParts, Convolution};
use crate::activation::Activation;
use burn::tensor::Tensor;

/// See the [module](super) for what it computes.
pub(crate) struct GeneralBranch<'a> {
    layers: Vec<Layer<'a>>,
}

struct Layer<'a> {
    activation: Option<&'a Activation>,
    convolution: Convolution,
    bias: Tensor<4>,
}

/// `φ'` before each convolution, where there is an activation.
pub(crate) struct Slopes(Vec<Option<Tensor<4>>>);

/// One layer's primal and tangent: before (`a`, `ȧ`) and after (`z`, `ż`) the activation.
struct Passed {
    before: Option<(Tensor<4>, Tensor<4>)>,
    after: (Tensor<4>, Tensor<4>),
}

impl<'a> GeneralBranch<'a> {
    pub fn new(parts: BranchParts<'a>) -> Self {
        let activations = std::iter::once(parts.preactivation).chain(parts.activations.into_iter().map(Some));
        let layers = activations
            .zip(parts.convolutions)
            .zip(parts.biases)
            .map(|((activation, convolution), bias)| Layer { activation, convolution, bias: bias.reshape([1, 1, 1, -1]) })
            .collect();
        Self { layers }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.linearize(x).0
    }

    pub fn linearize(&self, x: Tensor<4>) -> (Tensor<4>, Slopes) {
        let mut slopes = Vec::with_capacity(self.layers.len());
        let mut h = x;
        for layer in &self.layers {
            let slope = layer.activation.map(|activation| {
                let (value, slope) = activation.value_and_slope(h.clone());
                h = value;
                slope
            });
            slopes.push(slope);
            h = layer.convolution.apply(h) + layer.bias.clone();
        }
        (h, Slopes(slopes))
    }

    pub fn vjp(&self, at: &Slopes, u: Tensor<4>) -> Tensor<4> {
        self.layers.iter().zip(&at.0).rev().fold(u, |u, (layer, slope)| {
            let u = layer.convolution.apply_transposed(u);
            match slope {
                Some(slope) => u * slope.clone(),
                None => u,
            }
        })
    }

    pub fn jvp(&self, at: &Slopes, v: Tensor<4>) -> Tensor<4> {
        self.layers.iter().zip(&at.0).fold(v, |v, (layer, slope)| {
            let v = match slope {
                Some(slope) => v * slope.clone(),
                None => v,
            };
            layer.convolution.apply(v)
        })
    }

    pub fn pullback(&self, x: Tensor<4>, v: Tensor<4>, y_bar: Tensor<4>, tau: Tensor<4>) -> (Tensor<4>, BranchGradients) {
        let passed = self.tangent(x, v);
        let (mut h_bar, mut tau) = (y_bar, tau);
        let (mut weights, mut biases, mut betas) = (Vec::new(), Vec::new(), Vec::new());
        for (layer, passed) in self.layers.iter().zip(passed).rev() {
            let (z, dz) = passed.after;
            // The primal and the tangent share each matrix: stacked, they are one product.
            let cotangents = Tensor::cat(vec![h_bar.clone(), tau], 0);
            weights.push(layer.convolution.weight_gradient(Tensor::cat(vec![z, dz], 0), cotangents.clone()));
            biases.push(h_bar.sum_dims_squeeze(&[0, 1, 2]));
            let pulled = layer.convolution.apply_transposed(cotangents);
            let batch = pulled.dims()[0] / 2;
            let mut halves = pulled.split(batch, 0).into_iter();
            (h_bar, tau) = (halves.next().expect("two halves"), halves.next().expect("two halves"));
            if let (Some(activation), Some((a, da))) = (layer.activation, passed.before) {
                let jet = activation.jet(a);
                let tangent = tau.clone() * da;
                if let Some((value, slope)) = jet.by_beta {
                    betas.push((h_bar.clone() * value + tangent.clone() * slope).sum());
                }
                h_bar = h_bar * jet.slope.clone() + tangent * jet.curvature;
                tau = tau * jet.slope;
            }
        }
        weights.reverse();
        biases.reverse();
        betas.reverse();
        (h_bar, BranchGradients { weights, biases, betas })
    }

    /// The primal and the tangent pass.
    fn tangent(&self, x: Tensor<4>, v: Tensor<4>) -> Vec<Passed> {
        let (mut h, mut dh) = (x, v);
        let mut passed = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            let before = layer.activation.map(|_| (h.clone(), dh.clone()));
            if let Some(activation) = layer.activation {
                let (value, slope) = activation.value_and_slope(h);
                (h, dh) = (value, dh * slope);
            }
            passed.push(Passed { before, after: (h.clone(), dh.clone()) });
            if index + 1 < self.layers.len() {
                let batch = h.dims()[0];
                let out = layer.convolution.apply(Tensor::cat(vec![h, dh], 0));
                let mut halves = out.split(batch, 0).into_iter();
                h = halves.next().expect("two halves") + layer.bias.clone();
                dh = halves.next().expect("two halves");
            }
        }
        passed
    }
}
