//! The pictures of a run: data beside what the model makes of them.

mod images;
mod points;

use crate::config::Config;
use crate::data::DataSet;
use crate::data::kind::DataKind;
use crate::reporting::progress::Work;
use crate::system::memory::{Phase, during};
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

/// What a picture may take.
pub struct Budget<'a> {
    /// Seconds, after which no more images are begun; of models that draw all of them at once, none are left out.
    pub seconds: f64,
    /// Told how many images of each kind are done.
    pub told: &'a dyn Fn(u64),
}

/// What a picture lacks.
#[derive(Default)]
pub struct Lacks {
    /// What could not be computed, in words.
    pub failed: Vec<String>,
    /// What there was no time for.
    pub left_out: Option<String>,
}

impl Showcase {
    /// With `run.n_samples` of the test data, and as many samples.
    ///
    /// # Errors
    /// If the test data cannot be read.
    pub fn new(config: &Config, test: &DataSet, device: &Device) -> Result<Self> {
        Ok(match test.kind {
            DataKind::Images { .. } => Self::Images(ImageShowcase::new(&config.run, test, device)?),
            DataKind::Points(_) => Self::Points(PointShowcase::new(config, test, device)?),
        })
    }

    /// How much there is to draw.
    pub fn work(&self) -> Work {
        match self {
            Self::Images(showcase) => Work::count("images", showcase.count()),
            Self::Points(_) => Work::unknown(),
        }
    }

    /// Draws a PNG file.
    ///
    /// An inverse that does not converge leaves its part out, and images for which there is no time are blank.
    ///
    /// # Errors
    /// If the file cannot be written, the data do not fit the model, or its monitor stops it.
    pub fn draw(&self, model: &ResidualFlow, path: &Path, budget: &Budget) -> Result<Lacks> {
        during(Phase::Drawing, || match self {
            Self::Images(showcase) => showcase.draw(model, path, budget),
            Self::Points(showcase) => showcase.draw(model, path),
        })
    }
}
