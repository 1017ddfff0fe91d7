//! Everything that a run needs to go on with the same numbers, in memory.
//!
//! All randomness is a function of the seed and the position ([`residual_flows::training::noise`]), and the vectors of power iteration are
//! among the weights, so there is no other state.

use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::data::kind::DataKind;
use crate::data::mean_loss::MeanLoss;
use crate::data::{DataSet, Splits};
use crate::monitoring::overfitting::Selection;
use crate::monitoring::watch::Watch;
use crate::pytorch::import::Imported;
use anyhow::{Context, Result};
use burn::tensor::Device;
use datasets::Split;
use residual_flows::ResidualFlow;
use residual_flows::io::{Readiness, Weights};
use residual_flows::optim::OptimizerState;
use residual_flows::state::NamedTensor;
use serde::{Deserialize, Serialize};

/// A run between two steps; what a checkpoint holds.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState {
    /// The settings, and where the run is.
    pub description: Description,
    /// Parameters and persistent vectors of the model.
    pub weights: Vec<NamedTensor>,
    /// The same of the averaged model.
    pub average: Vec<NamedTensor>,
    /// The vectors of power iteration of the averaged model after its constraint has converged; none where it was not evaluated as
    /// it is.
    pub converged: Vec<NamedTensor>,
    /// The optimiser's memory.
    pub optimizer: OptimizerState,
    /// What the log has counted so far.
    pub log: RunLog,
}

/// What a checkpoint says about its model.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The settings of the run.
    pub config: Config,
    /// Shape of the samples, `[channels, height, width]`.
    pub shape: [usize; 3],
    /// What the model is a density of.
    pub kind: DataKind,
    /// Optimiser steps made, skipped ones among them.
    pub step: u64,
    /// Epochs completed.
    pub epoch: u64,
    /// Batches of the next epoch that have been used.
    pub batch: u64,
    /// What tells the data from others; `None` in checkpoints of earlier versions and of the reference implementation.
    pub data: Option<Fingerprints>,
}

/// [Fingerprints](datasets::BatchSource::fingerprint) of the splits of a run's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprints {
    /// Of those for training.
    pub train: String,
    /// Of those for validation, if there are some.
    pub validation: Option<String>,
    /// Of those for testing.
    pub test: String,
}

impl Fingerprints {
    /// Of these data.
    pub fn of(splits: &Splits) -> Self {
        let of = |data: &DataSet| data.batches.fingerprint();
        Self { train: of(&splits.train), validation: splits.validation.as_ref().map(of), test: of(&splits.test) }
    }

    /// Of a split, if it is known.
    pub fn get(&self, split: Split) -> Option<&String> {
        match split {
            Split::Train => Some(&self.train),
            Split::Validation => self.validation.as_ref(),
            Split::Test => Some(&self.test),
        }
    }
}

/// What a run counts and averages for its log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunLog {
    /// Time in training steps.
    pub training_seconds: f64,
    /// Running mean of the training loss, for the progress line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_loss: Option<f64>,
    /// Steps whose loss or gradient was not finite, so that the weights stayed as they were.
    pub skipped_steps: u64,
    /// Of these, the ones since the last step that was made.
    pub skipped_in_a_row: u64,
    /// Numbers that are trained.
    pub parameters: usize,
    /// Whether the evaluation and the pictures that are due after the last step are still to be made.
    pub pending: bool,
    /// Length of `metrics.jsonl`; what comes after is of steps that will be made again.
    pub metrics_bytes: u64,
    /// Length of `timings.jsonl`.
    pub timings_bytes: u64,
    /// What is usual.
    pub watch: Watch,
    /// The evaluation of the averaged weights as they are, on the validation samples, or without any on those for testing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluated: Option<MeanLoss>,
    /// Evaluations so far, and what they say of the run.
    pub selection: Selection,
    /// What the test samples said last, where they are apart from what checkpoints are chosen by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tested: Option<Tested>,
    /// What has been done of that.
    #[serde(skip_serializing_if = "Reached::is_nothing")]
    pub reached: Reached,
    /// The checkpoints with the lowest loss in evaluations, best first.
    pub best: Vec<Evaluated>,
}

/// What has been done after the last step of what is due there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// Nothing yet.
    #[default]
    Nothing,
    /// The evaluation.
    Evaluation,
    /// That of the test samples too.
    Test,
    /// The measurement of layers too, but not the picture.
    Layers,
}

impl Reached {
    fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

/// A checkpoint that was evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluated {
    /// Steps made.
    pub step: u64,
    /// Of the averaged weights.
    #[serde(alias = "test_loss")]
    pub loss: f64,
}

/// What the test samples say of some weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tested {
    /// Steps made with them.
    pub step: u64,
    /// Of the averaged weights.
    pub loss: MeanLoss,
}

impl TrainingState {
    /// # Errors
    /// If a number of a model or of the optimiser's memory is not finite: names it. Nothing can be done with such a state.
    pub fn check_finite(&self) -> Result<()> {
        let slots = self.optimizer.slots.iter().map(|(slot, tensors)| (format!("optimizer.{slot}"), tensors));
        let models = [("model", &self.weights), ("average", &self.average), ("converged", &self.converged)];
        let mut sections = models.map(|(section, tensors)| (section.to_string(), tensors)).into_iter().chain(slots);
        Ok(sections.try_for_each(|(section, tensors)| residual_flows::io::expect_finite(&section, tensors))?)
    }

    /// The model with its weights, and the averaged one as it was stored; `update_lipschitz` comes before its use.
    /// Parameters of both have the same identity.
    ///
    /// # Errors
    /// If the tensors do not fit the settings.
    pub fn models(&self, device: &Device) -> Result<[ResidualFlow; 2]> {
        let empty = empty(&self.description, device)?;
        let model = filled(empty.clone(), "model", self.weights.clone())?;
        Ok([model, filled(empty, "average", self.average.clone())?])
    }

    /// One set of the weights, as they were stored.
    ///
    /// # Errors
    /// If the tensors do not fit the settings.
    pub fn into_checkpoint(self, weights: Weights, device: &Device) -> Result<Checkpoint> {
        let Self { description, weights: raw, mut average, converged, .. } = self;
        let is_of_run = description.data.is_some();
        let (section, tensors, readiness) = match weights {
            Weights::Average => {
                let readiness = Readiness::of_average(&mut average, converged, is_of_run);
                ("average", average, readiness)
            }
            Weights::Raw => ("model", raw, Readiness::AsStored),
        };
        let model = filled(empty(&description, device)?, section, tensors)?;
        Ok(Checkpoint { description, model, readiness })
    }
}

/// A model of the described architecture, to be filled.
pub(super) fn empty(description: &Description, device: &Device) -> Result<ResidualFlow> {
    let Description { config, shape, .. } = description;
    config.model.init_for_state(*shape, device).context("the architecture in its settings")
}

fn filled(empty: ResidualFlow, section: &str, tensors: Vec<NamedTensor>) -> Result<ResidualFlow> {
    empty.with_state(tensors).with_context(|| format!("its `{section}` does not fit the model of the settings"))
}

impl From<Imported> for TrainingState {
    /// A run that goes on where the reference implementation's has stopped. Which epoch it is does not stand in its checkpoints:
    /// it begins with the first.
    fn from(imported: Imported) -> Self {
        let Imported { config, shape, kind, weights, average, optimizer } = imported;
        let step = optimizer.steps;
        Self {
            description: Description { config, shape, kind, step, epoch: 0, batch: 0, data: None },
            weights,
            average,
            converged: Vec::new(),
            optimizer,
            log: RunLog::default(),
        }
    }
}
