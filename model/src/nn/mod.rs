//! Networks inside of layers: activations, convolutions, and the two networks made of them.
//!
//! | file | idea |
//! | --- | --- |
//! | `activation` | activations with the derivatives that log-determinants need |
//! | `plain_convolution`, `widths`, `dropout`, `moving_batch_norm`, `concatenation` | parts of networks |
//! | `branch` | a network with its weights ready: values, Jacobian products, pullbacks, on two paths |
//! | `contractive_net` | the network of a residual layer, with constrained weights |
//! | `conditioner`, `embedding` | what layers make of what is known about samples |
//! | `coupling_net` | the network of a coupling layer, without constraint |

mod activation;
mod branch;
mod concatenation;
mod conditioner;
mod contractive_net;
mod coupling_net;
mod dropout;
mod embedding;
mod moving_batch_norm;
mod plain_convolution;
mod widths;

pub use activation::{Activation, ActivationKind};
pub(crate) use branch::{Branch, Linearization};
pub use concatenation::Concatenation;
pub use conditioner::Conditioner;
pub(crate) use contractive_net::folds;
pub use contractive_net::{ContractiveNet, ContractiveNetConfig, DenseLayersConfig};
pub use coupling_net::{CouplingNet, CouplingNetConfig};
pub use embedding::{ClassEmbedding, Embedding, VectorEmbedding};
pub use moving_batch_norm::MovingBatchNorm;
pub use plain_convolution::PlainConvolution;
pub use widths::Widths;
