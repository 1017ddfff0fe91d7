//! The probabilities of reaching terms for which an estimate has the least variance for its cost.

/// What the roulette decides about one series.
#[derive(Clone, Debug)]
pub(crate) struct RouletteTerms {
    /// `δ_m = E[R_m² - R_{m+1}²]` with the sum `R_m` of the `m`-th term and all after it, for `m = 1 … K`.
    pub gains: Vec<f64>,
    /// The cost of a term.
    pub cost: f64,
}

/// What does not depend on the roulette: the variance and the cost of an estimate besides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Besides {
    pub variance: f64,
    pub cost: f64,
}

/// Non-increasing probabilities `q_m = P(N ≥ m)` for each series that minimise variance times cost,
///
/// ```text
/// (V + Σ δ_m / q_m) (C + Σ c_m q_m)    with 1 ≥ q_1 ≥ q_2 ≥ …
/// ```
///
/// The estimate `Σ_{m ≤ N} a_m / q_m` of `Σ a_m` has the second moment `Σ_m (a_m² + 2 a_m R_{m+1}) / q_m = Σ δ_m / q_m`.
///
/// For a price `μ = 1/s²` of variance by cost, `Σ δ_m / q_m + μ Σ c_m q_m` is least at `q_m = min(1, s √(δ̃_m / c_m))`, where
/// neighbours whose `δ_m / c_m` rise are taken together until none does (pooled adjacent violators: `δ̃` are the slopes of the least
/// concave majorant of the sums of `δ`). The product is least where `s²` times the variance is the cost; their difference rises
/// with `s` from a negative value on, or falls before it rises, so that it has one root, which is bracketed and bisected.
///
/// # References
/// Rhee and Glynn (2015), Unbiased estimation with square root convergence for SDE models, section 3.
/// <https://doi.org/10.1287/opre.2015.1404>
pub(crate) fn survival_probabilities(series: &[RouletteTerms], besides: Besides) -> Vec<Vec<f64>> {
    let slopes: Vec<Vec<f64>> =
        series.iter().map(|terms| pooled(&terms.gains).into_iter().map(|d| d / terms.cost).collect()).collect();
    let at = |s: f64| -> Vec<Vec<f64>> {
        slopes.iter().map(|slopes| slopes.iter().map(|slope| (s * slope.max(0.0).sqrt()).min(1.0)).collect()).collect()
    };
    let excess = |s: f64| {
        let (mut variance, mut cost) = (besides.variance, besides.cost);
        for ((terms, slopes), probabilities) in series.iter().zip(&slopes).zip(at(s)) {
            for (slope, q) in slopes.iter().zip(probabilities) {
                // What has no variance is not reached.
                variance += if q > 0.0 { slope.max(0.0) * terms.cost / q } else { 0.0 };
                cost += terms.cost * q;
            }
        }
        s * s * variance - cost
    };
    // From where all are less than 1 to where all are 1, and further where the variance is then still small.
    let roots = slopes.iter().flatten().filter(|slope| **slope > 0.0).map(|slope| slope.sqrt());
    let Some(smallest) = roots.clone().reduce(f64::min) else { return at(0.0) };
    let largest = roots.fold(0.0, f64::max);
    let (mut low, mut high) = (1e-9 / largest, 1.0 / smallest);
    for _ in 0..200 {
        let middle = (low * high).sqrt();
        if excess(middle) < 0.0 { low = middle } else { high = middle }
    }
    at(high)
}

/// The mean of each group of neighbours, grouped so that means fall: the slopes of the least concave majorant of the sums.
fn pooled(values: &[f64]) -> Vec<f64> {
    let mut groups: Vec<(f64, usize)> = Vec::new();
    for &value in values {
        groups.push((value, 1));
        while let [.., (a, n), (b, m)] = groups[..]
            && b * n as f64 >= a * m as f64
        {
            groups.truncate(groups.len() - 2);
            groups.push((a + b, n + m));
        }
    }
    groups.into_iter().flat_map(|(sum, n)| std::iter::repeat_n(sum / n as f64, n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn product(series: &[RouletteTerms], besides: Besides, probabilities: &[Vec<f64>]) -> f64 {
        let (mut variance, mut cost) = (besides.variance, besides.cost);
        for (terms, probabilities) in series.iter().zip(probabilities) {
            for (gain, q) in terms.gains.iter().zip(probabilities) {
                variance += gain / q;
                cost += terms.cost * q;
            }
        }
        variance * cost
    }

    /// Squares `E[R_m²]` of the tails, from which differences follow, possibly negative ones.
    fn terms() -> impl Strategy<Value = RouletteTerms> {
        (proptest::collection::vec(0.01f64..1.0, 3), 0.2f64..2.0).prop_map(|(mut squares, cost)| {
            squares.push(0.0);
            RouletteTerms { gains: squares.windows(2).map(|pair| pair[0] - pair[1]).collect(), cost }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(1), cases: 64, ..ProptestConfig::default() })]

        /// Against all non-increasing probabilities on a grid, and against what is near.
        #[test]
        fn no_probabilities_are_better(first in terms(), second in terms(), probes in 0.0f64..2.0, cost in 0.0f64..4.0) {
            let total: f64 = first.gains.iter().sum();
            let besides = Besides { variance: probes - total, cost };
            let series = std::slice::from_ref(&first);
            let found = survival_probabilities(series, besides);
            prop_assert!(found[0].windows(2).all(|pair| pair[1] <= pair[0]) && found[0].iter().all(|&q| q > 0.0 && q <= 1.0));
            let least = product(series, besides, &found);
            let grid: Vec<f64> = (1..=40).map(|i| f64::from(i) / 40.0).collect();
            for &a in &grid {
                for &b in grid.iter().filter(|&&b| b <= a) {
                    for &c in grid.iter().filter(|&&c| c <= b) {
                        let other = product(series, besides, &[vec![a, b, c]]);
                        prop_assert!(least <= other + 1e-9, "{least} at {found:?}, {other} at {:?}", [a, b, c]);
                    }
                }
            }
            // Two series share one price.
            let total: f64 = second.gains.iter().sum::<f64>() + total;
            let (series, besides) = ([first, second], Besides { variance: probes - total, cost });
            let found = survival_probabilities(&series, besides);
            let least = product(&series, besides, &found);
            for which in 0..2 {
                for factor in [0.9, 1.1] {
                    let mut other = found.clone();
                    other[which].iter_mut().for_each(|q| *q = (*q * factor).min(1.0));
                    prop_assert!(least <= product(&series, besides, &other) + 1e-9);
                }
            }
        }
    }

    #[test]
    fn geometric_terms_have_geometric_probabilities() {
        // Independent terms whose variances fall by 4 are reached with probabilities that fall by 2.
        let gains: Vec<f64> = (0..10).map(|m| 0.25f64.powi(m)).collect();
        let found = survival_probabilities(&[RouletteTerms { gains, cost: 1.0 }], Besides { variance: 1.0, cost: 0.25 });
        for pair in found[0].windows(2) {
            assert!((pair[1] / pair[0] - 0.5).abs() < 1e-9, "{found:?}");
        }
        // s² V = C: one half.
        assert!((found[0][0] - 0.5).abs() < 1e-6, "{found:?}");
        assert_eq!(pooled(&[1.0, 3.0, 0.5, 0.7]), [2.0, 2.0, 0.6, 0.6]);
    }
}
