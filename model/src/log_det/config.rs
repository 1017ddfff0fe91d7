//! The estimator's settings.

use super::choices::{GradientForm, Method, Trace};
use super::determinant::Determinant;
use super::draw::LogDetDraw;
use super::fitted::FittedSurvival;
use super::hutchinson::Probe;
use super::jacobian::MAX_DIMENSIONS;
use super::precision::SeriesPrecision;
use super::russian_roulette::{GEOMETRIC_PROBABILITIES, POISSON_RATES, Roulette, TermDistribution};
use crate::error::{ModelError, Result};
use crate::numerics::limits::{real, require, whole};
use burn::tensor::Device;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nats per dimension that early ends of the exact terms may leave to the roulette at the most.
const MOST_TRUNCATION: f64 = 1.0;
/// Draws that are averaged at most.
const MOST_DRAWS: usize = 10_000;
/// Exact terms at most.
const MOST_EXACT_TERMS: usize = 10_000;

/// The log-determinant's estimator; training and evaluation have one each.
///
/// `ln|det(I + J)| ≈ Σ_{k≥1} (-1)^{k+1}/k · c_k vᵀ Jᵏ v`, with `c_k = 1` for exact terms and the inverse probability of reaching the
/// term for the others.
///
/// # Examples
/// ```
/// use residual_flows::LogDetConfig;
///
/// let config = LogDetConfig { n_exact_terms: 4, ..LogDetConfig::training() };
/// assert_eq!(config.expected_terms().round(), 6.0);
/// // The weights of a draw of two terms beyond the exact ones: 1 / P(N ≥ 1) and 1 / P(N ≥ 2).
/// assert!((config.coefficients(&[2])[4] - 1.0 / config.survival(1)).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogDetConfig {
    /// How the log-determinant is computed.
    pub method: Method,
    /// The distribution of the number of terms beyond the exact ones.
    pub distribution: TermDistribution,
    /// The rate λ of the Poisson distribution: the mean number of terms beyond the exact ones.
    #[schemars(range(min = *POISSON_RATES.start(), max = *POISSON_RATES.end()), extend("x-unit" = "terms"))]
    pub poisson_rate: f64,
    /// The success probability of the geometric distribution, whose mean is its inverse.
    #[schemars(range(min = *GEOMETRIC_PROBABILITIES.start(), max = *GEOMETRIC_PROBABILITIES.end()))]
    pub geometric_success_prob: f64,
    /// Terms that are always computed and have weight 1; of the truncated series, all terms. More exact terms make the estimate
    /// less noisy and take proportionally longer.
    #[schemars(range(min = 0, max = MOST_EXACT_TERMS), extend("x-unit" = "terms"))]
    pub n_exact_terms: usize,
    /// When values are computed, the exact terms of a sample end where all that follow are together at most this, and the roulette
    /// begins there, so that the estimate stays unbiased. With 0, no exact term is left out.
    ///
    /// The terms after the `n`-th are bounded by `‖u_n‖ ‖v‖ L / ((n+1)(1-L))`, with `u_n = (Jᵀ)ⁿ v` and `L` the branch's spectral
    /// bound.
    #[schemars(range(min = 0.0, max = MOST_TRUNCATION), extend("x-unit" = "nats per dimension"))]
    pub truncation_tol: f64,
    /// Draws of the number of terms that are averaged.
    #[schemars(range(min = 1, max = MOST_DRAWS), extend("x-unit" = "draws"))]
    pub n_draws: usize,
    /// How the traces of the series are computed.
    pub trace: Trace,
    /// The distribution of Hutchinson's probe vectors.
    pub probe: Probe,
    /// The estimate of the series' gradient. All are unbiased where the value is, from the same randomness.
    pub gradient: GradientForm,
    /// The precision of the series' products with the Jacobian; sums over them, and all else, stay in single precision. Half
    /// precision is quicker on GPUs and slower on the CPU, and has a small bias that no number of draws takes away.
    pub series_precision: SeriesPrecision,
}

impl Default for LogDetConfig {
    fn default() -> Self {
        Self::training()
    }
}

impl LogDetConfig {
    /// What the paper trains with: 2 exact terms, Poisson(2), Gaussian probes, the Neumann gradient.
    pub fn training() -> Self {
        Self {
            method: Method::Series,
            distribution: TermDistribution::Poisson,
            poisson_rate: 2.0,
            geometric_success_prob: 0.5,
            n_exact_terms: 2,
            truncation_tol: 0.0,
            n_draws: 1,
            trace: Trace::Hutchinson,
            probe: Probe::Gaussian,
            gradient: GradientForm::Neumann,
            series_precision: SeriesPrecision::F32,
        }
    }

