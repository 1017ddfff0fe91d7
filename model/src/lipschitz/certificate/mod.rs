//! Guaranteed bounds of Lipschitz constants. Power iteration, by which layers are constrained, approaches a norm from
//! below; here are bounds from above, by which a residual block is invertible for sure.
//!
//! Bounds are of Euclidean norms, whichever norms constrain the layers: with activations of Lipschitz constant 1, the product
//! of the layers' spectral norms bounds the branch. A network constrained in other norms may be a contraction in those
//! although it has no certificate here.
//!
//! A bound is for the weights as they are, in exact arithmetic; the network itself is evaluated in single precision.

mod banded;
mod convolution;
mod matrix;
mod weight;

pub use weight::ConvolutionWeight;

use super::contractive_convolution::ContractiveConvolution;
use super::norm_order::NormPair;
use crate::monitor::Monitor;
use crate::numerics::tensor::to_vec;
use serde::Serialize;

/// What is certain about an affine layer with its constraint.
#[derive(Clone, Debug, Serialize)]
pub struct LayerCertificate {
    /// Its place in the model.
    pub path: String,
    /// `min(σ, c)` with the estimate `σ` of power iteration, in the layer's own norms.
    pub estimate: f64,
    /// At least the spectral norm.
    pub bound: f64,
}

impl ContractiveConvolution {
    /// What is certain about it; with `sharp`, at more cost.
    pub(crate) fn certificate(&self, pair: NormPair, path: String, sharp: bool, monitor: &Monitor) -> LayerCertificate {
        let weight = self.constrained(pair).divided_weight();
        let [channels_out, channels_in, kernel, _] = weight.dims();
        let values = to_vec(weight);
        let weight = ConvolutionWeight { values: &values, channels_out, channels_in, kernel, image: self.image_size() };
        let estimate = self.lipschitz_estimate(pair).into();
        let bound = match sharp && pair == NormPair::SPECTRAL && !monitor.is_stopped() {
            true => weight.sharp_norm_bound(estimate),
            false => weight.spectral_norm_bound_monitored(monitor),
        };
        LayerCertificate { path, estimate, bound }
    }
}
