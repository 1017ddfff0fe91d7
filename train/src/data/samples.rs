//! A batch of samples on the device.

use anyhow::{Context, Result};
use burn::tensor::Tensor;

/// A batch on the device.
#[derive(Clone)]
pub struct Samples {
    /// `[batch, channels, height, width]`
    pub x: Tensor<4>,
    /// The class of each sample, in sets with classes.
    pub labels: Option<Vec<u32>>,
}

impl Samples {
    /// How many.
    pub fn count(&self) -> usize {
        self.x.dims()[0]
    }

    /// The classes.
    ///
    /// # Errors
    /// If the set has none.
    pub fn labels(&self) -> Result<&[u32]> {
        self.labels.as_deref().context("the task needs classes, but the data have none")
    }
}
