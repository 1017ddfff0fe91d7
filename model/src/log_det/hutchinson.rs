//! Probe vectors of Hutchinson's trace estimator.

use crate::numerics::randomness::{gaussian, rademacher};
use burn::tensor::{Device, Tensor};
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The distribution of the probes `v` in `tr(A) = E[vᵀ A v]`: independent elements of mean 0 and variance 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// Standard normal: variance `2 ‖A‖²` for symmetric `A`.
    Gaussian,
    /// ±1: lower variance, the diagonal contributes none.
    Rademacher,
}

impl Probe {
    pub(crate) fn sample(self, shape: [usize; 4], rng: &mut impl Rng, device: &Device) -> Tensor<4> {
        match self {
            Probe::Gaussian => gaussian(shape, rng, device),
            Probe::Rademacher => rademacher(shape, rng, device),
        }
    }
}
