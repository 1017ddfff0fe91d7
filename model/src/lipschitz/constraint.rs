//! Whether a constraint belongs to the weights as they are.

use burn::module::{Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor};
use burn::tensor::Device;

/// A part of a module without parameters, which notices that parameters are replaced.
///
/// Optimisers, averages and loaded states all replace parameters by `Module::map`, and that comes here too. What is mapped may
/// be the same as before: then the constraint counts as out of date although it is not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Constraint {
    is_stale: bool,
}

impl Constraint {
    /// Whether parameters have been replaced since it was [`updated`](Self::updated).
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// The weights have changed.
    pub fn outdated(&mut self) {
        self.is_stale = true;
    }

    /// The constraint belongs to the weights as they are.
    pub fn updated(&mut self) {
        self.is_stale = false;
    }
}

impl Module for Constraint {
    fn collect_devices(&self, devices: Devices) -> Devices {
        devices
    }

    fn fork(self, _: &Device) -> Self {
        self
    }

    fn to_device(self, _: &Device) -> Self {
        self
    }

    fn train(self) -> Self {
        self
    }

    fn valid(&self) -> Self {
        self.clone()
    }

    fn materialize(self) -> Self {
        self
    }

    fn visit<V: ModuleVisitor>(&self, _: &mut V) {}

    fn map<M: ModuleMapper>(self, _: &mut M) -> Self {
        Self { is_stale: true }
    }
}

impl ModuleDisplayDefault for Constraint {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_debug_attribute("is_stale", &self.is_stale).optional()
    }
}

impl ModuleDisplay for Constraint {}
