//! Induced norms that need no iteration: those from 1 and those to ∞.

use super::norm_order::{NormOrder, NormPair};
use burn::tensor::Tensor;

/// A layer's norm as the largest of its channels' norms.
///
/// `‖W‖_{1→q}` is the largest `q`-norm of a column, what one input channel does to the outputs; `‖W‖_{p→∞}` is the
/// largest `p*`-norm of a row, all that one output channel takes. Each channel is divided by its own norm, so that one
/// large channel does not shrink the others. On images of at least the kernel's size the norms are exact; on smaller
/// ones, where some taps only ever meet the padding, they are upper bounds.
///
/// The reference implementation takes the largest entry of a column instead of the largest magnitude for 1→∞; this is the norm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ClosedForm {
    channels: Channels,
    /// 1, 2 or ∞
    order: NormOrder,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Channels {
    Input,
    Output,
}

/// Whether a pair of orders needs no iteration.
pub(crate) fn has_closed_form(domain: NormOrder, codomain: NormOrder) -> bool {
    ClosedForm::of(NormPair { domain, codomain }).is_some()
}

impl ClosedForm {
    /// For 1→1, 1→2, 1→∞, 2→∞ and ∞→∞.
    pub fn of(pair: NormPair) -> Option<Self> {
        const ONE: f64 = 1.0;
        const TWO: f64 = 2.0;
        const INFINITY: f64 = f64::INFINITY;
        let (channels, order) = match (pair.domain.get(), pair.codomain.get()) {
            (ONE, ONE | TWO | INFINITY) => (Channels::Input, pair.codomain),
            (TWO | INFINITY, INFINITY) => (Channels::Output, pair.domain.dual()),
            _ => return None,
        };
        Some(Self { channels, order })
    }

    /// The channels' norms for a weight `[out, in, k, k]`: `[1, in, 1, 1]` or `[out, 1, 1, 1]`.
    pub fn norms(&self, weight: Tensor<4>) -> Tensor<4> {
        match self.order.get() {
            1.0 => self.sum(weight.abs()),
            2.0 => self.sum(weight.square()).sqrt(),
            _ => self.dims().into_iter().fold(weight.abs(), |x, dim| x.max_dim(dim)),
        }
    }

    /// The dimensions of a weight that belong to one channel.
    fn dims(&self) -> [usize; 3] {
        match self.channels {
            Channels::Input => [0, 2, 3],
            Channels::Output => [1, 2, 3],
        }
    }

    fn sum(&self, x: Tensor<4>) -> Tensor<4> {
        self.dims().into_iter().fold(x, |x, dim| x.sum_dim(dim))
    }

    /// `Ŵ = W / max(1, norm / c)`, channel by channel.
    pub fn constrained(&self, weight: Tensor<4>, bound: f64) -> Tensor<4> {
        let factor = (self.norms(weight.clone()) / bound).clamp_min(1.0);
        weight / factor
    }

    /// From the gradient by `Ŵ` the one by `W`, as for a norm of the whole layer but channel by channel:
    /// `W̄ = Ŵ̄ / f - [n > c] ⟨Ŵ̄, W⟩ / (f² c) · ∂n/∂W` with `f = max(1, n/c)`.
    pub fn pull(&self, weight: Tensor<4>, gradient: Tensor<4>, bound: f64) -> Tensor<4> {
        let norms = self.norms(weight.clone());
        let factor = (norms.clone() / bound).clamp_min(1.0);
        let active = norms.clone().greater_elem(bound).float();
        let along = self.sum(gradient.clone() * weight.clone());
        let slope = match self.order.get() {
            1.0 => weight.sign(),
            2.0 => weight / norms.clamp_min(f32::MIN_POSITIVE),
            _ => weight.clone().sign() * weight.abs().equal(norms).float(),
        };
        gradient / factor.clone() - slope * (along * active / (factor.square() * bound))
    }
}
