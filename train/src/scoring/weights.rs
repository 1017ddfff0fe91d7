//! From the weights in a checkpoint to a model ready for use: one way for all that evaluates, scores and samples.

use crate::checkpoint::{Checkpoint, Description};
use anyhow::{Context, Result};
use clap::ValueEnum;
use residual_flows::{Monitor, ResidualFlow};
use serde::Serialize;

/// Which of a checkpoint's two sets of weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weights {
    /// The averaged weights, with power iterations until their Lipschitz constraint has converged
    #[default]
    #[value(alias = "ema")]
    Average,
    /// The weights of the last step, with the vectors of power iteration as they were stored
    Raw,
}

impl From<Weights> for residual_flows::io::Weights {
    fn from(weights: Weights) -> Self {
        match weights {
            Weights::Average => Self::Average,
            Weights::Raw => Self::Raw,
        }
    }
}

/// A model of a checkpoint, ready for evaluation and sampling, with what it says about itself.
pub struct Ready {
    /// The model.
    pub model: ResidualFlow,
    /// What the checkpoint says about it.
    pub description: Description,
}

/// Makes the weights of a checkpoint ready.
///
/// In a run's own checkpoints the constraint is what it was where the run evaluated, so that numbers are the same: it was stored
/// with them, or converges again. In one without fingerprints of its data, which is the reference implementation's, it converges to
/// single precision, by iterations in double precision, for comparisons with that program.
///
/// # Errors
/// If the constraint does not converge, or the monitor stops it.
pub fn ready(checkpoint: Checkpoint, monitor: &Monitor) -> Result<Ready> {
    let Checkpoint { description, mut model, readiness } = checkpoint;
    model.set_monitor(monitor);
    let model = readiness.apply(model).context("the averaged weights; `--weights raw` takes those of the last step")?;
    Ok(Ready { model, description })
}
