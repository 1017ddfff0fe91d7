//! Orders `p` of vector norms, and the pairs of them that an affine layer is bounded between.

use crate::error::{ModelError, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The order `p ≥ 1` of the norm `‖x‖_p = (Σ |x_i|ᵖ)^{1/p}`; written `inf` for the maximum norm.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
pub struct NormOrder(f64);

/// The least order above 1: the powers `1/(p-1)` of closer ones are of no use.
pub(super) const CLOSEST_TO_ONE: f64 = 1.0 + 1e-4;

impl NormOrder {
    /// `‖x‖₁ = Σ |x_i|`
    pub const ONE: Self = Self(1.0);
    /// The Euclidean norm.
    pub const TWO: Self = Self(2.0);
    /// `‖x‖_∞ = max |x_i|`
    pub const INFINITY: Self = Self(f64::INFINITY);

    /// An order from a number.
    ///
    /// # Errors
    /// If it is less than 1, not a number, or so close to 1 or so large that powers of numbers by it or its dual underflow.
    pub fn new(p: f64) -> Result<Self> {
        if p == 1.0 || p == f64::INFINITY || (CLOSEST_TO_ONE..=1e4).contains(&p) {
            return Ok(Self(p));
        }
        let expected = format!("orders of at least 1, or inf (between 1 and inf those from {CLOSEST_TO_ONE} to 10000)");
        Err(ModelError::Config { key: "norm_orders", expected, got: p.to_string() })
    }

    /// `p`
    pub fn get(self) -> f64 {
        self.0
    }

    /// The order `p*` of the dual norm, `1/p + 1/p* = 1`.
    pub(crate) fn dual(self) -> Self {
        match self.0 {
            1.0 => Self::INFINITY,
            f64::INFINITY => Self::ONE,
            p => Self(p / (p - 1.0)),
        }
    }
}

impl TryFrom<f64> for NormOrder {
    type Error = ModelError;

    fn try_from(p: f64) -> Result<Self> {
        Self::new(p)
    }
}

impl From<NormOrder> for f64 {
    fn from(order: NormOrder) -> f64 {
        order.0
    }
}

/// Which induced norm of a linear map is meant: `‖W‖_{p→q} = max_{‖x‖_p = 1} ‖W x‖_q`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormPair {
    /// `p`
    pub domain: NormOrder,
    /// `q`
    pub codomain: NormOrder,
}

impl NormPair {
    /// The spectral norm, 2→2.
    pub const SPECTRAL: Self = Self { domain: NormOrder::TWO, codomain: NormOrder::TWO };

    /// The pair of the transposed map: `‖Wᵀ‖_{q*→p*} = ‖W‖_{p→q}`.
    pub(crate) fn transposed(self) -> Self {
        Self { domain: self.codomain.dual(), codomain: self.domain.dual() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_checked() {
        for wrong in [0.5, -1.0, 1.0 + 1e-9, 1e300, f64::NAN] {
            let message = NormOrder::new(wrong).unwrap_err().to_string();
            assert!(message.contains("norm_orders") && message.contains(&wrong.to_string()), "{message}");
        }
        assert_eq!(NormOrder::new(3.0).unwrap().dual().get(), 1.5);
        assert_eq!((NormOrder::ONE.dual(), NormOrder::INFINITY.dual()), (NormOrder::INFINITY, NormOrder::ONE));
    }
}
