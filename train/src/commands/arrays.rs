//! `train encode`, `decode` and `log-prob`: arrays in, arrays out, for work beside Python.

use super::{Compute, Overwrite, report};
use ::train::array_model::{ArrayModel, LogDensities, Weights};
use ::train::arrays::{self, Array};
use ::train::classification::Classified;
use ::train::data_kind::Named;
use ::train::objective::ClassStats;
use ::train::progress::duration;
use ::train::system;
use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor, TensorData};
use clap::Args;
use datasets::output::{self, Existing};
use residual_flows::LogDetConfig;
use residual_flows::log_det::Method;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What the commands have in common.
#[derive(Args)]
struct Common {
    /// The checkpoint, a .safetensors file or a .pth file of the research code
    checkpoint: PathBuf,
    /// A .npy file, float32 or float64
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// The .npy file to write, float32
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
    /// Which of the checkpoint's weights
    #[arg(long, value_enum, default_value_t = Weights::Ema)]
    weights: Weights,
    /// Exact log-determinants, for few dimensions; adds log-densities to the summary
    #[arg(long)]
    exact: bool,
    /// Images of a batch [default: run.eval_batch_size of the training]
    #[arg(long, value_name = "N", value_parser = super::at_least_one)]
    batch: Option<usize>,
    /// Decides estimator noise [default: that of the training]
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    compute: Compute,
    /// Prints the summary as one JSON object
    #[arg(long)]
    json: bool,
}

/// Maps dequantised images in [0, 1], [n, channels, height, width], to latents [n, dimensions]
#[derive(Args)]
pub struct Encode {
    #[command(flatten)]
    common: Common,
}

/// Maps latents [n, dimensions] to images
#[derive(Args)]
pub struct Decode {
    #[command(flatten)]
    common: Common,
}

/// Writes the log-density of each image in nats, [n]; the summary has means and bits/dim
#[derive(Args)]
pub struct LogProb {
    #[command(flatten)]
    common: Common,
    /// Also writes each image's ln|det dz/dx| in nats, [n]
    #[arg(long, value_name = "FILE")]
    log_det: Option<PathBuf>,
    /// Also writes the classifier's logits, [n, classes]
    #[arg(long, value_name = "FILE")]
    logits: Option<PathBuf>,
    /// The images' classes, a .npy file of whole numbers [n]; adds cross entropy (nats) and accuracy to the summary
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
}

#[derive(Serialize)]
struct Outcome {
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
    checkpoint: PathBuf,
}

/// Means over the inputs, nats but for bits; `log_prob` is of images in [0, 1], bits are those of their levels.
#[derive(Serialize)]
struct DensitySummary {
    log_prob: f64,
    log_pz: f64,
    log_det: f64,
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
        let latents = session.about_input(session.model.encode(&session.input))?;
        let densities = session.exact_densities(&session.input)?;
        session.finish(latents, densities, None)
    }
}

impl Decode {
    /// Decodes.
    ///
    /// # Errors
    /// As [`Encode::run`], and if an inverse does not converge.
    pub fn run(self) -> Result<()> {
        let session = Session::open(self.common, &[], &[])?;
        let images = session.about_input(session.model.decode(&session.input))?;
        let densities = session.exact_densities(&images)?;
        session.finish(images, densities, None)
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
        let densities = session.about_input(session.model.log_densities(&session.input))?;
        let classes = session.classes(logits.as_deref(), labels.as_deref())?;
        if let Some(path) = &log_det {
            arrays::write(path, session.existing(), Array { shape: vec![session.n()], values: densities.log_det.clone() })?;
        }
        let output = Array { shape: vec![session.n()], values: densities.total.clone() };
        session.finish(output, Some(densities), classes)
    }
}

/// One command at work.
struct Session {
    start: Instant,
    common: Common,
    model: ArrayModel,
    input: Array,
}

impl Session {
    /// Checks the outputs and reads the inputs; some commands have more of them than all have.
    fn open(common: Common, outputs: &[&Option<PathBuf>], inputs: &[&Option<PathBuf>]) -> Result<Self> {
        let start = Instant::now();
        let outputs: Vec<&Path> = outputs.iter().filter_map(|path| path.as_deref()).chain([&*common.output]).collect();
        let inputs: Vec<&Path> =
            inputs.iter().filter_map(|path| path.as_deref()).chain([&*common.input, &*common.checkpoint]).collect();
        outputs.iter().try_for_each(|path| output::check_extension(path, &["npy"]))?;
        output::check_all(&outputs, &inputs, common.overwrite.existing())?;
        let input = arrays::read(&common.input)?;
        let mut model = ArrayModel::load(&common.checkpoint, common.weights, common.compute.device()?)?;
        model.batch = common.batch.unwrap_or(model.batch);
        model.seed = common.seed.unwrap_or(model.seed);
        if common.exact {
            model.log_det = LogDetConfig::exact();
        }
        Ok(Self { start, common, model, input })
    }

    fn existing(&self) -> Existing {
        self.common.overwrite.existing()
    }

    /// Number of images.
    fn n(&self) -> usize {
        self.input.shape.first().copied().unwrap_or(0)
    }

    fn about_input<T>(&self, result: Result<T>) -> Result<T> {
        result.with_context(|| self.common.input.display().to_string())
    }

    /// Exact log-densities, if they are asked for.
    fn exact_densities(&self, images: &Array) -> Result<Option<LogDensities>> {
        self.common.exact.then(|| self.model.log_densities(images)).transpose()
    }

    /// What the classifier says: logits into a file, and how well they fit classes, each if it is asked for.
    fn classes(&self, logits_to: Option<&Path>, labels: Option<&Path>) -> Result<Option<ClassStats>> {
        if logits_to.is_none() && labels.is_none() {
            return Ok(None);
        }
        let logits = self.about_input(self.model.logits(&self.input))?;
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

    fn finish(self, output: Array, densities: Option<LogDensities>, classes: Option<ClassStats>) -> Result<()> {
        let n = self.n();
        arrays::write(&self.common.output, self.existing(), output)?;
        let densities = densities.map(|densities| DensitySummary::of(&densities, &self.model));
        let Common { output, weights, checkpoint, json, .. } = self.common;
        let (dimensions, seconds) = (self.model.dimensions(), self.start.elapsed().as_secs_f64());
        let peak_memory_bytes = system::peak_memory_bytes();
        let outcome = Outcome { output, n, dimensions, weights, densities, classes, seconds, peak_memory_bytes, checkpoint };
        report(json, &outcome, || outcome.lines())
    }
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
        let mean = |values: &[f32]| values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
        let log_prob = mean(&densities.total);
        let loss = model.loss(log_prob);
        let (log_pz, log_det) = (mean(&densities.log_pz), mean(&densities.log_det));
        Self { log_prob, log_pz, log_det, loss, log_det_method: model.log_det.method }
    }
}
