//! The images of an experiment.

use crate::config::{Config, Source};
use anyhow::{Context, Result, bail};
use burn::tensor::{Device, Tensor, TensorData};
use datasets::{Batch, BatchConfig, Batcher, ImageDataset, ImageShape, Split};
use std::sync::Arc;

/// Batches ahead of the model that a background thread prepares.
pub const PREFETCH_DEPTH: usize = 4;

/// Batches of a split, in training with `optim.batch_size`, else with `run.eval_batch_size` images.
///
/// # Errors
/// If the data set cannot be read, or does not fit the configuration.
pub fn open(config: &Config, source: &Source, split: Split) -> Result<Batcher> {
    let data = &config.data;
    let dataset = ImageDataset::open(&data.path, split).with_context(|| source.place("data.path"))?;
    let found = image_shape(dataset.shape());
    if let Some(shape) = data.shape
        && shape != found
    {
        let (place, path) = (source.place("data.shape"), data.path.display());
        bail!(
            "{place}: `data.shape` is {shape:?}, but the {split} images in {path} have the shape {found:?}; correct one of them"
        );
    }
    if let Some(levels) = data.levels
        && levels > dataset.levels()
    {
        let (place, path, most) = (source.place("data.levels"), data.path.display(), dataset.levels());
        bail!("{place}: `data.levels` is {levels}, but the {split} images in {path} have {most}; lower it or leave it out");
    }
    config.validate_architecture(found, source)?;
    let training = split == Split::Train;
    let batch_size = if training { config.optim.batch_size } else { config.run.eval_batch_size };
    if training && dataset.len() < batch_size {
        let (place, path, n) = (source.place("optim.batch_size"), data.path.display(), dataset.len());
        bail!("{place}: `optim.batch_size` is {batch_size}, but {path} has only {n} training images; lower it");
    }
    let batches = BatchConfig {
        batch_size,
        seed: config.run.seed,
        horizontal_flip: data.flip,
        crop: data.crop,
        levels: data.levels,
        dequantization: data.dequantization,
        drop_last: true,
    };
    Batcher::new(Arc::new(dataset), batches).with_context(|| source.place("data"))
}

/// `[channels, height, width]`
pub fn image_shape(shape: ImageShape) -> [usize; 3] {
    [shape.channels, shape.height, shape.width]
}

/// The batch's images as a tensor.
pub fn tensor(batch: Batch, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(batch.pixels, batch.shape), device)
}
