//! Adam.

use super::{Moved, Slots, decayed};
use burn::tensor::Tensor;

/// `m ← β₁ m + (1 - β₁) g`, `v ← β₂ v + (1 - β₂) g²`, `d = m / (√v + ε) · √(1 - β₂ᵗ) / (1 - β₁ᵗ)`.
///
/// `ε` stands beside the uncorrected `√v`, as in the reference implementation (and at the end of section 2 of the paper); most
/// other implementations correct `v` first, which with the same `ε` differs in the first steps of parameters whose
/// gradient is as small as `ε`.
///
/// # References
/// Kingma and Ba (2015), Adam: A Method for Stochastic Optimization. <https://arxiv.org/abs/1412.6980>
pub(super) fn direction(betas: [f64; 2], epsilon: f64, step: i32, gradient: Tensor<1>, [m, v]: Slots) -> Moved {
    let [beta_1, beta_2] = betas;
    let square = gradient.clone().square() * (1.0 - beta_2);
    let m = decayed(m, beta_1, gradient * (1.0 - beta_1));
    let v = decayed(v, beta_2, square);
    let scale = (1.0 - beta_2.powi(step)).sqrt() / (1.0 - beta_1.powi(step));
    let direction = m.clone() * scale / (v.clone().sqrt() + epsilon);
    Moved { direction, slots: [Some(m), Some(v)] }
}
