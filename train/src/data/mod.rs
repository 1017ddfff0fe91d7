//! The data of an experiment: images in shards, a distribution on the plane, or a file of points.

pub mod kind;
pub mod known;
pub mod loss_unit;
pub mod mean_loss;
mod memory;
pub mod shipped;
pub mod table;

use crate::config::defaults::{Facts, FactsKind};
use crate::config::{Config, DataConfig, DataSource, NoiseKind, Source, Validation};
use crate::data::kind::{DataKind, PointKind};
use crate::data::known::KnownColumns;
use crate::data::table::Tables;
use anyhow::{Context, Result, bail};
use burn::tensor::{Device, Tensor, TensorData};
use datasets::points::{Distribution, Jitter, PointBatcher, Points, Standardization};
use datasets::{Batch, BatchConfig, BatchSource, Batcher, DatasetError, HeldOut, ImageShape, Split};
use residual_flows::ContextKind;
use residual_flows::training::Samples;
use residual_flows::{SymmetricEigen, covariance};
use std::path::Path;
use std::sync::Arc;

/// Batches ahead of the model that a background thread prepares.
pub const PREFETCH_DEPTH: usize = 4;

/// Decide the points of a distribution for testing and validation: the same ones whatever a run's seed is.
const TEST_POINTS_SEED: u64 = 0;
const VALIDATION_POINTS_SEED: u64 = 1;

/// Columns of tables whose principal axes are found at most.
const MOST_AXES: usize = 400;

/// One split of an experiment's data.
#[derive(Clone)]
pub struct DataSet {
    /// In training with `optim.batch_size`, else with `run.eval_batch_size` samples.
    pub batches: Arc<dyn BatchSource>,
    /// What a model of it is a density of.
    pub kind: DataKind,
    /// What was read and what was made of it, a line each.
    pub notes: Vec<String>,
    /// Of points in a file: where each is in it, counted from 0.
    pub rows: Option<Arc<Vec<usize>>>,
    /// What is known about each sample beside its values, by its index.
    pub known: Option<Arc<KnownColumns>>,
}

impl DataSet {
    /// Shape of every sample, `[channels, height, width]`; points are channels of one pixel.
    pub fn shape(&self) -> [usize; 3] {
        self.batches.sample_shape()
    }

    /// The samples of a batch, with their classes and what else is known about them.
    pub fn samples(&self, mut batch: Batch, device: &Device) -> Samples {
        let known = self.known.as_deref();
        let labels = batch.labels.take().or_else(|| known?.classes(&batch.indices));
        let context = known.map(|known| known.vectors(&batch.indices, device));
        Samples { x: tensor(batch, device), labels, context }
    }
}

/// The data of a run.
#[derive(Clone)]
pub struct Splits {
    /// To learn from.
    pub train: DataSet,
    /// To choose checkpoints by, and to stop early by.
    pub validation: Option<DataSet>,
    /// To report results on.
    pub test: DataSet,
}

impl Splits {
    /// What checkpoints are chosen by: the validation data, or without any the test data.
    pub fn selection(&self) -> &DataSet {
        self.validation.as_ref().unwrap_or(&self.test)
    }

    /// What [`selection`](Self::selection) is.
    pub fn selects_by(&self) -> Split {
        if self.validation.is_some() { Split::Validation } else { Split::Test }
    }

    /// Those that there are.
    pub fn all(&self) -> impl Iterator<Item = (Split, &DataSet)> {
        let validation = self.validation.as_ref().map(|data| (Split::Validation, data));
        [(Split::Train, &self.train), (Split::Test, &self.test)].into_iter().chain(validation)
    }

    /// What was read, and how it is used, a line each.
    pub fn notes(&self) -> Vec<String> {
        let [n, n_train] = [self.selection(), &self.train].map(|data| data.batches.len());
        let noun = self.train.kind.noun();
        let how = match &self.validation {
            Some(_) => format!(
                "{n} validation {noun} choose the best checkpoint; the test {noun} are looked at once, at the end, with the best weights"
            ),
            None => format!(
                "no validation {noun}: the best checkpoint is chosen by the {n} test {noun}, whose loss is then a little too low; \
                 data.validation_fraction = 0.1 holds some of the {n_train} training {noun} out"
            ),
        };
        self.train.notes.iter().cloned().chain([how]).collect()
    }
}

