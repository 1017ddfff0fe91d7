//! Power iteration for the largest singular value of a linear map.

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
    pub const CONVERGED: Self = Self { tol: 1e-4, max_iters: 100 };
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
    ///
    /// `gram` yields `Aᵀ A x` and `‖A x‖`.
    pub(crate) fn run(&self, vector: Tensor<4>, gram: impl Fn(Tensor<4>) -> (Tensor<4>, f32)) -> SpectralNorm {
        let (mut next, mut sigma) = gram(normalized(vector));
        let mut iterations = 0;
        loop {
            let vector = normalized(next);
            let before = sigma;
            (next, sigma) = gram(vector.clone());
            iterations += 1;
            let settled = f64::from((sigma - before).abs()) <= self.tol * f64::from(sigma);
            if settled || iterations >= self.max_iters {
                return SpectralNorm { vector, sigma, iterations };
            }
        }
    }
}

/// `x / ‖x‖₂`; zero stays zero.
pub(crate) fn normalized(x: Tensor<4>) -> Tensor<4> {
    let norm = x.clone().square().sum().sqrt().clamp_min(1e-12).reshape([1, 1, 1, 1]);
    x / norm
}
