//! Residual Flows: density models made of invertible residual layers.
//!
//! A flow `f` maps data to a latent with a simple distribution, by default a standard normal one, and
//!
//! ```text
//! ln p(x) = ln p(f(x)) + Σ ln|det ∂f_i|
//! ```
//!
//! over its layers `f_i`. The residual layer `x + g(x)` is invertible when `g` is contractive; its log-determinant is
//! a power series in `∂g/∂x`, of which [`log_det`] computes an unbiased estimate, and whose gradient needs no graph of
//! the whole model and no second-order differentiation.
//!
//! | start here | for |
//! | --- | --- |
//! | [`ResidualFlowConfig`], [`ResidualFlow`] | the multi-scale model: `log_prob`, `sample`, `encode`, `decode` |
//! | [`Sequential`], [`flows`] | models of your own from the layers here: residual and coupling blocks and what stands between them |
//! | [`Flow`], [`testing`] | layers of your own, among ours; whether they keep the contract |
//! | [`Objective`], [`ResidualFlow::gradients`] | what is trained for, density or classes or both, and its gradients |
//! | [`ResidualFlow::given`], [`ContextConfig`] | conditional densities, of samples of known classes or with known numbers |
//! | [`base`] | distributions of latents: normals, one a class, mixtures, heavy tails |
//! | [`LogDetConfig`], [`log_det`] | the estimators |
//! | [`lipschitz`] | the constraint that keeps layers invertible |
//! | [`training::fit`], [`training`], [`optim`] | training in one call, its steps, optimisers, schedules, averaged weights |
//! | [`ResidualFlow::save`], [`ResidualFlow::load`], [`io`] | models in files |
//! | [`state`] | reading and replacing tensors by name |
//!
//! Conventions: forward is data to latent. Log-determinants are `ln|det ∂z/∂x|`, `[batch]`, and are added. Densities are in
//! nats; [`bits_per_dim`] converts. Randomness is an argument. Images are `[batch, channels, height, width]`, points
//! `[batch, dimensions]`.
//!
//! Chen, Behrmann, Duvenaud, Jacobsen (2019), Residual Flows for Invertible Generative Modeling.
//! <https://arxiv.org/abs/1906.02735>
//!
//! ```
//! use residual_flows::burn::tensor::{Device, Tensor};
//! use residual_flows::{NoiseKey, ResidualFlowConfig};
//!
//! let device = Device::flex();
//! let config = ResidualFlowConfig { blocks: vec![1, 1], hidden_channels: 16.into(), dense_blocks: 0, ..ResidualFlowConfig::cifar10() };
//! let mut rng = NoiseKey::new(7, [0, 0]).stream(0);
//! let model = config.init([1, 8, 8], &mut rng, &device)?;
//!
//! let images = Tensor::<4>::full([2, 1, 8, 8], 0.3, &device);
//! let log_prob = model.log_prob(images)?;
//! let samples = model.sample(3, 1.0, &mut rng, &device)?;
//! assert_eq!((log_prob.dims(), samples.dims()), ([2], [3, 1, 8, 8]));
//! # Ok::<(), residual_flows::ModelError>(())
//! ```

pub use burn;

pub mod base;
mod error;
mod flow;
pub mod flows;
mod gradients;
pub mod io;
pub mod lipschitz;
pub mod log_det;
mod monitor;
mod multiscale;
mod nn;
mod numerics;
pub mod optim;
mod parameters;
pub mod testing;
pub mod training;

pub use base::{Base, BaseConfig, BaseKind};
pub use error::{ModelError, NotFinite, Result};
pub use flow::{Flow, LayerId, LogDetContext};
pub use flows::{CustomLayer, FlowLayer, Sequential};
pub use gradients::Gradients;
pub use io::state;
pub use lipschitz::{ConvolutionWeight, LayerCertificate, NormLearning, NormOrder, NormPair, PowerIteration};
pub use log_det::{LogDetConfig, LogDetDraw};
pub use monitor::Monitor;
pub use multiscale::{
    BlockCertificate, BlockKind, Classifier, Context, ContextConfig, ContextKind, Convergence, DensityWeights, Effort, Footprint,
    Head, LayerDone, LayerOutput, LogProb, Objective, Outputs, Padded, PaddingNoise, ResidualFlow, ResidualFlowConfig,
};
pub use nn::{
    Activation, ActivationKind, ClassEmbedding, Concatenation, Conditioner, ContractiveNet, ContractiveNetConfig,
    DenseLayersConfig, Embedding, MovingBatchNorm, PlainConvolution, VectorEmbedding, Widths,
};
pub use numerics::linear_algebra::{SymmetricEigen, covariance};
pub use numerics::{FixedPoint, InversionReport, NoiseKey, bits_per_dim, gaussian, parallel, standard_normal_log_prob};
pub use parameters::{Parameter, map_parameters, visit_parameters};
