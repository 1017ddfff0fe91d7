//! CPU kernels for the residual branch.
//!
//! A branch `k×k convolution → φ → 1×1 → φ → … → k×k` acts on every pixel alone between its two ends, so a block of pixels
//! goes through all of it inside the cache. The ends are matrix products with unfolded (im2col) neighbourhoods on the
//! narrow side, or with transformed ones of 2×2 pixels at once, which takes fewer. Pixels stand in vector lanes, features in rows.
//! The instruction set is chosen at run time.
//!
//! | from the inside out | |
//! | --- | --- |
//! | `instruction_set` | what the processor has |
//! | `tile` | products that fit the registers |
//! | `strassen` | products of wide matrices with fewer multiplications |
//! | `matrix` | packed matrices times panels of pixels, and sums of outer products |
//! | `transpose` | panels with pixels and features exchanged |
//! | `pointwise` | activations with their derivatives |
//! | `field` | images, neighbourhoods of pixels |
//! | `winograd` | 3×3 convolutions with fewer products |
//! | `fused` | the branch and its derivatives |
//! | `gram` | norms of convolutions |

mod field;
mod fused;
mod gram;
mod instruction_set;
mod matmul;
mod matrix;
mod pointwise;
mod pool;
mod strassen;
mod tile;
mod transpose;
mod winograd;

pub(crate) use field::inner_product;
pub(crate) use fused::{FusedGradients, FusedLayer, FusedNet, Grid, Linearized, TapSide, Terms, ValueTerms, term_weight};
pub(crate) use gram::{NarrowMap, Side};
pub(crate) use instruction_set::InstructionSet;
pub(crate) use pointwise::Phi;
