//! Batches of dequantized images, every one a pure function of the data set, the settings and its number.

use crate::batches::batch::Batch;
use crate::batches::crop::RandomCrop;
use crate::batches::dequantization::Dequantization;
use crate::batches::order::{self, EpochOrder, Purpose};
use crate::batches::source::BatchSource;
use crate::error::DatasetError;
use crate::shards::dataset::ImageDataset;
use crate::shards::shape::ImageShape;
use process_group::Part;
use rand::RngCore;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;
use twox_hash::xxhash3_128::Hasher as Xxh3;

/// How images become batches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchConfig {
    /// Images in a batch.
    pub batch_size: usize,
    /// Decides the order of training images, their crops and flips, and all noise.
    pub seed: u64,
    /// Mirror training images left to right with probability one half.
    pub horizontal_flip: bool,
    /// Shift training images at random, before they are mirrored.
    pub crop: Option<RandomCrop>,
    /// Reduce pixels to this many levels, `floor(k * levels / dataset_levels)`; `None` keeps the data set's.
    pub levels: Option<u32>,
    /// How pixels become real numbers.
    pub dequantization: Dequantization,
    /// Leave out the last training batch of an epoch if it is not full.
    pub drop_last: bool,
}

impl Default for BatchConfig {
    /// Batches of 64, seed 0, no flips, no crops, all levels, uniform dequantization, only full training batches.
    fn default() -> Self {
        BatchConfig {
            batch_size: 64,
            seed: 0,
            horizontal_flip: false,
            crop: None,
            levels: None,
            dequantization: Dequantization::Uniform,
            drop_last: true,
        }
    }
}

/// Draws training and evaluation batches from a split.
///
/// Training batches are shuffled, cropped and flipped if so configured, and have fresh noise in each epoch; with `drop_last` there are
/// full ones only. Evaluation batches are the images in stored order, never flipped, the noise the same every time.
///
/// The crop, the flip and the noise of an image depend on the seed, the epoch and the image's index only: not on the batch size,
/// its place in the batch, or the order in which batches are asked for. So a run can be continued at any batch.
#[derive(Clone)]
pub struct Batcher {
    dataset: Arc<ImageDataset>,
    config: BatchConfig,
    order: EpochOrder,
    /// The images that it has, by their indices in rising order; `None` if it has all.
    chosen: Option<Arc<Vec<usize>>>,
}

impl Batcher {
    /// Batches from `dataset` according to `config`.
    ///
    /// # Errors
    /// [`DatasetError::Setting`] for a batch size of 0, levels below 2 or above the data set's, or a crop larger than the
    /// images.
    pub fn new(dataset: Arc<ImageDataset>, config: BatchConfig) -> Result<Self, DatasetError> {
        let setting = |key, expected, got: &dyn ToString| {
            let got = got.to_string();
            Err(DatasetError::Setting { key, expected, got })
        };
        if config.batch_size == 0 {
            return setting("batch_size", "at least 1".into(), &0);
        }
        if let Some(crop) = config.crop
            && crop.padding > crop.most_padding(dataset.shape())
        {
            return setting("crop.padding", format!("at most {}", crop.most_padding(dataset.shape())), &crop.padding);
        }
        match config.levels {
            Some(levels) if !(2..=dataset.levels()).contains(&levels) => {
                let expected = format!("2 to {}, the data set's levels", dataset.levels());
                setting("levels", expected, &levels)
            }
            _ => Ok(Batcher { dataset, config, order: EpochOrder::default(), chosen: None }),
        }
    }

    /// Number of levels of the pixels in the batches.
    pub fn levels(&self) -> u32 {
        self.config.levels.unwrap_or(self.dataset.levels())
    }

    /// Shape of every image.
    pub fn shape(&self) -> ImageShape {
        self.dataset.shape()
    }

    /// The split the batches are drawn from.
    pub fn dataset(&self) -> &Arc<ImageDataset> {
        &self.dataset
    }

    /// The settings.
    pub fn config(&self) -> &BatchConfig {
        &self.config
    }

