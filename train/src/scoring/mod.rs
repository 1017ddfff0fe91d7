//! Log-densities of samples, whatever they are for: test losses, tables, arrays, the plane, studies of estimators.

pub mod array_model;
pub mod arrays;
pub mod density;
pub mod estimators;
pub mod evaluate;
pub mod model_data;
pub mod samples;
pub mod score;
pub mod scores_file;
pub mod weights;
