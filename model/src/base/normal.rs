//! A normal distribution with a learned mean and standard deviation for each coordinate.

use super::normal_log_prob;
use crate::numerics::gaussian;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// `ln p(z) = Σ_d ln N(z_d; μ_d, σ_d²)`, `σ = exp(log_scale)`. Samples at temperature `T` are `μ + T σ ε`.
#[derive(Module, Debug)]
pub struct Normal {
    /// `μ`, `[dimensions]`
    pub mean: Param<Tensor<1>>,
    /// `ln σ`, `[dimensions]`
    pub log_scale: Param<Tensor<1>>,
}

impl Normal {
    /// The standard normal distribution, to be trained.
    pub fn standard(dimensions: usize, device: &Device) -> Self {
        let zeros = || Param::from_tensor(Tensor::zeros([dimensions], device));
        Self { mean: zeros(), log_scale: zeros() }
    }

    pub(super) fn log_prob(&self, z: Tensor<2>) -> Tensor<1> {
        normal_log_prob(z, self.mean.val().unsqueeze(), self.log_scale.val().unsqueeze())
    }

    pub(super) fn sample(&self, n: usize, temperature: f64, rng: &mut impl Rng) -> Tensor<2> {
        let (mean, scale) = (self.mean.val(), self.log_scale.val().exp());
        let noise = gaussian([n, mean.dims()[0]], rng, &mean.device()) * temperature;
        noise * scale.unsqueeze() + mean.unsqueeze()
    }
}
