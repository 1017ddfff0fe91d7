//! Points: of one column histograms and the model's density; on the plane data, density, and samples, side by side, as the paper
//! shows them; of more columns every pair of them.

use super::Lacks;
use crate::config::Config;
use crate::data::kind::{DataKind, PointKind};
use crate::data::{DataSet, tensor};
use crate::reporting::pictures::axis::Axis;
use crate::reporting::pictures::density_curve::DensityCurve;
use crate::reporting::pictures::heat_map::HeatMap;
use crate::reporting::pictures::pair_plot::{self, Columns};
use crate::reporting::pictures::panel::{self, Panel};
use crate::scoring::density::{Density, Window};
use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor};
use datasets::BatchSource;
use datasets::points::Standardization;
use residual_flows::training::{Samples, noise};
use residual_flows::{Context as Known, LogDetConfig, ModelError, ResidualFlow};
use std::path::Path;

/// Cells a side in the picture of a density.
const DENSITY_CELLS: usize = 128;
/// Conditions over which the picture of a density is a mean.
const CONDITIONS: usize = 16;
/// Cells a side in which points are counted.
const COUNT_CELLS: usize = 64;

/// The data, and the seed of samples.
pub struct PointShowcase {
    data: Shown,
    names: Vec<String>,
    standardization: Standardization,
    n_samples: usize,
    /// The first test points, for what is known about them.
    first: Samples,
    seed: u64,
    log_det: LogDetConfig,
    device: Device,
}

/// Places at which the density of a single column is drawn.
const CURVE_POINTS: usize = 400;

/// Points as they are shown.
enum Shown {
    /// On a line, in the column's own units.
    Line(Vec<f64>),
    /// Counted on the plane: the map, and how many lie outside of it.
    Plane(HeatMap, usize),
    /// Columns of a table.
    Table(Columns),
}

impl PointShowcase {
    /// With all test points.
    pub(super) fn new(config: &Config, test: &DataSet, device: &Device) -> Result<Self> {
        let dimensions = test.shape()[0];
        let kind = match &test.kind {
            DataKind::Points(kind) => kind.clone(),
            DataKind::Images { .. } => PointKind::unnamed(Standardization::identity(dimensions)),
        };
        let mut values = Vec::new();
        for index in 0..test.batches.eval_batches() {
            values.extend(numbers(tensor(test.batches.eval_batch(index)?, device))?);
        }
        let numbered = || (1..=dimensions).map(|n| format!("x{n}")).collect();
        let names = kind.columns.clone().unwrap_or_else(numbered);
        let data = shown(&values, dimensions, &kind.standardization);
        let (n_samples, seed, log_det) = (config.run.n_samples, config.run.seed, config.log_det.eval.clone());
        let first = test.samples(test.batches.eval_batch(0)?, device);
        let standardization = kind.standardization;
        Ok(Self { data, names, standardization, n_samples, first, seed, log_det, device: device.clone() })
    }

    pub(super) fn draw(&self, model: &ResidualFlow, path: &Path) -> Result<Lacks> {
        let mut lacks = Lacks::default();
        let rng = &mut noise::samples(self.seed).stream(0);
        let known = self.first.known(model)?;
        let of_samples = known.as_ref().map(|known| known.repeated(self.n_samples));
        let samples = match model.given_if_known(of_samples.as_ref())?.sample(self.n_samples, 1.0, rng, &self.device) {
            Ok(samples) => Some(shown(&numbers(samples)?, self.names.len(), &self.standardization)),
            Err(ModelError::Interrupted) => return Err(ModelError::Interrupted.into()),
            Err(error) => {
                lacks.failed.push(format!("no samples in {}: {error}", path.display()));
                None
            }
        };
        match (&self.data, &samples) {
            (Shown::Table(data), Some(Shown::Table(samples))) => {
                pair_plot::write(path, &self.names, &self.standardization, data, Some(samples))?
            }
            (Shown::Table(data), _) => pair_plot::write(path, &self.names, &self.standardization, data, None)?,
            (Shown::Line(data), samples) => {
                let samples = if let Some(Shown::Line(samples)) = samples { Some(samples.as_slice()) } else { None };
                // The axis reaches as far as on the plane.
                let density = self.density(model, known.as_ref(), |density| density.on_line(&Window::default(), CURVE_POINTS))?;
                let density: Vec<f64> = density.into_iter().map(|density| density / self.standardization.std[0]).collect();
                DensityCurve { axis: self.axis(0), data, samples, density: &density }.write(path)?
            }
            (data, samples) => {
                let density =
                    self.density(model, known.as_ref(), |density| density.on_grid(&Window::default(), DENSITY_CELLS))?;
                let density = HeatMap::of(density);
                let mut panels: Vec<Panel> = self.panel("held-out points", data).into_iter().collect();
                panels.extend(self.panel("density", &Shown::Plane(density, 0)));
                panels.extend(samples.as_ref().and_then(|samples| self.panel("samples", samples)));
                panel::write(path, &panels)?;
            }
        }
        Ok(lacks)
    }

    /// As a picture has it; of a conditional model the mean over what is known about some test points.
    fn density(
        &self,
        model: &ResidualFlow,
        known: Option<&Known>,
        of: impl Fn(&Density) -> Result<Vec<f64>>,
    ) -> Result<Vec<f64>> {
        let given = |known: Option<Known>| of(&Density::new(model, &self.log_det, &self.device).given(known));
        let Some(known) = known else { return given(None) };
        let n = known.count().min(CONDITIONS);
        let mut mean = Vec::new();
        for condition in 0..n {
            let density = given(Some(known.narrow(condition, 1)))?;
            mean.resize(density.len(), 0.0);
            mean.iter_mut().zip(density).for_each(|(mean, density)| *mean += density / n as f64);
        }
        Ok(mean)
    }

    fn axis(&self, index: usize) -> Axis {
        let half_side = f64::from(Window::default().half_side);
        let (mean, std) = (self.standardization.mean[index], self.standardization.std[index]);
        Axis::new(self.names[index].clone(), mean - half_side * std, mean + half_side * std)
    }

    /// Of the plane, with axes in the columns' own units.
    fn panel(&self, title: &str, shown: &Shown) -> Option<Panel> {
        let Shown::Plane(map, outside) = shown else { return None };
        let title = match outside {
            0 => title.to_string(),
            outside => format!("{title} ({outside} outside)"),
        };
        Some(Panel { title, x: self.axis(0), y: self.axis(1), map: map.clone() })
    }
}

/// Standardised points, row by row: on the plane counted, else in their own units.
fn shown(values: &[f32], dimensions: usize, standardization: &Standardization) -> Shown {
    match dimensions {
        1 => return Shown::Line(standardization.invert(values)),
        2 => {}
        _ => return Shown::Table(Columns::of(&standardization.invert(values), dimensions)),
    }
    let (mut map, window, mut outside) = (HeatMap::new(COUNT_CELLS), Window::default(), 0);
    for point in values.chunks_exact(2) {
        outside += usize::from(!map.count(&window, [point[0], point[1]]));
    }
    Shown::Plane(map, outside)
}

fn numbers(points: Tensor<4>) -> Result<Vec<f32>> {
    points.try_into_vec_as::<f32>().context("cannot read points from the device")
}
