//! Power iteration for the largest singular value of a linear map.

use crate::tensor::to_vec;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// When power iteration stops.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PowerIteration {
    /// Relative change of `σ` in one iteration below which it stops. (The research code's tolerance is one for the
    /// elements of `u` and `v`, which long vectors meet at once.)
    pub tol: f64,
    /// Iterations at the most.
    pub max_iters: usize,
}

impl Default for PowerIteration {
    fn default() -> Self {
        Self { tol: 1e-3, max_iters: 200 }
    }
}

impl PowerIteration {
    /// Settings under which the estimate is converged for use: evaluation, sampling, weights that have just changed.
    pub const CONVERGED: Self = Self { tol: 1e-5, max_iters: 200 };
}

/// An estimate of the spectral norm, which bounds it from below.
pub struct SpectralNorm {
    /// The unit vector whose image has length `σ`.
    pub vector: Tensor<4>,
    /// The estimate.
    pub sigma: f32,
    /// Iterations made.
    pub iterations: usize,
}

impl PowerIteration {
    /// `x ← Aᵀ A x / ‖Aᵀ A x‖`, `σ = ‖A x‖`, repeated from the given vector, which need not have length 1.
    pub(crate) fn run(
        &self,
        vector: Tensor<4>,
        apply: impl Fn(Tensor<4>) -> Tensor<4>,
        apply_transposed: impl Fn(Tensor<4>) -> Tensor<4>,
    ) -> SpectralNorm {
        let mut vector = normalized(vector);
        let mut image = apply(vector.clone());
        let mut sigma = length(&image);
        let mut iterations = 0;
        loop {
            vector = normalized(apply_transposed(image));
            image = apply(vector.clone());
            iterations += 1;
            let before = sigma;
            sigma = length(&image);
            let settled = f64::from((sigma - before).abs()) <= self.tol * f64::from(sigma.abs());
            if settled || iterations >= self.max_iters {
                return SpectralNorm { vector, sigma, iterations };
            }
        }
    }
}

fn length(x: &Tensor<4>) -> f32 {
    to_vec(x.clone().square().sum())[0].sqrt()
}

/// `x / ‖x‖₂`; zero stays zero.
pub(crate) fn normalized(x: Tensor<4>) -> Tensor<4> {
    let norm = x.clone().square().sum().sqrt().clamp_min(1e-12).reshape([1, 1, 1, 1]);
    x / norm
}
