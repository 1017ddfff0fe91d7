//! Trains, evaluates and samples Residual Flows: what the programs `train` and `bench` share.
//!
//! | module | idea |
//! | --- | --- |
//! | [`config`] | one TOML file per experiment: strict, with every default in one place |
//! | [`step`] | one optimiser step, without input and output; with [`objective`] and [`classification`], [`optimizer`], [`schedule`] and [`ema`] |
//! | [`fit`] | the training loop |
//! | [`data`], [`data_kind`] | images and points, and the units of their likelihoods |
//! | [`evaluate`] | bits per dimension, or nats, of a test set |
//! | [`checkpoint`], [`run_dir`] | what a run leaves on disk |
//! | [`metrics`], [`progress`], [`picture`], [`showcase`], [`animation`], [`curve`] | what a run shows |
//! | [`points`] | densities on the plane: exact, integrated, drawn |
//! | [`research`] | the research code's checkpoints |
//! | [`arrays`], [`atomic`] | numpy's arrays, files written whole or not at all |
//! | [`noise`] | which random stream is used for what |

pub mod animation;
pub mod arrays;
pub mod atomic;
pub mod checkpoint;
pub mod classification;
pub mod config;
pub mod curve;
pub mod data;
pub mod data_kind;
pub mod device;
pub mod ema;
pub mod evaluate;
pub mod fit;
pub mod metrics;
pub mod noise;
pub mod objective;
pub mod optimizer;
pub mod picture;
pub mod points;
pub mod progress;
pub mod research;
pub mod retention;
pub mod run_dir;
pub mod schedule;
pub mod showcase;
pub mod step;
pub mod system;
