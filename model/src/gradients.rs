//! Gradients by parameter, gathered layer by layer.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use std::collections::HashSet;

/// A gradient for each trained parameter, summed over all that contributes to it.
#[derive(Default)]
pub struct Gradients {
    by_parameter: GradientsParams,
    parameters: HashSet<ParamId>,
    /// The cotangent of the features of what is known about samples, on its way to their parameters.
    embedding: Option<Tensor<2>>,
}

impl Gradients {
    /// No gradients yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds to the gradient of a parameter.
    pub fn add<const D: usize>(&mut self, parameter: &Param<Tensor<D>>, gradient: Tensor<D>) {
        let sum = match self.by_parameter.remove::<D>(parameter.id) {
            Some(before) => before + gradient,
            None => gradient,
        };
        self.by_parameter.register(parameter.id, sum);
        self.parameters.insert(parameter.id);
    }

    /// Adds to the cotangent of the features of what is known about samples, `[batch, features]`.
    pub(crate) fn add_embedding(&mut self, bar: Tensor<2>) {
        self.embedding = Some(match self.embedding.take() {
            Some(sum) => sum + bar,
            None => bar,
        });
    }

    /// Takes that cotangent out.
    pub(crate) fn take_embedding(&mut self) -> Option<Tensor<2>> {
        self.embedding.take()
    }

    /// Puts another gradient in the place of a parameter's.
    pub fn replace<const D: usize>(&mut self, parameter: &Param<Tensor<D>>, gradient: Tensor<D>) {
        self.by_parameter.remove::<D>(parameter.id);
        self.by_parameter.register(parameter.id, gradient);
        self.parameters.insert(parameter.id);
    }

    /// Takes a parameter's gradient out, if it has one.
    pub fn take<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) -> Option<Tensor<D>> {
        self.by_parameter.remove(parameter.id)
    }

    /// The gradient of a parameter, if it has one.
    pub fn get<const D: usize>(&self, parameter: &Param<Tensor<D>>) -> Option<Tensor<D>> {
        self.by_parameter.get(parameter.id)
    }

    /// The parameters that have a gradient: those that are trained.
    pub fn parameters(&self) -> &HashSet<ParamId> {
        &self.parameters
    }

    /// `√(Σ ‖∂L/∂θ‖²)` over all parameters of the module.
    pub fn norm<M: Module>(&self, module: &M) -> f64 {
        let mut visitor = SquaredNorm { gradients: self, sum: None };
        module.visit(&mut visitor);
        visitor.sum.map_or(0.0, |sum| f64::from(sum.into_scalar::<f32>())).sqrt()
    }

    /// Multiplies every gradient by the factor.
    pub fn scale<M: Module>(&mut self, module: &M, factor: f64) {
        module.visit(&mut Scale { gradients: self, factor });
    }
}

struct SquaredNorm<'a> {
    gradients: &'a Gradients,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for SquaredNorm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get(param) {
            let square = gradient.square().sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + square,
                None => square,
            });
        }
    }
}

struct Scale<'a> {
    gradients: &'a mut Gradients,
    factor: f64,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.by_parameter.remove::<D>(param.id) {
            self.gradients.by_parameter.register(param.id, gradient * self.factor);
        }
    }
}
