//! Which terms of a log-determinant's power series are computed, and their weights.

use super::determinant::Determinant;
use flow_kernels::ChainSums;

/// The terms of a value alone, `Σ_k a_k c_k ⟨u_k, v⟩`: exact ones with `c_k = 1`, then those of the roulette. `a_k` are the
/// [`Determinant`]'s, such as `(-1)^{k+1}/k`.
///
/// Each sample has as many exact terms as it needs: where the Jacobian's spectral norm is at most `L`, the terms after the
/// `n`-th are together at most `A ‖u_n‖ ‖v‖ Σ_{k>n} L^{k-n}/k ≤ A ‖u_n‖ ‖v‖ L / ((n+1)(1-L))` with `|a_k| ≤ A/k`, and the roulette may begin. Its draws
/// do not depend on `v`, so the estimate is unbiased wherever that is.
#[derive(Clone, Copy)]
pub(crate) struct ValueTerms<'a> {
    /// Exact terms at the most.
    pub n_exact: usize,
    /// `c_k` of the terms after the exact ones.
    pub roulette: &'a [f64],
    /// `A L / ((1-L) ε)`, where the terms after the exact ones may be `ε` together; `None` for samples with all exact terms.
    pub early_end: Option<f64>,
    /// Says the weights `a_k`.
    pub determinant: Determinant,
}

impl<'a> ValueTerms<'a> {
    /// The values of samples with these `‖v‖²`, before the first term.
    pub fn begin(self, probe_squares: &[f64]) -> Values<'a> {
        Values(self.samples(probe_squares))
    }

    fn samples(self, probe_squares: &[f64]) -> Vec<SampleValue<'a>> {
        let sample = |&probe_square: &f64| {
            let mut sample = SampleValue { terms: self, probe_square, taken: 0, exact: None, value: 0.0 };
            sample.end_exact_terms(probe_square);
            sample
        };
        probe_squares.iter().map(sample).collect()
    }
}

/// The values of a batch while their terms are computed.
pub(crate) struct Values<'a>(Vec<SampleValue<'a>>);

impl ChainSums for Values<'_> {
    fn is_done(&self) -> bool {
        self.0.iter().all(SampleValue::is_done)
    }

    fn add(&mut self, dots: &[f64], squares: &[f64]) {
        let terms = dots.iter().zip(squares);
        self.0.iter_mut().zip(terms).for_each(|(sample, (&dot, &square))| sample.take(dot, square));
    }

    fn values(&self) -> Vec<f64> {
        self.0.iter().map(|sample| sample.value).collect()
    }
}

/// The value of one sample's series while its terms are computed.
struct SampleValue<'a> {
    terms: ValueTerms<'a>,
    probe_square: f64,
    taken: usize,
    /// How many terms were exact, once that is known.
    exact: Option<usize>,
    /// Nats.
    value: f64,
}

impl SampleValue<'_> {
    /// Whether the sample needs no more terms: there are none, or only such as weigh nothing.
    fn is_done(&self) -> bool {
        let no_weight = |k: usize| self.terms.determinant.weight(k) == 0.0;
        self.exact.is_some_and(|exact| (self.taken..exact + self.terms.roulette.len()).all(|index| no_weight(index + 1)))
    }

    /// Takes in the next term, from `⟨u_k, v⟩` and `‖u_k‖²`.
    fn take(&mut self, dot: f64, square: f64) {
        if self.is_done() {
            return;
        }
        let c = self.exact.map_or(1.0, |exact| self.terms.roulette[self.taken - exact]);
        self.taken += 1;
        self.value += self.terms.determinant.weight(self.taken) * c * dot;
        if self.exact.is_none() {
            self.end_exact_terms(square);
        }
    }

    fn end_exact_terms(&mut self, square: f64) {
        let next = (self.taken + 1) as f64;
        let is_enough = |scale: f64| (square * self.probe_square).sqrt() * scale <= next;
        if self.taken == self.terms.n_exact || self.terms.early_end.is_some_and(is_enough) {
            self.exact = Some(self.taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The terms taken and the value of a chain `u_k = λ u_{k-1}` from `v = (1)`.
    fn chain(lambda: f64, terms: ValueTerms) -> (usize, f64) {
        let mut sample = terms.samples(&[1.0]).remove(0);
        while !sample.is_done() {
            let u = lambda.powi(sample.taken as i32 + 1);
            sample.take(u, u * u);
        }
        (sample.taken, sample.value)
    }

    #[test]
    fn exact_terms_end_when_the_rest_is_small_enough() {
        let bound: f64 = 0.9;
        for (lambda, tol) in [(0.5, 1e-3), (-0.7, 1e-2), (0.05, 1e-6), (0.89, 1e-4)] {
            let early_end = Some(bound / (1.0 - bound) / tol);
            let terms = ValueTerms { n_exact: 1000, roulette: &[], early_end, determinant: Determinant::Sum };
            let (n, value) = chain(lambda, terms);
            assert!((value - f64::ln_1p(lambda)).abs() <= tol, "{lambda}: {value} after {n}");
            let rest = |n: usize| lambda.abs().powi(n as i32) * bound / ((1.0 - bound) * (n + 1) as f64);
            assert!(rest(n) <= tol && rest(n - 1) > tol, "{lambda}: {n} terms");
            assert_eq!(chain(lambda, ValueTerms { n_exact: 3, ..terms }).0, 3);
        }
        let all = ValueTerms { n_exact: 20, roulette: &[], early_end: None, determinant: Determinant::Sum };
        assert_eq!(chain(0.0, all).0, 20);
        assert_eq!(chain(0.5, ValueTerms { early_end: Some(0.0), ..all }).0, 0);
    }

    #[test]
    fn the_roulette_begins_where_exact_terms_end() {
        let terms = ValueTerms { n_exact: 2, roulette: &[3.0, 5.0], early_end: None, determinant: Determinant::Sum };
        let (n, value) = chain(0.5, terms);
        assert_eq!(n, 4);
        assert!((value - (0.5 - 0.125 + 3.0 * 0.125 / 3.0 - 5.0 * 0.0625 / 4.0)).abs() < 1e-12);
        // The fourth term of a Cayley transform weighs nothing and is not computed.
        let (n, value) = chain(0.5, ValueTerms { determinant: Determinant::Cayley, ..terms });
        assert_eq!(n, 3);
        assert!((value + 2.0 * (0.5 + 3.0 * 0.125 / 3.0)).abs() < 1e-12);
    }
}
