//! What an estimate is computed from, and what it is.

use super::determinant::Determinant;
use burn::tensor::{Device, Tensor};

/// Products with a branch's Jacobian at one input.
pub(crate) struct Products<'a> {
    /// Shape of the vectors.
    pub shape: [usize; 4],
    pub device: &'a Device,
    /// What is computed of the Jacobian.
    pub determinant: Determinant,
    /// `Jᵀ u`
    pub vjp: &'a dyn Fn(Tensor<4>) -> Tensor<4>,
    /// `J v`; asked for by some forms of the gradient only.
    pub jvp: &'a dyn Fn(Tensor<4>) -> Tensor<4>,
}

/// A log-determinant, and what its gradient is made of.
pub(crate) struct Estimate {
    /// Nats, `[batch]`.
    pub log_det: Tensor<1>,
    /// Pairs `(w, v)`, at least one, with `∂ℓ = Σ ∂⟨w, J v⟩` where the vectors are constant.
    pub pairs: Vec<(Tensor<4>, Tensor<4>)>,
}
