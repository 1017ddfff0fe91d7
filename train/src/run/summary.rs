//! What came out of a run.

use crate::checkpoint::state::{Description, TrainingState};
use crate::data::kind::Named;
use crate::reporting::path_text;
use crate::system;
use serde::Serialize;
use std::path::PathBuf;

/// What came out of a run, `summary.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Whether the run reached its end, with its last evaluation, rather than being interrupted.
    pub finished: bool,
    /// Of the averaged weights in the last checkpoint, `test_bits_per_dim` or `test_nll_nats`; `null` if they were not
    /// evaluated.
    #[serde(flatten)]
    pub test_loss: Named<Option<f64>>,
    /// Of the mean over the test samples.
    pub test_standard_error: Option<f64>,
    /// The lowest of all evaluations.
    #[serde(flatten)]
    pub best_test_loss: Named<Option<f64>>,
    /// Optimiser steps.
    pub steps: u64,
    /// Epochs completed.
    pub epochs: u64,
    /// Numbers that are trained.
    pub parameters: usize,
    /// Seed of all randomness.
    pub seed: u64,
    /// Time in training steps, without evaluations and pictures, of the whole run.
    pub training_seconds: f64,
    /// Since the program was started, time in evaluations,
    pub evaluation_seconds: f64,
    /// in pictures,
    pub picture_seconds: f64,
    /// in records of all kinds and the measurements of layers for them,
    pub logging_seconds: f64,
    /// while training stood still for a checkpoint,
    pub saving_seconds: f64,
    /// and altogether.
    pub wall_seconds: f64,
    /// The most memory that was resident; `null` where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// The last checkpoint.
    #[serde(serialize_with = "path_text::serialize")]
    pub checkpoint: PathBuf,
}

impl Summary {
    /// Of a run that has made its steps before, with the checkpoint that it is in.
    pub fn of_finished(state: &TrainingState, checkpoint: PathBuf) -> Self {
        let TrainingState { description: Description { config, kind, step, epoch, .. }, log, .. } = state;
        Self {
            finished: true,
            test_loss: kind.named("test_", log.evaluated.map(|loss| loss.mean)),
            test_standard_error: log.evaluated.map(|loss| loss.standard_error),
            best_test_loss: kind.named("best_test_", log.best.first().map(|best| best.test_loss)),
            steps: *step,
            epochs: *epoch,
            parameters: log.parameters,
            seed: config.run.seed,
            training_seconds: log.training_seconds,
            evaluation_seconds: 0.0,
            picture_seconds: 0.0,
            logging_seconds: 0.0,
            saving_seconds: 0.0,
            wall_seconds: 0.0,
            peak_memory_bytes: system::peak_memory_bytes(),
            checkpoint,
        }
    }
}
