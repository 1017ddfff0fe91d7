//! A checkpoint's model for arrays: inputs checked, latents, reconstructions and log-densities batch by batch.

use crate::config::DataConfig;
use crate::data::kind::{DataKind, Named, PointKind};
use crate::data::table::{self, TableChoice};
use crate::scoring::arrays::{self, Array};
use crate::scoring::samples;
use crate::scoring::score::{self, Scorer, Scores};
use crate::scoring::weights::Ready;
use crate::training::parallel::ProcessGroup;
use anyhow::{Context, Result, bail, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use datasets::points::Points;
use residual_flows::training::noise;
use residual_flows::{Context as Known, LogDetConfig, Monitor, ResidualFlow, bits_per_dim};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// A model, and how it is used.
#[derive(Clone)]
pub struct ArrayModel {
    model: ResidualFlow,
    monitor: Monitor,
    device: Device,
    kind: DataKind,
    /// The settings of the training data.
    data: DataConfig,
    /// Samples at a time.
    pub batch: usize,
    /// How log-determinants are computed.
    pub log_det: LogDetConfig,
    /// Decides the estimators' noise.
    pub seed: u64,
    /// What is known about the samples, one for all or one for each.
    pub known: Option<Known>,
}

/// What a model is applied to, or gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs<'a> {
    /// Images in `[0, 1]`.
    Images {
        /// `[n, channels, height, width]`
        shape: Vec<usize>,
        /// The pixels, row-major.
        values: Cow<'a, [f32]>,
    },
    /// Points in their own units.
    Points(Points),
}

/// Log-densities of images in `[0, 1]`, or of points in their own units, nats.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogDensities {
    /// `ln p(x)` of each sample.
    pub total: Vec<f64>,
    /// `ln p(z)` of each.
    pub log_pz: Vec<f64>,
    /// `ln|det ∂z/∂x|` of each.
    pub log_det: Vec<f64>,
    /// `ln q(u)` of each one's padding, which `ln p(x)` is reduced by; `None` without padding.
    pub log_padding: Option<Vec<f64>>,
    /// Points so far away that single precision does not reach them; their density is 0.
    pub unreachable: usize,
}

impl LogDensities {
    /// That densities are 0, if some are.
    pub fn warning(&self) -> Option<String> {
        let (far, n) = (self.unreachable, self.total.len());
        let text =
            "points are so far from the training points that single precision does not reach them; their log-density is -inf";
        (far > 0).then(|| format!("{far} of {n} {text}"))
    }
}

