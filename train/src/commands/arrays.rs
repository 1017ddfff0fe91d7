//! `train encode`, `decode` and `log-prob`: arrays in, arrays out, for work beside Python; of points tables too.

use super::condition::Condition;
use super::{Chosen, Compute, Overwrite, load, ready, report};
use crate::data::kind::{DataKind, Named};
use crate::data::table::TableChoice;
use crate::monitoring::costs::Costs;
use crate::reporting::path_text;
use crate::reporting::progress::{Progress, Work, duration};
use crate::scoring::array_model::{ArrayModel, Inputs, LogDensities};
use crate::scoring::arrays::{self, Array};
use crate::scoring::weights::Weights;
use crate::system;
use crate::training::parallel::ProcessGroup;
use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor, TensorData};
use clap::Args;
use datasets::io::console::note;
use datasets::io::output::{self, Existing};
use datasets::points::{FileKind, Points};
use residual_flows::LogDetConfig;
use residual_flows::log_det::Method;
use residual_flows::training::ClassStats;
use residual_flows::training::Classified;
use serde::Serialize;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What the commands have in common.
#[derive(Args)]
struct Common {
    #[command(flatten)]
    chosen: Chosen,
    /// Read a .npy file, float32 or float64; points may be in a table too, .csv or .parquet
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Write a .npy file, float32, points and their log-densities float64; of points .csv too
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
    /// Compute exact log-determinants, for few dimensions; adds log-densities to the summary
    #[arg(long)]
    exact: bool,
    /// Images of a batch [default: run.eval_batch_size of the training]
    #[arg(long, value_name = "N", value_parser = super::at_least_one)]
    batch: Option<usize>,
    /// Choose the estimator's noise [default: that of the training]
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    condition: Condition,
    #[command(flatten)]
    table: TableChoice,
    #[command(flatten)]
    compute: Compute,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
}

/// Map dequantised images in [0, 1], [n, channels, height, width], or points, [n, dimensions], to latents [n, dimensions]
#[derive(Args)]
#[command(after_help = "Examples:
  train encode experiments/runs/digits --input x.npy --output z.npy")]
pub struct Encode {
    #[command(flatten)]
    common: Common,
}

/// Map latents [n, dimensions] to images, or to points in their own units
#[derive(Args)]
#[command(after_help = "Examples:
  train decode experiments/runs/digits --input z.npy --output x.npy")]
pub struct Decode {
    #[command(flatten)]
    common: Common,
}

/// Write the log-density of each image, or of each point in its own units, in nats, [n]; the summary has means and bits/dim
#[derive(Args)]
#[command(after_help = "Examples:
  train log-prob experiments/runs/digits --input x.npy --output scores.npy --exact
  train log-prob experiments/runs/digits --input new.csv --output scores.csv")]
pub struct LogProb {
    #[command(flatten)]
    common: Common,
    /// Also write each one's ln|det dz/dx| in nats, [n]; of points in their own units
    #[arg(long, value_name = "FILE")]
    log_det: Option<PathBuf>,
    /// Also write the classifier's logits, [n, classes]
    #[arg(long, value_name = "FILE")]
    logits: Option<PathBuf>,
    /// The images' classes, a .npy file of whole numbers [n]; adds cross entropy (nats) and accuracy to the summary
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
}

#[derive(Serialize)]
struct Outcome {
    #[serde(serialize_with = "path_text::serialize")]
    output: PathBuf,
    n: usize,
    dimensions: usize,
    weights: Weights,
    #[serde(flatten)]
    densities: Option<DensitySummary>,
    #[serde(flatten)]
    classes: Option<ClassStats>,
    seconds: f64,
    peak_memory_bytes: Option<u64>,
    #[serde(serialize_with = "path_text::serialize")]
    checkpoint: PathBuf,
}

/// Means over the inputs, nats but for bits; `log_prob = log_pz + log_det - log_padding` is of images in [0, 1], whose bits are
/// those of their levels, or of points in their own units.
#[derive(Serialize)]
struct DensitySummary {
    log_prob: f64,
    log_pz: f64,
    log_det: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_padding: Option<f64>,
    /// Points that single precision does not reach, with a density of 0.
    #[serde(skip_serializing_if = "is_none")]
    unreachable: usize,
    #[serde(flatten)]
    loss: Named<f64>,
    log_det_method: Method,
}

impl Encode {
    /// Encodes.
    ///
    /// # Errors
    /// If the checkpoint or the input cannot be read or do not fit each other, or the output cannot be written.
    pub fn run(self) -> Result<()> {
        let session = Session::open(self.common, &[], &[])?;
        let input = session.inputs()?;
        let costs = Costs::forward(session.model.model());
        let latents = session.about_input(session.shown("encoding", input.len(), &costs, || session.model.encode(&input)))?;
        let densities = session.exact_densities(&input)?;
        session.write_latents(latents)?;
        session.finish(input.len(), densities, None)
    }
}