/// All splits that there are, for a new run: what its settings leave out and follows from the data is filled in. Also lines that say
/// so.
///
/// # Errors
/// As [`open`], if they do not fit each other, and if the settings do not fit what was filled in.
pub fn open_new(config: &mut Config, source: &Source) -> Result<(Splits, Vec<String>)> {
    let tables = read_tables(config, source, None)?;
    let mut chosen = Vec::new();
    if source.chooses_by_data() {
        let facts = facts(config, source, tables.as_ref())?;
        chosen = config.choose(source, &facts);
        config.validate(source)?;
    }
    Ok((open_splits(config, source, tables)?, chosen))
}

/// All splits that there are.
///
/// # Errors
/// As [`open`], and if they do not fit each other.
pub fn open_all(config: &Config, source: &Source) -> Result<Splits> {
    open_all_as(config, source, None)
}

/// All splits for a model that is known already, if there is one.
///
/// # Errors
/// As [`open_all`], and if a table is not the one that the model's standardisation comes from.
pub fn open_all_as(config: &Config, source: &Source, known: Option<&DataKind>) -> Result<Splits> {
    open_splits(config, source, read_tables(config, source, known)?)
}

fn open_splits(config: &Config, source: &Source, tables: Option<Tables>) -> Result<Splits> {
    let openings = Opening { config, source, from: config.data.source().with_context(|| source.place("data"))?, tables };
    let has_validation = config.data.validation() != Validation::None;
    let splits = Splits {
        train: openings.open(Split::Train)?,
        validation: has_validation.then(|| openings.open(Split::Validation)).transpose()?,
        test: openings.open(Split::Test)?,
    };
    let facts = |data: &DataSet| (data.shape(), data.kind.clone());
    let expected = facts(&splits.train);
    for (split, found) in splits.all().map(|(split, data)| (split, facts(data))) {
        anyhow::ensure!(
            found == expected,
            "{}: training data have shape and kind {expected:?}, {split} data {found:?}; make the data set again",
            source.place("data"),
        );
    }
    Ok(splits)
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
    let from = config.data.source().with_context(|| source.place("data"))?;
    Opening { config, source, from, tables: read_tables(config, source, known)? }.open(split)
}

/// Reads a file of points, where that is the source.
fn read_tables(config: &Config, source: &Source, known: Option<&DataKind>) -> Result<Option<Tables>> {
    let known = known.and_then(|kind| if let DataKind::Points(kind) = kind { Some(kind) } else { None });
    match config.data.source().with_context(|| source.place("data"))? {
        DataSource::File(path) => Ok(Some(Tables::read(path, &config.data, source, known)?)),
        DataSource::Images(_) | DataSource::Distribution(_) => Ok(None),
    }
}

/// What is known of the data before they are used.
fn facts(config: &Config, source: &Source, tables: Option<&Tables>) -> Result<Facts> {
    let data = &config.data;
    let held_out = if let Validation::HeldOut(held_out) = data.validation() { Some(held_out) } else { None };
    match (data.source().with_context(|| source.place("data"))?, tables) {
        (DataSource::Images(path), _) => {
            let open = |split| shipped::open(path, split).with_context(|| source.place("data.path"));
            let train = open(Split::Train)?;
            let ImageShape { channels, height, width } = train.shape();
            let levels = data.levels.unwrap_or(train.levels());
            let n_held_out = held_out.map(|held_out| held_out.divide(train.len())[1].len());
            let selection = match (n_held_out, data.validation()) {
                (Some(n), _) => n,
                (None, Validation::OwnSplit) => open(Split::Validation)?.len(),
                (None, _) => open(Split::Test)?.len(),
            };
            let training = train.len() - n_held_out.unwrap_or(0);
            Ok(Facts { kind: FactsKind::Images(levels), shape: [channels, height, width], training, selection })
        }
        (DataSource::File(_), Some(tables)) => {
            let Tables { train, validation, test, .. } = tables;
            let selection = validation.as_ref().unwrap_or(test).len();
            Ok(Facts { kind: FactsKind::Table, shape: [train.dimensions(), 1, 1], training: train.len(), selection })
        }
        _ => {
            let selection = if let Validation::Drawn(n) = data.validation() { n } else { data.test_points() };
            let training = data.epoch_batches() * config.optim.batch_size;
            Ok(Facts { kind: FactsKind::Distribution, shape: [2, 1, 1], training, selection })
        }
    }
}