    /// The same batches of some of the images only, by their indices in rising order: those for validation, or the others. Noise,
    /// flips and crops of an image stay as they are.
    ///
    /// # Panics
    /// If the data set has no image of an index.
    pub fn only(self, indices: Vec<usize>) -> Self {
        assert!(indices.last().is_none_or(|&last| last < self.dataset.len()), "images of the data set");
        Batcher { chosen: Some(Arc::new(indices)), order: EpochOrder::default(), ..self }
    }

    /// The index of the image in a place among those that it has.
    fn index(&self, place: usize) -> usize {
        self.chosen.as_ref().map_or(place, |chosen| chosen[place])
    }

    fn range(&self, index: usize, batches: usize) -> Result<Range<usize>, DatasetError> {
        let (len, batch_size) = (self.len(), self.config.batch_size);
        if index >= batches {
            return Err(DatasetError::BatchIndex { index, batches, len, batch_size });
        }
        let start = index * batch_size;
        Ok(start..len.min(start.saturating_add(batch_size)))
    }

    fn batch(&self, indices: Vec<usize>, purpose: Purpose, epoch: u64) -> Result<Batch, DatasetError> {
        let ImageShape { channels, height, width } = self.shape();
        let mut image = vec![0; self.shape().len()];
        let mut pixels = Vec::with_capacity(indices.len() * image.len());
        for &index in &indices {
            self.dataset.read_into(index, &mut image)?;
            self.reduce_levels(&mut image);
            let mut rng = order::stream(purpose, self.config.seed, epoch, index as u64);
            // Drawn in any case, so that the noise is the same with and without flips and crops.
            let word = rng.next_u32();
            if matches!(purpose, Purpose::TrainImage) {
                if let Some(crop) = self.config.crop {
                    crop.apply(&mut image, self.shape(), [word >> 1 & 0x7fff, word >> 17]);
                }
                if self.config.horizontal_flip && word & 1 == 1 {
                    image.chunks_exact_mut(width).for_each(<[u8]>::reverse);
                }
            }
            let how = self.config.dequantization;
            how.apply(&image, self.levels(), &mut rng, &mut pixels);
        }
        let labels = indices.iter().map(|&i| self.dataset.label(i)).collect();
        let shape = [indices.len(), channels, height, width];
        Ok(Batch { pixels, shape, labels, indices })
    }

    fn reduce_levels(&self, image: &mut [u8]) {
        let (from, to) = (self.dataset.levels(), self.levels());
        if from != to {
            image.iter_mut().for_each(|k| *k = (u32::from(*k) * to / from) as u8);
        }
    }
}

impl BatchSource for Batcher {
    fn sample_shape(&self) -> [usize; 3] {
        let ImageShape { channels, height, width } = self.shape();
        [channels, height, width]
    }

    fn fingerprint(&self) -> String {
        let of_all = self.dataset.fingerprint();
        let Some(chosen) = &self.chosen else { return of_all };
        let mut checksum = Xxh3::new();
        checksum.write(of_all.as_bytes());
        chosen.iter().for_each(|index| checksum.write(&(*index as u64).to_le_bytes()));
        format!("{:032x}", checksum.finish_128())
    }

    fn len(&self) -> usize {
        self.chosen.as_ref().map_or(self.dataset.len(), |chosen| chosen.len())
    }

    fn batch_size(&self) -> usize {
        self.config.batch_size
    }

    fn batches_per_epoch(&self) -> usize {
        match self.config.drop_last {
            true => self.len() / self.config.batch_size,
            false => self.eval_batches(),
        }
    }

    fn eval_batches(&self) -> usize {
        self.len().div_ceil(self.config.batch_size)
    }

    fn train_part(&self, epoch: u64, index: usize, part: Part) -> Result<Batch, DatasetError> {
        let range = part.range(self.range(index, self.batches_per_epoch())?);
        let order = self.order.get(self.len(), self.config.seed, epoch);
        self.batch(order[range].iter().map(|&place| self.index(place)).collect(), Purpose::TrainImage, epoch)
    }

    fn eval_batch(&self, index: usize) -> Result<Batch, DatasetError> {
        let range = self.range(index, self.eval_batches())?;
        self.batch(range.map(|place| self.index(place)).collect(), Purpose::EvalImage, 0)
    }
}
