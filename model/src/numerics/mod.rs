//! Numerics below layers and networks: tensors and their values, random streams, matrices, fixed points.

pub(crate) mod convolution;
mod distribution;
pub(crate) mod finite;
mod fixed_point;
pub(crate) mod limits;
pub(crate) mod linear_algebra;
pub mod parallel;
pub(crate) mod randomness;
pub(crate) mod shape;
pub(crate) mod tensor;

pub use distribution::{bits_per_dim, standard_normal_log_prob};
pub(crate) use fixed_point::Solution;
pub use fixed_point::{FixedPoint, InversionReport};
pub use randomness::{NoiseKey, gaussian};
