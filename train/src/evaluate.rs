//! The loss on the test data: bits per dimension of images, nats of points.

use crate::data::{DataSet, PREFETCH_DEPTH, tensor};
use crate::noise;
use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use datasets::{BatchSource, Prefetch};
use residual_flows::{LogDetConfig, LogDetContext, ResidualFlow};
use serde::Serialize;

/// What is evaluated, and how.
pub struct Evaluation<'a> {
    /// The test data; dequantisation noise is the same every time.
    pub data: &'a DataSet,
    /// How log-determinants are computed.
    pub log_det: &'a LogDetConfig,
    /// Decides the estimators' noise.
    pub seed: u64,
    /// Only so many samples, the first ones.
    pub limit: Option<usize>,
}

/// The result.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TestLoss {
    /// Mean over the samples; see [`DataKind::loss`](crate::data_kind::DataKind::loss).
    pub mean: f64,
    /// Standard deviation over the samples, divided by the square root of their number.
    pub standard_error: f64,
    /// Samples evaluated.
    pub n_samples: usize,
}

impl Evaluation<'_> {
    /// Samples that will be evaluated.
    pub fn n_samples(&self) -> usize {
        let all = self.data.batches.len();
        self.limit.map_or(all, |limit| limit.min(all))
    }

    /// Evaluates a model whose Lipschitz constraint has converged.
    ///
    /// `go_on` is told how many samples are done and their mean loss so far; if it says no, the result is `None`.
    ///
    /// # Errors
    /// If a batch cannot be read, a log-determinant cannot be computed, or a density is not finite.
    pub fn run(
        &self,
        model: &ResidualFlow,
        device: &Device,
        mut go_on: impl FnMut(usize, f64) -> bool,
    ) -> Result<Option<TestLoss>> {
        let n_samples = self.n_samples();
        let mut losses = Vec::with_capacity(n_samples);
        for (index, batch) in Prefetch::eval(self.data.batches.clone(), PREFETCH_DEPTH).enumerate() {
            let left = n_samples - losses.len();
            if left == 0 {
                break;
            }
            let mut samples = tensor(batch?, device);
            if samples.dims()[0] > left {
                samples = samples.narrow(0, 0, left);
            }
            let context = LogDetContext { config: self.log_det, noise: noise::evaluation(self.seed, index) };
            let log_prob = model.log_prob(samples, &context)?.total();
            let log_prob = log_prob.try_into_vec_as::<f32>().context("cannot read a result from the device")?;
            if let Some(position) = log_prob.iter().position(|value| !value.is_finite()) {
                let sample = losses.len() + position;
                bail!("test sample {sample}: its log-density is {}; the model is numerically broken", log_prob[position]);
            }
            losses.extend(log_prob.iter().map(|&value| self.data.kind.loss(value.into(), model.dimensions())));
            if !go_on(losses.len(), losses.iter().sum::<f64>() / losses.len() as f64) {
                return Ok(None);
            }
        }
        Ok(Some(TestLoss::of(&losses)))
    }
}

impl TestLoss {
    fn of(losses: &[f64]) -> Self {
        let n = losses.len() as f64;
        let mean = losses.iter().sum::<f64>() / n;
        let variance = losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        Self { mean, standard_error: (variance / n).sqrt(), n_samples: losses.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_standard_error() {
        let loss = TestLoss::of(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!((loss.mean, loss.n_samples), (2.5, 4));
        assert!((loss.standard_error - (5.0f64 / 3.0 / 4.0).sqrt()).abs() < 1e-12);
    }
}
