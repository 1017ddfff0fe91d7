//! The multi-scale Residual Flow.
//!
//! | file | idea |
//! | --- | --- |
//! | `config` | the settings of an architecture |
//! | `presets` | architectures by name |
//! | `architecture` | the layers that settings ask for |
//! | `footprint` | how much memory they take, before anything is built |
//! | `residual_flow` | the model: densities and latents |
//! | `context_config`, `conditioning` | densities of samples about which something is known |
//! | `decoding` | from latents to images: inversion and samples |
//! | `classifier`, `padding`, `padding_noise` | heads that classify; noise beside images |
//! | `roulettes` | Russian roulettes fitted to the model's own series |
//! | `density` | a single composition of layers as a model |
//! | `gradients`, `training` | gradients of objectives; what a training step does beside them |
//! | `stored_vectors`, `inspection`, `certificates` | loading weights; looking into layers; proofs that they are invertible |

mod architecture;
mod certificates;
mod classifier;
mod conditioning;
mod config;
mod context_config;
mod decoding;
mod density;
mod footprint;
mod gradients;
mod inspection;
mod padding;
mod padding_noise;
mod presets;
mod residual_flow;
mod roulettes;
mod stored_vectors;
mod training;

pub use certificates::{BlockCertificate, Effort};
pub use classifier::{Classifier, Head};
pub use conditioning::Context;
pub use config::{BlockKind, ResidualFlowConfig};
pub use context_config::{ContextConfig, ContextKind};
pub use footprint::Footprint;
pub use gradients::{DensityWeights, LayerDone, Objective, Outputs};
pub use inspection::LayerOutput;
pub use padding::Padded;
pub use padding_noise::PaddingNoise;
pub use residual_flow::{LogProb, ResidualFlow};
pub use training::Convergence;
