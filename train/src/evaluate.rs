//! Bits per dimension of the test images.

use crate::data::{PREFETCH_DEPTH, tensor};
use crate::noise;
use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use datasets::{Batcher, Prefetch};
use residual_flows::{LogDetConfig, LogDetContext, ResidualFlow, bits_per_dim};
use serde::Serialize;

/// What is evaluated, and how.
pub struct Evaluation<'a> {
    /// Draws the test batches; their dequantisation noise is the same every time.
    pub batcher: &'a Batcher,
    /// How log-determinants are computed.
    pub log_det: &'a LogDetConfig,
    /// Decides the estimators' noise.
    pub seed: u64,
    /// Only so many images, the first ones.
    pub limit: Option<usize>,
}

/// The result.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TestBits {
    /// Mean over the images.
    pub bits_per_dim: f64,
    /// Standard deviation over the images, divided by the square root of their number.
    pub standard_error: f64,
    /// Images evaluated.
    pub n_images: usize,
}

impl Evaluation<'_> {
    /// Images that will be evaluated.
    pub fn n_images(&self) -> usize {
        let all = self.batcher.dataset().len();
        self.limit.map_or(all, |limit| limit.min(all))
    }

    /// Evaluates a model whose Lipschitz constraint has converged.
    ///
    /// `go_on` is told how many images are done and their mean bits/dim so far; if it says no, the result is `None`.
    ///
    /// # Errors
    /// If a batch cannot be read, a log-determinant cannot be computed, or a density is not finite.
    pub fn run(
        &self,
        model: &ResidualFlow,
        device: &Device,
        mut go_on: impl FnMut(usize, f64) -> bool,
    ) -> Result<Option<TestBits>> {
        let n_images = self.n_images();
        let mut bits = Vec::with_capacity(n_images);
        for (index, batch) in Prefetch::eval(self.batcher.clone(), PREFETCH_DEPTH).enumerate() {
            let left = n_images - bits.len();
            if left == 0 {
                break;
            }
            let mut images = tensor(batch?, device);
            if images.dims()[0] > left {
                images = images.narrow(0, 0, left);
            }
            let context = LogDetContext { config: self.log_det, noise: noise::evaluation(self.seed, index) };
            let log_prob = model.log_prob(images, &context)?.total();
            let log_prob = log_prob.try_into_vec_as::<f32>().context("cannot read a result from the device")?;
            if let Some(position) = log_prob.iter().position(|value| !value.is_finite()) {
                let image = bits.len() + position;
                bail!("test image {image}: its log-density is {}; the model is numerically broken", log_prob[position]);
            }
            let levels = self.batcher.levels();
            bits.extend(log_prob.iter().map(|&value| bits_per_dim(value.into(), model.dimensions(), levels)));
            if !go_on(bits.len(), bits.iter().sum::<f64>() / bits.len() as f64) {
                return Ok(None);
            }
        }
        Ok(Some(TestBits::of(&bits)))
    }
}

impl TestBits {
    fn of(bits: &[f64]) -> Self {
        let n = bits.len() as f64;
        let mean = bits.iter().sum::<f64>() / n;
        let variance = bits.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        Self { bits_per_dim: mean, standard_error: (variance / n).sqrt(), n_images: bits.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_standard_error() {
        let bits = TestBits::of(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!((bits.bits_per_dim, bits.n_images), (2.5, 4));
        assert!((bits.standard_error - (5.0f64 / 3.0 / 4.0).sqrt()).abs() < 1e-12);
    }
}
