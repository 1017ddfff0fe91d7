//! All integration tests of the crate but those of MPI and of devices, in one binary, which is linked once.

mod bench;
mod command_line;
mod common;
mod conditional;
mod configs;
mod data_sets;
mod defaults;
mod documents;
mod errors;
mod estimator;
mod faults;
mod models;
mod outputs;
mod parallel;
mod points;
mod probabilities;
mod reference;
mod reference_training;
mod report;
mod resume;
mod scoring;
mod settings;
#[cfg(unix)]
mod signals;
mod tables;
mod tasks;
mod training;
mod validation;
