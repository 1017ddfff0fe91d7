//! When iterations for an induced norm stop.

use crate::error::Result;
use crate::numerics::limits::{MOST_ITERATIONS, real, whole};
use crate::numerics::tensor::to_vec;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When power iteration stops.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PowerIteration {
    /// Relative change of the estimated norm in one iteration below which iteration stops. With 0 it makes `max_iters` iterations.
    /// (The tolerance of the reference implementation is one for the elements of the vectors, which long vectors meet at once.)
    #[schemars(range(min = 0.0, max = MOST_TOLERANCE))]
    pub tol: f64,
    /// Iterations at most.
    #[schemars(range(min = 1, max = MOST_ITERATIONS), extend("x-unit" = "iterations"))]
    pub max_iters: usize,
    /// Random vectors from which iteration starts beside the stored one; the best is kept. They matter only for norms other than
    /// the spectral one, which may have local maxima.
    #[schemars(range(min = 0, max = MOST_STARTS), extend("x-unit" = "vectors"))]
    pub random_starts: usize,
}

/// The loosest tolerance.
const MOST_TOLERANCE: f64 = 1.0;
/// Random starts at most.
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
        real("power_iteration.tol", self.tol, 0.0..=MOST_TOLERANCE)?;
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
