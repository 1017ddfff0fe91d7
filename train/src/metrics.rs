//! What a run measures: a file of JSON lines that is the same whenever the seed is, and one of timings that is not.

use crate::data_kind::Named;
use crate::evaluate::TestClasses;
use crate::objective::ClassStats;
use crate::run_dir::RunDir;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// A training step, in `metrics.jsonl`.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingRecord {
    /// Steps made.
    pub step: u64,
    /// Epochs begun, counted from 0.
    pub epoch: u64,
    /// Unbiased estimate for the step's samples: `bits_per_dim` or `nll_nats`.
    #[serde(flatten)]
    pub loss: Named<f64>,
    /// Mean `ln N(z; 0, I)`, nats.
    pub log_pz: f64,
    /// Mean estimate of `ln|det ∂z/∂x|`, nats.
    pub log_det: f64,
    /// `cross_entropy` (nats) and `accuracy`, where classes are learned.
    #[serde(flatten)]
    pub classes: Option<ClassStats>,
    /// Before clipping.
    pub gradient_norm: f64,
    /// The largest estimated Lipschitz constant of a residual branch.
    pub max_lipschitz: f64,
    /// Of this step.
    pub learning_rate: f64,
}

/// An evaluation, in `metrics.jsonl`.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluationRecord {
    /// Steps made.
    pub step: u64,
    /// Epochs completed.
    pub epoch: u64,
    /// Of the averaged weights: `test_bits_per_dim` or `test_nll_nats`.
    #[serde(flatten)]
    pub test_loss: Named<f64>,
    /// Of the mean over the test samples.
    pub standard_error: f64,
    /// Where classes are learned.
    #[serde(flatten)]
    pub classes: Option<TestClasses>,
}

/// Speed at a step, in `timings.jsonl`.
#[derive(Clone, Debug, Serialize)]
pub struct TimingRecord {
    /// Steps made.
    pub step: u64,
    /// Since training began.
    pub elapsed_seconds: f64,
    /// Since the last record: `images_per_second` or `points_per_second`.
    #[serde(flatten)]
    pub speed: Named<f64>,
}

/// A file to which records are appended, one JSON object a line.
pub struct JsonLines {
    path: PathBuf,
    file: File,
}

impl JsonLines {
    /// A new file of a run.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(dir: &RunDir, name: &str) -> Result<Self> {
        let path = dir.file(name);
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, file })
    }

    /// Appends a record.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, record: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.file.write_all(&line).with_context(|| format!("cannot write {}", self.path.display()))
    }
}
