//! All layers as one type.

use super::{
    ActNorm, Coupling, CustomLayer, ImplicitBlock, InvertibleLinear, Logit, MonotoneBlock, MovingBatchNorm, Normalize,
    ResidualBlock, Squeeze,
};
use crate::error::Result;
use crate::flow::{Flow, LayerId, LogDetContext};
use crate::gradients::Gradients;
use crate::lipschitz::PowerIteration;
use crate::log_det::LogDetDraw;
use crate::nn::ContractiveNet;
use crate::numerics::{FixedPoint, InversionReport};
use burn::module::Module;
use burn::tensor::Tensor;
use rand::RngCore;

/// A layer of a flow on images `[batch, channels, height, width]`; points are images of one pixel.
///
/// An enum, so that calls cost nothing and tensors have fixed names; [`FlowLayer::custom`] takes in any other layer.
///
/// To add a layer to this crate: write its file beside the others and implement [`Flow`] for it, add a variant here and to
/// `each_layer!`, and a row to the cases in `tests/model/flow_contract.rs`.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "most layers of a model are of the largest kinds")]
#[non_exhaustive]
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
    /// See [`MonotoneBlock`].
    Monotone(MonotoneBlock),
    /// See [`ImplicitBlock`].
    Implicit(ImplicitBlock),
    /// See [`Coupling`].
    Coupling(Coupling),
    /// See [`Squeeze`].
    Squeeze(Squeeze),
    /// See [`CustomLayer`].
    Custom(CustomLayer),
}

/// The same call on whichever layer it is.
macro_rules! each_layer {
    ($self:expr, $layer:ident => $call:expr) => {
        match $self {
            FlowLayer::Logit($layer) => $call,
            FlowLayer::Normalize($layer) => $call,
            FlowLayer::ActNorm($layer) => $call,
            FlowLayer::MovingBatchNorm($layer) => $call,
            FlowLayer::InvertibleLinear($layer) => $call,
            FlowLayer::Residual($layer) => $call,
            FlowLayer::Monotone($layer) => $call,
            FlowLayer::Implicit($layer) => $call,
            FlowLayer::Coupling($layer) => $call,
            FlowLayer::Squeeze($layer) => $call,
            FlowLayer::Custom($layer) => $call,
        }
    };
}

macro_rules! from_layers {
    ($($layer:ident => $variant:ident),+) => {
        $(impl From<$layer> for FlowLayer {
            fn from(layer: $layer) -> Self {
                Self::$variant(layer)
            }
        })+
    };
}

from_layers!(
    Logit => Logit, Normalize => Normalize, ActNorm => ActNorm, MovingBatchNorm => MovingBatchNorm,
    InvertibleLinear => InvertibleLinear, ResidualBlock => Residual, MonotoneBlock => Monotone, ImplicitBlock => Implicit,
    Coupling => Coupling, Squeeze => Squeeze, CustomLayer => Custom
);

impl FlowLayer {
    /// A layer that is none of this crate's: on images, `Flow<4>`, or on points, `Flow<2>`.
    pub fn custom<const D: usize>(layer: impl Flow<D>) -> Self {
        Self::Custom(CustomLayer::new(layer))
    }

    /// The networks whose Lipschitz constants are kept below 1, with the names of the layer's fields that hold them.
    pub fn nets(&self) -> Vec<(&'static str, &ContractiveNet)> {
        each_layer!(self, layer => Flow::nets(layer))
    }

    /// The same, to be changed.
    pub fn nets_mut(&mut self) -> Vec<(&'static str, &mut ContractiveNet)> {
        each_layer!(self, layer => Flow::nets_mut(layer))
    }

    /// Updates the Lipschitz constraint after weights have changed; returns the largest estimate of a branch's Lipschitz
    /// constant.
    pub fn update_lipschitz(&mut self, settings: &PowerIteration) -> Option<f32> {
        let nets = self.nets_mut().into_iter();
        nets.map(|(_, net)| net.update_lipschitz(settings)).reduce(f32::max)
    }

    /// Adds the gradients of `weight · Σ σ` by the parameters of learned norm orders.
    pub fn add_norm_order_gradients(&self, weight: f64, gradients: &mut Gradients) {
        self.nets().into_iter().for_each(|(_, net)| net.add_order_gradients(weight, gradients));
    }
}

impl Flow for FlowLayer {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3]> {
        each_layer!(self, layer => Flow::output_shape(layer, input))
    }

    fn forward(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        each_layer!(self, layer => Flow::forward(layer, x))
    }

    fn forward_log_det(&self, x: Tensor<4>, context: &LogDetContext, id: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        each_layer!(self, layer => Flow::forward_log_det(layer, x, context, id))
    }

    fn inverse(&self, z: Tensor<4>, solver: &FixedPoint, id: &LayerId, report: &mut InversionReport) -> Result<Tensor<4>> {
        each_layer!(self, layer => Flow::inverse(layer, z, solver, id, report))
    }

    fn probes(&self) -> usize {
        each_layer!(self, layer => Flow::probes(layer))
    }

    fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        draw: Option<LogDetDraw>,
        gradients: &mut Gradients,
    ) -> Result<(Tensor<4>, Tensor<1>)> {
        each_layer!(self, layer => Flow::backward(layer, x, z_bar, log_det_bar, draw, gradients))
    }

    fn pullback(&self, x: Tensor<4>, z_bar: Tensor<4>, gradients: &mut Gradients) -> Result<Tensor<4>> {
        each_layer!(self, layer => Flow::pullback(layer, x, z_bar, gradients))
    }

    fn initialize(&mut self, x: Tensor<4>) {
        each_layer!(self, layer => Flow::initialize(layer, x));
    }

    fn nets(&self) -> Vec<(&'static str, &ContractiveNet)> {
        FlowLayer::nets(self)
    }

    fn nets_mut(&mut self) -> Vec<(&'static str, &mut ContractiveNet)> {
        FlowLayer::nets_mut(self)
    }

    fn condition_on(&mut self, features: usize) {
        each_layer!(self, layer => Flow::condition_on(layer, features));
    }

    fn set_embedding(&mut self, embedding: Option<&Tensor<2>>) {
        each_layer!(self, layer => Flow::set_embedding(layer, embedding));
    }

    fn draw_dropout(&mut self, batch: usize, rng: &mut dyn RngCore) {
        each_layer!(self, layer => Flow::draw_dropout(layer, batch, rng));
    }

    fn clear_dropout(&mut self) {
        each_layer!(self, layer => Flow::clear_dropout(layer));
    }

    fn has_batch_norm(&self) -> bool {
        each_layer!(self, layer => Flow::has_batch_norm(layer))
    }

    fn update_batch_norm(&mut self, x: Tensor<4>) {
        each_layer!(self, layer => Flow::update_batch_norm(layer, x));
    }
}