    /// What the paper evaluates with, 20 exact terms, of which those are left out that cannot matter.
    pub fn evaluation() -> Self {
        Self { n_exact_terms: 20, truncation_tol: 1e-4, ..Self::training() }
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
        real("poisson_rate", self.poisson_rate, POISSON_RATES)?;
        real("geometric_success_prob", self.geometric_success_prob, GEOMETRIC_PROBABILITIES)?;
        real("truncation_tol", self.truncation_tol, 0.0..=MOST_TRUNCATION)?;
        whole("n_draws", self.n_draws, 1..=MOST_DRAWS)?;
        whole("n_exact_terms", self.n_exact_terms, 0..=MOST_EXACT_TERMS)?;
        let has_terms = self.method != Method::Truncated || self.n_exact_terms > 0;
        require(has_terms, "n_exact_terms", "at least 1: the truncated series has no other terms", self.n_exact_terms)?;
        let in_single_precision = !self.needs_jacobian() || self.series_precision == SeriesPrecision::F32;
        let got = format!("\"{}\"", self.series_precision);
        require(in_single_precision, "series_precision", "\"f32\" where whole Jacobians are built", got)
    }

    /// Checks that inputs with this number of dimensions are small enough for what is asked for.
    ///
    /// # Errors
    /// Names the setting if it needs whole Jacobians that are too large.
    pub fn validate_size(&self, dimensions: usize) -> Result<()> {
        if !self.needs_jacobian() || dimensions <= MAX_DIMENSIONS {
            return Ok(());
        }
        let key = if self.method == Method::Exact { "method" } else { "trace" };
        let expected = format!(
            "the series with Hutchinson's traces for {dimensions} dimensions: whole Jacobians have {MAX_DIMENSIONS} at most"
        );
        Err(ModelError::Config { key, expected, got: "\"exact\"".into() })
    }

    /// Checks that a device computes in the precision that is asked for.
    ///
    /// # Errors
    /// Names the setting if it does not.
    pub fn validate_device(&self, device: &Device) -> Result<()> {
        let precision = self.series_precision;
        if precision.reduced().is_none_or(|dtype| device.supports_dtype(dtype)) {
            return Ok(());
        }
        let expected = "a precision in which the device computes, such as \"f32\"".into();
        Err(ModelError::Config { key: "series_precision", expected, got: format!("\"{precision}\"") })
    }

    /// Whether layers draw from roulettes that were [fitted](crate::ResidualFlow::fit_roulettes) to them.
    pub fn is_fitted(&self) -> bool {
        self.distribution == TermDistribution::Fitted && self.method == Method::Series
    }

    /// Whether whole Jacobians are built, which takes one product a dimension.
    pub fn needs_jacobian(&self) -> bool {
        self.method == Method::Exact || self.trace == Trace::Exact
    }

    /// `L / ((1-L) tol D)`, by which values in `dimensions` dimensions end their exact terms early, where the Jacobian's spectral norm
    /// is at most `L`; more where a determinant's terms weigh more. The truncated series always has all of them.
    pub(crate) fn early_end(&self, spectral_bound: f64, dimensions: usize, determinant: Determinant) -> Option<f64> {
        let applies = self.method == Method::Series && self.truncation_tol > 0.0 && spectral_bound < 1.0;
        let end = || spectral_bound / ((1.0 - spectral_bound) * self.truncation_tol * dimensions as f64);
        applies.then(|| determinant.largest_weight() * end())
    }

    /// The mean number of terms: the exact ones, and the expected largest of the draws.
    pub fn expected_terms(&self) -> f64 {
        self.n_exact_terms as f64 + self.reached(None).sum::<f64>()
    }

