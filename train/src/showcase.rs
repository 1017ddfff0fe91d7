//! The pictures of a run: real images, what the inverse makes of their latents, and samples.

use crate::{noise, picture};
use anyhow::Result;
use burn::tensor::{Device, Tensor};
use residual_flows::{ResidualFlow, gaussian};
use std::path::Path;

/// What every picture of a run shows the same of: its images, and the latents of its samples.
pub struct Showcase {
    images: Tensor<4>,
    latents: Tensor<2>,
}

impl Showcase {
    /// With these images, and as many samples.
    pub fn new(images: Tensor<4>, seed: u64, device: &Device) -> Self {
        let [n, c, h, w] = images.dims();
        let latents = gaussian([n, c * h * w], &mut noise::samples(seed).stream(0), device);
        Self { images, latents }
    }

    /// Draws images, reconstructions and samples, from top to bottom, into a PNG file.
    ///
    /// An inverse that does not converge leaves its section out; what could not be drawn is returned.
    ///
    /// # Errors
    /// If the file cannot be written, or the images do not fit the model.
    pub fn draw(&self, model: &ResidualFlow, path: &Path) -> Result<Vec<String>> {
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
