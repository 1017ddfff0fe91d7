//! Test images, what the inverse makes of their latents, and samples.

use crate::config::RunConfig;
use crate::data::{DataSet, tensor};
use crate::{noise, picture};
use anyhow::Result;
use burn::tensor::{Device, Tensor};
use datasets::BatchSource;
use residual_flows::{ResidualFlow, gaussian};
use std::path::Path;

/// Images, and as many latents.
pub struct ImageShowcase {
    images: Tensor<4>,
    latents: Tensor<2>,
}

impl ImageShowcase {
    /// With the first test images.
    pub(super) fn new(run: &RunConfig, test: &DataSet, device: &Device) -> Result<Self> {
        let shown = tensor(test.batches.eval_batch(0)?, device);
        let [available, c, h, w] = shown.dims();
        let n = run.n_samples.min(available);
        let latents = gaussian([n, c * h * w], &mut noise::samples(run.seed).stream(0), device);
        Ok(Self { images: shown.narrow(0, 0, n), latents })
    }

    /// Draws images, reconstructions and samples, from top to bottom.
    pub(super) fn draw(&self, model: &ResidualFlow, path: &Path) -> Result<Vec<String>> {
        let reconstructed = model.decode(model.encode(self.images.clone())?);
        let sampled = model.decode(self.latents.clone());
        let mut sections = vec![self.images.clone()];
        let mut missing = Vec::new();
        for (what, result) in [("reconstructions", reconstructed), ("samples", sampled)] {
            match result {
                Ok(images) => sections.push(images),
                Err(error) => missing.push(format!("no {what} in {}: {error}", path.display())),
            }
        }
        picture::write(path, sections)?;
        Ok(missing)
    }
}
