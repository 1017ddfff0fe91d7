//! The data of an experiment: images in shards, a distribution on the plane, or a file of points.

use crate::config::{Config, DataConfig, DataSource, Source};
use crate::data_kind::DataKind;
use crate::footprint;
use crate::objective::Samples;
use anyhow::{Context, Result, bail};
use burn::tensor::{Device, Tensor, TensorData};
use datasets::points::{Distribution, PointBatcher, Points, Standardization};
use datasets::{Batch, BatchConfig, BatchSource, Batcher, DatasetError, ImageDataset, Split};
use std::path::Path;
use std::sync::Arc;

/// Batches ahead of the model that a background thread prepares.
pub const PREFETCH_DEPTH: usize = 4;

/// Decides the test points of a distribution: the same ones whatever a run's seed is.
const TEST_POINTS_SEED: u64 = 0;

/// One split of an experiment's data.
#[derive(Clone)]
pub struct DataSet {
    /// In training with `optim.batch_size`, else with `run.eval_batch_size` samples.
    pub batches: Arc<dyn BatchSource>,
    /// What a model of it is a density of.
    pub kind: DataKind,
}

impl DataSet {
    /// Shape of every sample, `[channels, height, width]`; points are channels of one pixel.
    pub fn shape(&self) -> [usize; 3] {
        self.batches.sample_shape()
    }
}

/// Both splits, training data first.
///
/// # Errors
/// As [`open`], and if the two do not fit each other.
pub fn open_both(config: &Config, source: &Source) -> Result<[DataSet; 2]> {
    let [train, test] = Split::ALL.map(|split| open(config, source, split));
    let (train, test) = (train?, test?);
    let facts = |data: &DataSet| (data.shape(), data.kind.clone());
    anyhow::ensure!(
        facts(&train) == facts(&test),
        "{}: training data have shape and kind {:?}, test data {:?}; make the data set again",
        source.place("data"),
        facts(&train),
        facts(&test)
    );
    Ok([train, test])
}

/// One split.
///
/// # Errors
/// If the data cannot be read, or do not fit the configuration.
pub fn open(config: &Config, source: &Source, split: Split) -> Result<DataSet> {
    let from = config.data.source().with_context(|| source.place("data"))?;
    let opening = Opening { config, source, split };
    let data = match from {
        DataSource::Images(path) => opening.images(path),
        DataSource::Distribution(distribution) => opening.distribution(distribution),
        DataSource::File(path) => opening.file(path),
    }?;
    opening.check(from, &data)?;
    Ok(data)
}

/// What is being opened, and why.
struct Opening<'a> {
    config: &'a Config,
    source: &'a Source,
    split: Split,
}

impl Opening<'_> {
    fn data(&self) -> &DataConfig {
        &self.config.data
    }

    fn batch_size(&self) -> usize {
        match self.split {
            Split::Train => self.config.optim.batch_size,
            Split::Test => self.config.run.eval_batch_size,
        }
    }

    fn seed(&self) -> u64 {
        self.config.run.seed
    }

    fn images(&self, path: &Path) -> Result<DataSet> {
        let dataset = ImageDataset::open(path, self.split).with_context(|| self.source.place("data.path"))?;
        let data = self.data();
        if let Some(levels) = data.levels
            && levels > dataset.levels()
        {
            let (place, split, path, most) = (self.source.place("data.levels"), self.split, path.display(), dataset.levels());
            bail!("{place}: `data.levels` is {levels}, but the {split} images in {path} have {most}; lower it or leave it out");
        }
        let batches = BatchConfig {
            batch_size: self.batch_size(),
            seed: self.seed(),
            horizontal_flip: data.flip,
            crop: data.crop,
            levels: data.levels,
            dequantization: data.dequantization,
            drop_last: self.config.optim.drop_last,
        };
        let batcher = Batcher::new(Arc::new(dataset), batches).with_context(|| self.source.place("data"))?;
        let kind = DataKind::images(batcher.levels(), &self.config.task);
        if self.config.task.kind.has_classes() && batcher.dataset().label(0).is_none() {
            let (place, split, path) = (self.source.place("task.kind"), self.split, path.display());
            bail!(
                "{place}: the task is to tell classes apart, but the {split} images in {path} have none; make the set with classes"
            );
        }
        Ok(DataSet { batches: Arc::new(batcher), kind })
    }

    fn distribution(&self, distribution: Distribution) -> Result<DataSet> {
        let standardization = Standardization::identity(2);
        let batcher = match self.split {
            Split::Train => PointBatcher::fresh(distribution, self.data().epoch_batches(), self.batch_size(), self.seed()),
            Split::Test => {
                footprint::check_points(self.data().test_points(), self.source)?;
                let points = Points::sample(distribution, self.data().test_points(), TEST_POINTS_SEED, 0);
                self.stored(&points, &standardization)
            }
        };
        self.points(batcher, standardization)
    }

    fn file(&self, path: &Path) -> Result<DataSet> {
        let place = || self.source.place("data.file");
        let all = Points::read(path).with_context(place)?;
        let data = self.data();
        let split = |split| all.split(split, data.test_fraction(), data.split_seed());
        let standardization = Standardization::of(&split(Split::Train).with_context(place)?).with_context(place)?;
        let points = split(self.split).with_context(place)?;
        self.points(self.stored(&points, &standardization), standardization)
    }

    fn stored(&self, points: &Points, standardization: &Standardization) -> Result<PointBatcher, DatasetError> {
        let drop_last = self.config.optim.drop_last;
        PointBatcher::stored(points, standardization, self.batch_size(), self.seed(), drop_last)
    }

    fn points(&self, batcher: Result<PointBatcher, DatasetError>, standardization: Standardization) -> Result<DataSet> {
        if self.config.task.kind.has_classes() {
            bail!("{}: the task is to tell classes apart, but points have none", self.source.place("task.kind"));
        }
        let batches = Arc::new(batcher.with_context(|| self.source.place("data"))?);
        Ok(DataSet { batches, kind: DataKind::Points { standardization } })
    }

    /// That the data fit the rest of the configuration.
    fn check(&self, from: DataSource, data: &DataSet) -> Result<()> {
        let (found, noun, split) = (data.shape(), data.kind.noun(), self.split);
        if let Some(shape) = self.data().shape
            && shape != found
        {
            let place = self.source.place("data.shape");
            bail!(
                "{place}: `data.shape` is {shape:?}, but the {split} {noun} in {from} have the shape {found:?}; correct one of them"
            );
        }
        self.config.validate_architecture(found, self.source)?;
        let batch_size = self.batch_size();
        if split == Split::Train && data.batches.batches_per_epoch() == 0 {
            let (place, n) = (self.source.place("optim.batch_size"), data.batches.len());
            bail!(
                "{place}: `optim.batch_size` is {batch_size}, but {from} has only {n} training {noun}; lower it, or set optim.drop_last = false"
            );
        }
        Ok(())
    }
}

/// The batch's samples with their classes.
pub fn samples(mut batch: Batch, device: &Device) -> Samples {
    let labels = batch.labels.take();
    Samples { x: tensor(batch, device), labels }
}

/// The batch's samples as a tensor.
pub fn tensor(batch: Batch, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(batch.pixels, batch.shape), device)
}
