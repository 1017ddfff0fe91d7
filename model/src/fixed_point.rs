//! Inverting `y = x + g(x)` by Banach's fixed-point iteration.

use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::tensor::to_vec;

/// When the iteration stops.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FixedPoint {
    /// A sample is done when no element moves by more than this, times `1 + max|y|` of the sample.
    pub tol: f32,
    /// Iterations at the most; a sample that is not done by then is an error.
    pub max_iters: usize,
}

impl Default for FixedPoint {
    fn default() -> Self {
        Self { tol: 1e-5, max_iters: 1000 }
    }
}

/// A solution, or how far it is from one.
pub(crate) struct Solution {
    pub x: Tensor<4>,
    pub iterations: usize,
    /// Samples that did not reach the tolerance.
    pub failed: usize,
    /// Largest last movement among them.
    pub residual: f32,
}

impl FixedPoint {
    /// `x ← y - g(x)` from `x = y`. Every sample stops by itself when it is done, so its result does not depend on the
    /// others of the batch.
    pub(crate) fn solve(&self, y: Tensor<4>, g: impl Fn(Tensor<4>) -> Tensor<4>) -> Solution {
        let device = y.device();
        let batch = y.dims()[0];
        let limits: Vec<f32> = per_sample_max(y.clone()).into_iter().map(|max| self.tol * (1.0 + max)).collect();
        let mut active: Vec<usize> = (0..batch).collect();
        let (mut x, mut target) = (y.clone(), y);
        let (mut finished, mut order) = (Vec::new(), Vec::with_capacity(batch));
        let (mut iterations, mut residual) = (0, 0.0f32);
        while !active.is_empty() && iterations < self.max_iters {
            let next = target.clone() - g(x.clone());
            let moved = per_sample_max(next.clone() - x);
            iterations += 1;
            x = next;
            residual = moved.iter().copied().fold(0.0, larger);
            let (done, open): (Vec<usize>, Vec<usize>) = (0..active.len()).partition(|&i| moved[i] <= limits[active[i]]);
            if !done.is_empty() {
                order.extend(done.iter().map(|&i| active[i]));
                finished.push(select(&x, &done, &device));
                (x, target) = (select(&x, &open, &device), select(&target, &open, &device));
                active = open.iter().map(|&i| active[i]).collect();
            }
        }
        let failed = active.len();
        order.extend(active);
        finished.push(x);
        let mut places = vec![0; batch];
        for (from, to) in order.into_iter().enumerate() {
            places[to] = from;
        }
        let x = select(&Tensor::cat(finished, 0), &places, &device);
        Solution { x, iterations, failed, residual }
    }
}

/// These samples of a batch, which may be none.
fn select(batch: &Tensor<4>, samples: &[usize], device: &Device) -> Tensor<4> {
    if samples.is_empty() {
        return batch.clone().slice_dim(0, 0..0);
    }
    let samples: Vec<i64> = samples.iter().map(|&i| i as i64).collect();
    batch.clone().select(0, Tensor::<1, Int>::from_data(samples.as_slice(), device))
}

/// The larger of two numbers, NaN if either is.
fn larger(a: f32, b: f32) -> f32 {
    if a.is_nan() || a > b { a } else { b }
}

/// `max|x|` of each sample; NaN where a sample has one.
fn per_sample_max(x: Tensor<4>) -> Vec<f32> {
    let size = x.dims()[1..].iter().product::<usize>();
    to_vec(x).chunks_exact(size).map(|sample| sample.iter().map(|value| value.abs()).fold(0.0, larger)).collect()
}
