//! A roulette whose probabilities were fitted to the terms of a model's own series.

use rand::Rng;

/// The least probability of reaching the first term, and of reaching a term from the one before. Terms that were measured as
/// smaller than they are would otherwise be reached so rarely, and then weigh so much, that no run sees one.
const LEAST: f64 = 0.01;
const LEAST_STEP: f64 = 0.1;
/// The largest ratio beyond the terms that were measured.
const LARGEST_RATIO: f64 = 0.95;

/// What an estimate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Log-determinants themselves.
    Value,
    /// Their gradients.
    Gradient,
}

/// `P(N ≥ m)`: given for `m = 1 … K`, non-increasing and positive, and `P(N ≥ K) ρ^{m-K}` beyond.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedSurvival {
    probabilities: Vec<f64>,
    ratio: f64,
}

impl FittedSurvival {
    /// From the best probabilities of the terms that were measured, at least one. The ratio `ρ` beyond is the mean one of the last
    /// half of them.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(best: &[f64]) -> Self {
        let mut before = 1.0;
        let bounded = best.iter().enumerate().map(|(index, &best)| {
            let least = if index == 0 { LEAST } else { LEAST_STEP * before };
            // In single precision, as it is stored.
            before = f64::from(best.clamp(least, before) as f32);
            before
        });
        let probabilities: Vec<f64> = bounded.collect();
        let last_half = &probabilities[(probabilities.len() - 1) / 2..];
        let (Some(first), Some(last)) = (last_half.first(), last_half.last()) else { panic!("no probabilities") };
        let mean = (last / first).powf(1.0 / (last_half.len() - 1).max(1) as f64);
        let ratio = f64::from(mean.clamp(LEAST_STEP, LARGEST_RATIO) as f32);
        Self { probabilities, ratio }
    }

    /// From [`numbers`](Self::numbers).
    pub(crate) fn of_numbers(numbers: &[f32]) -> Option<Self> {
        let (&ratio, probabilities) = numbers.split_last()?;
        let probabilities: Vec<f64> = probabilities.iter().map(|&p| f64::from(p)).collect();
        let falls = probabilities.windows(2).all(|pair| pair[1] <= pair[0]);
        let fits = falls && probabilities.first()? <= &1.0 && probabilities.last()? > &0.0 && (0.0..1.0).contains(&ratio);
        fits.then_some(Self { probabilities, ratio: ratio.into() })
    }

    /// The probabilities, then the ratio, to be stored.
    pub(crate) fn numbers(&self) -> Vec<f32> {
        self.probabilities.iter().chain([&self.ratio]).map(|&number| number as f32).collect()
    }

    /// `P(N ≥ m)`.
    pub fn survival(&self, m: usize) -> f64 {
        match m {
            0 => 1.0,
            m => self.probabilities.get(m - 1).copied().unwrap_or_else(|| self.beyond(m - self.probabilities.len())),
        }
    }

    fn last(&self) -> f64 {
        self.probabilities.last().copied().unwrap_or(0.0)
    }

    fn beyond(&self, steps: usize) -> f64 {
        self.last() * self.ratio.powi(i32::try_from(steps).unwrap_or(i32::MAX))
    }

    /// The mean of `N`.
    pub fn mean(&self) -> f64 {
        self.probabilities.iter().sum::<f64>() + self.last() * self.ratio / (1.0 - self.ratio)
    }

    /// Draws `N` by inverting its distribution function.
    pub(super) fn sample(&self, rng: &mut impl Rng) -> usize {
        // In (0, 1], so that the tail ends.
        let u = 1.0 - rng.random::<f64>();
        match self.probabilities.iter().position(|&probability| probability < u) {
            Some(reached) => reached,
            None => self.probabilities.len() + ((u / self.last()).ln() / self.ratio.ln()) as usize,
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
        for best in [vec![1.0, 0.6, 0.55, 0.1], vec![0.3], vec![0.9, 0.9, 0.2]] {
            let fitted = FittedSurvival::new(&best);
            let mut rng = NoiseKey::new(4, [0, 0]).stream(0);
            let draws: Vec<usize> = (0..n).map(|_| fitted.sample(&mut rng)).collect();
            for m in 0..9 {
                let p = fitted.survival(m);
                let got = draws.iter().filter(|&&draw| draw >= m).count() as f64 / f64::from(n);
                let standard_error = (p * (1.0 - p) / f64::from(n)).sqrt();
                assert!((got - p).abs() <= 4.0 * standard_error, "{best:?} P(N >= {m}): {got} for {p}");
            }
            let mean: f64 = (1..2000).map(|m| fitted.survival(m)).sum();
            assert!((fitted.mean() - mean).abs() < 1e-9, "{best:?}");
            assert_eq!(FittedSurvival::of_numbers(&fitted.numbers()), Some(fitted));
        }
    }

    #[test]
    fn probabilities_are_positive_and_do_not_rise() {
        for best in [vec![0.0, 0.0], vec![0.5, 0.7, 1e-9, 0.3], vec![2.0, 1.0]] {
            let fitted = FittedSurvival::new(&best);
            let survival: Vec<f64> = (0..30).map(|m| fitted.survival(m)).collect();
            assert!(survival.windows(2).all(|pair| pair[1] <= pair[0] && pair[1] > 0.0), "{survival:?}");
        }
        assert_eq!(FittedSurvival::of_numbers(&[0.5, 0.6, 0.5]), None);
        assert_eq!(FittedSurvival::of_numbers(&[]), None);
    }
}
