//! `train density CHECKPOINT POINTS`: log-densities of anybody's points under a checkpoint's weights.

use super::condition::Condition;
use super::{Chosen, Compute, Overwrite, load, ready, report};
use crate::data::kind::DataKind;
use crate::data::table::TableChoice;
use crate::monitoring::costs::Costs;
use crate::reporting::path_text;
use crate::reporting::progress::{Progress, Work};
use crate::scoring::array_model::ArrayModel;
use crate::scoring::density::{self, Density, Window};
use crate::training::parallel::ProcessGroup;
use anyhow::{Context, Result, ensure};
use clap::Args;
use datasets::io::console::note;
use datasets::io::output;
use datasets::points::{FileKind, Points};
use residual_flows::LogDetConfig;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Write the log-density (nats, in the data's own units) of every point of a file
#[derive(Args)]
#[command(after_help = "Examples:
  train density experiments/runs/digits points.csv --out scores.csv
  train density experiments/runs/digits --integrate")]
pub struct DensityOf {
    #[command(flatten)]
    chosen: Chosen,
    /// The points, a .csv, .parquet or .npy file with a column for each dimension
    #[arg(required_unless_present = "integrate")]
    points: Option<PathBuf>,
    /// Write the log-densities to a .csv or .npy file, in the order of the points [default: standard output]
    #[arg(long, value_name = "FILE", requires = "points")]
    out: Option<PathBuf>,
    #[command(flatten)]
    overwrite: Overwrite,
    /// Compute exact log-determinants even if the training evaluated with an estimator
    #[arg(long)]
    exact: bool,
    /// Integrate the density over the plane instead, which should give 1
    #[arg(long, conflicts_with = "points")]
    integrate: bool,
    #[command(flatten)]
    condition: Condition,
    #[command(flatten)]
    table: TableChoice,
    #[command(flatten)]
    compute: Compute,
    /// Print a summary as one JSON object instead of the log-densities
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Outcome {
    points: usize,
    /// `null` if a density is 0.
    mean_log_density: f64,
    /// Points that single precision does not reach, with a density of 0.
    unreachable: usize,
    #[serde(serialize_with = "path_text::serialize_option")]
    out: Option<PathBuf>,
    #[serde(serialize_with = "path_text::serialize")]
    checkpoint: PathBuf,
}

#[derive(Serialize)]
struct Integral {
    integral: f64,
    half_side: f32,
    cells: usize,
    #[serde(serialize_with = "path_text::serialize")]
    checkpoint: PathBuf,
}

/// The window of the integral, in standardised units: a flow has hardly any mass outside.
const INTEGRAL_WINDOW: Window = Window { half_side: 8.0 };
const INTEGRAL_CELLS: usize = 500;

impl DensityOf {
    /// Evaluates.
    ///
    /// # Errors
    /// If the checkpoint or the points cannot be read or do not fit each other, or a file cannot be written.
    pub fn run(self) -> Result<()> {
        let existing = self.overwrite.existing();
        let checkpoint = self.chosen.file(&ProcessGroup::alone())?;
        let table_kind = self.out.as_deref().map(FileKind::of_output).transpose()?;
        if let (Some(out), Some(points)) = (&self.out, &self.points) {
            output::check_all(&[out], &[points, &checkpoint], existing)?;
        }
        let device = self.compute.device()?;
        let mut progress = Progress::new();
        let read = load(&checkpoint, self.chosen.weights, &device, &mut progress)?;
        ensure!(
            matches!(read.description.kind, DataKind::Points(_)),
            "{} is a model of images; `train evaluate` measures those",
            checkpoint.display()
        );
        let (ready, _) = ready(read, &mut progress)?;
        let mut model = ArrayModel::new(ready, device.clone());
        if self.exact {
            model.log_det = LogDetConfig::exact();
        }
        model.known = self.condition.known(model.model(), model.data(), self.points.as_deref(), &device)?;
        let Some(path) = &self.points else {
            self.table.ensure_unused("no table is given")?;
            let rounds = (INTEGRAL_CELLS * INTEGRAL_CELLS).div_ceil(density::BATCH);
            let work = Work::layers(model.monitor(), &Costs::forward(model.model()), rounds);
            let stage = progress.stage("integrating the density", work);
            let known = model.known.as_ref().map(|known| known.narrow(0, 1));
            let density = Density::new(model.model(), &model.log_det, &device).given(known);
            let integral = self.integrate(&density, &checkpoint);
            drop(stage);
            return integral;
        };

        let (points, notes) = model.read(path, &self.table)?;
        notes.iter().for_each(note);
        let work = Work::layers(model.monitor(), &Costs::forward(model.model()), model.batches(points.len()));
        let stage = progress.stage(format!("scoring {} points", points.len()), work);
        let densities = model.log_densities(&points).with_context(|| path.display().to_string())?;
        drop((stage, progress));
        if let Some(text) = densities.warning() {
            note(format_args!("warning: {}: {text}", path.display()));
        }
        let unreachable = densities.unreachable;
        let mean = densities.total.iter().sum::<f64>() / densities.total.len() as f64;
        let table = Points::new(1, densities.total).named(vec!["log_density".into()]);
        if let (Some(out), Some(kind)) = (&self.out, table_kind) {
            table.write(out, kind, existing)?;
        }
        let outcome = Outcome { points: table.len(), mean_log_density: mean, unreachable, out: self.out, checkpoint };
        report(self.json, &outcome, || match &outcome.out {
            Some(out) => format!("log-densities of {} points in {}, mean {mean:.4} nats", outcome.points, out.display()),
            None => table.to_csv().trim_end().into(),
        })
    }

    fn integrate(&self, density: &Density, checkpoint: &Path) -> Result<()> {
        let dimensions = density.dimensions();
        ensure!(dimensions == 2, "only densities of 2 dimensions are integrated, this one has {dimensions}");
        let integral = density.integral(&INTEGRAL_WINDOW, INTEGRAL_CELLS)?;
        let half_side = INTEGRAL_WINDOW.half_side;
        let outcome = Integral { integral, half_side, cells: INTEGRAL_CELLS, checkpoint: checkpoint.into() };
        report(self.json, &outcome, || {
            format!(
                "the density integrates to {integral:.5} over [-{half_side}, {half_side}]² in standardised coordinates \
                 ({INTEGRAL_CELLS}x{INTEGRAL_CELLS} fields, midpoint rule)"
            )
        })
    }
}
