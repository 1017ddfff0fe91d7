//! RMSprop.

use super::{Moved, Slots, decayed};
use burn::tensor::Tensor;

/// `v ← α v + (1 - α) g²`, `d = g / (√v + ε)`.
///
/// # References
/// Tieleman and Hinton (2012), Neural Networks for Machine Learning, lecture 6.5.
pub(super) fn direction(smoothing: f64, epsilon: f64, gradient: Tensor<1>, [v, _]: Slots) -> Moved {
    let v = decayed(v, smoothing, gradient.clone().square() * (1.0 - smoothing));
    Moved { direction: gradient / (v.clone().sqrt() + epsilon), slots: [Some(v), None] }
}