impl Inputs<'_> {
    /// Images that are their own.
    fn of_images(Array { shape, values }: Array) -> Self {
        Self::Images { shape, values: values.into() }
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Images { shape, .. } => shape.first().copied().unwrap_or(0),
            Self::Points(points) => points.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ArrayModel {
    /// Of a checkpoint that was read.
    pub fn new(ready: Ready, device: Device) -> Self {
        let Ready { model, description } = ready;
        let (kind, config) = (description.kind, description.config);
        let (batch, log_det, seed) = (config.run.eval_batch_size, config.log_det.eval, config.run.seed);
        let (mut model, monitor) = (model, Monitor::new(Arc::default()));
        model.set_monitor(&monitor);
        Self { model, monitor, device, kind, data: config.data, batch, log_det, seed, known: None }
    }

    /// The settings of the training data.
    pub fn data(&self) -> &DataConfig {
        &self.data
    }

    /// The model of some samples, given what is known about them.
    fn given(&self, first: usize, count: usize) -> Result<Cow<'_, ResidualFlow>> {
        let all = self.known.as_ref().map_or(1, Known::count);
        ensure!(all == 1 || all >= first + count, "{all} rows say what is known about the samples, and there are more of them");
        let known = self.known.as_ref().map(|known| known.of_samples(first, count));
        Ok(self.model.given_if_known(known.as_ref())?)
    }

    /// The model itself.
    pub fn model(&self) -> &ResidualFlow {
        &self.model
    }

    /// What sees the layers that the model passes.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// The same with another monitor, of which the first knows nothing.
    pub fn followed_by(&self, monitor: &Monitor) -> Self {
        let mut followed = Self { monitor: monitor.clone(), ..self.clone() };
        followed.model.set_monitor(monitor);
        followed
    }

    /// Batches of this many samples.
    pub fn batches(&self, samples: usize) -> usize {
        samples.div_ceil(self.batch.max(1))
    }

    /// What it is a density of.
    pub fn kind(&self) -> &DataKind {
        &self.kind
    }

    /// Number of dimensions of samples.
    pub fn dimensions(&self) -> usize {
        self.model.dimensions()
    }

    /// What a mean log-density amounts to, under its key: bits per dimension of images, nats of points.
    pub fn loss(&self, log_prob: f64) -> Named<f64> {
        match self.kind {
            DataKind::Images { levels, .. } => Named::new("bits_per_dim", bits_per_dim(log_prob, self.dimensions(), levels)),
            DataKind::Points(_) => Named::new("nll_nats", -log_prob),
        }
    }

    /// Number of classes; 0 without a classifier.
    pub fn classes(&self) -> usize {
        self.model.classifier().map_or(0, |classifier| classifier.output.bias.dims()[0])
    }

    /// Reads what the model is applied to: images from a `.npy` file, points from that or a table, with their columns in the
    /// model's order. Also what was read of a table, a line each.
    ///
    /// # Errors
    /// If the file cannot be read, or does not fit the model.
    pub fn read(&self, path: &Path, choice: &TableChoice) -> Result<(Inputs<'static>, Vec<String>)> {
        let is_array = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"));
        match &self.kind {
            DataKind::Images { .. } => choice.ensure_unused("this is a model of images")?,
            DataKind::Points(_) if is_array => choice.ensure_unused("the input is an array")?,
            DataKind::Points(_) => {}
        }
        Ok(match &self.kind {
            DataKind::Points(kind) if !is_array => {
                let (points, mut notes) = table::read_for(kind, &self.data, path, &choice.options(&self.data, path))?;
                notes.extend(kind.undisturbed_note());
                (Inputs::Points(points), notes)
            }
            DataKind::Points(kind) => {
                let Array { shape, values } = arrays::read::<f64>(path)?;
                let fits = matches!(shape[..], [n, d] | [n, d, 1, 1] if n > 0 && d == self.dimensions());
                ensure!(fits, "{}: the shape is {shape:?}, expected [n, {}]", path.display(), self.dimensions());
                (Inputs::Points(kind.table(values)), kind.undisturbed_note().into_iter().collect())
            }
            DataKind::Images { .. } => (Inputs::of_images(arrays::read(path)?), Vec::new()),
        })
    }

    /// Samples to latents `[n, dimensions]`. Padding is random unless images have it.
    ///
    /// # Errors
    /// If the samples have another shape, images are not between 0 and 1, or a latent is not finite.
    pub fn encode(&self, inputs: &Inputs) -> Result<Array> {
        let mut values = Vec::new();
        self.for_batches(inputs, |index, batch| {
            let first = values.len() / self.model.latent_dimensions();
            let given = self.given(first, batch.dims()[0])?;
            let encode = |x| Ok(given.encode(self.padded(x, index)?).map_err(|error| error.in_batch_from(first))?);
            values.extend(score::map(batch, encode)?);
            Ok(())
        })?;
        let d = self.model.latent_dimensions();
        ensure_finite(&values, d, "its latent", "it is too far from the others for single precision, or the model is broken")?;
        Ok(Array { shape: vec![inputs.len(), d], values })
    }

    /// Samples with their padding, if the model has any.
    fn padded(&self, images: Tensor<4>, batch: usize) -> Result<Tensor<4>> {
        Ok(self.model.pad(images, &mut noise::evaluation(self.seed, batch).stream(u64::MAX))?.input)
    }

    /// Logits `[n, classes]` of images.
    ///
    /// # Errors
    /// As [`Self::encode`], or if the model has no classifier.
    pub fn logits(&self, inputs: &Inputs) -> Result<Array> {
        let mut values = Vec::new();
        self.for_batches(inputs, |index, batch| {
            let first = values.len() / self.classes().max(1);
            let given = self.given(first, batch.dims()[0])?;
            values.extend(to_vec(given.logits(self.padded(batch, index)?)?)?);
            Ok(())
        })?;
        ensure_finite(&values, self.classes(), "a logit of it", "the model is numerically broken")?;
        Ok(Array { shape: vec![inputs.len(), self.classes()], values })
    }

    /// Latents `[n, dimensions]` to images, or to points in their own units.
    ///
    /// # Errors
    /// If the latents have another shape, an inverse does not converge, or a result is not finite.
    pub fn decode(&self, latents: &Array) -> Result<Inputs<'static>> {
        let d = self.model.latent_dimensions();
        let fits = matches!(latents.shape[..], [n, dimensions] if n > 0 && dimensions == d);
        ensure!(fits, "latents have shape {:?}, expected [n, {d}]", latents.shape);
        let mut values = Vec::new();
        for batch in latents.values.chunks(d.saturating_mul(self.batch)) {
            let first = values.len() / self.dimensions();
            let latents = tensor([batch.len() / d, d], batch, &self.device);
            let decoded = self.given(first, batch.len() / d)?.decode(latents).map_err(|error| error.in_batch_from(first))?;
            values.extend(to_vec(self.model.unpad(decoded))?);
        }
        Ok(self.outputs(values))
    }

    /// Samples: see [`samples::draw`].
    ///
    /// # Errors
    /// If an inverse does not converge, or a result is not finite.
    pub fn sample(&self, n: usize, temperature: f64, seed: u64) -> Result<Inputs<'static>> {
        let known = self.known.as_ref().map(|known| known.repeated(n));
        let latents = samples::latents(&self.model, known.as_ref(), n, temperature, seed, &self.device)?;
        Ok(self.outputs(to_vec(samples::draw(&self.model, known.as_ref(), latents, &ProcessGroup::alone())?)?))
    }

    /// What the model gives, from its own coordinates.
    fn outputs(&self, values: Vec<f32>) -> Inputs<'static> {
        match &self.kind {
            DataKind::Images { .. } => {
                let shape = [&[values.len() / self.dimensions()], &self.model.image_shape()[..]].concat();
                Inputs::of_images(Array { shape, values })
            }
            DataKind::Points(kind) => Inputs::Points(kind.table(kind.standardization.invert(&values))),
        }
    }

    /// Log-densities.
    ///
    /// # Errors
    /// If the samples have another shape or range, a log-determinant cannot be computed, or a number is not finite (but for
    /// densities of 0).
    pub fn log_densities(&self, inputs: &Inputs) -> Result<LogDensities> {
        let (values, shape) = self.values(inputs)?;
        self.given(0, inputs.len())?;
        let Self { model, log_det, device, batch, seed, .. } = self;
        let scores =
            Scorer { model, log_det, device, batch: *batch, seed: *seed, known: self.known.as_ref() }.scores(&values, shape)?;
        // From the density of standardised points to that of points in their own units.
        let unit = if let DataKind::Points(kind) = &self.kind { kind.standardization.log_scale() } else { 0.0 };
        let total = scores.log_prob().map(|log_prob| log_prob - unit).collect();
        let Scores { log_pz, log_det, log_padding, unreachable } = scores;
        let is_padded = self.model.latent_dimensions() > self.dimensions();
        Ok(LogDensities {
            total,
            log_pz,
            log_det: log_det.into_iter().map(|log_det| log_det - unit).collect(),
            log_padding: is_padded.then_some(log_padding),
            unreachable,
        })
    }

    /// The samples in the model's coordinates, checked, with the shape of one.
    fn values<'a>(&self, inputs: &'a Inputs) -> Result<(Cow<'a, [f32]>, [usize; 3])> {
        match (inputs, &self.kind) {
            (Inputs::Points(points), DataKind::Points(PointKind { standardization, .. })) => {
                let (found, expected) = (points.dimensions(), self.dimensions());
                ensure!(found == expected, "points have {found} columns, expected {expected}");
                Ok((standardization.apply(points.values()).into(), self.model.image_shape()))
            }
            (Inputs::Images { shape, values }, DataKind::Images { .. }) => {
                Ok((Cow::Borrowed(values), self.image_shape(shape, values)?))
            }
            _ => bail!("a model of {} was given something else", self.kind.noun()),
        }
    }

    /// The shape of images, which may have their padding, after checking it and their range.
    fn image_shape(&self, found: &[usize], values: &[f32]) -> Result<[usize; 3]> {
        let shapes = [self.model.image_shape(), self.model.input_shape()];
        let Some(shape) = shapes.into_iter().find(|shape| found.get(1..) == Some(shape)) else {
            let [channels, height, width] = shapes[0];
            bail!("the shape is {found:?}, expected [n, {channels}, {height}, {width}]");
        };
        ensure!(found[0] > 0, "there is nothing in it: the shape is {found:?}");
        if let Some(at) = values.iter().position(|value| !(0.0..=1.0).contains(value)) {
            let value = values[at];
            bail!("element {at} is {value}, but dequantised images are between 0 and 1: (pixel + noise) / levels");
        }
        Ok(shape)
    }

    /// Runs over the samples, a batch at a time.
    fn for_batches(&self, inputs: &Inputs, mut run: impl FnMut(usize, Tensor<4>) -> Result<()>) -> Result<()> {
        let (values, [c, h, w]) = self.values(inputs)?;
        let size = c * h * w;
        let mut batches = values.chunks(size.saturating_mul(self.batch)).enumerate();
        batches.try_for_each(|(index, batch)| run(index, tensor([batch.len() / size, c, h, w], batch, &self.device)))
    }
}

/// Refuses results that are not finite.
fn ensure_finite(values: &[f32], width: usize, what: &str, why: &str) -> Result<()> {
    let Some(at) = values.iter().position(|value| !value.is_finite()) else { return Ok(()) };
    bail!("row {} (counted from 0): {what} is {}: {why}", at / width.max(1), values[at])
}

fn tensor<const D: usize>(shape: [usize; D], values: &[f32], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

fn to_vec<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().context("cannot read a result from the device")
}
