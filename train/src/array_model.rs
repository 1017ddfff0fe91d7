//! A checkpoint's model for arrays: inputs checked, latents, reconstructions and log-densities batch by batch.

use crate::arrays::Array;
use crate::checkpoint::{self, Checkpoint};
use crate::data_kind::{DataKind, Named};
use crate::noise;
use anyhow::{Context, Result, bail, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use clap::ValueEnum;
use residual_flows::{LogDetConfig, LogDetContext, ResidualFlow, bits_per_dim};
use serde::Serialize;
use std::path::Path;

/// Which of a checkpoint's two sets of weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weights {
    /// The averaged weights, with power iterations until their Lipschitz constraint has converged
    #[default]
    Ema,
    /// The weights of the last step, with the vectors of power iteration as they were stored
    Raw,
}

/// A model, and how it is used.
pub struct ArrayModel {
    model: ResidualFlow,
    device: Device,
    kind: DataKind,
    /// Images at a time.
    pub batch: usize,
    /// How log-determinants are computed.
    pub log_det: LogDetConfig,
    /// Decides the estimators' noise.
    pub seed: u64,
}

/// Log-densities of images in `[0, 1]`, nats.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogDensities {
    /// `ln p(x)` of each image.
    pub total: Vec<f32>,
    /// `ln N(z; 0, I)` of each.
    pub log_pz: Vec<f32>,
    /// `ln|det ∂z/∂x|` of each.
    pub log_det: Vec<f32>,
}

impl ArrayModel {
    /// Of a checkpoint, ours or the research code's.
    ///
    /// # Errors
    /// As [`checkpoint::load`], and if the Lipschitz constraint of the averaged weights does not converge.
    pub fn load(path: &Path, weights: Weights, device: Device) -> Result<Self> {
        let Checkpoint { description, model, mut average, .. } = checkpoint::load(path, &device)?;
        let model = match weights {
            Weights::Raw => model,
            Weights::Ema => {
                average.converge_lipschitz().context("the averaged weights; `--weights raw` takes those of the last step")?;
                average
            }
        };
        let (kind, config) = (description.kind, description.config);
        Ok(Self { model, device, kind, batch: config.run.eval_batch_size, log_det: config.log_det.eval, seed: config.run.seed })
    }

    /// Number of dimensions of images.
    pub fn dimensions(&self) -> usize {
        self.model.dimensions()
    }

    /// What a mean log-density amounts to, under its key: bits per dimension of images, nats of points.
    pub fn loss(&self, log_prob: f64) -> Named<f64> {
        match self.kind {
            DataKind::Images { levels, .. } => Named::new("bits_per_dim", bits_per_dim(log_prob, self.dimensions(), levels)),
            DataKind::Points { .. } => Named::new("nll_nats", -log_prob),
        }
    }

    /// Number of classes; 0 without a classifier.
    pub fn classes(&self) -> usize {
        self.model.classifier.as_ref().map_or(0, |classifier| classifier.output.bias.dims()[0])
    }

    /// Images `[n, channels, height, width]`, or points `[n, dimensions]`, to latents. Padding is random unless the images have it.
    ///
    /// # Errors
    /// If the images have another shape, or are not between 0 and 1.
    pub fn encode(&self, images: &Array) -> Result<Array> {
        let mut values = Vec::new();
        self.for_images(images, |index, batch| {
            let first = values.len() / self.model.latent_dimensions();
            let latents = self.model.encode(self.padded(batch, index)?).map_err(|error| error.in_batch_from(first))?;
            values.extend(to_vec(latents)?);
            Ok(())
        })?;
        Ok(Array { shape: vec![images.shape[0], self.model.latent_dimensions()], values })
    }

    /// Images with their padding, if the model has any.
    fn padded(&self, images: Tensor<4>, batch: usize) -> Result<Tensor<4>> {
        Ok(self.model.pad(images, &mut noise::evaluation(self.seed, batch).stream(u64::MAX))?.input)
    }

    /// Logits `[n, classes]` of images.
    ///
    /// # Errors
    /// As [`Self::encode`], or if the model has no classifier.
    pub fn logits(&self, images: &Array) -> Result<Array> {
        let mut values = Vec::new();
        self.for_images(images, |index, batch| {
            values.extend(to_vec(self.model.logits(self.padded(batch, index)?)?)?);
            Ok(())
        })?;
        Ok(Array { shape: vec![images.shape[0], self.classes()], values })
    }

