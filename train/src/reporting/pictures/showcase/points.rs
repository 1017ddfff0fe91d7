//! Points as the paper shows them: data, the model's density, and samples, side by side.

use super::Lacks;
use crate::config::Config;
use crate::data::{DataSet, tensor};
use crate::reporting::pictures::heat_map::{HeatMap, write_side_by_side};
use crate::scoring::density::{Density, Window};
use crate::training::noise;
use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor};
use datasets::BatchSource;
use residual_flows::{LogDetConfig, ModelError, ResidualFlow, gaussian};
use std::path::Path;

/// Cells a side in the picture of a density.
const DENSITY_CELLS: usize = 128;
/// Cells a side in which points are counted.
const COUNT_CELLS: usize = 64;

/// A panel with the data, and the latents of samples. Of points with more than two dimensions the first two are shown, and
/// no density.
pub struct PointShowcase {
    data: HeatMap,
    latents: Tensor<2>,
    log_det: LogDetConfig,
}

impl PointShowcase {
    /// With all test points, of at least two dimensions.
    pub(super) fn new(config: &Config, test: &DataSet, device: &Device) -> Result<Self> {
        let dimensions = test.shape()[0];
        let mut data = HeatMap::new(COUNT_CELLS);
        for index in 0..test.batches.eval_batches() {
            count(&mut data, tensor(test.batches.eval_batch(index)?, device))?;
        }
        let rng = &mut noise::samples(config.run.seed).stream(0);
        let latents = gaussian([config.run.n_samples, dimensions], rng, device);
        Ok(Self { data, latents, log_det: config.log_det.eval.clone() })
    }

    pub(super) fn draw(&self, model: &ResidualFlow, path: &Path) -> Result<Lacks> {
        let mut panels = vec![self.data.clone()];
        if model.dimensions() == 2 {
            let density = Density::new(model, &self.log_det, &self.latents.device());
            panels.push(HeatMap::of(density.on_grid(&Window::default(), DENSITY_CELLS)?));
        }
        let mut lacks = Lacks::default();
        match model.decode(self.latents.clone()) {
            Ok(samples) => {
                let mut counted = HeatMap::new(COUNT_CELLS);
                count(&mut counted, samples)?;
                panels.push(counted);
            }
            Err(ModelError::Interrupted) => return Err(ModelError::Interrupted.into()),
            Err(error) => lacks.failed.push(format!("no samples in {}: {error}", path.display())),
        }
        write_side_by_side(path, &panels)?;
        Ok(lacks)
    }
}

/// Counts points by their first two coordinates.
fn count(map: &mut HeatMap, points: Tensor<4>) -> Result<()> {
    let dimensions = points.dims()[1];
    let values = points.try_into_vec_as::<f32>().context("cannot read points from the device")?;
    values.chunks_exact(dimensions).for_each(|point| map.count(&Window::default(), [point[0], point[1]]));
    Ok(())
}
