//! The tensors of a module with their names: the path of fields and positions to each, such as
//! `scales.0.layers.1.ActNorm.bias`.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// Sees every float tensor of a module.
pub trait NamedVisitor {
    /// One of them.
    fn visit<const D: usize>(&mut self, name: String, param: &Param<Tensor<D>>);
}

/// Replaces every float tensor of a module.
pub trait NamedMapper {
    /// What one of them becomes.
    fn map<const D: usize>(&mut self, name: String, param: Param<Tensor<D>>) -> Param<Tensor<D>>;
}

/// Shows a module's tensors, in the order of its fields.
pub fn visit_named(module: &impl Module, visitor: &mut impl NamedVisitor) {
    module.visit(&mut Named { path: Vec::new(), of: visitor });
}

/// The module with its tensors replaced, in the order of its fields.
pub fn map_named<M: Module>(module: M, mapper: &mut impl NamedMapper) -> M {
    module.map(&mut Named { path: Vec::new(), of: mapper })
}

/// Keeps the path for a visitor or mapper that wants names.
struct Named<'a, T> {
    path: Vec<String>,
    of: &'a mut T,
}

impl<T: NamedVisitor> ModuleVisitor for Named<'_, T> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.of.visit(self.path.join("."), param);
    }
}

impl<T: NamedMapper> ModuleMapper for Named<'_, T> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.of.map(self.path.join("."), param)
    }
}
