//! The pictures of a run: data beside what the model makes of them.

mod images;
mod points;

use crate::config::Config;
use crate::data::DataSet;
use crate::data_kind::DataKind;
use crate::memory::{Phase, during};
use anyhow::Result;
use burn::tensor::Device;
use images::ImageShowcase;
use points::PointShowcase;
use residual_flows::ResidualFlow;
use std::path::Path;

/// What every picture of a run shows the same of: its data, and the latents of its samples.
pub enum Showcase {
    /// Images, their reconstructions, and samples.
    Images(ImageShowcase),
    /// Points, the model's density, and samples.
    Points(PointShowcase),
}

impl Showcase {
    /// With `run.n_samples` of the test data, and as many samples; none for points of one dimension.
    ///
    /// # Errors
    /// If the test data cannot be read.
    pub fn new(config: &Config, test: &DataSet, device: &Device) -> Result<Option<Self>> {
        Ok(match test.kind {
            DataKind::Images { .. } => Some(Self::Images(ImageShowcase::new(&config.run, test, device)?)),
            DataKind::Points(_) if test.shape()[0] < 2 => None,
            DataKind::Points(_) => Some(Self::Points(PointShowcase::new(config, test, device)?)),
        })
    }

    /// Draws a PNG file.
    ///
    /// An inverse that does not converge leaves its part out; what could not be drawn is returned.
    ///
    /// # Errors
    /// If the file cannot be written, or the data do not fit the model.
    pub fn draw(&self, model: &ResidualFlow, path: &Path) -> Result<Vec<String>> {
        during(Phase::Drawing, || match self {
            Self::Images(showcase) => showcase.draw(model, path),
            Self::Points(showcase) => showcase.draw(model, path),
        })
    }
}
