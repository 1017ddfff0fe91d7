//! What a run writes down while it goes on: metrics and timings as JSON lines, the same and more for TensorBoard, the
//! curve.

use crate::checkpoint::state::RunLog;
use crate::config::Config;
use crate::data::kind::DataKind;
use crate::directory::RunDir;
use crate::monitoring::layers::LayerMeasurement;
use crate::reporting::metrics::{EvaluationRecord, JsonLines, LayersRecord, TimingRecord, TrainingRecord, WarningRecord};
use crate::reporting::pictures::curve;
use crate::reporting::tensorboard::EventFile;
use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

/// Hears a run's records as they are written: first the step at which it begins and the number of steps that it is to make,
/// `step` and `total_steps`, then what `metrics.jsonl` gets, of training steps with what `timings.jsonl` gets.
pub type Listener = Arc<dyn Fn(&Value) + Send + Sync>;

/// The open files of a run; of several processes that train together, one has them.
pub struct Journal<'a> {
    dir: &'a RunDir,
    files: Option<Files>,
    kind: DataKind,
    listener: Option<Listener>,
}

struct Files {
    metrics: JsonLines,
    timings: JsonLines,
    events: Option<EventFile>,
}

impl<'a> Journal<'a> {
    /// Goes on after `step` steps where the log of a checkpoint says; what is there of later steps is removed.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn open(config: &Config, kind: DataKind, dir: &'a RunDir, step: u64, log: &RunLog) -> Result<Self> {
        let events = config.run.tensorboard.then(|| EventFile::create(dir.root(), step)).transpose()?;
        dir.written().add(events.as_ref().map(EventFile::name))?;
        let files = Files {
            metrics: JsonLines::after(dir, "metrics.jsonl", log.metrics_bytes)?,
            timings: JsonLines::after(dir, "timings.jsonl", log.timings_bytes)?,
            events,
        };
        Ok(Self { dir, files: Some(files), kind, listener: None })
    }

    /// In which nothing is written, because another process does.
    pub fn of_another(kind: DataKind, dir: &'a RunDir) -> Self {
        Self { dir, files: None, kind, listener: None }
    }

    /// Somebody hears from now on what is written.
    pub fn heard_by(self, listener: Option<Listener>) -> Self {
        Self { listener, ..self }
    }

    /// A run that has made some of its steps begins.
    pub fn begin(&self, step: u64, total_steps: u64) {
        if let Some(listener) = &self.listener {
            listener(&json!({ "step": step, "total_steps": total_steps }));
        }
    }

    /// Tells who listens.
    fn tell(&self, record: &impl Serialize) -> Result<()> {
        if let Some(listener) = &self.listener {
            listener(&serde_json::to_value(record)?);
        }
        Ok(())
    }

    /// A training step.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn training(&mut self, record: &TrainingRecord, timing: &TimingRecord) -> Result<()> {
        self.tell(&Timed { record, timing })?;
        let Some(Files { metrics, timings, events }) = &mut self.files else { return Ok(()) };
        metrics.write(record)?;
        timings.write(timing)?;
        let Some(events) = events else { return Ok(()) };
        let loss = format!("training/{}", record.loss.key());
        let scalars = [
            (loss.as_str(), record.loss.value),
            ("training/log_pz", record.log_pz),
            ("training/log_det", record.log_det),
            ("training/gradient_norm", record.gradient_norm),
            ("training/max_lipschitz", record.max_lipschitz),
            ("training/learning_rate", record.learning_rate),
            ("training/epoch", record.epoch as f64),
            ("speed/samples_per_second", timing.speed.value),
        ];
        let classes = [("training/cross_entropy", record.cross_entropy), ("training/accuracy", record.accuracy)];
        let scalars: Vec<_> = scalars.into_iter().chain(measured(classes)).collect();
        events.scalars(record.step, &scalars)
    }

    /// Something to warn of.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn warning(&mut self, record: &WarningRecord) -> Result<()> {
        self.tell(record)?;
        let Some(Files { metrics, events, .. }) = &mut self.files else { return Ok(()) };
        metrics.write(record)?;
        let skipped = [("training/skipped_steps", record.skipped_steps as f64)];
        events.as_mut().map_or(Ok(()), |events| events.scalars(record.step, &skipped))
    }

    /// An evaluation; draws the curve anew.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn evaluation(&mut self, record: &EvaluationRecord) -> Result<()> {
        self.tell(record)?;
        let Some(Files { metrics, events, .. }) = &mut self.files else { return Ok(()) };
        metrics.write(record)?;
        curve::write(self.dir, &self.kind)?;
        let Some(events) = events else { return Ok(()) };
        let EvaluationRecord { step, split, loss, standard_error, classes, .. } = record;
        let scalars = [(loss.key(), Some(loss.value)), ("standard_error", Some(*standard_error))];
        let classes = classes.map(|classes| [("accuracy", Some(classes.accuracy)), ("cross_entropy", classes.cross_entropy)]);
        let scalars = measured(scalars).chain(classes.into_iter().flat_map(measured));
        let scalars: Vec<(String, f64)> = scalars.map(|(name, value)| (format!("{split}/{name}"), value)).collect();
        events.scalars(*step, &scalars.iter().map(|(name, value)| (name.as_str(), *value)).collect::<Vec<_>>())
    }

    /// What was measured of the layers.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn layers(&mut self, step: u64, epoch: u64, layers: &[LayerMeasurement]) -> Result<()> {
        let Some(Files { metrics, .. }) = &mut self.files else { return Ok(()) };
        let bounds: Vec<f64> = layers.iter().map(|layer| layer.lipschitz_bound).collect();
        let variances: Vec<f64> = layers.iter().map(|layer| layer.estimator_variance).collect();
        let largest_lipschitz_bound = bounds.iter().copied().fold(0.0, f64::max);
        let log_det_deviation = variances.iter().sum::<f64>().sqrt();
        let record = LayersRecord { step, epoch, largest_lipschitz_bound, log_det_deviation };
        metrics.write(&record)?;
        self.tell(&record)?;
        let Some(Files { events: Some(events), .. }) = &mut self.files else { return Ok(()) };
        let scalars =
            [("layers/largest_lipschitz_bound", largest_lipschitz_bound), ("layers/log_det_deviation", log_det_deviation)];
        events.scalars(step, &scalars)?;
        events.histogram(step, "layers/lipschitz_bounds", &bounds)?;
        events.histogram(step, "layers/estimator_variances", &variances)
    }

    /// Where to draw the picture of this name, which becomes a file of the run.
    ///
    /// # Errors
    /// If the run's list of files cannot be written.
    pub fn picture_path(&self, name: &str) -> Result<PathBuf> {
        let file = format!("images/{name}.png");
        self.dir.written().add([file.clone()])?;
        Ok(self.dir.file(&file))
    }

    /// A picture that has been drawn.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn picture(&mut self, step: u64, name: &str) -> Result<()> {
        let path = self.picture_path(name)?;
        let events = self.files.as_mut().and_then(|files| files.events.as_mut());
        events.map_or(Ok(()), |events| events.picture(step, "data and samples", &path))
    }

    /// Writes into a log how far the files are.
    pub fn mark(&self, log: &mut RunLog) {
        if let Some(Files { metrics, timings, .. }) = &self.files {
            (log.metrics_bytes, log.timings_bytes) = (metrics.bytes(), timings.bytes());
        }
    }

    /// The files that a checkpoint counts on, to be synced before it.
    ///
    /// # Errors
    /// If the system has no more handles.
    pub fn handles(&self) -> Result<Vec<File>> {
        let Some(Files { metrics, timings, .. }) = &self.files else { return Ok(Vec::new()) };
        Ok(vec![metrics.handle()?, timings.handle()?])
    }
}

/// A training step with its timing.
#[derive(Serialize)]
struct Timed<'a> {
    #[serde(flatten)]
    record: &'a TrainingRecord,
    #[serde(flatten)]
    timing: &'a TimingRecord,
}

/// The scalars that there are.
fn measured<const N: usize>(scalars: [(&str, Option<f64>); N]) -> impl Iterator<Item = (&str, f64)> {
    scalars.into_iter().filter_map(|(name, value)| Some((name, value?)))
}
