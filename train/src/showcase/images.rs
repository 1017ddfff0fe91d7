//! Test images, what the inverse makes of their latents, and samples.

use crate::config::RunConfig;
use crate::data::{DataSet, tensor};
use crate::{noise, picture};
use anyhow::Result;
use burn::tensor::{Device, Tensor};
use datasets::BatchSource;
use datasets::output::Existing;
use residual_flows::{ResidualFlow, gaussian};
use std::path::Path;

/// Images, and the seed of as many samples.
pub struct ImageShowcase {
    images: Tensor<4>,
    seed: u64,
}

impl ImageShowcase {
    /// With the first test images.
    pub(super) fn new(run: &RunConfig, test: &DataSet, device: &Device) -> Result<Self> {
        let shown = tensor(test.batches.eval_batch(0)?, device);
        let n = run.n_samples.min(shown.dims()[0]);
        Ok(Self { images: shown.narrow(0, 0, n), seed: run.seed })
    }

    /// Draws images, reconstructions and samples, from top to bottom.
    pub(super) fn draw(&self, model: &ResidualFlow, path: &Path) -> Result<Vec<String>> {
        let (noise, n, device) = (noise::samples(self.seed), self.images.dims()[0], self.images.device());
        let padded = model.pad(self.images.clone(), &mut noise.stream(1))?;
        let latents = gaussian([n, model.latent_dimensions()], &mut noise.stream(0), &device);
        let decode = |z| model.decode(z).map(|x| model.unpad(x));
        let (reconstructed, sampled) = (decode(model.encode(padded.input)?), decode(latents));
        let mut sections = vec![self.images.clone()];
        let mut missing = Vec::new();
        for (what, result) in [("reconstructions", reconstructed), ("samples", sampled)] {
            match result {
                Ok(images) => sections.push(images),
                Err(error) => missing.push(format!("no {what} in {}: {error}", path.display())),
            }
        }
        picture::write(path, Existing::Own, sections)?;
        Ok(missing)
    }
}
