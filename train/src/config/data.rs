//! `[data]`: images in shards, a distribution on the plane, or a file of points.

use super::defaults::VALIDATION_IMAGES;
use anyhow::{Result, bail};
use datasets::points::{Decimal, Delimiter, Distribution, Missing, TableOptions};
use datasets::shards::format;
use datasets::{Dequantization, HeldOut, RandomCrop, Split};
use residual_flows::optim::limits::{MOST_FACTOR, MOST_SAMPLES};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// The part of the training samples that new runs hold out, ...
const VALIDATION_FRACTION: f64 = 0.1;
/// ... and how many at the most.
const VALIDATION_MOST: usize = 10_000;
/// Both in words.
const VALIDATION_DEFAULT: &str = "0.1, unless there are validation samples of their own";
const VALIDATION_MOST_DEFAULT: &str = "10,000 where `validation_fraction` is left out, else any number";
/// Batches that count as an epoch of a distribution.
const DEFAULT_EPOCH_BATCHES: usize = 100;
/// Test points of a distribution.
const DEFAULT_TEST_POINTS: usize = 10_000;
/// Fraction of a table's rows that is for testing.
const DEFAULT_TEST_FRACTION: f64 = 0.1;
/// What decides which samples are for validation and testing.
const DEFAULT_SPLIT_SEED: u64 = 0;
/// No column is left out.
const NO_NAMES: [&str; 0] = [];

/// `[data]`: exactly one of `path`, `points` and `file`, and what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Images: the directory with the shards of both splits, as `preprocess` writes it, relative to the current directory; or
    /// `shipped:digits`, the digits that are part of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Points of a known distribution on the plane, fresh ones in every training batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<Distribution>,
    /// A table of numbers: a `.csv`, `.parquet` or `.npy` file with one sample a row. Columns are standardised with the mean and
    /// standard deviation of the training rows; results are in the columns' own units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// `file`: the test rows, in a file of their own with the same columns. Those of `file` are then for training and validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "a part of `file`, see `test_fraction`"))]
    pub test_file: Option<PathBuf>,
    /// `file`: the validation rows, in a file of their own with the same columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "a part of the training rows, see `validation_fraction`"))]
    pub validation_file: Option<PathBuf>,
    /// `path`, `file`: this part of the training samples is held out for validation, by which the best checkpoint is chosen and a run
    /// stops early. With 0 there is no validation, and the test samples do it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0, "x-default" = VALIDATION_DEFAULT))]
    pub validation_fraction: Option<f64>,
    /// `path`, `file`: no more than this many samples are held out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("x-unit" = "samples", "x-default" = VALIDATION_MOST_DEFAULT))]
    pub validation_most: Option<usize>,
    /// `path`: whether the validation images are the data set's split `validation`.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("x-default" = "true, if the data set has this split"))]
    pub validation_split: bool,
    /// `points`: the number of validation points, which are the same whatever the seed. With 0 there is no validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = MOST_SAMPLES), extend("x-unit" = "points", "x-default" = "as many as test points"))]
    pub validation_points: Option<usize>,
    /// The shape of a sample, `[channels, height, width]`, or `[columns, 1, 1]` for points. If it is given, the data must have it,
    /// and the architecture is checked before the data are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "that of the data"))]
    pub shape: Option<[usize; 3]>,
    /// Images: reduces pixels to this many levels, such as 32 for 5 bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 256), extend("x-unit" = "levels", "x-default" = "those of the data set"))]
    pub levels: Option<u32>,
    /// Images: mirrors training images left to right with probability one half. Leave it off where left and right differ, as in
    /// digits and letters.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = false))]
    pub flip: bool,
    /// Images: shifts training images at random.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "images are not shifted"))]
    pub crop: Option<RandomCrop>,
    /// Images: how whole pixels become real numbers.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = Dequantization::default()))]
    pub dequantization: Dequantization,
    /// `points`: this many batches count as an epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MOST_SAMPLES), extend("default" = DEFAULT_EPOCH_BATCHES, "x-unit" = "batches"))]
    pub epoch_batches: Option<usize>,
    /// `points`: the number of test points, which are the same whatever the seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MOST_SAMPLES), extend("default" = DEFAULT_TEST_POINTS, "x-unit" = "points"))]
    pub test_points: Option<usize>,
    /// `file`: the fraction of the rows that is for testing. It does not go with `test_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DEFAULT_TEST_FRACTION, "exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub test_fraction: Option<f64>,
    /// `path`, `file`: decides which samples are held out for validation, and which rows of a file are for testing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DEFAULT_SPLIT_SEED))]
    pub split_seed: Option<u64>,
    /// `file`: the names of the columns to take, in this order. The others need not be numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "all columns"))]
    pub columns: Option<Vec<String>>,
    /// `file`: the names of the columns to leave out.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = NO_NAMES))]
    pub exclude: Vec<String>,
    /// `file`: the names of the columns on which the density of the others is conditioned. With `model.context.kind = "classes"` it is
    /// one column, of whole numbers from 0 on.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = NO_NAMES))]
    pub context_columns: Vec<String>,
    /// `file`: what becomes of rows with missing or infinite values.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = Missing::default()))]
    pub missing: Missing,
    /// `file`: what is between the columns of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "found in the file"))]
    pub delimiter: Option<Delimiter>,
    /// `file`: the decimal mark of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "found in the file"))]
    pub decimal: Option<Decimal>,
    /// `file`: the character with which lines of a text begin that are to be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "no line is left out"))]
    pub comment: Option<char>,
    /// `file`: whether the first line of a text has the names of the columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "found in the file"))]
    pub header: Option<bool>,
    /// `file`: adds normal noise to training points, fresh in each epoch, so that small tables are not learned by heart. Its standard
    /// deviation is `noise · sqrt(d / n)` times that of each column, with `n` training points of `d` columns: it vanishes as tables
    /// grow.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(range(min = 0.0, max = MOST_FACTOR), extend("default" = 0.0))]
    pub noise: f64,
    /// `file`: how large the noise is along directions in which the training points hardly vary.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = NoiseKind::default()))]
    pub noise_kind: NoiseKind,
    /// `file`: adds noise to columns of whole numbers, which have no density of their own: uniform noise as wide as the column's
    /// step, with the number in its middle. The density is then that of the sum, and `ln p(x) + ln step` is about the logarithm of
    /// the number's probability.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = false))]
    pub dequantize: bool,
}

