//! CPU kernels of residual branches on slices, without tensors.
//!
//! A branch `k×k convolution → φ → 1×1 → φ → … → k×k` acts on every pixel alone between its two ends, so a block of pixels
//! goes through all of it inside the cache. The ends are matrix products with unfolded neighbourhoods (im2col) on the
//! narrow side, or with transformed ones of 2×2 pixels at once (Winograd), which takes fewer products. Pixels stand in vector
//! lanes, features in rows. The instruction set is chosen at run time.
//!
//! `ARCHITECTURE.md` beside this crate's manifest has a picture of the layout, and says which word of the literature on matrix
//! products belongs to which word here.
//!
//! | from the inside out | |
//! | --- | --- |
//! | `instruction_set` | what the processor has |
//! | `microkernel` | products that fit the registers |
//! | `workspace` | buffers that are used again |
//! | `packing`, `outer_sum` | packed matrices times panels of pixels; sums of outer products over pixels |
//! | `strassen` | products of wide matrices with fewer multiplications |
//! | `transpose` | panels with pixels and features exchanged |
//! | `elementwise`, `inner_product` | activations with their derivatives; products of long vectors |
//! | `padded_images`, `im2col` | images in planes with margins; neighbourhoods of their pixels |
//! | `winograd` | 3×3 convolutions with fewer products |
//! | `fused` | the branch and its derivatives: `layer`, `partition` of a batch, one `chunk` of it, `sums` of gradients |
//! | `convolution_norm` | norms of convolutions |
//! | `matmul` | products of matrices that are not packed |
//! | `benchmarks` | every kernel as a case to be timed |
//! | `chain`, `values`, `interrupt` | what callers pass in: sums over chains of products, shared weights, when to stop |

#[cfg(any(test, feature = "benchmarks"))]
pub mod benchmarks;
mod chain;
mod convolution_norm;
mod elementwise;
mod fused;
mod im2col;
mod inner_product;
mod instruction_set;
mod interrupt;
mod matmul;
mod microkernel;
mod outer_sum;
mod packing;
mod padded_images;
mod strassen;
mod transpose;
mod values;
mod winograd;
mod workspace;

pub use chain::{BeginSums, ChainSums, ChainWeights};
pub use convolution_norm::{NarrowMap, Side};
pub use elementwise::{LIP_SWISH_DIVISOR, Phi};
pub use fused::{BatchShape, FusedGradients, FusedLayer, FusedNet, Linearized, TapSide};
pub use inner_product::inner_product;
pub use instruction_set::InstructionSet;
pub use interrupt::Interrupt;
pub use matmul::{Element, MatrixView, matmul};
pub use values::SharedValues;
