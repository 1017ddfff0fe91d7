//! Batches of points.

use super::{Distribution, Points, Standardization, error};
use crate::batches::batch::Batch;
use crate::batches::order::{EpochOrder, Purpose, stream};
use crate::batches::source::BatchSource;
use crate::error::DatasetError;
use process_group::Part;
use rand::Rng;
use rand_distr::StandardNormal;
use std::ops::Range;
use std::sync::Arc;
use twox_hash::xxhash3_128::Hasher as Xxh3;

/// Batches of standardised points, every one a pure function of the points, the seed and its number.
///
/// Training batches come fresh from a distribution, all of them full, or from stored points in a new order each epoch; with
/// `drop_last` full ones only. Evaluation batches are the points in stored order; of a distribution, as many as an epoch has,
/// the same every time.
#[derive(Clone)]
pub struct PointBatcher {
    supply: Supply,
    /// Width of each column's noise, standardised; empty without noise.
    noise: Vec<f64>,
    /// Normal noise on training points.
    jitter: Jitter,
    batch_size: usize,
    seed: u64,
}

/// Normal noise on training points, in standardised coordinates.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Jitter {
    /// There is none.
    #[default]
    None,
    /// Of this standard deviation in every coordinate by itself.
    Independent(f64),
    /// `A ε` with standard normal `ε`: `A`, row by row.
    Correlated(Arc<Vec<f64>>),
}

#[derive(Clone)]
enum Supply {
    Fresh { distribution: Distribution, batches_per_epoch: usize },
    Stored { values: Arc<Vec<f32>>, dimensions: usize, order: EpochOrder, drop_last: bool },
}

impl PointBatcher {
    /// Fresh points in every batch; the number of batches that count as an epoch.
    ///
    /// # Errors
    /// [`DatasetError::Setting`] for an empty batch or epoch.
    pub fn fresh(
        distribution: Distribution,
        batches_per_epoch: usize,
        batch_size: usize,
        seed: u64,
    ) -> Result<Self, DatasetError> {
        at_least_one("epoch_batches", batches_per_epoch)?;
        at_least_one("batch_size", batch_size)?;
        let supply = Supply::Fresh { distribution, batches_per_epoch };
        Ok(Self { supply, noise: Vec::new(), jitter: Jitter::None, batch_size, seed })
    }

    /// The points of a table, standardised; with `drop_last` the last training batch of an epoch is left out if it is not full.
    ///
    /// # Errors
    /// [`DatasetError::Setting`] for a batch size of 0, or points with another number of dimensions than the
    /// standardisation has.
    pub fn stored(
        points: &Points,
        standardization: &Standardization,
        batch_size: usize,
        seed: u64,
        drop_last: bool,
    ) -> Result<Self, DatasetError> {
        at_least_one("batch_size", batch_size)?;
        let dimensions = standardization.dimensions();
        if points.dimensions() != dimensions {
            let reason = format!("it has {} columns, expected {dimensions}", points.dimensions());
            return Err(error(points.path(), "the table", reason));
        }
        let values = Arc::new(standardization.apply(points.values()));
        let supply = Supply::Stored { values, dimensions, order: EpochOrder::default(), drop_last };
        Ok(Self { supply, noise: Vec::new(), jitter: Jitter::None, batch_size, seed })
    }

    /// Adds normal noise to stored points in training, fresh in each epoch: what is learned is then a density that is smoothed by
    /// such a kernel.
    pub fn with_jitter(self, jitter: Jitter) -> Self {
        Self { jitter, ..self }
    }

    /// Dequantises stored points: adds noise to every column, uniform over an interval of this width (in the column's units)
    /// around 0. Training points have fresh noise in each epoch, evaluation points always the same.
    pub fn with_noise(self, widths: &[f64], standardization: &Standardization) -> Self {
        let noise = widths.iter().zip(&standardization.std).map(|(width, std)| width / std);
        let is_any = widths.iter().any(|width| *width > 0.0);
        Self { noise: if is_any { noise.collect() } else { Vec::new() }, ..self }
    }

    /// Number of coordinates.
    pub fn dimensions(&self) -> usize {
        match &self.supply {
            Supply::Fresh { .. } => 2,
            Supply::Stored { dimensions, .. } => *dimensions,
        }
    }

    fn index_error(&self, index: usize, batches: usize) -> DatasetError {
        DatasetError::BatchIndex { index, batches, len: self.len(), batch_size: self.batch_size }
    }

    /// Places of a batch's points, fewer if it is the last.
    fn rows(&self, index: usize) -> Range<usize> {
        let start = index * self.batch_size;
        start..self.len().min(start.saturating_add(self.batch_size))
    }

