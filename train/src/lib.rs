//! Trains, evaluates and samples Residual Flows: what the programs `train` and `bench` share.
//!
//! Every room may use those above it, and none below it.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`system`] | devices, the allocator, signals, what the operating system knows |
//! | [`config`] | one TOML file per experiment: strict, with every default in one place |
//! | [`data`] | images and points, and the units of their likelihoods |
//! | [`directory`] | the directory of a run: its lock, and the list of files that the run wrote |
//! | [`training`] | one optimiser step, without input and output |
//! | [`monitoring`] | numbers that go wrong, and where |
//! | [`checkpoint`] | what a run needs to go on, on disk and back |
//! | [`pytorch`] | checkpoints of the reference implementation |
//! | [`scoring`] | test losses, log-densities of tables and arrays, studies of estimators |
//! | [`reporting`] | the console, JSON lines, TensorBoard, HTML, pictures |
//! | [`run`] | the training loop, and how it resumes |

pub mod checkpoint;
pub mod config;
pub mod data;
pub mod directory;
pub mod monitoring;
pub mod pytorch;
pub mod reporting;
pub mod run;
pub mod scoring;
pub mod system;
pub mod training;
