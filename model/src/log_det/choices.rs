//! What can be chosen about an estimate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a log-determinant is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The unbiased power series: exact terms, then a random number of reweighted ones.
    Series,
    /// The first `n_exact_terms` terms of the series and no others. Biased: it leaves out what comes after them.
    Truncated,
    /// `ln|det(I + J)|` from the whole Jacobian: as many vector-Jacobian products as there are dimensions, and for its
    /// gradient as many pullbacks. For small inputs.
    Exact,
}

/// How the traces of the series are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trace {
    /// Hutchinson's estimate, from one random probe a sample.
    Hutchinson,
    /// From the whole Jacobian: no noise but the roulette's. For small inputs.
    Exact,
}

/// Which estimate of the series' gradient is used. All are unbiased where the value is, from the same randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GradientForm {
    /// The Neumann series, `tr((I + J)⁻¹ ∂J) = Σ_{k≥0} (-1)ᵏ tr(Jᵏ ∂J)` with weights `c_k` (`c_0 = 1`). One pullback.
    Neumann,
    /// The same series with the powers on the other side of `∂J`, from products `Jᵏ v`: what Monotone Flows' code computes.
    NeumannForward,
    /// The derivative of the estimated value itself, `Σ_{k≥1} (-1)^{k+1}/k · c_k ∂tr(Jᵏ)`. As many pullbacks as terms.
    #[serde(rename = "basic")]
    DerivativeOfValue,
}