/// All points of a table, for a model of points.
///
/// # Errors
/// If a point is beyond single precision, or the batch size is 0.
pub fn of_points(points: &Points, kind: &PointKind, config: &Config, notes: Vec<String>) -> Result<DataSet> {
    let PointKind { standardization, noise, .. } = kind;
    let (batch_size, seed) = (config.run.eval_batch_size, config.run.seed);
    let batcher = PointBatcher::stored(points, standardization, batch_size, seed, false)?.with_noise(noise, standardization);
    let rows = rows_of(points);
    let known = match config.model.context.kind {
        ContextKind::None => None,
        ContextKind::Classes | ContextKind::Vectors => KnownColumns::read(points.path(), &config.data, &rows)?,
    };
    let (batches, kind, known) = (Arc::new(batcher), DataKind::Points(kind.clone()), known.map(Arc::new));
    Ok(DataSet { batches, kind, notes, rows: Some(rows), known })
}

/// Where points are in their file.
fn rows_of(points: &Points) -> Arc<Vec<usize>> {
    Arc::new((0..points.len()).map(|row| points.row_number(row)).collect())
}

/// What is being opened, and why.
struct Opening<'a> {
    config: &'a Config,
    source: &'a Source,
    from: DataSource<'a>,
    /// Of a file of points.
    tables: Option<Tables>,
}

