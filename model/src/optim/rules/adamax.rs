//! Adamax: Adam with the largest gradient in place of the root mean square.

use super::{Moved, Slots, decayed};
use burn::tensor::Tensor;

/// `m ← β₁ m + (1 - β₁) g`, `u ← max(β₂ u, |g| + ε)`, `d = m / u / (1 - β₁ᵗ)`.
///
/// # References
/// Kingma and Ba (2015), Adam: A Method for Stochastic Optimization, section 7.1. <https://arxiv.org/abs/1412.6980>
pub(super) fn direction(betas: [f64; 2], epsilon: f64, step: i32, gradient: Tensor<1>, [m, u]: Slots) -> Moved {
    let [beta_1, beta_2] = betas;
    let size = gradient.clone().abs() + epsilon;
    let m = decayed(m, beta_1, gradient * (1.0 - beta_1));
    let u = match u {
        Some(u) => (u * beta_2).max_pair(size),
        None => size,
    };
    let direction = m.clone() / u.clone() / (1.0 - beta_1.powi(step));
    Moved { direction, slots: [Some(m), Some(u)] }
}
