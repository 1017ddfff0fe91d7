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

/// The estimate `σ = ⟨u, W v⟩` with its unit vectors. It bounds the spectral norm from below.
pub struct SpectralNorm {
    /// Left vector.
    pub u: Tensor<4>,
    /// Right vector.
    pub v: Tensor<4>,
    /// The estimate.
    pub sigma: f32,
    /// Iterations made.
    pub iterations: usize,
}

impl PowerIteration {
    /// `u ← W v / ‖W v‖`, `v ← Wᵀ u / ‖Wᵀ u‖`, repeated from the given `v`.
    pub(crate) fn run(
        &self,
        mut v: Tensor<4>,
        apply: impl Fn(Tensor<4>) -> Tensor<4>,
        apply_transposed: impl Fn(Tensor<4>) -> Tensor<4>,
    ) -> SpectralNorm {
        let mut image = apply(v.clone());
        let mut sigma = to_vec(image.clone().square().sum())[0].sqrt();
        let mut iterations = 0;
        loop {
            let u = normalized(image);
            v = normalized(apply_transposed(u.clone()));
            image = apply(v.clone());
            iterations += 1;
            let before = sigma;
            sigma = to_vec((u.clone() * image.clone()).sum())[0];
            let settled = f64::from((sigma - before).abs()) <= self.tol * f64::from(sigma.abs());
            if settled || iterations >= self.max_iters {
                return SpectralNorm { u, v, sigma, iterations };
            }
        }
    }
}

/// `x / ‖x‖₂`; zero stays zero.
pub(crate) fn normalized(x: Tensor<4>) -> Tensor<4> {
    let norm = x.clone().square().sum().sqrt().clamp_min(1e-12).reshape([1, 1, 1, 1]);
    x / norm
}
