//! The measurement.

use super::Estimator;
use anyhow::{Context, Result, ensure};
use burn::tensor::Tensor;
use residual_flows::log_det::SeriesPrecision;
use residual_flows::training::noise;
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

/// How far draws of a log-determinant are off, in nats of whole samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Errors {
    /// The mean.
    pub bias: f64,
    /// Of the bias.
    pub standard_error: f64,
    /// Standard deviation of one sample's draws, the root of the samples' mean variance.
    pub deviation: f64,
}

/// What one estimator did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurement {
    /// What was measured.
    #[serde(flatten)]
    pub estimator: Estimator,
    /// The estimates less the exact value.
    #[serde(flatten)]
    pub errors: Errors,
    /// Expected passes through each residual branch: see [`Estimator::expected_passes`].
    pub passes: f64,
    /// The variance of a sample's estimate times the passes, nats²: what it takes to reach a variance by averaging.
    pub work: f64,
    /// Of one estimate of all samples, the mean over the draws.
    pub seconds: f64,
}

/// What rounding the series' products did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rounding {
    /// To what precision.
    pub precision: SeriesPrecision,
    /// The estimates less the exact value.
    #[serde(flatten)]
    pub errors: Errors,
    /// The estimates less those of the same draws in single precision.
    pub rounding: Errors,
    /// Of one estimate of all samples, the mean over the draws.
    pub seconds: f64,
}

impl Errors {
    /// Of every draw, the error of each sample.
    fn of(draws: &[Vec<f64>]) -> Self {
        // Samples share a draw's number of terms: only draws are independent.
        let means: Vec<f64> = draws.iter().map(|draw| mean(draw)).collect();
        let of_sample = |sample: usize| draws.iter().map(|draw| draw[sample]).collect::<Vec<f64>>();
        let variances: Vec<f64> = (0..draws[0].len()).map(|sample| variance(&of_sample(sample))).collect();
        Self {
            bias: mean(&means),
            standard_error: (variance(&means) / draws.len() as f64).sqrt(),
            deviation: mean(&variances).sqrt(),
        }
    }

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
        study.exact = study.log_det(model, &LogDetConfig::exact(), 0)?;
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
        let mut model = self.model.clone();
        if config.is_fitted() {
            let noise = noise::roulette_study(self.seed);
            let padded = model.pad(self.samples.clone(), &mut noise.stream(u64::MAX))?;
            model.fit_roulettes(padded.input, &config, noise)?;
        }
        let measured = self.errors(&model, &config);
        let (errors, seconds) = measured.with_context(|| format!("{} of {} terms", estimator.sum.name(), estimator.terms))?;
        let (errors, passes) = (Errors::of(&errors), estimator.expected_passes(&model));
        let work = errors.deviation.powi(2) * passes;
        Ok(Measurement { estimator, errors, passes, work, seconds })
    }

    /// Measures an estimator in single precision and what other precisions of its products change; all see the same random
    /// numbers.
    ///
    /// # Errors
    /// If an estimate is not finite, or the device or the estimator has no such precision.
    pub fn measure_rounding(&self, config: &LogDetConfig, reduced: &[SeriesPrecision]) -> Result<Vec<Rounding>> {
        let draw = |&precision: &SeriesPrecision| {
            let config = LogDetConfig { series_precision: precision, ..config.clone() };
            config.validate()?;
            let (errors, seconds) = self.errors(self.model, &config).with_context(|| format!("in {precision}"))?;
            Ok((precision, errors, seconds))
        };
        let drawn = std::iter::once(&SeriesPrecision::F32).chain(reduced).map(draw).collect::<Result<Vec<_>>>()?;
        let measured = drawn.iter().map(|(precision, errors, seconds)| {
            let changes: Vec<_> = errors.iter().zip(&drawn[0].1).map(|(ours, single)| differences(ours, single)).collect();
            Rounding { precision: *precision, errors: Errors::of(errors), rounding: Errors::of(&changes), seconds: *seconds }
        });
        Ok(measured.collect())
    }

    /// Of every draw, the error of each sample; and the seconds that a draw took.
    fn errors(&self, model: &ResidualFlow, config: &LogDetConfig) -> Result<(Vec<Vec<f64>>, f64)> {
        let start = Instant::now();
        let errors = (1..=self.draws).map(|draw| Ok(differences(&self.log_det(model, config, draw)?, &self.exact)));
        let errors = errors.collect::<Result<_>>()?;
        Ok((errors, start.elapsed().as_secs_f64() / self.draws as f64))
    }

    /// The sum over the layers, of each sample.
    fn log_det(&self, model: &ResidualFlow, config: &LogDetConfig, draw: usize) -> Result<Vec<f64>> {
        let context = LogDetContext { config, noise: noise::estimator_study(self.seed, draw) };
        let mut sums = vec![0.0; self.samples.dims()[0]];
        for layer in model.layer_outputs(self.samples.clone(), &context)? {
            for (sample, (sum, &log_det)) in sums.iter_mut().zip(&layer.log_det).enumerate() {
                ensure!(log_det.is_finite(), "{}: the log-determinant of sample {sample} is {log_det}", layer.path);
                *sum += f64::from(log_det);
            }
        }
        Ok(sums)
    }
}

fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Of independent draws.
fn variance(draws: &[f64]) -> f64 {
    let mean = mean(draws);
    draws.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (draws.len() - 1) as f64
}
