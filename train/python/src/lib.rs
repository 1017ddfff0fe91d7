//! The extension module `residual_flows._native`: what the Python package `residual_flows` is made of.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `flow` | models from files, applied to arrays |
//! | `fit` | training, by the program's own run |
//! | `shards` | images in shards |
//! | `command_line` | the programs, as commands |
//! | `arrays`, `compute`, `errors` | numpy's arrays, work that Ctrl-C stops, exceptions |
//!
//! The package in `python/residual_flows` takes arguments apart and documents them; here every number is computed, by the same
//! functions as in the programs. The interpreter's lock is released while something is computed, read or written.

mod arrays;
mod command_line;
mod compute;
mod errors;
mod fit;
mod flow;
mod shards;

use numpy::PyArray1;
use pyo3::prelude::*;

#[global_allocator]
static ALLOCATOR: train::system::memory::Allocator = train::system::memory::Allocator;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // numpy is opened here, and not in the first computation, which Ctrl-C may meet. The commands work without it.
    if module.py().import("numpy").is_ok() {
        drop(PyArray1::<f32>::zeros(module.py(), 0, false));
    }
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<flow::Flow>()?;
    module.add_class::<shards::Split>()?;
    module.add_function(wrap_pyfunction!(shards::write_images, module)?)?;
    module.add_function(wrap_pyfunction!(fit::fit, module)?)?;
    module.add_function(wrap_pyfunction!(fit::write_table, module)?)?;
    module.add_function(wrap_pyfunction!(fit::shipped_configurations, module)?)?;
    module.add_function(wrap_pyfunction!(command_line::run_command_line, module)?)?;
    Ok(())
}
