//! Estimators of the log-determinant against its exact value: bias, variance and cost.
//!
//! The estimators that are compared have the same expected number of terms, so that each does as many products with the
//! Jacobian as the others beside it. Fitted roulettes choose their number; what counts is variance times passes.

mod study;
mod table;

pub use study::{Errors, Measurement, Rounding, Study};
pub use table::{rounding_table, table};

use residual_flows::log_det::{Method, Probe, TermDistribution, Trace};
use residual_flows::{LogDetConfig, ResidualFlow};
use serde::Serialize;

/// Expected terms beyond the exact ones of both roulettes, Poisson with rate 2 and geometric with probability 1/2: the
/// fewest that an estimator can have.
pub const BEYOND: usize = 2;

/// What becomes of the infinite sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sum {
    /// Cut off.
    Truncated,
    /// Russian roulette with a Poisson distribution.
    Poisson,
    /// Russian roulette with a geometric distribution.
    Geometric,
    /// Russian roulette fitted to each layer's series.
    Fitted,
}

/// How traces are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Traces {
    /// Hutchinson's estimate with normal probes.
    Gaussian,
    /// Hutchinson's estimate with probes of signs.
    Rademacher,
    /// Without noise.
    Exact,
}

/// One estimator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Estimator {
    /// The infinite sum.
    pub sum: Sum,
    /// The traces.
    pub traces: Traces,
    /// Expected number of terms; of a fitted roulette, [`BEYOND`] more than it has exact ones.
    pub terms: usize,
}

impl Sum {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Truncated, Self::Poisson, Self::Geometric, Self::Fitted];

    /// To be read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Poisson => "Poisson roulette",
            Self::Geometric => "geometric roulette",
            Self::Fitted => "fitted roulette",
        }
    }
}

impl Traces {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gaussian, Self::Rademacher, Self::Exact];

    /// To be read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gaussian => "Gaussian",
            Self::Rademacher => "Rademacher",
            Self::Exact => "exact traces",
        }
    }
}

impl Estimator {
    /// All that have these expected numbers of terms, at least [`BEYOND`] each. Roulettes are fitted to the noise of probes, so
    /// that there is none for exact traces.
    pub fn with_terms(terms: &[usize]) -> Vec<Self> {
        let of_sum = |terms, sum| Traces::ALL.map(|traces| Self { sum, traces, terms });
        let all = terms.iter().flat_map(|&terms| Sum::ALL.into_iter().flat_map(move |sum| of_sum(terms, sum)));
        all.filter(|estimator| (estimator.sum, estimator.traces) != (Sum::Fitted, Traces::Exact)).collect()
    }

    /// Its settings.
    pub fn config(&self) -> LogDetConfig {
        let (method, distribution, n_exact_terms) = match self.sum {
            Sum::Truncated => (Method::Truncated, TermDistribution::Poisson, self.terms),
            Sum::Poisson => (Method::Series, TermDistribution::Poisson, self.terms - BEYOND),
            Sum::Geometric => (Method::Series, TermDistribution::Geometric, self.terms - BEYOND),
            Sum::Fitted => (Method::Series, TermDistribution::Fitted, self.terms - BEYOND),
        };
        let (trace, probe) = match self.traces {
            Traces::Gaussian => (Trace::Hutchinson, Probe::Gaussian),
            Traces::Rademacher => (Trace::Hutchinson, Probe::Rademacher),
            Traces::Exact => (Trace::Exact, Probe::Gaussian),
        };
        LogDetConfig { method, distribution, n_exact_terms, trace, probe, ..LogDetConfig::training() }
    }

    /// Passes through a model's residual branches: one forward, and one for each product with the Jacobian, the mean over branches
    /// by what a pass through each costs.
    pub fn expected_passes(&self, model: &ResidualFlow) -> f64 {
        let (config, dimensions) = (self.config(), model.latent_dimensions());
        let flops = model.layer_flops();
        let products = model.roulettes().into_iter().zip(&flops);
        let total: f64 = products.map(|(fitted, flops)| flops * config.expected_products_of(fitted.as_ref(), dimensions)).sum();
        1.0 + total / flops.iter().sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimators_of_one_row_cost_the_same() {
        for estimator in Estimator::with_terms(&[2, 5, 22]).into_iter().filter(|estimator| estimator.sum != Sum::Fitted) {
            let config = estimator.config();
            assert!(config.validate().is_ok());
            assert!((config.expected_terms() - estimator.terms as f64).abs() < 1e-9, "{estimator:?}");
        }
    }
}
