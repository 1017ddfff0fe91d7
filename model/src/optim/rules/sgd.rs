//! Stochastic gradient descent with momentum.

use super::{Moved, Slots, decayed};
use burn::tensor::Tensor;

/// `m ← μ m + g`, `d = m`.
pub(super) fn direction(momentum: f64, gradient: Tensor<1>, [m, _]: Slots) -> Moved {
    let m = decayed(m, momentum, gradient);
    Moved { direction: m.clone(), slots: [Some(m), None] }
}
