//! The invertible layers. Forward is data to latent.

mod act_norm;
mod contraction;
mod coupling;
mod custom;
mod flow_layer;
mod implicit;
mod invertible_linear;
mod logit;
mod monotone;
mod moving_batch_norm;
mod normalize;
mod residual;
mod scope;
mod sequential;
mod squeeze;

pub use crate::nn::{CouplingNet, CouplingNetConfig, MovingBatchNorm};
pub use act_norm::ActNorm;
pub use coupling::{Coupling, Split};
pub use custom::CustomLayer;
pub use flow_layer::FlowLayer;
pub use implicit::ImplicitBlock;
pub use invertible_linear::InvertibleLinear;
pub use logit::Logit;
pub use monotone::MonotoneBlock;
pub use normalize::Normalize;
pub use residual::ResidualBlock;
pub use sequential::Sequential;
pub use squeeze::Squeeze;
