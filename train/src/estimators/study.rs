//! The measurement.

use super::Estimator;
use crate::noise;
use anyhow::{Context, Result, ensure};
use burn::tensor::Tensor;
use residual_flows::{LogDetConfig, LogDetContext, ResidualFlow};
use serde::Serialize;
use std::time::Instant;

/// Nats that log-determinants in single precision may be off.
const ROUNDING: f64 = 1e-5;

/// A model whose Lipschitz constraint has converged, the exact log-determinants of some samples, and how often estimators
/// are drawn.
pub struct Study<'a> {
    model: &'a ResidualFlow,
    samples: Tensor<4>,
    seed: u64,
    draws: usize,
    exact: Vec<f64>,
    /// What the exact values took.
    pub exact_seconds: f64,
}

/// What one estimator did. Log-determinants are of whole samples, in nats.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurement {
    /// What was measured.
    #[serde(flatten)]
    pub estimator: Estimator,
    /// Mean of the estimates less the exact value.
    pub bias: f64,
    /// Of the bias.
    pub standard_error: f64,
    /// Standard deviation of one sample's estimates, the root of the samples' mean variance.
    pub deviation: f64,
    /// Expected passes through each residual branch: see [`Estimator::expected_passes`].
    pub passes: f64,
    /// Of one estimate of all samples, the mean over the draws.
    pub seconds: f64,
}

impl Measurement {
    /// Whether the bias is explained by chance, up to 4 standard errors, and rounding.
    pub fn is_unbiased(&self) -> bool {
        self.bias.abs() <= 4.0 * self.standard_error + ROUNDING
    }
}

impl<'a> Study<'a> {
    /// Computes the exact values; `draws` is at least 2.
    ///
    /// # Errors
    /// If the samples do not fit the model, have too many dimensions, or a Jacobian is singular.
    pub fn new(model: &'a ResidualFlow, samples: Tensor<4>, seed: u64, draws: usize) -> Result<Self> {
        ensure!(draws >= 2, "{draws} draws have no variance: expected at least 2");
        let mut study = Self { model, samples, seed, draws, exact: Vec::new(), exact_seconds: 0.0 };
        let start = Instant::now();
        study.exact = study.log_det(&LogDetConfig::exact(), 0)?;
        study.exact_seconds = start.elapsed().as_secs_f64();
        Ok(study)
    }

    /// Mean of the exact log-determinants.
    pub fn exact_mean(&self) -> f64 {
        mean(&self.exact)
    }

    /// Measures an estimator. All estimators see the same random numbers, as far as they use them alike.
    ///
    /// # Errors
    /// If an estimate is not finite.
    pub fn measure(&self, estimator: Estimator) -> Result<Measurement> {
        let config = estimator.config();
        let start = Instant::now();
        let errors = (1..=self.draws).map(|draw| self.errors(&config, draw));
        let errors = errors.collect::<Result<Vec<_>>>().with_context(|| format!("{estimator:?}"))?;
        let seconds = start.elapsed().as_secs_f64() / self.draws as f64;

        // Samples share a draw's number of terms: only draws are independent.
        let of_draws: Vec<f64> = errors.iter().map(|errors| mean(errors)).collect();
        let of_sample = |sample: usize| errors.iter().map(|errors| errors[sample]).collect::<Vec<f64>>();
        let variances: Vec<f64> = (0..self.exact.len()).map(|sample| variance(&of_sample(sample))).collect();
        Ok(Measurement {
            estimator,
            bias: mean(&of_draws),
            standard_error: (variance(&of_draws) / self.draws as f64).sqrt(),
            deviation: mean(&variances).sqrt(),
            passes: estimator.expected_passes(self.model.latent_dimensions()),
            seconds,
        })
    }

    fn errors(&self, config: &LogDetConfig, draw: usize) -> Result<Vec<f64>> {
        let estimates = self.log_det(config, draw)?;
        Ok(estimates.iter().zip(&self.exact).map(|(estimate, exact)| estimate - exact).collect())
    }

    /// The sum over the layers, of each sample.
    fn log_det(&self, config: &LogDetConfig, draw: usize) -> Result<Vec<f64>> {
        let context = LogDetContext { config, noise: noise::estimator_study(self.seed, draw) };
        let mut sums = vec![0.0; self.samples.dims()[0]];
        for layer in self.model.layer_outputs(self.samples.clone(), &context)? {
            for (sample, (sum, &log_det)) in sums.iter_mut().zip(&layer.log_det).enumerate() {
                ensure!(log_det.is_finite(), "{}: the log-determinant of sample {sample} is {log_det}", layer.path);
                *sum += f64::from(log_det);
            }
        }
        Ok(sums)
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Of independent draws.
fn variance(draws: &[f64]) -> f64 {
    let mean = mean(draws);
    draws.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (draws.len() - 1) as f64
}
