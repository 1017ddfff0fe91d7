//! A layer of somebody else's among ours.
//!
//! [`Flow`] has generic methods, as Burn's `Module` has, so that no trait object can be made of it. Behind [`CustomLayer`]
//! stands one of [`Erased`], whose methods hand on visitors and mappers as trait objects and take tensors of rank four.

mod parameters;

use crate::error::Result;
use crate::flow::{Flow, LayerId, LogDetContext};
use crate::gradients::Gradients;
use crate::log_det::LogDetDraw;
use crate::nn::ContractiveNet;
use crate::numerics::{FixedPoint, InversionReport};
use burn::module::{Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor};
use burn::tensor::{Device, Tensor};
use parameters::{AnyMapper, AnyVisitor, Inner, Outer};
use rand::RngCore;
use std::any::Any;
use std::fmt;

/// A layer that is none of this crate's, to stand among those that are.
///
/// Its parameters have the names of the layer's own fields, after `Custom`, such as `scales.0.layers.1.Custom.shift`.
pub struct CustomLayer(Box<dyn Erased>);

impl CustomLayer {
    /// A layer on images (`D = 4`), or on points (`D = 2`). One on points sees all elements of an image as one row.
    pub fn new<const D: usize>(layer: impl Flow<D>) -> Self {
        const { assert!(D == 2 || D == 4, "a layer is one on points, `Flow<2>`, or on images, `Flow<4>`") };
        Self(Box::new(Ranked::<_, D>(layer)))
    }

    /// The layer itself, if it is one of this type.
    pub fn downcast_ref<L: 'static>(&self) -> Option<&L> {
        self.0.as_any().downcast_ref()
    }

    /// The layer itself, to be changed, if it is one of this type.
    pub fn downcast_mut<L: 'static>(&mut self) -> Option<&mut L> {
        self.0.as_any_mut().downcast_mut()
    }
}

/// What [`Flow<4>`] and `Module` ask for, without generics.
trait Erased: fmt::Debug + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn boxed_clone(&self) -> Box<dyn Erased>;

    fn collect_devices(&self, devices: Devices) -> Devices;
    fn fork(self: Box<Self>, device: &Device) -> Box<dyn Erased>;
    fn to_device(self: Box<Self>, device: &Device) -> Box<dyn Erased>;
    fn train(self: Box<Self>) -> Box<dyn Erased>;
    fn valid(&self) -> Box<dyn Erased>;
    fn materialize(self: Box<Self>) -> Box<dyn Erased>;
    fn visit(&self, visitor: &mut dyn AnyVisitor);
    fn map(self: Box<Self>, mapper: &mut dyn AnyMapper) -> Box<dyn Erased>;

    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3]>;
    fn forward(&self, x: Tensor<4>) -> Result<Tensor<4>>;
    fn forward_log_det(&self, x: Tensor<4>, context: &LogDetContext, id: &LayerId) -> Result<(Tensor<4>, Tensor<1>)>;
    fn inverse(&self, z: Tensor<4>, solver: &FixedPoint, id: &LayerId, report: &mut InversionReport) -> Result<Tensor<4>>;
    fn probes(&self) -> usize;
    fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        draw: Option<LogDetDraw>,
        gradients: &mut Gradients,
    ) -> Result<(Tensor<4>, Tensor<1>)>;
    fn pullback(&self, x: Tensor<4>, z_bar: Tensor<4>, gradients: &mut Gradients) -> Result<Tensor<4>>;
    fn initialize(&mut self, x: Tensor<4>);
    fn nets(&self) -> Vec<(&'static str, &ContractiveNet)>;
    fn nets_mut(&mut self) -> Vec<(&'static str, &mut ContractiveNet)>;
    fn draw_dropout(&mut self, batch: usize, rng: &mut dyn RngCore);
    fn clear_dropout(&mut self);
    fn has_batch_norm(&self) -> bool;
    fn update_batch_norm(&mut self, x: Tensor<4>);
}

/// A layer on tensors of rank `D`.
#[derive(Clone, Debug)]
struct Ranked<L, const D: usize>(L);

/// Images as the layer has them.
fn lowered<const D: usize>(x: Tensor<4>) -> Tensor<D> {
    let [n, c, h, w] = x.dims();
    let shape = if D == 4 { vec![n, c, h, w] } else { vec![n, c * h * w] };
    x.reshape::<D, [usize; D]>(shape.try_into().expect("a layer's rank is 2 or 4"))
}

/// What a layer makes of images of these dimensions, as images.
fn raised<const D: usize>(x: Tensor<D>, images: [usize; 4]) -> Tensor<4> {
    let dims = x.dims();
    let shape = if D == 4 { dims.to_vec().try_into().expect("images have four dimensions") } else { images };
    x.reshape(shape)
}

impl<L: Flow<D>, const D: usize> Erased for Ranked<L, D> {
    fn as_any(&self) -> &dyn Any {
        &self.0
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        &mut self.0
    }

    fn boxed_clone(&self) -> Box<dyn Erased> {
        Box::new(self.clone())
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        self.0.collect_devices(devices)
    }

    fn fork(self: Box<Self>, device: &Device) -> Box<dyn Erased> {
        Box::new(Self(self.0.fork(device)))
    }

    fn to_device(self: Box<Self>, device: &Device) -> Box<dyn Erased> {
        Box::new(Self(self.0.to_device(device)))
    }

    fn train(self: Box<Self>) -> Box<dyn Erased> {
        Box::new(Self(self.0.train()))
    }

    fn valid(&self) -> Box<dyn Erased> {
        Box::new(Self(self.0.valid()))
    }

    fn materialize(self: Box<Self>) -> Box<dyn Erased> {
        Box::new(Self(self.0.materialize()))
    }

    fn visit(&self, visitor: &mut dyn AnyVisitor) {
        self.0.visit(&mut Inner(visitor));
    }

    fn map(self: Box<Self>, mapper: &mut dyn AnyMapper) -> Box<dyn Erased> {
        Box::new(Self(self.0.map(&mut Inner(mapper))))
    }

    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3]> {
        self.0.output_shape(input)
    }

    fn forward(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        let dims = x.dims();
        Ok(raised(self.0.forward(lowered(x))?, dims))
    }

    fn forward_log_det(&self, x: Tensor<4>, context: &LogDetContext, id: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        let dims = x.dims();
        let (z, log_det) = self.0.forward_log_det(lowered(x), context, id)?;
        Ok((raised(z, dims), log_det))
    }

    fn inverse(&self, z: Tensor<4>, solver: &FixedPoint, id: &LayerId, report: &mut InversionReport) -> Result<Tensor<4>> {
        let dims = z.dims();
        Ok(raised(self.0.inverse(lowered(z), solver, id, report)?, dims))
    }

    fn probes(&self) -> usize {
        self.0.probes()
    }

    fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        draw: Option<LogDetDraw>,
        gradients: &mut Gradients,
    ) -> Result<(Tensor<4>, Tensor<1>)> {
        let dims = x.dims();
        let (x_bar, log_det) = self.0.backward(lowered(x), lowered(z_bar), log_det_bar, draw, gradients)?;
        Ok((raised(x_bar, dims), log_det))
    }

    fn pullback(&self, x: Tensor<4>, z_bar: Tensor<4>, gradients: &mut Gradients) -> Result<Tensor<4>> {
        let dims = x.dims();
        Ok(raised(self.0.pullback(lowered(x), lowered(z_bar), gradients)?, dims))
    }

    fn initialize(&mut self, x: Tensor<4>) {
        self.0.initialize(lowered(x));
    }

    fn nets(&self) -> Vec<(&'static str, &ContractiveNet)> {
        self.0.nets()
    }

    fn nets_mut(&mut self) -> Vec<(&'static str, &mut ContractiveNet)> {
        self.0.nets_mut()
    }

    fn draw_dropout(&mut self, batch: usize, rng: &mut dyn RngCore) {
        self.0.draw_dropout(batch, rng);
    }

    fn clear_dropout(&mut self) {
        self.0.clear_dropout();
    }

    fn has_batch_norm(&self) -> bool {
        self.0.has_batch_norm()
    }

    fn update_batch_norm(&mut self, x: Tensor<4>) {
        self.0.update_batch_norm(lowered(x));
    }
}