    /// Latents `[n, dimensions]` to images.
    ///
    /// # Errors
    /// If the latents have another shape, or an inverse does not converge.
    pub fn decode(&self, latents: &Array) -> Result<Array> {
        let d = self.model.latent_dimensions();
        let fits = matches!(latents.shape[..], [n, dimensions] if n > 0 && dimensions == d);
        ensure!(fits, "latents have shape {:?}, expected [n, {d}]", latents.shape);
        let mut values = Vec::new();
        for batch in latents.values.chunks(d.saturating_mul(self.batch)) {
            let first = values.len() / self.dimensions();
            let latents = tensor([batch.len() / d, d], batch, &self.device);
            let decoded = self.model.decode(latents).map_err(|error| error.in_batch_from(first))?;
            values.extend(to_vec(self.model.unpad(decoded))?);
        }
        let n = latents.shape[0];
        Ok(match &self.kind {
            DataKind::Images { .. } => Array { shape: [&[n], &self.model.image_shape()[..]].concat(), values },
            DataKind::Points { standardization } => {
                let values = standardization.invert(&values).into_iter().map(|value| value as f32).collect();
                Array { shape: vec![n, self.dimensions()], values }
            }
        })
    }

    /// Log-densities of images `[n, channels, height, width]`.
    ///
    /// # Errors
    /// As [`Self::encode`], or if a log-determinant cannot be computed, or a log-density is not finite.
    pub fn log_densities(&self, images: &Array) -> Result<LogDensities> {
        // From the density of standardised points to that of points in their own units.
        let unit = if let DataKind::Points { standardization } = &self.kind { standardization.log_scale() } else { 0.0 };
        let mut all = LogDensities::default();
        self.for_images(images, |index, batch| {
            let context = LogDetContext { config: &self.log_det, noise: noise::evaluation(self.seed, index) };
            let log_prob = self.model.log_prob(batch, &context)?;
            all.total.extend(to_vec(log_prob.total() - unit)?);
            all.log_pz.extend(to_vec(log_prob.log_pz)?);
            all.log_det.extend(to_vec(log_prob.log_det)?);
            Ok(())
        })?;
        match all.total.iter().position(|value| !value.is_finite()) {
            Some(at) => bail!("image {at}: its log-density is {}; the model is numerically broken", all.total[at]),
            None => Ok(all),
        }
    }

    /// Runs over the images, a batch at a time, after checking their shape and range.
    fn for_images(&self, images: &Array, mut run: impl FnMut(usize, Tensor<4>) -> Result<()>) -> Result<()> {
        let shapes = [self.model.image_shape(), self.model.input_shape()];
        let is_points = matches!(self.kind, DataKind::Points { .. });
        let fits = |shape: &[usize; 3]| match images.shape.get(1..) {
            Some(&[dimensions]) => is_points && dimensions == shape[0],
            inner => inner == Some(shape),
        };
        let Some([c, h, w]) = shapes.into_iter().find(fits) else {
            bail!("the shape is {:?}, expected [n, {:?}]", images.shape, shapes[0]);
        };
        ensure!(images.shape[0] > 0, "there is nothing in it: the shape is {:?}", images.shape);
        if let Some(at) = images.values.iter().position(|value| !is_points && !(0.0..=1.0).contains(value)) {
            let value = images.values[at];
            bail!("element {at} is {value}, but dequantised images are between 0 and 1: (pixel + noise) / levels");
        }
        let standardized = match &self.kind {
            DataKind::Images { .. } => images.values.clone(),
            DataKind::Points { standardization } => {
                standardization.apply(&images.values.iter().copied().map(f64::from).collect::<Vec<_>>())
            }
        };
        let size = c * h * w;
        let mut batches = standardized.chunks(size.saturating_mul(self.batch)).enumerate();
        batches.try_for_each(|(index, batch)| run(index, tensor([batch.len() / size, c, h, w], batch, &self.device)))
    }
}

fn tensor<const D: usize>(shape: [usize; D], values: &[f32], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

fn to_vec<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().context("cannot read a result from the device")
}