/// How large the noise on training points is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NoiseKind {
    /// The same in all directions.
    #[default]
    Independent,
    /// Along each principal axis of the training points no more than their own standard deviation there, so that it hides no
    /// direction in which they hardly vary. With more than 400 columns it is the same in all directions.
    Bounded,
}

/// By which samples checkpoints are chosen, and a run is stopped early.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Validation<'a> {
    /// By those for testing.
    None,
    /// Held out of those for training.
    HeldOut(HeldOut),
    /// The split of that name.
    OwnSplit,
    /// All points of a file.
    File(&'a Path),
    /// This many from the known distribution.
    Drawn(usize),
}

/// Where the data come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DataSource<'a> {
    /// A directory of shards.
    Images(&'a Path),
    /// A known distribution.
    Distribution(Distribution),
    /// A table in a file.
    File(&'a Path),
}

impl DataConfig {
    /// Which of the three it is.
    ///
    /// # Errors
    /// If there is not exactly one, or a setting that belongs to another.
    pub fn source(&self) -> Result<DataSource<'_>> {
        let source = match (&self.path, self.points, &self.file) {
            (Some(path), None, None) => DataSource::Images(path),
            (None, Some(points), None) => DataSource::Distribution(points),
            (None, None, Some(file)) => DataSource::File(file),
            _ => bail!("expected exactly one of `path` (images), `points` (a distribution) and `file` (a table of points)"),
        };
        for (key, is_set, belongs) in [
            ("levels", self.levels.is_some(), matches!(source, DataSource::Images(_))),
            ("flip", self.flip, matches!(source, DataSource::Images(_))),
            ("crop", self.crop.is_some(), matches!(source, DataSource::Images(_))),
            ("dequantization", !is_default(&self.dequantization), matches!(source, DataSource::Images(_))),
            ("epoch_batches", self.epoch_batches.is_some(), matches!(source, DataSource::Distribution(_))),
            ("test_points", self.test_points.is_some(), matches!(source, DataSource::Distribution(_))),
            ("validation_points", self.validation_points.is_some(), matches!(source, DataSource::Distribution(_))),
            ("validation_split", self.validation_split, matches!(source, DataSource::Images(_))),
            ("validation_fraction", self.validation_fraction.is_some(), !matches!(source, DataSource::Distribution(_))),
            ("validation_most", self.validation_most.is_some(), !matches!(source, DataSource::Distribution(_))),
            ("split_seed", self.split_seed.is_some(), !matches!(source, DataSource::Distribution(_))),
        ] {
            if is_set && !belongs {
                bail!("`{key}` does not go with `{}`; remove one of them", source.key());
            }
        }
        for (key, is_set) in [
            ("test_fraction", self.test_fraction.is_some()),
            ("test_file", self.test_file.is_some()),
            ("validation_file", self.validation_file.is_some()),
            ("columns", self.columns.is_some()),
            ("exclude", !self.exclude.is_empty()),
            ("context_columns", !self.context_columns.is_empty()),
            ("missing", !is_default(&self.missing)),
            ("delimiter", self.delimiter.is_some()),
            ("decimal", self.decimal.is_some()),
            ("comment", self.comment.is_some()),
            ("header", self.header.is_some()),
            ("dequantize", self.dequantize),
            ("noise", self.noise != 0.0),
            ("noise_kind", !is_default(&self.noise_kind)),
        ] {
            if is_set && !matches!(source, DataSource::File(_)) {
                bail!("`{key}` does not go with `{}`; remove one of them", source.key());
            }
            if is_set && self.test_file.is_some() && key == "test_fraction" {
                bail!("`{key}` does not go with `test_file`, which says what the test points are; remove one of them");
            }
        }
        let own = [("validation_file", self.validation_file.is_some()), ("validation_split", self.validation_split)];
        if let Some((own, _)) = own.into_iter().find(|(_, is_set)| *is_set) {
            let of_fraction = [
                ("validation_fraction", self.validation_fraction.is_some()),
                ("validation_most", self.validation_most.is_some()),
            ];
            if let Some((key, _)) = of_fraction.into_iter().find(|(_, is_set)| *is_set) {
                bail!("`{key}` does not go with `{own}`, which says what the validation samples are; remove one of them");
            }
        }
        let holds_nothing_out = self.validation_file.is_some() || self.validation_fraction == Some(0.0);
        if self.split_seed.is_some() && self.test_file.is_some() && holds_nothing_out {
            bail!(
                "`split_seed` does not go with `test_file` where no validation points are held out: it decides nothing; remove it"
            );
        }
        Ok(source)
    }

    /// By which samples checkpoints are chosen. Where nothing is said, as in configurations of earlier versions, it is by those for
    /// testing; [`settle`](Self::settle) says what new runs do.
    pub fn validation(&self) -> Validation<'_> {
        let fraction = self.validation_fraction.unwrap_or(0.0);
        match (&self.validation_file, self.validation_points) {
            (Some(file), _) => Validation::File(file),
            (None, Some(n)) if n > 0 => Validation::Drawn(n),
            _ if self.validation_split => Validation::OwnSplit,
            _ if fraction > 0.0 => {
                let most = self.validation_most.unwrap_or(usize::MAX);
                Validation::HeldOut(HeldOut { fraction, most, seed: self.split_seed() })
            }
            _ => Validation::None,
        }
    }

    /// Writes down what a new run does for validation where the settings do not say it; fewer images are held out where defaults are
    /// chosen by the data.
    pub fn settle(&mut self, by_data: bool) {
        if self.says_validation() {
            return;
        }
        match self.source() {
            Ok(DataSource::Distribution(_)) => self.validation_points = Some(self.test_points()),
            Ok(DataSource::Images(path)) if format::manifest_path(path, Split::Validation).exists() => {
                self.validation_split = true
            }
            Ok(source) => {
                let most = if by_data && matches!(source, DataSource::Images(_)) { VALIDATION_IMAGES } else { VALIDATION_MOST };
                self.validation_fraction = Some(VALIDATION_FRACTION);
                self.validation_most = self.validation_most.or(Some(most));
            }
            // Which is found out where the data are opened.
            Err(_) => {}
        }
    }

    /// Does for validation what a run did before, where these settings of it do not say anything else.
    pub fn settle_like(&mut self, before: &Self) {
        if !self.says_validation() {
            self.validation_file.clone_from(&before.validation_file);
            self.validation_fraction = before.validation_fraction;
            self.validation_most = before.validation_most;
            self.validation_split = before.validation_split;
            self.validation_points = before.validation_points;
        }
    }

    fn says_validation(&self) -> bool {
        let Self { validation_file, validation_fraction, validation_points, .. } = self;
        validation_file.is_some() || validation_fraction.is_some() || validation_points.is_some() || self.validation_split
    }

    /// Reads images or a file of points from elsewhere, if `path` is given.
    pub fn relocate(&mut self, path: Option<PathBuf>) {
        let place = if self.file.is_some() { &mut self.file } else { &mut self.path };
        *place = path.or(place.take());
    }

    /// How the file of points is read.
    pub fn table_options(&self) -> TableOptions {
        let exclude = if self.columns.is_none() { self.left_out() } else { self.exclude.clone() };
        TableOptions { columns: self.columns.clone(), exclude, ..self.dialect() }
    }

    /// The columns of which no density is learned.
    pub fn left_out(&self) -> Vec<String> {
        [self.exclude.as_slice(), &self.context_columns].concat()
    }

    /// How a file of points is read of which no column is left out.
    pub fn dialect(&self) -> TableOptions {
        let &Self { missing, delimiter, decimal, comment, header, .. } = self;
        TableOptions { missing, delimiter, decimal, comment, header, ..TableOptions::default() }
    }

    /// Shape of the samples as far as it is known without the data.
    pub fn known_shape(&self) -> Option<[usize; 3]> {
        self.shape.or(self.points.map(|_| [2, 1, 1]))
    }

    /// Batches that count as an epoch of a distribution.
    pub fn epoch_batches(&self) -> usize {
        self.epoch_batches.unwrap_or(DEFAULT_EPOCH_BATCHES)
    }

    /// Test points of a distribution.
    pub fn test_points(&self) -> usize {
        self.test_points.unwrap_or(DEFAULT_TEST_POINTS)
    }

    /// Fraction of a file's points that are for testing.
    pub fn test_fraction(&self) -> f64 {
        self.test_fraction.unwrap_or(DEFAULT_TEST_FRACTION)
    }

    /// What decides which samples are for validation and testing.
    pub fn split_seed(&self) -> u64 {
        self.split_seed.unwrap_or(DEFAULT_SPLIT_SEED)
    }
}

impl DataSource<'_> {
    fn key(&self) -> &'static str {
        match self {
            Self::Images(_) => "path",
            Self::Distribution(_) => "points",
            Self::File(_) => "file",
        }
    }
}

impl fmt::Display for DataSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Images(path) | Self::File(path) => path.display().fmt(f),
            Self::Distribution(distribution) => distribution.fmt(f),
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_in_words_are_those_that_are_settled() {
        assert!(VALIDATION_DEFAULT.starts_with(&VALIDATION_FRACTION.to_string()));
        assert!(VALIDATION_MOST_DEFAULT.replace(',', "").starts_with(&VALIDATION_MOST.to_string()));
    }
}
