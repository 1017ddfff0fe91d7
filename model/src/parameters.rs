//! All float tensors of a module, whatever their ranks: one visitor for everything that reads or replaces them.

use crate::gradients::Gradients;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};
use std::collections::HashMap;

/// A float tensor of a module: a parameter, or a vector or mean that persists between steps.
pub trait Parameter {
    /// Its identity, which does not change when its value does.
    fn id(&self) -> ParamId;
    /// Its dimensions.
    fn shape(&self) -> Vec<usize>;
    /// Where it is.
    fn device(&self) -> Device;
    /// Its values, row-major, `[elements]`.
    fn flat(&self) -> Tensor<1>;
    /// Its gradient, row-major, `[elements]`, if it has one.
    fn flat_gradient(&self, gradients: &Gradients) -> Option<Tensor<1>>;
    /// Takes its gradient, row-major, `[elements]`, out of all gradients.
    fn take_gradient(&self, gradients: &mut Gradients) -> Option<Tensor<1>>;
    /// Puts another gradient, row-major, `[elements]`, in the place of its own.
    fn replace_gradient(&self, gradients: &mut Gradients, flat: Tensor<1>);
}

impl<const D: usize> Parameter for Param<Tensor<D>> {
    fn id(&self) -> ParamId {
        self.id
    }

    fn shape(&self) -> Vec<usize> {
        self.lazy_shape().to_vec()
    }

    fn device(&self) -> Device {
        self.lazy_device()
    }

    fn flat(&self) -> Tensor<1> {
        self.val().reshape([-1])
    }

    fn flat_gradient(&self, gradients: &Gradients) -> Option<Tensor<1>> {
        gradients.get(self).map(|gradient| gradient.reshape([-1]))
    }

    fn take_gradient(&self, gradients: &mut Gradients) -> Option<Tensor<1>> {
        gradients.take(self).map(|gradient| gradient.reshape([-1]))
    }

    fn replace_gradient(&self, gradients: &mut Gradients, flat: Tensor<1>) {
        gradients.replace(self, flat.reshape(self.dims()));
    }
}

/// Shows every float tensor of a module, in the order of its fields, with its name: the path of fields and positions, such as
/// `scales.0.layers.1.ActNorm.bias`.
pub fn visit_parameters(module: &impl Module, f: impl FnMut(&str, &dyn Parameter)) {
    module.visit(&mut Named { path: Vec::new(), f });
}

/// The module with those tensors replaced for which `f` returns values, row-major. They keep their shape and identity.
pub fn map_parameters<M: Module>(module: M, f: impl FnMut(&str, &dyn Parameter) -> Option<Tensor<1>>) -> M {
    module.map(&mut Named { path: Vec::new(), f })
}

/// The values of all float tensors of a module by identity, row-major.
pub(crate) fn flat_values(module: &impl Module) -> HashMap<ParamId, Tensor<1>> {
    let mut values = HashMap::new();
    visit_parameters(module, |_, parameter| {
        values.insert(parameter.id(), parameter.flat());
    });
    values
}

/// Keeps the path.
struct Named<F> {
    path: Vec<String>,
    f: F,
}

impl<F: FnMut(&str, &dyn Parameter)> ModuleVisitor for Named<F> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        (self.f)(&self.path.join("."), param);
    }
}

impl<F: FnMut(&str, &dyn Parameter) -> Option<Tensor<1>>> ModuleMapper for Named<F> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match (self.f)(&self.path.join("."), &param) {
            Some(flat) => {
                let value = flat.reshape(param.lazy_shape());
                // Without computing the value that is replaced, where it was not needed yet.
                if param.is_initialized() { param.map(|_| value) } else { Param::initialized(param.id, value) }
            }
            None => param,
        }
    }
}