impl Decode {
    /// Decodes.
    ///
    /// # Errors
    /// As [`Encode::run`], and if an inverse does not converge.
    pub fn run(self) -> Result<()> {
        let session = Session::open(self.common, &[], &[])?;
        let latents = session.latents()?;
        let (n, costs) = (latents.shape.first().copied().unwrap_or(0), Costs::backward(session.model.model()));
        let decoded = session.about_input(session.shown("decoding", n, &costs, || session.model.decode(&latents)))?;
        let densities = session.exact_densities(&decoded)?;
        let n = decoded.len();
        match decoded {
            Inputs::Images { shape, values } => {
                arrays::write(&session.common.output, session.existing(), Array { shape, values: values.into_owned() })?
            }
            Inputs::Points(points) => session.write_table(&session.common.output, &points)?,
        }
        session.finish(n, densities, None)
    }
}

impl LogProb {
    /// Computes log-densities.
    ///
    /// # Errors
    /// As [`Encode::run`].
    pub fn run(self) -> Result<()> {
        let Self { common, log_det, logits, labels } = self;
        let session = Session::open(common, &[&log_det, &logits], &[&labels])?;
        let input = session.inputs()?;
        let densities = session.log_densities(&input)?;
        let classes = session.classes(&input, logits.as_deref(), labels.as_deref())?;
        if let Some(path) = &log_det {
            session.write_column(path, "log_det", &densities.log_det)?;
        }
        session.write_column(&session.common.output, "log_density", &densities.total)?;
        session.finish(input.len(), Some(densities), classes)
    }
}

/// One command at work.
struct Session {
    start: Instant,
    common: Common,
    checkpoint: PathBuf,
    model: ArrayModel,
    progress: RefCell<Progress>,
}

impl Session {
    /// Checks the outputs and loads the model; some commands have more inputs and outputs than all have.
    fn open(common: Common, outputs: &[&Option<PathBuf>], inputs: &[&Option<PathBuf>]) -> Result<Self> {
        let start = Instant::now();
        let checkpoint = common.chosen.file(&ProcessGroup::alone())?;
        let outputs: Vec<&Path> = outputs.iter().filter_map(|path| path.as_deref()).chain([&*common.output]).collect();
        let inputs: Vec<&Path> = inputs.iter().filter_map(|path| path.as_deref()).chain([&*common.input, &*checkpoint]).collect();
        output::check_all(&outputs, &inputs, common.overwrite.existing())?;
        let device = common.compute.device()?;
        let mut progress = Progress::new();
        let read = load(&checkpoint, common.chosen.weights, &device, &mut progress)?;
        let (ready, _) = ready(read, &mut progress)?;
        let mut model = ArrayModel::new(ready, device.clone());
        let known: &[&str] = if matches!(model.kind(), DataKind::Points(_)) { &["npy", "csv"] } else { &["npy"] };
        outputs.iter().try_for_each(|path| output::check_extension(path, known))?;
        model.batch = common.batch.unwrap_or(model.batch);
        model.seed = common.seed.unwrap_or(model.seed);
        if common.exact {
            model.log_det = LogDetConfig::exact();
        }
        let is_table = common.input.extension().is_some_and(|extension| !extension.eq_ignore_ascii_case("npy"));
        let table = is_table.then_some(common.input.as_path());
        model.known = common.condition.known(model.model(), model.data(), table, &device)?;
        Ok(Self { start, common, checkpoint, model, progress: RefCell::new(progress) })
    }

    /// Does something with this many samples, which is shown where it takes long.
    fn shown<T>(&self, what: &str, samples: usize, costs: &Costs, work: impl FnOnce() -> T) -> T {
        let rounds = Work::layers(self.model.monitor(), costs, self.model.batches(samples));
        let stage = self.progress.borrow_mut().stage(format!("{what} {samples} {}", self.model.kind().noun()), rounds);
        let done = work();
        drop(stage);
        done
    }

    fn log_densities(&self, inputs: &Inputs) -> Result<LogDensities> {
        let costs = Costs::forward(self.model.model());
        self.about_input(self.shown("scoring", inputs.len(), &costs, || self.model.log_densities(inputs)))
    }

    fn existing(&self) -> Existing {
        self.common.overwrite.existing()
    }

