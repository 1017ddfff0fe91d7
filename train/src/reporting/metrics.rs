//! What a run measures: a file of JSON lines that is the same whenever the seed is, and one of timings that is not.

use crate::data::kind::Named;
use crate::data::mean_loss::ClassMeans;
use crate::directory::RunDir;
use anyhow::{Context, Result};
use datasets::Split;
use datasets::io::console::note;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
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
    /// Mean `ln p(z)`, nats.
    pub log_pz: f64,
    /// Mean estimate of `ln|det ∂z/∂x|`, nats.
    pub log_det: f64,
    /// `-ln p(class)` (nats), where classes are learned and it is not the loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_entropy: Option<f64>,
    /// Fraction of images whose class is recognised, where classes are learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Before clipping.
    pub gradient_norm: f64,
    /// The largest estimated Lipschitz constant of a residual branch.
    pub max_lipschitz: f64,
    /// Of this step.
    pub learning_rate: f64,
}

/// An evaluation, in `metrics.jsonl`.
#[derive(Clone, Debug)]
pub struct EvaluationRecord {
    /// Steps made with the averaged weights that were evaluated.
    pub step: u64,
    /// Epochs completed.
    pub epoch: u64,
    /// Of which samples.
    pub split: Split,
    /// The loss without a prefix: `bits_per_dim` or `nll_nats`.
    pub loss: Named<f64>,
    /// Of the mean over the samples.
    pub standard_error: f64,
    /// Where classes are learned.
    pub classes: Option<ClassMeans>,
}

/// As `validation_<loss>`, `validation_standard_error` and so on. Of test samples the error has no prefix, as in earlier versions.
impl Serialize for EvaluationRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let Self { step, epoch, split, loss, standard_error, classes } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("step", step)?;
        map.serialize_entry("epoch", epoch)?;
        map.serialize_entry(&format!("{split}_{}", loss.key()), &loss.value)?;
        let of_error = if *split == Split::Test { "standard_error".to_string() } else { format!("{split}_standard_error") };
        map.serialize_entry(&of_error, standard_error)?;
        for (key, value) in classes.iter().flat_map(|classes| classes.named(&format!("{split}_"))) {
            map.serialize_entry(&key, &value)?;
        }
        map.end()
    }
}

/// What is measured of the layers after an evaluation, in `metrics.jsonl`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LayersRecord {
    /// Steps made.
    pub step: u64,
    /// Epochs completed.
    pub epoch: u64,
    /// The largest of the blocks' guaranteed Lipschitz bounds, with averaged weights.
    pub largest_lipschitz_bound: f64,
    /// Standard deviation over draws of the estimated log-determinant of an image, nats.
    pub log_det_deviation: f64,
}

/// Something to warn of, in `metrics.jsonl`.
#[derive(Clone, Debug, Serialize)]
pub struct WarningRecord<'a> {
    /// Steps made.
    pub step: u64,
    /// Epochs completed.
    pub epoch: u64,
    /// What it is.
    pub warning: &'a str,
    /// Where it comes from, if that is one layer.
    pub layer: Option<&'a str>,
    /// Steps of the run whose loss or gradient was not finite.
    pub skipped_steps: u64,
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
    /// The part of the time since the last record that this process waited for others, if there are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_fraction: Option<f64>,
}

/// Where the last whole line ends among the first bytes of a file.
fn end_of_lines(file: &mut File, most: u64) -> io::Result<u64> {
    /// Longer than any record.
    const CHUNK: u64 = 1 << 20;
    let end = file.metadata()?.len().min(most);
    let start = end.saturating_sub(CHUNK);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(end - start).read_to_end(&mut tail)?;
    let line_end = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at as u64 + 1);
    Ok(start + line_end)
}

/// A file to which records are appended, one JSON object a line.
pub struct JsonLines {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl JsonLines {
    /// A file of a run that goes on after its first `keep` bytes; with 0 it is new. Of a shorter file all whole lines are kept,
    /// with a warning.
    ///
    /// # Errors
    /// If it cannot be opened or cut.
    pub fn after(dir: &RunDir, name: &str, keep: u64) -> Result<Self> {
        let path = dir.file(name);
        let open = || {
            let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
            let bytes = end_of_lines(&mut file, keep)?;
            file.set_len(bytes)?;
            file.seek(SeekFrom::End(0))?;
            Ok::<_, io::Error>((file, bytes))
        };
        let (file, bytes) = open().with_context(|| format!("cannot write {}", path.display()))?;
        if bytes < keep {
            let path = path.display();
            note(format_args!(
                "warning: {path} has lost records: of {keep} bytes that the run had written, {bytes} are there in whole lines; curves \
                 and reports lack the others"
            ));
        }
        Ok(Self { path, file, bytes })
    }

    /// Appends a record.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, record: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.file.write_all(&line).with_context(|| format!("cannot write {}", self.path.display()))?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file, to be synced.
    ///
    /// # Errors
    /// If the system has no more handles.
    pub fn handle(&self) -> Result<File> {
        self.file.try_clone().with_context(|| format!("cannot open {} once more", self.path.display()))
    }
}
