//! Fused CPU kernels for the residual branch.
//!
//! A branch `k×k convolution → φ → 1×1 → φ → … → k×k` acts on every pixel alone between its two ends, so a block of
//! pixels goes through all of it inside the cache. The ends are matrix products with unfolded (im2col) neighbourhoods
//! on the narrow side. The instruction set is chosen at run time.

mod fused;
mod gram;
mod matmul;
mod pointwise;
mod unfold;

pub(crate) use fused::{FusedGradients, FusedLayer, FusedNet, Grid, Slopes};
pub(crate) use gram::{NarrowMap, Side};
pub(crate) use pointwise::Phi;
