//! Keeping a network's Lipschitz constant below 1: every affine layer is divided by its own induced norm where that
//! exceeds the bound.
//!
//! | file | idea |
//! | --- | --- |
//! | `norm_order` | orders `p` and pairs `p → q` |
//! | `closed_form` | norms from 1 and to ∞ |
//! | `induced_norm`, `power_iteration` | all other norms, from one vector that persists |
//! | `spectral_map` | the products with that vector |
//! | `converged_norm`, `lanczos` | the same norms in double precision |
//! | `learned_order` | orders that are trained |
//! | `constraint` | whether a constraint belongs to the weights as they are |
//! | `contractive_convolution` | the layer |
//! | `certificate` | bounds of norms from above |

mod certificate;
mod closed_form;
mod constraint;
mod contractive_convolution;
mod converged_norm;
mod induced_norm;
mod lanczos;
mod learned_order;
mod norm_order;
mod power_iteration;
mod spectral_map;
mod vector_norm;

pub use certificate::{ConvolutionWeight, LayerCertificate};
pub(crate) use closed_form::has_closed_form;
pub use contractive_convolution::ContractiveConvolution;
pub(crate) use contractive_convolution::ContractiveConvolutionConfig;
pub(crate) use lanczos::Unconverged;
pub use learned_order::NormLearning;
pub(crate) use learned_order::{order_of, parameter};
pub use norm_order::{NormOrder, NormPair};
pub use power_iteration::{NormEstimate, PowerIteration};