impl Opening<'_> {
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
            Split::Validation | Split::Test => self.config.run.eval_batch_size,
        }
    }

    fn seed(&self) -> u64 {
        self.config.run.seed
    }

    fn images(&self, path: &Path) -> Result<DataSet> {
        let data = self.data();
        let held_out = if let Validation::HeldOut(held_out) = data.validation() { Some(held_out) } else { None };
        let stored = if held_out.is_some() && self.split == Split::Validation { Split::Train } else { self.split };
        let dataset = shipped::open(path, stored).with_context(|| self.source.place("data.path"))?;
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
        let batcher = match held_out {
            Some(held_out) if stored == Split::Train => self.part(batcher, held_out)?,
            _ => batcher,
        };
        let kind = DataKind::images(batcher.levels(), &self.config.task);
        if self.config.task.kind.has_classes() && batcher.dataset().label(0).is_none() {
            let (place, split, path) = (self.source.place("task.kind"), self.split, path.display());
            bail!(
                "{place}: the task is to tell classes apart, but the {split} images in {path} have none; make the set with classes"
            );
        }
        let context = self.config.model.context.kind;
        if context == ContextKind::Vectors || context == ContextKind::Classes && batcher.dataset().label(0).is_none() {
            let (place, split, path) = (self.source.place("model.context.kind"), self.split, path.display());
            bail!(
                "{place}: the model is conditioned on {}, but the {split} images in {path} have none",
                match context {
                    ContextKind::Classes => "classes",
                    _ => "numbers",
                }
            );
        }
        Ok(DataSet { batches: Arc::new(batcher), kind, notes: Vec::new(), rows: None, known: None })
    }

    /// The training images without those that are held out, or those.
    fn part(&self, batcher: Batcher, held_out: HeldOut) -> Result<Batcher> {
        let n = batcher.len();
        let [train, validation] = held_out.divide(n);
        if train.is_empty() {
            let (place, n_validation) = (self.source.place("data.validation_fraction"), validation.len());
            bail!(
                "{place}: {n_validation} of {n} training images would be for validation, none for training; set \
                 data.validation_fraction = 0"
            );
        }
        Ok(batcher.only(if self.split == Split::Train { train } else { validation }))
    }

    fn distribution(&self, distribution: Distribution) -> Result<DataSet> {
        self.check_known(None)?;
        let kind = PointKind::unnamed(Standardization::identity(2));
        let batcher = match self.split {
            Split::Train => PointBatcher::fresh(distribution, self.data().epoch_batches(), self.batch_size(), self.seed()),
            Split::Validation | Split::Test => {
                let (key, n, seed) = match self.data().validation() {
                    Validation::Drawn(n) if self.split == Split::Validation => {
                        ("data.validation_points", n, VALIDATION_POINTS_SEED)
                    }
                    _ => ("data.test_points", self.data().test_points(), TEST_POINTS_SEED),
                };
                memory::check_points(n, key, self.source)?;
                self.stored(&Points::sample(distribution, n, seed, 0), &kind)
            }
        };
        self.points(batcher, &kind, Vec::new())
    }

    fn tables(&self, tables: &Tables) -> Result<DataSet> {
        let Tables { kind, notes, .. } = tables;
        let (points, own_file) = match self.split {
            Split::Train => (Some(&tables.train), None),
            Split::Validation => {
                (tables.validation.as_ref(), self.data().validation_file.as_ref().map(|_| "data.validation_file"))
            }
            Split::Test => (Some(&tables.test), self.data().test_file.as_ref().map(|_| "data.test_file")),
        };
        let points = points.context("no points are for validation")?;
        let place = || self.source.place(own_file.unwrap_or("data.file"));
        kind.ensure_reachable(points).with_context(place)?;
        let data = self.points(self.stored(points, kind), kind, notes.clone())?;
        let rows = rows_of(points);
        let known = KnownColumns::read(points.path(), self.data(), &rows).with_context(place)?;
        self.check_known(known.as_ref())?;
        Ok(DataSet { rows: Some(rows), known: known.map(Arc::new), ..data })
    }

    /// That there is what the model is conditioned on.
    fn check_known(&self, known: Option<&KnownColumns>) -> Result<()> {
        let (context, columns) = (&self.config.model.context, known.map_or(0, KnownColumns::columns));
        let needed = match context.kind {
            ContextKind::None => return Ok(()),
            ContextKind::Classes => 1,
            ContextKind::Vectors => context.columns,
        };
        if columns != needed {
            let place = self.source.place("data.context_columns");
            bail!("{place}: `data.context_columns` names {columns} columns, but the model is conditioned on {needed}");
        }
        if let (ContextKind::Classes, Some(known)) = (context.kind, known) {
            known.check_classes(context.classes).with_context(|| self.source.place("data.context_columns"))?;
        }
        Ok(())
    }

    fn stored(&self, points: &Points, kind: &PointKind) -> Result<PointBatcher, DatasetError> {
        let PointKind { standardization, noise, .. } = kind;
        let drop_last = self.config.optim.drop_last;
        let batcher = PointBatcher::stored(points, standardization, self.batch_size(), self.seed(), drop_last)?;
        let batcher = batcher.with_noise(noise, standardization);
        if self.split != Split::Train || self.data().noise == 0.0 {
            return Ok(batcher);
        }
        let std = self.data().noise * (points.dimensions() as f64 / points.len().max(1) as f64).min(1.0).sqrt();
        Ok(batcher.with_jitter(match self.data().noise_kind {
            NoiseKind::Bounded if points.dimensions() <= MOST_AXES => bounded_jitter(points, standardization, std),
            _ => Jitter::Independent(std),
        }))
    }

    fn points(&self, batcher: Result<PointBatcher, DatasetError>, kind: &PointKind, notes: Vec<String>) -> Result<DataSet> {
        if self.config.task.kind.has_classes() {
            bail!("{}: the task is to tell classes apart, but points have none", self.source.place("task.kind"));
        }
        let batches = Arc::new(batcher.with_context(|| self.source.place("data"))?);
        Ok(DataSet { batches, kind: DataKind::Points(kind.clone()), notes, rows: None, known: None })
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

/// Noise of this standard deviation, but along each principal axis `u` of the points no more than their own standard deviation `√λ`
/// there: `A = Σ min(std, √λ) u uᵀ`.
fn bounded_jitter(points: &Points, standardization: &Standardization, std: f64) -> Jitter {
    let d = points.dimensions();
    let values: Vec<f64> = standardization.apply(points.values()).into_iter().map(f64::from).collect();
    let axes = SymmetricEigen::new(covariance(&values, d), d);
    let mut factor = vec![0.0; d * d];
    for (variance, axis) in axes.values.iter().zip(&axes.vectors) {
        let along = std.min(variance.max(0.0).sqrt());
        for (row, x) in factor.chunks_exact_mut(d).zip(axis) {
            row.iter_mut().zip(axis).for_each(|(a, y)| *a += along * x * y);
        }
    }
    Jitter::Correlated(Arc::new(factor))
}

/// The batch's samples as a tensor.
pub fn tensor(batch: Batch, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(batch.pixels, batch.shape), device)
}
