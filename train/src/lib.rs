//! Trains, evaluates and samples Residual Flows: what the programs `train` and `bench` and the Python package share.
//!
//! Every room may use those above it, and none below it.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`system`] | devices, the allocator, signals, what the operating system knows |
//! | [`config`] | one TOML file per experiment: strict, with every default in one place |
//! | [`data`] | images and points, and the units of their likelihoods |
//! | [`directory`] | the directory of a run: its lock, and the list of files that the run wrote |
//! | [`training`] | the library's training steps as the settings ask for them, by one process or several |
//! | [`monitoring`] | numbers that go wrong, and where |
//! | [`pytorch`] | checkpoints of the reference implementation |
//! | [`checkpoint`] | what a run needs to go on, on disk and back |
//! | [`scoring`] | test losses, log-densities of tables and arrays, studies of estimators |
//! | [`reporting`] | the console, JSON lines, TensorBoard, HTML, pictures |
//! | [`run`] | the training loop, and how it resumes |
//! | [`commands`] | the command line |

pub mod checkpoint;
pub mod commands;
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
