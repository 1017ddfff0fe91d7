//! Visitors and mappers of parameters as trait objects.
//!
//! Burn's have a method for tensors of any rank, which no trait object can have: here a parameter is `Any`, and its rank is found
//! again on the other side.

use burn::module::{Flag, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, Float, Int, Tensor};
use std::any::Any;

/// A visitor that sees parameters as `&dyn Any`: `Param<Tensor<D>>` for some `D`, and likewise of integers and truth values.
pub(super) trait AnyVisitor {
    fn enter(&mut self, name: &str, container: &str);
    fn exit(&mut self, name: &str, container: &str);
    fn float(&mut self, param: &dyn Any);
    fn int(&mut self, param: &dyn Any);
    fn bool(&mut self, param: &dyn Any);
    fn flag(&mut self, flag: &Param<Flag>);
}

/// A mapper of the same.
pub(super) trait AnyMapper {
    fn enter(&mut self, name: &str, container: &str);
    fn exit(&mut self, name: &str, container: &str);
    fn float(&mut self, param: Box<dyn Any>) -> Box<dyn Any>;
    fn int(&mut self, param: Box<dyn Any>) -> Box<dyn Any>;
    fn bool(&mut self, param: Box<dyn Any>) -> Box<dyn Any>;
    fn flag(&mut self, flag: Param<Flag>) -> Param<Flag>;
}

/// Inside of the box: a visitor or mapper of Burn's kind over one of ours.
pub(super) struct Inner<'a, T: ?Sized>(pub &'a mut T);

/// Outside: one of ours over one of Burn's kind.
pub(super) struct Outer<'a, T>(pub &'a mut T);

impl ModuleVisitor for Inner<'_, dyn AnyVisitor + '_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }

    fn exit_module(&mut self, name: &str, container: &str) {
        self.0.exit(name, container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.float(param);
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.0.int(param);
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.0.bool(param);
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.0.flag(flag);
    }
}

impl ModuleMapper for Inner<'_, dyn AnyMapper + '_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }

    fn exit_module(&mut self, name: &str, container: &str) {
        self.0.exit(name, container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        *self.0.float(Box::new(param)).downcast().expect(SAME_TYPE)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        *self.0.int(Box::new(param)).downcast().expect(SAME_TYPE)
    }

    fn map_bool<const D: usize>(&mut self, param: Param<Tensor<D, Bool>>) -> Param<Tensor<D, Bool>> {
        *self.0.bool(Box::new(param)).downcast().expect(SAME_TYPE)
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        self.0.flag(flag)
    }
}

const SAME_TYPE: &str = "a mapper returns a parameter of the same type";

/// Calls `$visitor.$visit::<D>` with the parameter for the rank `D` that it has.
macro_rules! visit_of_rank {
    ($visitor:expr, $visit:ident, $param:ident, $kind:ty, $($d:literal)+) => {
        $(if let Some(param) = $param.downcast_ref::<Param<Tensor<$d, $kind>>>() {
            return $visitor.$visit(param);
        })+
    };
}

/// Returns what `$mapper.$map::<D>` makes of the parameter, for the rank `D` that it has.
macro_rules! map_of_rank {
    ($mapper:expr, $map:ident, $param:ident, $kind:ty, $($d:literal)+) => {
        $(let $param = match $param.downcast::<Param<Tensor<$d, $kind>>>() {
            Ok(param) => return Box::new($mapper.$map(*param)),
            Err(other) => other,
        };)+
    };
}

fn too_many_dimensions() -> ! {
    panic!("a custom layer's parameters have at most 8 dimensions")
}

impl<V: ModuleVisitor> AnyVisitor for Outer<'_, V> {
    fn enter(&mut self, name: &str, container: &str) {
        self.0.enter_module(name, container);
    }

    fn exit(&mut self, name: &str, container: &str) {
        self.0.exit_module(name, container);
    }

    fn float(&mut self, param: &dyn Any) {
        visit_of_rank!(self.0, visit_float, param, Float, 1 2 3 4 5 6 7 8);
        too_many_dimensions()
    }

    fn int(&mut self, param: &dyn Any) {
        visit_of_rank!(self.0, visit_int, param, Int, 1 2 3 4 5 6 7 8);
        too_many_dimensions()
    }

    fn bool(&mut self, param: &dyn Any) {
        visit_of_rank!(self.0, visit_bool, param, Bool, 1 2 3 4 5 6 7 8);
        too_many_dimensions()
    }

    fn flag(&mut self, flag: &Param<Flag>) {
        self.0.visit_flag(flag);
    }
}

impl<M: ModuleMapper> AnyMapper for Outer<'_, M> {
    fn enter(&mut self, name: &str, container: &str) {
        self.0.enter_module(name, container);
    }

    fn exit(&mut self, name: &str, container: &str) {
        self.0.exit_module(name, container);
    }

    fn float(&mut self, param: Box<dyn Any>) -> Box<dyn Any> {
        map_of_rank!(self.0, map_float, param, Float, 1 2 3 4 5 6 7 8);
        let _ = param;
        too_many_dimensions()
    }

    fn int(&mut self, param: Box<dyn Any>) -> Box<dyn Any> {
        map_of_rank!(self.0, map_int, param, Int, 1 2 3 4 5 6 7 8);
        let _ = param;
        too_many_dimensions()
    }

    fn bool(&mut self, param: Box<dyn Any>) -> Box<dyn Any> {
        map_of_rank!(self.0, map_bool, param, Bool, 1 2 3 4 5 6 7 8);
        let _ = param;
        too_many_dimensions()
    }

    fn flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        self.0.map_flag(flag)
    }
}
