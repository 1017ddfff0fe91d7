//! The data of an experiment: images in shards, a distribution on the plane, or a file of points.

pub mod kind;
pub mod loss_unit;
pub mod samples;
pub mod table;

use crate::config::{Config, DataConfig, DataSource, Source};
use crate::data::kind::{DataKind, PointKind};
use crate::data::samples::Samples;
use crate::data::table::Tables;
use crate::run::footprint;
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
    /// What was read and what was made of it, a line each.
    pub notes: Vec<String>,
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
    open_both_as(config, source, None)
}

/// Both splits for a model that is known already, if there is one.
///
/// # Errors
/// As [`open_both`], and if a table is not the one that the model's standardisation comes from.
pub fn open_both_as(config: &Config, source: &Source, known: Option<&DataKind>) -> Result<[DataSet; 2]> {
    let openings = Opening::new(config, source, known)?;
    let [train, test] = Split::ALL.map(|split| openings.open(split));
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
    open_as(config, source, split, None)
}

/// One split for a model that is known already, if there is one.
///
/// # Errors
/// As [`open`], and if a table is not the one that the model's standardisation comes from.
pub fn open_as(config: &Config, source: &Source, split: Split, known: Option<&DataKind>) -> Result<DataSet> {
    Opening::new(config, source, known)?.open(split)
}

/// All points of a table, for a model of points.
///
/// # Errors
/// If a point is beyond single precision, or the batch size is 0.
pub fn of_points(points: &Points, kind: &PointKind, config: &Config, notes: Vec<String>) -> Result<DataSet> {
    let PointKind { standardization, noise, .. } = kind;
    let (batch_size, seed) = (config.run.eval_batch_size, config.run.seed);
    let batcher = PointBatcher::stored(points, standardization, batch_size, seed, false)?.with_noise(noise, standardization);
    Ok(DataSet { batches: Arc::new(batcher), kind: DataKind::Points(kind.clone()), notes })
}

/// What is being opened, and why.
struct Opening<'a> {
    config: &'a Config,
    source: &'a Source,
    from: DataSource<'a>,
    /// Of a file of points.
    tables: Option<Tables>,
}

impl<'a> Opening<'a> {
    /// Reads a file of points, where that is the source.
    fn new(config: &'a Config, source: &'a Source, known: Option<&DataKind>) -> Result<Self> {
        let from = config.data.source().with_context(|| source.place("data"))?;
        let known = known.and_then(|kind| if let DataKind::Points(kind) = kind { Some(kind) } else { None });
        let tables = match from {
            DataSource::File(path) => Some(Tables::read(path, &config.data, source, known)?),
            DataSource::Images(_) | DataSource::Distribution(_) => None,
        };
        Ok(Self { config, source, from, tables })
    }

    fn open(&self, split: Split) -> Result<DataSet> {
        let opening = Splitting { config: self.config, source: self.source, split };
        let data = match (self.from, &self.tables) {
            (DataSource::Images(path), _) => opening.images(path),
            (DataSource::Distribution(distribution), _) => opening.distribution(distribution),
            (DataSource::File(_), tables) => opening.tables(tables.as_ref().context("a file of points was read")?),
        }?;
        opening.check(self.from, &data)?;
        Ok(data)
    }
}

/// A split that is being opened.
struct Splitting<'a> {
    config: &'a Config,
    source: &'a Source,
    split: Split,
}

impl Splitting<'_> {
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
        Ok(DataSet { batches: Arc::new(batcher), kind, notes: Vec::new() })
    }

    fn distribution(&self, distribution: Distribution) -> Result<DataSet> {
        let kind = PointKind::unnamed(Standardization::identity(2));
        let batcher = match self.split {
            Split::Train => PointBatcher::fresh(distribution, self.data().epoch_batches(), self.batch_size(), self.seed()),
            Split::Test => {
                footprint::check_points(self.data().test_points(), self.source)?;
                let points = Points::sample(distribution, self.data().test_points(), TEST_POINTS_SEED, 0);
                self.stored(&points, &kind)
            }
        };
        self.points(batcher, &kind, Vec::new())
    }

    fn tables(&self, tables: &Tables) -> Result<DataSet> {
        let Tables { kind, notes, .. } = tables;
        let points = match self.split {
            Split::Train => &tables.train,
            Split::Test => &tables.test,
        };
        let is_other = self.split == Split::Test && self.data().test_file.is_some();
        let place = || self.source.place(if is_other { "data.test_file" } else { "data.file" });
        kind.ensure_reachable(points).with_context(place)?;
        self.points(self.stored(points, kind), kind, notes.clone())
    }

    fn stored(&self, points: &Points, kind: &PointKind) -> Result<PointBatcher, DatasetError> {
        let PointKind { standardization, noise, .. } = kind;
        let drop_last = self.config.optim.drop_last;
        let batcher = PointBatcher::stored(points, standardization, self.batch_size(), self.seed(), drop_last)?;
        Ok(batcher.with_noise(noise, standardization))
    }

    fn points(&self, batcher: Result<PointBatcher, DatasetError>, kind: &PointKind, notes: Vec<String>) -> Result<DataSet> {
        if self.config.task.kind.has_classes() {
            bail!("{}: the task is to tell classes apart, but points have none", self.source.place("task.kind"));
        }
        let batches = Arc::new(batcher.with_context(|| self.source.place("data"))?);
        Ok(DataSet { batches, kind: DataKind::Points(kind.clone()), notes })
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
