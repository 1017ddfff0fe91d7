//! What [`fit`](super::fit) learns from: tensors, or batches from anywhere.

use super::error::TrainingError;
use super::noise;
use super::samples::Samples;
use burn::tensor::{Int, Tensor};
use rand::seq::SliceRandom;
use std::error::Error;

/// Training data, and those that are held out to choose the best weights by.
///
/// Points `[n, dimensions]` and images `[n, channels, height, width]` become data by [`From`]; images are numbers in `[0, 1]`,
/// dequantised.
pub struct Data {
    source: Source,
    validation: Option<Samples>,
}

enum Source {
    Samples(Box<Samples>),
    Batches { per_epoch: u64, of_epoch: OfEpoch },
}

/// The batches of an epoch.
pub type Batches = Box<dyn Iterator<Item = Result<Samples, Box<dyn Error + Send + Sync>>>>;

/// Makes the batches of an epoch, from its number.
type OfEpoch = Box<dyn FnMut(u64) -> Batches>;

impl Data {
    /// Batches as they come, this many in each epoch, which is counted from 0: augmented images, shards, streams.
    pub fn batches(per_epoch: u64, of_epoch: impl FnMut(u64) -> Batches + 'static) -> Self {
        Self { source: Source::Batches { per_epoch, of_epoch: Box::new(of_epoch) }, validation: None }
    }

    /// Holds these samples out, instead of a part of the others.
    pub fn with_validation(self, samples: impl Into<Samples>) -> Self {
        Self { validation: Some(samples.into()), ..self }
    }

    /// Training data, and validation data if there are some.
    ///
    /// # Errors
    /// If a fraction is to be held out of data of which it cannot be, or nothing is left to learn from.
    pub(super) fn split(self, fraction: f64, seed: u64) -> Result<(TrainingData, Option<Samples>), TrainingError> {
        let unusable = |expected: &str, got: String| {
            Err(TrainingError::Unusable { what: "the training data", expected: expected.into(), got })
        };
        match (self.source, self.validation) {
            (Source::Batches { per_epoch: 0, .. }, _) => unusable("at least one batch in an epoch", "none".into()),
            (source @ Source::Batches { .. }, validation) => Ok((TrainingData(source), validation)),
            (Source::Samples(samples), _) if samples.count() == 0 => unusable("at least one sample", "none".into()),
            (source, Some(validation)) => Ok((TrainingData(source), Some(validation))),
            (source, None) if fraction == 0.0 => Ok((TrainingData(source), None)),
            (Source::Samples(samples), None) => {
                let n = samples.count();
                let held_out = ((n as f64 * fraction).round() as usize).max(1);
                if held_out >= n {
                    let expected = "more samples than are held out for validation (`validation_fraction`)";
                    return unusable(expected, format!("{n}, of which {held_out} are"));
                }
                let order = permutation(n, noise::split(seed));
                let (validation, train) = order.split_at(held_out);
                let validation = selected(&samples, validation);
                Ok((TrainingData(Source::Samples(Box::new(selected(&samples, train)))), Some(validation)))
            }
        }
    }
}

impl<T: Into<Samples>> From<T> for Data {
    fn from(samples: T) -> Self {
        Self { source: Source::Samples(Box::new(samples.into())), validation: None }
    }
}

/// What is left to learn from.
pub(super) struct TrainingData(Source);

impl TrainingData {
    /// Batches in an epoch.
    pub fn batches_per_epoch(&self, batch_size: usize, drop_last: bool) -> u64 {
        match &self.0 {
            Source::Batches { per_epoch, .. } => *per_epoch,
            Source::Samples(samples) => {
                let n = samples.count();
                let batches = if drop_last { n / batch_size } else { n.div_ceil(batch_size) };
                batches.max(1) as u64
            }
        }
    }

    /// The batches of an epoch, in another order every time.
    pub fn epoch(&mut self, seed: u64, epoch: u64, batch_size: usize, drop_last: bool) -> Batches {
        let n_batches = self.batches_per_epoch(batch_size, drop_last) as usize;
        match &mut self.0 {
            Source::Batches { per_epoch, of_epoch } => Box::new(of_epoch(epoch).take(*per_epoch as usize)),
            Source::Samples(samples) => {
                let samples = samples.clone();
                let order = permutation(samples.count(), noise::order(seed, epoch));
                let batch = move |index: usize| {
                    let end = ((index + 1) * batch_size).min(order.len());
                    Ok(selected(&samples, &order[index * batch_size..end]))
                };
                Box::new((0..n_batches).map(batch))
            }
        }
    }
}

fn permutation(n: usize, noise: crate::numerics::NoiseKey) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut noise.stream(0));
    order
}

/// Some of the samples.
fn selected(samples: &Samples, indices: &[usize]) -> Samples {
    let of_rows: Vec<i64> = indices.iter().map(|&index| index as i64).collect();
    let rows = Tensor::<1, Int>::from_ints(of_rows.as_slice(), &samples.x.device());
    let labels = samples.labels.as_ref().map(|labels| indices.iter().map(|&index| labels[index]).collect());
    let context = samples.context.clone().map(|context| context.select(0, rows.clone()));
    Samples { x: samples.x.clone().select(0, rows), labels, context }
}
