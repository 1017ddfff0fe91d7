//! The log-determinant of a residual layer, `ln|det(I + J)| = Σ_{k≥1} (-1)^{k+1}/k · tr(Jᵏ)`: exactly, or by an
//! unbiased estimate of the power series.
//!
//! * trace: Hutchinson, `tr(A) = E[vᵀ A v]` ([`Probe`]);
//! * infinite sum: Russian roulette with weights that keep it unbiased ([`TermCount`]);
//! * gradient: the Neumann series, from the same vector-Jacobian products as the value ([`series`]).
//!
//! Chen et al. (2019), Residual Flows, sections 3.1 and 3.2. <https://arxiv.org/abs/1906.02735>

mod exact;
mod hutchinson;
mod russian_roulette;
pub(crate) mod series;

pub(crate) use exact::exact_log_det;
pub use hutchinson::Probe;
pub use russian_roulette::TermCount;

use crate::error::{ModelError, Result};
use burn::tensor::{Device, Tensor};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// How a log-determinant is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The unbiased power series.
    Series,
    /// By the whole Jacobian: as many vector-Jacobian products as there are dimensions. For small inputs.
    Exact,
}

/// The log-determinant's estimator; training and evaluation have one each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogDetConfig {
    /// Power series or exact.
    pub method: Method,
    /// Distribution of the number of terms beyond the exact ones.
    pub distribution: TermCount,
    /// Rate λ of the Poisson distribution.
    pub poisson_rate: f64,
    /// Success probability of the geometric distribution.
    pub geometric_success_prob: f64,
    /// Terms that are always computed and have weight 1.
    pub n_exact_terms: usize,
    /// Draws of the number of terms that are averaged.
    pub n_draws: usize,
    /// Distribution of Hutchinson's probe vectors.
    pub probe: Probe,
}

impl Default for LogDetConfig {
    fn default() -> Self {
        Self::training()
    }
}

impl LogDetConfig {
    /// What the paper trains with: 2 exact terms, Poisson(2), Gaussian probes.
    pub fn training() -> Self {
        Self {
            method: Method::Series,
            distribution: TermCount::Poisson,
            poisson_rate: 2.0,
            geometric_success_prob: 0.5,
            n_exact_terms: 2,
            n_draws: 1,
            probe: Probe::Gaussian,
        }
    }

    /// What the paper evaluates with: 20 exact terms.
    pub fn evaluation() -> Self {
        Self { n_exact_terms: 20, ..Self::training() }
    }

    /// The exact log-determinant.
    pub fn exact() -> Self {
        Self { method: Method::Exact, ..Self::training() }
    }

    /// Checks the settings against each other.
    ///
    /// # Errors
    /// Names the first setting that is out of its range.
    pub fn validate(&self) -> Result<()> {
        let error = |key, expected: &str, got: String| Err(ModelError::Config { key, expected: expected.into(), got });
        if !(self.poisson_rate.is_finite() && self.poisson_rate > 0.0) {
            return error("poisson_rate", "a positive number", self.poisson_rate.to_string());
        }
        if !(self.geometric_success_prob > 0.0 && self.geometric_success_prob < 1.0) {
            return error("geometric_success_prob", "a number between 0 and 1", self.geometric_success_prob.to_string());
        }
        if self.n_draws == 0 {
            return error("n_draws", "at least 1", "0".into());
        }
        Ok(())
    }

    /// Draws the randomness of one estimate for a batch `[batch, …]`.
    pub fn draw(&self, shape: [usize; 4], rng: &mut impl Rng, device: &Device) -> SeriesDraw {
        let counts: Vec<usize> = (0..self.n_draws).map(|_| self.distribution.sample(self, rng)).collect();
        SeriesDraw { coefficients: self.coefficients(&counts), probe: self.probe.sample(shape, rng, device) }
    }

    /// The weights `c_1 … c_n` for these numbers of terms beyond the exact ones: 1 for exact terms, else the fraction
    /// of draws that reach the term over the probability of reaching it. `n` is the largest draw plus the exact terms.
    pub fn coefficients(&self, counts: &[usize]) -> Vec<f64> {
        let most = counts.iter().max().copied().unwrap_or(0);
        let weight = |beyond: usize| {
            let reached = counts.iter().filter(|&&count| count >= beyond).count() as f64 / counts.len() as f64;
            reached / self.distribution.survival(self, beyond)
        };
        let exact = std::iter::repeat_n(1.0, self.n_exact_terms);
        exact.chain((1..=most).map(weight)).collect()
    }
}

/// The randomness of one estimate: a probe vector for every sample, and the weights of the terms.
#[derive(Clone, Debug)]
pub struct SeriesDraw {
    /// `v`, of the input's shape.
    pub probe: Tensor<4>,
    /// `c_1 … c_n`.
    pub coefficients: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_of_the_research_code() {
        // From its fixtures: 2 exact terms and a draw of 4 (Poisson), 2 (geometric).
        let config = LogDetConfig::training();
        let poisson = config.coefficients(&[4]);
        let expected = [1.0, 1.0, 1.1565176427496657, 1.6835182627834082, 3.092876765111551, 6.999049693458111];
        assert_eq!(poisson.len(), expected.len());
        for (got, want) in poisson.iter().zip(expected) {
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
        let geometric = LogDetConfig { distribution: TermCount::Geometric, ..config };
        assert_eq!(geometric.coefficients(&[4]), [1.0, 1.0, 1.0, 2.0, 4.0, 8.0]);
        assert_eq!(geometric.coefficients(&[1, 3]), [1.0, 1.0, 1.0, 1.0, 2.0]);
    }
}
