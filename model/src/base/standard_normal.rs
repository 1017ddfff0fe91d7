//! The standard normal distribution.

use crate::numerics::{gaussian, standard_normal_log_prob};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// `ln p(z) = -½ ‖z‖² - (D/2) ln 2π`. Samples at temperature `T` are `T ε` with standard normal `ε`.
#[derive(Module, Debug)]
pub struct StandardNormal {}

impl StandardNormal {
    pub(super) fn log_prob(&self, z: Tensor<2>) -> Tensor<1> {
        standard_normal_log_prob(z)
    }

    /// `∂/∂z ln p(z) = -z`
    pub(super) fn backward(&self, z: Tensor<2>, weight: Tensor<1>) -> (Tensor<2>, Tensor<1>) {
        (z.clone().neg() * weight.reshape([-1, 1]), self.log_prob(z))
    }

    pub(super) fn sample(&self, shape: [usize; 2], temperature: f64, rng: &mut impl Rng, device: &Device) -> Tensor<2> {
        gaussian(shape, rng, device) * temperature
    }
}
