//! The invertible layers. Forward is data to latent.

mod act_norm;
mod logit;
mod residual;
mod squeeze;

pub use act_norm::ActNorm;
pub use logit::Logit;
pub use residual::ResidualBlock;
pub use squeeze::Squeeze;

use crate::error::Result;
use crate::fixed_point::{FixedPoint, InversionReport};
use crate::gradients::Gradients;
use crate::lipschitz::PowerIteration;
use crate::log_det::{LogDetConfig, LogDetDraw};
use crate::net::ContractiveNet;
use crate::randomness::NoiseKey;
use burn::module::Module;
use burn::tensor::Tensor;

/// A layer of a flow on images `[batch, channels, height, width]`.
///
/// Log-determinants are `ln|det ∂z/∂x|` in nats, `[batch]`. To add a layer: write its file beside the others, with
/// the methods that this enum dispatches to, add a variant here, and a row in `tests/flow_contract.rs`, which checks
/// inverse, log-determinant and gradients.
#[derive(Module, Debug)]
pub enum FlowLayer {
    /// See [`Logit`].
    Logit(Logit),
    /// See [`ActNorm`].
    ActNorm(ActNorm),
    /// See [`ResidualBlock`].
    Residual(ResidualBlock),
    /// See [`Squeeze`].
    Squeeze(Squeeze),
}

/// How residual layers get their log-determinants in one evaluation.
pub struct LogDetContext<'a> {
    /// The estimator.
    pub config: &'a LogDetConfig,
    /// Where its randomness comes from; each layer uses the stream of its own number.
    pub noise: NoiseKey,
}

/// A layer's place in the model, for its random stream and for messages.
#[derive(Clone, Debug)]
pub struct LayerId {
    /// Position in the order of forward evaluation.
    pub index: usize,
    /// Path such as `scales.0.layers.3`.
    pub path: String,
}

impl FlowLayer {
    /// `z = f(x)`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            FlowLayer::Logit(layer) => layer.forward(x),
            FlowLayer::ActNorm(layer) => layer.forward(x),
            FlowLayer::Residual(layer) => layer.forward(x),
            FlowLayer::Squeeze(layer) => layer.forward(x),
        }
    }

    /// `z = f(x)` and `ln|det ∂z/∂x|`.
    ///
    /// # Errors
    /// If an exact log-determinant cannot be computed.
    pub fn forward_log_det(&self, x: Tensor<4>, context: &LogDetContext, id: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        match self {
            FlowLayer::Logit(layer) => Ok((layer.forward(x.clone()), layer.log_det(x))),
            FlowLayer::ActNorm(layer) => {
                let log_det = layer.log_det(x.dims());
                Ok((layer.forward(x), log_det))
            }
            FlowLayer::Residual(layer) => layer.forward_log_det(x, context, id),
            FlowLayer::Squeeze(layer) => {
                let log_det = Tensor::zeros([x.dims()[0]], &x.device());
                Ok((layer.forward(x), log_det))
            }
        }
    }

    /// `x = f⁻¹(z)`. Adds what it took to the report.
    ///
    /// # Errors
    /// If a fixed-point iteration does not converge.
    pub fn inverse(&self, z: Tensor<4>, solver: &FixedPoint, id: &LayerId, report: &mut InversionReport) -> Result<Tensor<4>> {
        match self {
            FlowLayer::Logit(layer) => Ok(layer.inverse(z)),
            FlowLayer::ActNorm(layer) => Ok(layer.inverse(z)),
            FlowLayer::Residual(layer) => layer.inverse(z, solver, id, report),
            FlowLayer::Squeeze(layer) => Ok(layer.inverse(z)),
        }
    }

    /// The backward pass at input `x`: from the cotangents of `z` and of the log-determinant (`[batch]`) to that of
    /// `x`. Adds the parameters' gradients, and returns the log-determinant with the input's cotangent.
    ///
    /// A residual layer asks `draw` how its log-determinant is to be computed, with the estimator's randomness.
    pub fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        draw: &mut dyn FnMut([usize; 4]) -> LogDetDraw,
        gradients: &mut Gradients,
    ) -> (Tensor<4>, Tensor<1>) {
        match self {
            FlowLayer::Logit(layer) => (layer.backward(x.clone(), z_bar, log_det_bar), layer.log_det(x)),
            FlowLayer::ActNorm(layer) => {
                let log_det = layer.log_det(x.dims());
                (layer.backward(x, z_bar, log_det_bar, gradients), log_det)
            }
            FlowLayer::Residual(layer) => {
                let draw = draw(x.dims());
                layer.backward(x, z_bar, log_det_bar, draw, gradients)
            }
            FlowLayer::Squeeze(layer) => {
                let log_det = Tensor::zeros([x.dims()[0]], &x.device());
                (layer.inverse(z_bar), log_det)
            }
        }
    }

    /// Sets data-dependent initial values from a batch.
    pub fn initialize(&mut self, x: Tensor<4>) {
        if let FlowLayer::ActNorm(layer) = self {
            layer.initialize(x);
        }
    }

    /// Updates the Lipschitz constraint after weights have changed; returns an estimate of the residual branch's
    /// Lipschitz constant.
    pub fn update_lipschitz(&mut self, settings: &PowerIteration) -> Option<f32> {
        match self {
            FlowLayer::Residual(layer) => Some(layer.net.update_lipschitz(settings)),
            FlowLayer::Logit(_) | FlowLayer::ActNorm(_) | FlowLayer::Squeeze(_) => None,
        }
    }

    /// The network of a residual layer.
    pub fn net(&self) -> Option<&ContractiveNet> {
        match self {
            FlowLayer::Residual(layer) => Some(&layer.net),
            FlowLayer::Logit(_) | FlowLayer::ActNorm(_) | FlowLayer::Squeeze(_) => None,
        }
    }

    /// The network of a residual layer, to be changed.
    pub fn net_mut(&mut self) -> Option<&mut ContractiveNet> {
        match self {
            FlowLayer::Residual(layer) => Some(&mut layer.net),
            FlowLayer::Logit(_) | FlowLayer::ActNorm(_) | FlowLayer::Squeeze(_) => None,
        }
    }

    /// Adds the gradients of `weight · Σ σ` by the parameters of learned norm orders.
    pub fn add_norm_order_gradients(&self, weight: f64, gradients: &mut Gradients) {
        if let Some(net) = self.net() {
            net.add_order_gradients(weight, gradients);
        }
    }

    /// Whether [`update_batch_norm`](Self::update_batch_norm) does anything.
    pub(crate) fn has_batch_norm(&self) -> bool {
        self.net().is_some_and(|net| !net.batch_norms.is_empty())
    }

    /// Moves the means of moving batch norms, at the layer's input `x`.
    pub(crate) fn update_batch_norm(&mut self, x: Tensor<4>) {
        if let Some(net) = self.net_mut() {
            net.update_batch_norm(x);
        }
    }
}
