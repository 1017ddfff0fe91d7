//! Models in files.
//!
//! | file | idea |
//! | --- | --- |
//! | [`state`] | the tensors of a module by name |
//! | `archive` | safetensors with checksums, of which only some sections are read |
//! | `description` | what a file says about its model |
//! | `model_file` | [`ResidualFlow::save`](crate::ResidualFlow::save), [`ResidualFlow::load`](crate::ResidualFlow::load), [`ModelFile`] |

mod archive;
mod description;
mod model_file;
pub mod state;

pub use archive::{Archive, Contents, FormatError};
pub use description::{DataUnits, ModelDescription, PointUnits};
pub use model_file::{FileError, ModelFile, Readiness, Weights, expect_finite, fill, vectors};
