//! The multi-scale Residual Flow.
//!
//! | file | idea |
//! | --- | --- |
//! | `config` | the settings of an architecture |
//! | `architecture` | the layers that settings ask for |
//! | `footprint` | how much memory they take, before anything is built |
//! | `residual_flow` | the model: densities, latents, samples |
//! | `classifier`, `padding` | heads that classify; noise beside images |
//! | `gradients`, `training` | gradients of objectives; what a training step does beside them |
//! | `stored_vectors`, `inspection`, `certificates` | loading weights; looking into layers; proofs that they are invertible |

mod architecture;
mod certificates;
mod classifier;
mod config;
mod footprint;
mod gradients;
mod inspection;
mod padding;
mod residual_flow;
mod stored_vectors;
mod training;

pub use certificates::{BlockCertificate, Effort};
pub use classifier::{Classifier, Head};
pub use config::{BlockKind, ResidualFlowConfig};
pub use footprint::Footprint;
pub use gradients::{DensityWeights, LayerDone, Objective, Outputs};
pub use inspection::LayerOutput;
pub use padding::{Padded, PaddingNoise};
pub use residual_flow::{LogProb, ResidualFlow, Scale};
