//! Stochastic gradient descent with momentum.

use super::{Moved, Slots, decayed};
use burn::tensor::Tensor;

/// `m ← μ m + g`, `d = m`.
pub(super) fn direction<const D: usize>(momentum: f64, gradient: Tensor<D>, [m, _]: Slots<D>) -> Moved<D> {
    let m = decayed(m, momentum, gradient);
    Moved { direction: m.clone(), slots: [Some(m), None] }
}
