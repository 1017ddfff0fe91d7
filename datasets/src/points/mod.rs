//! Points: drawn from a known distribution on the plane, or read from a file, with any number of dimensions.
//!
//! [`PointBatcher`] makes batches of them as [`Batcher`](crate::Batcher) does of images: a point with `d` coordinates
//! is an image with `d` channels and one pixel.

mod array;
mod batcher;
mod columns;
mod distribution;
mod excerpt;
mod file;
mod options;
mod parquet_file;
mod signature;
mod standardization;
mod summary;
mod table;
mod text;

pub use batcher::PointBatcher;
pub use distribution::Distribution;
pub use file::FileKind;
pub use options::{Decimal, Delimiter, Missing, TableOptions};
pub use standardization::Standardization;
pub use summary::{Dialect, LeftOut, Reason, Summary};

use crate::batches::order::{Purpose, permutation_of, stream};
use crate::error::DatasetError;
use crate::split::Split;
use std::path::{Path, PathBuf};
use summary::Reading;

/// A table of points, one a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    /// Where they come from, for messages.
    path: PathBuf,
    /// Of the columns.
    names: Vec<String>,
    /// Whether the names are more than numbers.
    named: bool,
    values: Vec<f64>,
    reading: Reading,
}

impl Points {
    /// From values row by row.
    ///
    /// # Panics
    /// If there are no dimensions, or the values do not make whole rows.
    pub fn new(dimensions: usize, values: Vec<f64>) -> Self {
        assert!(dimensions > 0 && values.len().is_multiple_of(dimensions), "{} values of {dimensions}", values.len());
        Self { path: PathBuf::new(), names: Self::numbered(dimensions), named: false, values, reading: Reading::default() }
    }

    /// `n` points of a distribution; the seed and the stream's number decide which.
    pub fn sample(distribution: Distribution, n: usize, seed: u64, number: u64) -> Self {
        let mut rng = stream(Purpose::FixedPoints, seed, number, 0);
        Self::new(2, (0..n).flat_map(|_| distribution.sample(&mut rng)).collect())
    }

    /// `x1`, `x2`, …
    fn numbered(dimensions: usize) -> Vec<String> {
        (1..=dimensions).map(|n| format!("x{n}")).collect()
    }

    /// The same values with names for the columns.
    ///
    /// # Panics
    /// If there is not a name for each column.
    pub fn named(self, names: Vec<String>) -> Self {
        assert_eq!(names.len(), self.dimensions(), "one name a column");
        Self { names, named: true, ..self }
    }

    /// The file that they were read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of the columns: the file's, or `x1`, `x2`, ….
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the columns have names of their own.
    pub fn has_names(&self) -> bool {
        self.named
    }

    /// Number of columns.
    pub fn dimensions(&self) -> usize {
        self.names.len()
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.values.len() / self.names.len().max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All values, row by row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The points.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.values.chunks_exact(self.dimensions())
    }

    /// The values of a column.
    pub fn column(&self, column: usize) -> impl Iterator<Item = f64> + '_ {
        self.rows().map(move |row| row[column])
    }

    /// The points of one split: `round(test_fraction · n)` of them, at least one, are for testing, which ones is decided
    /// by the seed. Each split has its points in the file's order.
    ///
    /// # Errors
    /// If one of the splits would be empty.
    pub fn split(&self, split: Split, test_fraction: f64, seed: u64) -> Result<Self, DatasetError> {
        let n_test = ((test_fraction * self.len() as f64).round() as usize).max(1);
        if n_test >= self.len() {
            let reason = format!("{} points cannot be split: {n_test} would be for testing, none for training", self.len());
            return Err(error(&self.path, "the file", reason));
        }
        let order = permutation_of(Purpose::SplitPoints, self.len(), seed, 0);
        let mut chosen = match split {
            Split::Test => order[..n_test].to_vec(),
            Split::Train => order[n_test..].to_vec(),
        };
        chosen.sort_unstable();
        let d = self.dimensions();
        let values = chosen.iter().flat_map(|&row| &self.values[row * d..][..d]).copied().collect();
        Ok(Self { values, ..self.like() })
    }

    /// Points of the same columns, none so far.
    fn like(&self) -> Self {
        let (path, names, reading) = (self.path.clone(), self.names.clone(), self.reading.clone());
        Self { path, names, named: self.named, values: Vec::new(), reading }
    }
}

fn error(path: &Path, place: &str, reason: String) -> DatasetError {
    DatasetError::Points { path: path.to_path_buf(), place: place.into(), reason }
}