    /// The distribution with its parameter, in a layer that has been fitted or not.
    fn roulette<'a>(&self, fitted: Option<&'a FittedSurvival>) -> Roulette<'a> {
        match (self.distribution, fitted) {
            (TermDistribution::Fitted, Some(fitted)) => Roulette::Fitted(fitted),
            (TermDistribution::Fitted, None) | (TermDistribution::Poisson, _) => Roulette::Poisson { rate: self.poisson_rate },
            (TermDistribution::Geometric, _) => Roulette::Geometric { success_prob: self.geometric_success_prob },
        }
    }

    /// `P(N ≥ m)`: the probability with which one draw reaches the `m`-th term beyond the exact ones; NaN where the
    /// distribution's setting is out of its range.
    pub fn survival(&self, m: usize) -> f64 {
        self.roulette(None).survival(m)
    }

    /// The probability with which each term beyond the exact ones is computed, as long as it matters.
    fn reached<'a>(&self, fitted: Option<&'a FittedSurvival>) -> impl Iterator<Item = f64> + use<'a> {
        let n_draws = if self.method == Method::Series { self.n_draws } else { 0 };
        let roulette = self.roulette(fitted);
        let reached = move |m| 1.0 - (1.0 - roulette.survival(m)).powi(n_draws as i32);
        (1..).map(reached).take_while(|&probability| probability > 1e-12)
    }

    /// The mean number of products with the Jacobian that a value in `dimensions` dimensions takes: one for each term, but at most
    /// one for each dimension.
    pub fn expected_products(&self, dimensions: usize) -> f64 {
        self.expected_products_of(None, dimensions)
    }

    /// [`expected_products`](Self::expected_products) of a layer that has been fitted or not.
    pub fn expected_products_of(&self, fitted: Option<&FittedSurvival>, dimensions: usize) -> f64 {
        if self.needs_jacobian() {
            return dimensions as f64;
        }
        let exact = self.n_exact_terms.min(dimensions);
        exact as f64 + self.reached(fitted).take(dimensions - exact).sum::<f64>()
    }

    /// Draws the randomness of one estimate for a batch `[batch, …]`.
    pub fn draw(&self, shape: [usize; 4], rng: &mut impl Rng, device: &Device) -> LogDetDraw {
        self.draw_for(None, shape, rng, device)
    }

    /// [`draw`](Self::draw) for a layer that has been fitted or not; for others than [`TermDistribution::Fitted`] there is no
    /// difference.
    pub fn draw_for(
        &self,
        fitted: Option<&FittedSurvival>,
        shape: [usize; 4],
        rng: &mut impl Rng,
        device: &Device,
    ) -> LogDetDraw {
        if self.method == Method::Exact {
            return LogDetDraw::Exact;
        }
        let n_draws = if self.method == Method::Series { self.n_draws } else { 0 };
        let roulette = self.roulette(fitted);
        let counts: Vec<usize> = (0..n_draws).map(|_| roulette.sample(rng)).collect();
        let (coefficients, gradient, precision) = (self.weights(&roulette, &counts), self.gradient, self.series_precision);
        match self.trace {
            Trace::Exact => LogDetDraw::ExactTrace { coefficients, gradient },
            Trace::Hutchinson => {
                let probe = self.probe.sample(shape, rng, device);
                LogDetDraw::Hutchinson { probe, coefficients, gradient, precision }
            }
        }
    }

    /// The weights `c_1 … c_n` for these numbers of terms beyond the exact ones: 1 for exact terms, else the fraction
    /// of draws that reach the term over the probability of reaching it. `n` is the largest draw plus the exact terms.
    pub fn coefficients(&self, counts: &[usize]) -> Vec<f64> {
        self.weights(&self.roulette(None), counts)
    }

    fn weights(&self, roulette: &Roulette, counts: &[usize]) -> Vec<f64> {
        let most = counts.iter().max().copied().unwrap_or(0);
        let weight = |beyond: usize| {
            let reached = counts.iter().filter(|&&count| count >= beyond).count() as f64 / counts.len() as f64;
            reached / roulette.survival(beyond)
        };
        let exact = std::iter::repeat_n(1.0, self.n_exact_terms);
        exact.chain((1..=most).map(weight)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_terms_are_the_mean_of_the_distribution() {
        let config = LogDetConfig::training();
        assert!((config.expected_terms() - 4.0).abs() < 1e-9);
        let geometric = LogDetConfig { distribution: TermDistribution::Geometric, ..config };
        assert!((geometric.expected_terms() - 4.0).abs() < 1e-9);
        // The larger of two geometric draws with p = 1/2 has mean 8/3.
        assert!((LogDetConfig { n_draws: 2, ..geometric.clone() }.expected_terms() - (2.0 + 8.0 / 3.0)).abs() < 1e-9);
    }

    #[test]
    fn products_are_no_more_than_terms_or_dimensions() {
        // Geometric draws reach their first term always, the second with probability 1/2.
        let geometric = LogDetConfig { distribution: TermDistribution::Geometric, ..LogDetConfig::training() };
        let expected = [(1, 1.0), (2, 2.0), (3, 3.0), (4, 3.5), (100, 4.0)];
        for (dimensions, products) in expected {
            assert!((geometric.expected_products(dimensions) - products).abs() < 1e-9, "{dimensions}");
        }
        let truncated = LogDetConfig { method: Method::Truncated, ..LogDetConfig::evaluation() };
        assert_eq!((truncated.expected_products(64), truncated.expected_products(2)), (20.0, 2.0));
        assert_eq!(LogDetConfig::exact().expected_products(64), 64.0);
    }

    #[test]
    fn only_series_with_a_contraction_end_early() {
        let config = LogDetConfig::evaluation();
        assert!((config.early_end(0.5, 10, Determinant::Sum).expect("a contraction") - 1e3).abs() < 1e-9);
        assert_eq!(config.early_end(1.0, 10, Determinant::Sum), None);
        assert_eq!(LogDetConfig { method: Method::Truncated, ..config.clone() }.early_end(0.5, 10, Determinant::Sum), None);
        assert_eq!(LogDetConfig { truncation_tol: 0.0, ..config }.early_end(0.5, 10, Determinant::Sum), None);
    }

    #[test]
    fn weights_are_those_of_the_reference_implementation() {
        // From its fixtures: 2 exact terms and a draw of 4 (Poisson), 2 (geometric).
        let config = LogDetConfig::training();
        let poisson = config.coefficients(&[4]);
        let expected = [1.0, 1.0, 1.1565176427496657, 1.6835182627834082, 3.092876765111551, 6.999049693458111];
        assert_eq!(poisson.len(), expected.len());
        for (got, want) in poisson.iter().zip(expected) {
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
        let geometric = LogDetConfig { distribution: TermDistribution::Geometric, ..config };
        assert_eq!(geometric.coefficients(&[4]), [1.0, 1.0, 1.0, 2.0, 4.0, 8.0]);
        assert_eq!(geometric.coefficients(&[1, 3]), [1.0, 1.0, 1.0, 1.0, 2.0]);
    }
}
