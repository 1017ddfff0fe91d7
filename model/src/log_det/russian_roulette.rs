//! The random number of terms of the power series, and the probability of reaching each.

use super::fitted::FittedSurvival;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Accepted rates of the Poisson distribution.
///
/// Within them the estimate is unbiased, and draws and weights are exact to rounding. With a smaller rate, terms that matter
/// are reached so rarely, and then weigh so much, that no run sees one. From 709 on, `exp(-λ)` is below the smallest normal
/// number.
pub const POISSON_RATES: RangeInclusive<f64> = 0.01..=700.0;
/// Accepted success probabilities of the geometric distribution, for the same reasons: a thousand terms in the mean, or a
/// hundredth of all draws with more than one.
pub const GEOMETRIC_PROBABILITIES: RangeInclusive<f64> = 0.001..=0.99;
/// The distribution of the number `N` of terms beyond the exact ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TermDistribution {
    /// Poisson with rate λ, on 0, 1, 2, …
    Poisson,
    /// Number of trials up to the first success, on 1, 2, 3, …
    Geometric,
    /// Of each residual layer the one with the least variance for its cost, fitted to the terms of the layer's own series: in
    /// training again after every hundred steps. It needs few exact terms, or none. Layers that have not been fitted have the
    /// Poisson distribution.
    Fitted,
}

/// Russian roulette with the parameter of its distribution: how many terms beyond the exact ones are computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Roulette<'a> {
    Poisson { rate: f64 },
    Geometric { success_prob: f64 },
    Fitted(&'a FittedSurvival),
}

impl Roulette<'_> {
    /// Draws `N` by inverting its distribution function. The parameter is in its range
    /// ([`LogDetConfig::validate`](super::LogDetConfig::validate)).
    pub fn sample(self, rng: &mut impl Rng) -> usize {
        match self {
            Self::Fitted(fitted) => fitted.sample(rng),
            Self::Poisson { rate } => {
                let u: f64 = rng.random();
                let (mut count, mut mass) = (0, (-rate).exp());
                let mut cumulative = mass;
                // What is left of the tail once it is lost to rounding is less likely than any `u`.
                let is_lost = |count: usize, mass: f64| count as f64 > rate && mass < f64::EPSILON * f64::EPSILON;
                while cumulative < u && !is_lost(count, mass) {
                    count += 1;
                    mass *= rate / count as f64;
                    cumulative += mass;
                }
                count
            }
            Self::Geometric { success_prob } => {
                let u: f64 = rng.random();
                1 + ((1.0 - u).ln() / (1.0 - success_prob).ln()) as usize
            }
        }
    }

    /// `P(N ≥ m)`; NaN where the parameter is out of its range.
    pub fn survival(self, m: usize) -> f64 {
        match self {
            Self::Poisson { rate } if !POISSON_RATES.contains(&rate) => f64::NAN,
            Self::Geometric { success_prob } if !GEOMETRIC_PROBABILITIES.contains(&success_prob) => f64::NAN,
            Self::Poisson { rate } => {
                // The tail, smallest terms last: 1 minus the distribution function would lose it to rounding.
                let mut mass = (-rate).exp();
                let mut tail = 0.0;
                for count in 0.. {
                    if count >= m {
                        tail += mass;
                        if mass < tail * f64::EPSILON && count as f64 > rate {
                            break;
                        }
                    }
                    mass *= rate / (count + 1) as f64;
                }
                tail
            }
            Self::Fitted(fitted) => fitted.survival(m),
            Self::Geometric { success_prob } => (1.0 - success_prob).powi(i32::try_from(m.saturating_sub(1)).unwrap_or(i32::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numerics::randomness::NoiseKey;

    #[test]
    fn draws_follow_the_survival_function() {
        let n = 40_000;
        for roulette in [Roulette::Poisson { rate: 2.0 }, Roulette::Geometric { success_prob: 0.5 }] {
            let mut rng = NoiseKey::new(3, [0, 0]).stream(0);
            let draws: Vec<usize> = (0..n).map(|_| roulette.sample(&mut rng)).collect();
            for m in 0..8 {
                let p = roulette.survival(m);
                let got = draws.iter().filter(|&&d| d >= m).count() as f64 / f64::from(n);
                let standard_error = (p * (1.0 - p) / f64::from(n)).sqrt();
                assert!((got - p).abs() <= 4.0 * standard_error, "{roulette:?} P(N >= {m}): {got} for {p}");
            }
        }
    }

    #[test]
    fn survival_is_exact_in_the_tail() {
        let roulette = Roulette::Poisson { rate: 2.0 };
        // P(N >= 20) for Poisson(2), computed with 50 digits.
        let expected = 6.443_731_393_112e-14;
        let got = roulette.survival(20);
        assert!((got / expected - 1.0).abs() < 1e-8, "{got}");
        assert_eq!(roulette.survival(0), 1.0);
    }
}
