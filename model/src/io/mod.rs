//! Tensors of modules by name.

pub mod named;
pub mod state;