    fn sampled(&self, distribution: Distribution, purpose: Purpose, epoch: u64, index: usize, part: Part) -> Batch {
        let mut rng = stream(purpose, self.seed, epoch, index as u64);
        let points: Vec<[f64; 2]> = (0..self.batch_size).map(|_| distribution.sample(&mut rng)).collect();
        let range = part.range(0..self.batch_size);
        let values = points[range.clone()].iter().flatten().map(|&x| x as f32).collect();
        self.batch(values, range.map(|place| index * self.batch_size + place).collect())
    }

    /// Stored points, with the noise that they have for this purpose and in this epoch.
    fn selected(&self, values: &[f32], indices: Vec<usize>, purpose: Purpose, epoch: u64) -> Batch {
        let d = self.dimensions();
        let mut selected: Vec<f32> = indices.iter().flat_map(|&row| &values[row * d..][..d]).copied().collect();
        let jitter = if matches!(purpose, Purpose::TrainPoint) { &self.jitter } else { &Jitter::None };
        if !self.noise.is_empty() || *jitter != Jitter::None {
            for (&row, point) in indices.iter().zip(selected.chunks_exact_mut(d)) {
                let mut rng = stream(purpose, self.seed, epoch, row as u64);
                for (x, width) in point.iter_mut().zip(&self.noise) {
                    *x += (width * (rng.random::<f64>() - 0.5)) as f32;
                }
                match jitter {
                    Jitter::None => {}
                    Jitter::Independent(std) => {
                        point.iter_mut().for_each(|x| *x += (std * rng.sample::<f64, _>(StandardNormal)) as f32);
                    }
                    Jitter::Correlated(factor) => {
                        let normal: Vec<f64> = (0..d).map(|_| rng.sample(StandardNormal)).collect();
                        for (x, row) in point.iter_mut().zip(factor.chunks_exact(d)) {
                            *x += row.iter().zip(&normal).map(|(a, e)| a * e).sum::<f64>() as f32;
                        }
                    }
                }
            }
        }
        self.batch(selected, indices)
    }

    fn batch(&self, values: Vec<f32>, indices: Vec<usize>) -> Batch {
        Batch { pixels: values, shape: [indices.len(), self.dimensions(), 1, 1], labels: None, indices }
    }
}

impl BatchSource for PointBatcher {
    fn sample_shape(&self) -> [usize; 3] {
        [self.dimensions(), 1, 1]
    }

    fn fingerprint(&self) -> String {
        match &self.supply {
            Supply::Fresh { distribution, .. } => distribution.to_string(),
            Supply::Stored { values, dimensions, .. } => {
                let mut checksum = Xxh3::new();
                checksum.write(&(*dimensions as u64).to_le_bytes());
                values.iter().for_each(|value| checksum.write(&value.to_le_bytes()));
                format!("{:032x}", checksum.finish_128())
            }
        }
    }

    fn len(&self) -> usize {
        match &self.supply {
            Supply::Fresh { batches_per_epoch, .. } => batches_per_epoch * self.batch_size,
            Supply::Stored { values, dimensions, .. } => values.len() / dimensions,
        }
    }

    fn batch_size(&self) -> usize {
        self.batch_size
    }

    fn batches_per_epoch(&self) -> usize {
        match &self.supply {
            Supply::Stored { drop_last: false, .. } => self.eval_batches(),
            _ => self.len() / self.batch_size,
        }
    }

    fn eval_batches(&self) -> usize {
        self.len().div_ceil(self.batch_size)
    }

    fn train_part(&self, epoch: u64, index: usize, part: Part) -> Result<Batch, DatasetError> {
        if index >= self.batches_per_epoch() {
            return Err(self.index_error(index, self.batches_per_epoch()));
        }
        Ok(match &self.supply {
            Supply::Fresh { distribution, .. } => self.sampled(*distribution, Purpose::FreshPoints, epoch, index, part),
            Supply::Stored { values, order, .. } => {
                let order = order.get(self.len(), self.seed, epoch);
                let rows = order[part.range(self.rows(index))].to_vec();
                self.selected(values, rows, Purpose::TrainPoint, epoch)
            }
        })
    }

    fn eval_batch(&self, index: usize) -> Result<Batch, DatasetError> {
        if index >= self.eval_batches() {
            return Err(self.index_error(index, self.eval_batches()));
        }
        Ok(match &self.supply {
            Supply::Fresh { distribution, .. } => self.sampled(*distribution, Purpose::FixedPoints, 0, index, Part::WHOLE),
            Supply::Stored { values, .. } => self.selected(values, self.rows(index).collect(), Purpose::EvalPoint, 0),
        })
    }
}

fn at_least_one(key: &'static str, n: usize) -> Result<(), DatasetError> {
    if n > 0 { Ok(()) } else { Err(DatasetError::Setting { key, expected: "at least 1".into(), got: "0".into() }) }
}
