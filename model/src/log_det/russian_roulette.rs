//! The random number of terms of the power series, and the probability of reaching each.

use super::{GEOMETRIC_PROBABILITIES, LogDetConfig, POISSON_RATES};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// The distribution of the number `N` of terms beyond the exact ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TermCount {
    /// Poisson with rate λ, on 0, 1, 2, …
    Poisson,
    /// Number of trials up to the first success, on 1, 2, 3, …
    Geometric,
}

impl TermCount {
    /// Draws `N` by inverting its distribution function. The settings are in their ranges ([`LogDetConfig::validate`]).
    pub(super) fn sample(self, config: &LogDetConfig, rng: &mut impl Rng) -> usize {
        let u: f64 = rng.random();
        match self {
            TermCount::Poisson => {
                let (mut count, mut mass) = (0, (-config.poisson_rate).exp());
                let mut cumulative = mass;
                // What is left of the tail once it is lost to rounding is less likely than any `u`.
                let is_lost = |count: usize, mass: f64| count as f64 > config.poisson_rate && mass < f64::EPSILON * f64::EPSILON;
                while cumulative < u && !is_lost(count, mass) {
                    count += 1;
                    mass *= config.poisson_rate / count as f64;
                    cumulative += mass;
                }
                count
            }
            TermCount::Geometric => 1 + ((1.0 - u).ln() / (1.0 - config.geometric_success_prob).ln()) as usize,
        }
    }

    /// `P(N ≥ m)`; NaN where the distribution's setting is out of its range.
    pub fn survival(self, config: &LogDetConfig, m: usize) -> f64 {
        match self {
            TermCount::Poisson if !POISSON_RATES.contains(&config.poisson_rate) => f64::NAN,
            TermCount::Geometric if !GEOMETRIC_PROBABILITIES.contains(&config.geometric_success_prob) => f64::NAN,
            TermCount::Poisson => {
                // The tail, smallest terms last: 1 minus the distribution function would lose it to rounding.
                let mut mass = (-config.poisson_rate).exp();
                let mut tail = 0.0;
                for count in 0.. {
                    if count >= m {
                        tail += mass;
                        if mass < tail * f64::EPSILON && count as f64 > config.poisson_rate {
                            break;
                        }
                    }
                    mass *= config.poisson_rate / (count + 1) as f64;
                }
                tail
            }
            TermCount::Geometric => {
                (1.0 - config.geometric_success_prob).powi(i32::try_from(m.saturating_sub(1)).unwrap_or(i32::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::randomness::NoiseKey;

    #[test]
    fn draws_follow_the_survival_function() {
        let n = 40_000;
        for distribution in [TermCount::Poisson, TermCount::Geometric] {
            let config = LogDetConfig { distribution, ..LogDetConfig::training() };
            let mut rng = NoiseKey::new(3, [0, 0]).stream(0);
            let draws: Vec<usize> = (0..n).map(|_| distribution.sample(&config, &mut rng)).collect();
            for m in 0..8 {
                let p = distribution.survival(&config, m);
                let got = draws.iter().filter(|&&d| d >= m).count() as f64 / f64::from(n);
                let standard_error = (p * (1.0 - p) / f64::from(n)).sqrt();
                assert!((got - p).abs() <= 4.0 * standard_error, "{distribution:?} P(N >= {m}): {got} for {p}");
            }
        }
    }

    #[test]
    fn survival_is_exact_in_the_tail() {
        let config = LogDetConfig::training();
        // P(N >= 20) for Poisson(2), computed with 50 digits.
        let expected = 6.443_731_393_112e-14;
        let got = TermCount::Poisson.survival(&config, 20);
        assert!((got / expected - 1.0).abs() < 1e-8, "{got}");
        assert_eq!(TermCount::Poisson.survival(&config, 0), 1.0);
    }
}