impl Flow for CustomLayer {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3]> {
        self.0.output_shape(input)
    }

    fn forward(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        self.0.forward(x)
    }

    fn forward_log_det(&self, x: Tensor<4>, context: &LogDetContext, id: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        self.0.forward_log_det(x, context, id)
    }

    fn inverse(&self, z: Tensor<4>, solver: &FixedPoint, id: &LayerId, report: &mut InversionReport) -> Result<Tensor<4>> {
        self.0.inverse(z, solver, id, report)
    }

    fn probes(&self) -> usize {
        self.0.probes()
    }

    fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        draw: Option<LogDetDraw>,
        gradients: &mut Gradients,
    ) -> Result<(Tensor<4>, Tensor<1>)> {
        self.0.backward(x, z_bar, log_det_bar, draw, gradients)
    }

    fn pullback(&self, x: Tensor<4>, z_bar: Tensor<4>, gradients: &mut Gradients) -> Result<Tensor<4>> {
        self.0.pullback(x, z_bar, gradients)
    }

    fn initialize(&mut self, x: Tensor<4>) {
        self.0.initialize(x);
    }

    fn nets(&self) -> Vec<(&'static str, &ContractiveNet)> {
        self.0.nets()
    }

    fn nets_mut(&mut self) -> Vec<(&'static str, &mut ContractiveNet)> {
        self.0.nets_mut()
    }

    fn draw_dropout(&mut self, batch: usize, rng: &mut dyn RngCore) {
        self.0.draw_dropout(batch, rng);
    }

    fn clear_dropout(&mut self) {
        self.0.clear_dropout();
    }

    fn has_batch_norm(&self) -> bool {
        self.0.has_batch_norm()
    }

    fn update_batch_norm(&mut self, x: Tensor<4>) {
        self.0.update_batch_norm(x);
    }
}

impl Clone for CustomLayer {
    fn clone(&self) -> Self {
        Self(self.0.boxed_clone())
    }
}

impl fmt::Debug for CustomLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Module for CustomLayer {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.0.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        Self(self.0.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        Self(self.0.to_device(device))
    }

    fn train(self) -> Self {
        Self(self.0.train())
    }

    fn valid(&self) -> Self {
        Self(self.0.valid())
    }

    fn materialize(self) -> Self {
        Self(self.0.materialize())
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.0.visit(&mut Outer(visitor));
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        Self(self.0.map(&mut Outer(mapper)))
    }
}

impl ModuleDisplayDefault for CustomLayer {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_debug_attribute("layer", &self.0).optional()
    }

    fn num_params(&self) -> usize {
        Module::num_params(self)
    }
}

impl ModuleDisplay for CustomLayer {}
