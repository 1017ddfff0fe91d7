//! Keeping a network's Lipschitz constant below 1: every affine layer is divided by its own spectral norm where that
//! exceeds the bound.

mod power_iteration;
mod spectral_convolution;
mod spectral_map;

pub use power_iteration::{PowerIteration, SpectralNorm};
pub use spectral_convolution::SpectralConvolution;
pub(crate) use spectral_convolution::SpectralConvolutionConfig;
