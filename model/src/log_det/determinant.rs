//! Of which matrices a layer's log-determinant is, as power series of a Jacobian.

/// A log-determinant `ℓ` as a function of the Jacobian `J` of a branch: `ℓ = Σ_{k≥1} a_k tr(Jᵏ)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Determinant {
    /// `ln|det(I + J)|`, `a_k = (-1)^{k+1}/k`: of residual layers.
    Sum,
    /// `ln|det(I - J)| - ln|det(I + J)|`, `a_k = -2/k` for odd `k`, else 0: of Cayley transforms (Ahn et al. 2022, section 3.3).
    Cayley,
}

impl Determinant {
    /// `a_k`
    pub fn weight(self, k: usize) -> f64 {
        let is_even = k.is_multiple_of(2);
        match self {
            Determinant::Sum => (if is_even { -1.0 } else { 1.0 }) / k as f64,
            Determinant::Cayley if is_even => 0.0,
            Determinant::Cayley => -2.0 / k as f64,
        }
    }

    /// The weight of `tr(Jᵏ ∂J)` in `∂ℓ`, `(k + 1) a_{k+1}` for `k ≥ 0`.
    pub fn slope_weight(self, k: usize) -> f64 {
        let sign = if k.is_multiple_of(2) { 1.0 } else { -1.0 };
        match self {
            Determinant::Sum => sign,
            Determinant::Cayley => -(1.0 + sign),
        }
    }

    /// `A` with `|Σ_{k>n} a_k tr(Jᵏ)| ≤ A Σ_{k>n} |tr(Jᵏ)|/k`.
    pub fn largest_weight(self) -> f64 {
        match self {
            Determinant::Sum => 1.0,
            Determinant::Cayley => 2.0,
        }
    }
}
