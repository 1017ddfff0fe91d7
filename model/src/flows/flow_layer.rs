//! All layers as one type.

use super::{ActNorm, Coupling, InvertibleLinear, Logit, MovingBatchNorm, Normalize, ResidualBlock, Squeeze};
use crate::error::Result;
use crate::flow::{LayerId, LogDetContext};
use crate::gradients::Gradients;
use crate::lipschitz::PowerIteration;
use crate::log_det::LogDetDraw;
use crate::nn::ContractiveNet;
use crate::numerics::tensor::channel_means;
use crate::numerics::{FixedPoint, InversionReport};
use burn::module::Module;
use burn::tensor::Tensor;
use rand::Rng;

/// A layer of a flow on images `[batch, channels, height, width]`.
///
/// Log-determinants are `ln|det ∂z/∂x|` in nats, `[batch]`. To add a layer: write its file beside the others, with
/// the methods that this enum dispatches to, add a variant here, and a row in `tests/flow_contract.rs`, which checks
/// inverse, log-determinant and gradients.
#[derive(Module, Debug)]
pub enum FlowLayer {
    /// See [`Logit`].
    Logit(Logit),
    /// See [`Normalize`].
    Normalize(Normalize),
    /// See [`ActNorm`].
    ActNorm(ActNorm),
    /// See [`MovingBatchNorm`].
    MovingBatchNorm(MovingBatchNorm),
    /// See [`InvertibleLinear`].
    InvertibleLinear(InvertibleLinear),
    /// See [`ResidualBlock`].
    Residual(ResidualBlock),
    /// See [`Coupling`].
    Coupling(Coupling),
    /// See [`Squeeze`].
    Squeeze(Squeeze),
}

impl FlowLayer {
    /// `z = f(x)`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            FlowLayer::Logit(layer) => layer.forward(x),
            FlowLayer::Normalize(layer) => layer.forward(x),
            FlowLayer::ActNorm(layer) => layer.forward(x),
            FlowLayer::MovingBatchNorm(layer) => layer.forward(x),
            FlowLayer::InvertibleLinear(layer) => layer.forward(x),
            FlowLayer::Residual(layer) => layer.forward(x),
            FlowLayer::Coupling(layer) => layer.forward(x),
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
            FlowLayer::Normalize(layer) => Ok((layer.forward(x.clone()), layer.log_det(&x))),
            FlowLayer::ActNorm(layer) => {
                let log_det = layer.log_det(x.dims());
                Ok((layer.forward(x), log_det))
            }
            FlowLayer::InvertibleLinear(layer) => {
                let log_det = layer.log_det(x.dims(), id)?;
                Ok((layer.forward(x), log_det))
            }
            FlowLayer::Residual(layer) => layer.forward_log_det(x, context, id),
            FlowLayer::Coupling(layer) => Ok(layer.forward_log_det(x)),
            FlowLayer::MovingBatchNorm(_) | FlowLayer::Squeeze(_) => {
                let log_det = Tensor::zeros([x.dims()[0]], &x.device());
                Ok((self.forward(x), log_det))
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
            FlowLayer::Normalize(layer) => Ok(layer.inverse(z)),
            FlowLayer::ActNorm(layer) => Ok(layer.inverse(z)),
            FlowLayer::MovingBatchNorm(layer) => Ok(layer.inverse(z)),
            FlowLayer::InvertibleLinear(layer) => layer.inverse(z, id),
            FlowLayer::Coupling(layer) => Ok(layer.inverse(z)),
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
            FlowLayer::Normalize(layer) => (layer.backward(z_bar), layer.log_det(&x)),
            FlowLayer::MovingBatchNorm(layer) => {
                let log_det = Tensor::zeros([x.dims()[0]], &x.device());
                (layer.backward(z_bar, gradients), log_det)
            }
            FlowLayer::InvertibleLinear(layer) => layer.backward(x, z_bar, log_det_bar, gradients),
            FlowLayer::Coupling(layer) => layer.backward(x, z_bar, log_det_bar, gradients),
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

    /// [`backward`](Self::backward) for an objective without the log-determinant, which is not computed.
    pub fn pullback(&self, x: Tensor<4>, z_bar: Tensor<4>, gradients: &mut Gradients) -> Tensor<4> {
        if let FlowLayer::Residual(layer) = self {
            return layer.pullback(x, z_bar, gradients);
        }
        let no_weight = Tensor::zeros([x.dims()[0]], &x.device());
        let mut no_draw = |_| unreachable!("only residual layers draw");
        self.backward(x, z_bar, no_weight, &mut no_draw, gradients).0
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
            _ => None,
        }
    }

    /// The network of a residual layer.
    pub fn net(&self) -> Option<&ContractiveNet> {
        match self {
            FlowLayer::Residual(layer) => Some(&layer.net),
            _ => None,
        }
    }

    /// The network of a residual layer, to be changed.
    pub fn net_mut(&mut self) -> Option<&mut ContractiveNet> {
        match self {
            FlowLayer::Residual(layer) => Some(&mut layer.net),
            _ => None,
        }
    }

    /// Draws which channels the layer's network leaves out in the next training step, until [`clear_dropout`](Self::clear_dropout).
    pub fn draw_dropout(&mut self, batch: usize, rng: &mut impl Rng) {
        match self {
            FlowLayer::Residual(layer) => layer.net.draw_dropout(batch, rng),
            FlowLayer::Coupling(layer) => layer.net.draw_dropout(batch, rng),
            _ => {}
        }
    }

    /// Takes all channels in again.
    pub fn clear_dropout(&mut self) {
        match self {
            FlowLayer::Residual(layer) => layer.net.clear_dropout(),
            FlowLayer::Coupling(layer) => layer.net.clear_dropout(),
            _ => {}
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
        match self {
            FlowLayer::MovingBatchNorm(_) => true,
            other => other.net().is_some_and(|net| !net.batch_norms.is_empty()),
        }
    }

    /// Moves the means of moving batch norms, at the layer's input `x`.
    pub(crate) fn update_batch_norm(&mut self, x: Tensor<4>) {
        match self {
            FlowLayer::MovingBatchNorm(layer) => layer.observe(channel_means(x)),
            FlowLayer::Residual(layer) => layer.net.update_batch_norm(x),
            _ => {}
        }
    }
}
