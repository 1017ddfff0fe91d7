//! What came out of a run.

use crate::checkpoint::state::{Description, RunLog, TrainingState};
use crate::data::kind::{DataKind, Named};
use crate::reporting::path_text;
use crate::system;
use datasets::Split;
use serde::Serialize;
use std::path::PathBuf;

/// What came out of a run, `summary.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Whether the run reached its end, with its last evaluation, rather than being interrupted.
    pub finished: bool,
    /// Why the run ended before its last step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_early: Option<String>,
    /// `test_bits_per_dim` or `test_nll_nats`: of the best averaged weights if there are validation data, else of those in the last
    /// checkpoint; `null` if they were not evaluated.
    #[serde(flatten)]
    pub test_loss: Named<Option<f64>>,
    /// Of the mean over the test samples.
    pub test_standard_error: Option<f64>,
    /// Of the averaged weights in the last checkpoint on the validation data, if there are any, `validation_bits_per_dim` or
    /// `validation_nll_nats`.
    #[serde(flatten)]
    pub validation_loss: Option<Named<Option<f64>>>,
    /// Of the mean over the validation samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_standard_error: Option<f64>,
    /// The lowest of all evaluations, `best_validation_bits_per_dim` and so on; `best_test_...` without validation data.
    #[serde(flatten)]
    pub best_loss: Named<Option<f64>>,
    /// Optimiser steps after which it was measured.
    pub best_step: Option<u64>,
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
    /// That with the lowest loss.
    #[serde(serialize_with = "path_text::serialize_option", skip_serializing_if = "Option::is_none")]
    pub best_checkpoint: Option<PathBuf>,
}

/// The parts of a summary that say how good a model is.
pub struct Results {
    pub(crate) test_loss: Named<Option<f64>>,
    pub(crate) test_standard_error: Option<f64>,
    pub(crate) validation_loss: Option<Named<Option<f64>>>,
    pub(crate) validation_standard_error: Option<f64>,
    pub(crate) best_loss: Named<Option<f64>>,
    pub(crate) best_step: Option<u64>,
}

impl Results {
    /// Of a run that chooses its checkpoints by a split, as its log says.
    pub fn of(log: &RunLog, kind: &DataKind, selects_by: Split) -> Self {
        let has_validation = selects_by == Split::Validation;
        let tested = if has_validation { log.tested.map(|tested| tested.loss) } else { log.evaluated };
        let evaluated = log.evaluated.filter(|_| has_validation);
        let best = log.best.first();
        Self {
            test_loss: kind.named("test_", tested.map(|loss| loss.mean)),
            test_standard_error: tested.map(|loss| loss.standard_error),
            validation_loss: has_validation.then(|| kind.named("validation_", evaluated.map(|loss| loss.mean))),
            validation_standard_error: evaluated.map(|loss| loss.standard_error),
            best_loss: kind.named(&format!("best_{selects_by}_"), best.map(|best| best.loss)),
            best_step: best.map(|best| best.step),
        }
    }
}

impl Summary {
    /// Of a run that has made its steps before, with the checkpoints that it is in.
    pub fn of_finished(state: &TrainingState, checkpoint: PathBuf, best_checkpoint: Option<PathBuf>) -> Self {
        let TrainingState { description: Description { config, kind, step, epoch, data, .. }, log, .. } = state;
        let has_validation = data.as_ref().is_some_and(|data| data.validation.is_some());
        let results = Results::of(log, kind, if has_validation { Split::Validation } else { Split::Test });
        let Results { test_loss, test_standard_error, validation_loss, validation_standard_error, best_loss, best_step } =
            results;
        Self {
            finished: true,
            stopped_early: log.selection.stop_reason(config.run.patience),
            test_loss,
            test_standard_error,
            validation_loss,
            validation_standard_error,
            best_loss,
            best_step,
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
            best_checkpoint,
        }
    }
}
