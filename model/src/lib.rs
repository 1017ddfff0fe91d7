//! Residual Flows: density models made of invertible residual layers.
//!
//! A flow `f` maps data to a standard normal latent, and
//!
//! ```text
//! ln p(x) = ln N(f(x); 0, I) + Σ ln|det ∂f_i|
//! ```
//!
//! over its layers `f_i`. The residual layer `x + g(x)` is invertible when `g` is contractive; its log-determinant is
//! a power series in `∂g/∂x`, of which [`log_det`] computes an unbiased estimate, and whose gradient needs no graph of
//! the whole model and no second-order differentiation.
//!
//! | start here | for |
//! | --- | --- |
//! | [`ResidualFlowConfig`], [`ResidualFlow`] | the multi-scale model of images: `log_prob`, `sample`, `encode`, `decode` |
//! | [`Objective`] | what is trained for, density or classes or both, and its gradients |
//! | [`flows`] | the layers: residual and coupling blocks and what stands between them |
//! | [`log_det`] | the estimators |
//! | [`lipschitz`] | the constraint that keeps layers invertible |
//!
//! Chen, Behrmann, Duvenaud, Jacobsen (2019), Residual Flows for Invertible Generative Modeling.
//! <https://arxiv.org/abs/1906.02735>
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use residual_flows::{LogDetConfig, LogDetContext, NoiseKey, ResidualFlowConfig};
//!
//! let device = Device::flex();
//! let config = ResidualFlowConfig { blocks: vec![1, 1], hidden_channels: 16.into(), dense_blocks: 0, ..Default::default() };
//! let noise = NoiseKey::new(7, [0, 0]);
//! let model = config.init([1, 8, 8], &mut noise.stream(0), &device)?;
//!
//! let images = Tensor::<4>::full([2, 1, 8, 8], 0.3, &device);
//! let log_det = LogDetConfig::evaluation();
//! let log_prob = model.log_prob(images, &LogDetContext { config: &log_det, noise })?.total();
//! let samples = model.sample(3, 1.0, &mut noise.stream(1), &device)?;
//! assert_eq!((log_prob.dims(), samples.dims()), ([2], [3, 1, 8, 8]));
//! # Ok::<(), residual_flows::ModelError>(())
//! ```

pub use burn;

mod error;
mod flow;
pub mod flows;
mod gradients;
mod io;
pub mod lipschitz;
pub mod log_det;
mod monitor;
mod multiscale;
mod nn;
mod numerics;

pub use error::{ModelError, NotFinite, Result};
pub use flow::{LayerId, LogDetContext};
pub use flows::FlowLayer;
pub use gradients::Gradients;
pub use io::{named, state};
pub use lipschitz::{ConvolutionWeight, LayerCertificate, NormLearning, NormOrder, NormPair, PowerIteration};
pub use log_det::{LogDetConfig, LogDetDraw};
pub use monitor::Monitor;
pub use multiscale::{
    BlockCertificate, BlockKind, Classifier, DensityWeights, Effort, Footprint, Head, LayerDone, LayerOutput, LogProb, Objective,
    Outputs, Padded, PaddingNoise, ResidualFlow, ResidualFlowConfig, Scale,
};
pub use nn::{Activation, ActivationKind, ContractiveNet, ContractiveNetConfig, MovingBatchNorm, PlainConvolution, Widths};
pub use numerics::{FixedPoint, InversionReport, NoiseKey, bits_per_dim, gaussian, parallel, standard_normal_log_prob};
