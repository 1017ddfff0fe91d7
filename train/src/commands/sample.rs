//! `train sample CHECKPOINT`: images or points from a checkpoint's weights.

use super::condition::Condition;
use super::{Chosen, Compute, Opened, Overwrite, report};
use crate::checkpoint::state::Description;
use crate::config::DataConfig;
use crate::data::kind::{DataKind, Named};
use crate::monitoring::costs::Costs;
use crate::reporting::path_text;
use crate::reporting::pictures::grid;
use crate::reporting::progress::{self, Progress, duration};
use crate::run::footprint::{self, Work};
use crate::scoring::samples;
use crate::system;
use crate::system::memory::{Phase, during};
use crate::training::parallel::{ProcessGroup, together};
use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor};
use clap::{Args, ValueEnum};
use datasets::io::output::{self, Existing};
use datasets::points::FileKind;
use residual_flows::{Context as Known, ResidualFlow};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Sample images (a picture) or points (a table) from a checkpoint's weights
#[derive(Args)]
#[command(after_help = "Examples:
  train sample experiments/runs/digits --n 100 --out samples.png
  train sample experiments/runs/digits --n 1000 --seed 7 --out new.csv
  train sample experiments/runs/digits_given_class --class 3 --out threes.png")]
pub struct Sample {
    #[command(flatten)]
    chosen: Chosen,
    /// Draw this many samples
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = super::at_least_one)]
    n: usize,
    /// Scale the latents: below 1, samples are more typical and less diverse
    #[arg(long, default_value_t = 1.0, value_parser = temperature, allow_negative_numbers = true)]
    temperature: f64,
    #[command(flatten)]
    condition: Condition,
    /// Choose the latents
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write this picture (.png) or table (.csv, .npy), or a directory for it [default: the directory of the checkpoint]
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    #[command(flatten)]
    overwrite: Overwrite,
    /// Write points in this format where --out is a directory
    #[arg(long, value_enum, default_value_t = TableFormat::Csv)]
    format: TableFormat,
    #[command(flatten)]
    compute: Compute,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum TableFormat {
    Csv,
    Npy,
}

#[derive(Serialize)]
struct Outcome {
    /// `picture` or `table`.
    #[serde(flatten)]
    output: Named<String>,
    /// `images` or `points`.
    #[serde(flatten)]
    n: Named<usize>,
    temperature: f64,
    seed: u64,
    seconds: f64,
    peak_memory_bytes: Option<u64>,
    #[serde(serialize_with = "path_text::serialize")]
    checkpoint: PathBuf,
}

impl Sample {
    /// Samples.
    ///
    /// # Errors
    /// If the checkpoint cannot be read, an inverse does not converge, or the picture cannot be written.
    pub fn run(self) -> Result<()> {
        together(Arc::default(), |group| self.run_with(group))
    }

    fn run_with(self, group: &ProcessGroup) -> Result<()> {
        let start = Instant::now();
        let device = self.compute.device_for(group)?;
        if let Some(out) = self.out.as_deref().filter(|out| !is_directory(out)) {
            output::check_extension(out, &["png", "csv", "npy"])?;
        }
        let mut progress = Progress::new().seen(group.is_root());
        let read = self.chosen.read(&device, group, &mut progress)?;
        let Description { config, shape, kind, .. } = &read.1.description;
        footprint::check_use(config, *shape, (self.compute.choice, group), Work::Draw(self.n), "--n")?;
        let destination = group.is_root().then(|| self.destination(kind, &read.0)).transpose()?;
        let Opened { checkpoint, description: Description { kind, config, .. }, model, monitor } =
            self.chosen.ready(read, &mut progress)?;
        let &Self { n, temperature, seed, .. } = &self;
        let known = self.known(&model, &config.data, &device)?.map(|known| known.repeated(n));
        let latents = samples::latents(&model, known.as_ref(), n, temperature, seed, &device)?;
        let work = progress::Work::layers(&monitor, &Costs::backward(&model), 1);
        let stage = progress.stage(format!("sampling {n} {}", kind.noun()), work);
        let samples = during(Phase::Drawing, || samples::draw(&model, known.as_ref(), latents, group))?;
        drop((stage, progress));
        let Some(destination) = destination else { return Ok(()) };
        let output = write(samples, &kind, &destination, self.overwrite.existing())?;
        let outcome = Outcome {
            n: kind.named_count(n),
            output,
            temperature,
            seed,
            seconds: start.elapsed().as_secs_f64(),
            peak_memory_bytes: system::peak_memory_bytes(),
            checkpoint,
        };
        report(self.json, &outcome, || format!("{n} samples in {} ({})", outcome.output.value, duration(outcome.seconds)))
    }

    /// What is known about the samples; where nothing is said of a model of classes, one class after the other.
    fn known(&self, model: &ResidualFlow, data: &DataConfig, device: &Device) -> Result<Option<Known>> {
        let classes = model.context_classes() as u32;
        if classes > 0 && self.condition.is_empty() {
            return Ok(Some(Known::Classes((0..classes).collect())));
        }
        self.condition.known(model, data, None, device)
    }

    /// The file that `--out` names, or one in the directory that it names, which is made; it can be written.
    fn destination(&self, kind: &DataKind, checkpoint: &Path) -> Result<PathBuf> {
        let (known, extension): (&[&str], _) = match (kind, self.format) {
            (DataKind::Images { .. }, _) => (&["png"], "png"),
            (DataKind::Points(_), TableFormat::Csv) => (&["csv", "npy"], "csv"),
            (DataKind::Points(_), TableFormat::Npy) => (&["csv", "npy"], "npy"),
        };
        let &Self { n, temperature, seed, .. } = self;
        let name = format!("samples-n{n}-temperature{temperature}-seed{seed}.{extension}");
        let path = match &self.out {
            None => checkpoint.with_file_name(name),
            Some(out) if is_directory(out) => {
                std::fs::create_dir_all(out).with_context(|| format!("cannot make the directory {}", out.display()))?;
                out.join(name)
            }
            Some(out) => out.clone(),
        };
        output::check_extension(&path, known)?;
        output::check_all(&[&path], &[checkpoint], self.overwrite.existing())?;
        Ok(path)
    }
}

/// Whether a name is that of a directory, which need not be there yet: it has no extension, or a slash at its end.
fn is_directory(path: &Path) -> bool {
    let is_named_so = path.extension().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/");
    path.is_dir() || is_named_so && !output::is_stream(path)
}

/// Writes images as a picture, points in the data's own units as a table.
fn write(samples: Tensor<4>, kind: &DataKind, path: &Path, existing: Existing) -> Result<Named<String>> {
    match kind {
        DataKind::Images { .. } => {
            grid::write(path, existing, vec![("", samples)])?;
            Ok(Named::new("picture", path.to_string_lossy().into()))
        }
        DataKind::Points(points) => {
            let values = samples.try_into_vec_as::<f32>().context("cannot read samples from the device")?;
            let points = points.table(points.standardization.invert(&values));
            points.write(path, FileKind::of_output(path)?, existing)?;
            Ok(Named::new("table", path.to_string_lossy().into()))
        }
    }
}

fn temperature(text: &str) -> Result<f64, String> {
    let temperature = text.parse().map_err(|_| "expected a number")?;
    samples::check_temperature(temperature)
}
