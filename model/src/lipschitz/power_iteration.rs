//! When iterations for an induced norm stop.

use crate::error::Result;
use crate::numerics::limits::{MOST_ITERATIONS, real, whole};
use crate::numerics::tensor::to_vec;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// When power iteration stops.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PowerIteration {
    /// Relative change of `σ` in one iteration below which it stops; with 0 it makes `max_iters` iterations. (The
    /// reference implementation's tolerance is one for the elements of `u` and `v`, which long vectors meet at once.)
    pub tol: f64,
    /// Iterations at the most.
    pub max_iters: usize,
    /// Random vectors from which it is started beside the kept one, the best being kept. Only for norms other than the
    /// spectral one, which may have local maxima.
    pub random_starts: usize,
}

/// Random starts at the most.
const MOST_STARTS: usize = 10_000;

impl Default for PowerIteration {
    fn default() -> Self {
        Self { tol: 1e-3, max_iters: 200, random_starts: 0 }
    }
}

impl PowerIteration {
    /// Checks the settings.
    ///
    /// # Errors
    /// Names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        real("power_iteration.tol", self.tol, 0.0..=1.0)?;
        whole("power_iteration.max_iters", self.max_iters, 1..=MOST_ITERATIONS)?;
        whole("power_iteration.random_starts", self.random_starts, 0..=MOST_STARTS)
    }

    /// Settings under which the estimate is converged for use: evaluation, sampling, weights that have just changed.
    pub const CONVERGED: Self = Self { tol: 1e-4, max_iters: 100, random_starts: 10 };
}

/// An estimate of an induced norm, which bounds it from below.
pub struct NormEstimate {
    /// The estimate.
    pub sigma: f32,
    /// Iterations made; none for norms in closed form.
    pub iterations: usize,
}

impl PowerIteration {
    /// `x ← aligned(z)` with `(z, σ) = step(x)`, repeated from a unit vector; returns the last `x` with its estimate.
    pub(super) fn run(
        &self,
        start: Tensor<4>,
        aligned: impl Fn(Tensor<4>) -> Tensor<4>,
        step: impl Fn(Tensor<4>) -> (Tensor<4>, Tensor<1>),
    ) -> (Tensor<4>, NormEstimate) {
        let step = |x| {
            let (next, sigma) = step(x);
            (next, to_vec(sigma)[0])
        };
        let (mut next, mut sigma) = step(start);
        let mut iterations = 0;
        loop {
            let vector = aligned(next);
            let before = sigma;
            (next, sigma) = step(vector.clone());
            iterations += 1;
            let settled = self.tol > 0.0 && f64::from((sigma - before).abs()) <= self.tol * f64::from(sigma);
            if settled || iterations >= self.max_iters {
                return (vector, NormEstimate { sigma, iterations });
            }
        }
    }
}

/// `x / ‖x‖₂`; zero stays zero.
pub(super) fn normalized(x: Tensor<4>) -> Tensor<4> {
    let norm = x.clone().square().sum().sqrt().clamp_min(1e-12).reshape([1, 1, 1, 1]);
    x / norm
}