    /// What the model is applied to; says what was read of a table.
    fn inputs(&self) -> Result<Inputs<'static>> {
        let (inputs, notes) = self.model.read(&self.common.input, &self.common.table)?;
        notes.iter().for_each(note);
        Ok(inputs)
    }

    /// Latents of an array or a table.
    fn latents(&self) -> Result<Array> {
        let path = &self.common.input;
        if path.extension().is_none_or(|extension| extension.eq_ignore_ascii_case("npy")) {
            self.common.table.ensure_unused("the input is an array")?;
            return arrays::read(path);
        }
        let table = Points::read_with(path, &self.common.table.of_any())?;
        let values = table.values().iter().map(|&value| value as f32).collect();
        Ok(Array { shape: vec![table.len(), table.dimensions()], values })
    }

    fn about_input<T>(&self, result: Result<T>) -> Result<T> {
        result.with_context(|| self.common.input.display().to_string())
    }

    /// Exact log-densities, if they are asked for.
    fn exact_densities(&self, inputs: &Inputs) -> Result<Option<LogDensities>> {
        self.common.exact.then(|| self.log_densities(inputs)).transpose()
    }

    /// A number for each input: float32 of images, float64 of points, or a table with this name.
    fn write_column(&self, path: &Path, name: &str, values: &[f64]) -> Result<()> {
        let shape = vec![values.len()];
        match self.model.kind() {
            DataKind::Images { .. } => {
                let values = values.iter().map(|&value| value as f32).collect::<Vec<_>>();
                arrays::write(path, self.existing(), Array { shape, values })
            }
            DataKind::Points(_) if is_table(path) => {
                self.write_table(path, &Points::new(1, values.to_vec()).named(vec![name.into()]))
            }
            DataKind::Points(_) => arrays::write(path, self.existing(), Array { shape, values: values.to_vec() }),
        }
    }

    /// Points as a table, or as an array of float64.
    fn write_table(&self, path: &Path, points: &Points) -> Result<()> {
        if is_table(path) {
            return Ok(points.write(path, FileKind::Csv, self.existing())?);
        }
        let shape = vec![points.len(), points.dimensions()];
        arrays::write(path, self.existing(), Array { shape, values: points.values().to_vec() })
    }

    /// Latents as an array of float32, or of points as a table.
    fn write_latents(&self, latents: Array) -> Result<()> {
        let path = &self.common.output;
        if !is_table(path) {
            return arrays::write(path, self.existing(), latents);
        }
        let names = (1..=latents.shape[1]).map(|n| format!("z{n}")).collect();
        let values = latents.values.iter().copied().map(f64::from).collect();
        self.write_table(path, &Points::new(latents.shape[1], values).named(names))
    }

    /// What the classifier says: logits into a file, and how well they fit classes, each if it is asked for.
    fn classes(&self, inputs: &Inputs, logits_to: Option<&Path>, labels: Option<&Path>) -> Result<Option<ClassStats>> {
        if logits_to.is_none() && labels.is_none() {
            return Ok(None);
        }
        let logits = self.about_input(self.model.logits(inputs))?;
        let stats = match labels {
            Some(path) => {
                let labels = arrays::read_labels(path)?;
                let data = TensorData::new(logits.values.clone(), logits.shape.clone());
                let judged = Classified::new(&Tensor::from_data(data, &Device::flex()), &labels);
                Some(judged.with_context(|| path.display().to_string())?.stats())
            }
            None => None,
        };
        if let Some(path) = logits_to {
            arrays::write(path, self.existing(), logits)?;
        }
        Ok(stats)
    }

    fn finish(self, n: usize, densities: Option<LogDensities>, classes: Option<ClassStats>) -> Result<()> {
        if let Some(text) = densities.as_ref().and_then(LogDensities::warning) {
            note(format_args!("warning: {}: {text}", self.common.input.display()));
        }
        let densities = densities.map(|densities| DensitySummary::of(&densities, &self.model));
        let Common { output, chosen: Chosen { weights, .. }, json, .. } = self.common;
        let checkpoint = self.checkpoint;
        let (dimensions, seconds) = (self.model.dimensions(), self.start.elapsed().as_secs_f64());
        let peak_memory_bytes = system::peak_memory_bytes();
        let outcome = Outcome { output, n, dimensions, weights, densities, classes, seconds, peak_memory_bytes, checkpoint };
        report(json, &outcome, || outcome.lines())
    }
}

/// Whether a file is written as a table, not as an array.
fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
}

/// Whether there are none, for serde.
fn is_none(n: &usize) -> bool {
    *n == 0
}

impl Outcome {
    fn lines(&self) -> String {
        let mut text = format!("{} rows to {} ({})", self.n, self.output.display(), duration(self.seconds));
        if let Some(DensitySummary { log_prob, loss, .. }) = &self.densities {
            text += &format!("; ln p(x) {log_prob:.3} nats, loss {:.4}", loss.value);
        }
        if let Some(ClassStats { cross_entropy, accuracy }) = &self.classes {
            text += &format!("; cross entropy {cross_entropy:.4} nats, accuracy {:.2} %", 100.0 * accuracy);
        }
        text
    }
}

impl DensitySummary {
    fn of(densities: &LogDensities, model: &ArrayModel) -> Self {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let log_prob = mean(&densities.total);
        let loss = model.loss(log_prob);
        let (log_pz, log_det) = (mean(&densities.log_pz), mean(&densities.log_det));
        let (log_padding, unreachable) = (densities.log_padding.as_deref().map(mean), densities.unreachable);
        Self { log_prob, log_pz, log_det, log_padding, unreachable, loss, log_det_method: model.log_det.method }
    }
}
