//! Points: drawn from a known distribution on the plane, or read from a file, with any number of dimensions.
//!
//! [`PointBatcher`] makes batches of them as [`Batcher`](crate::Batcher) does of images: a point with `d` coordinates
//! is an image with `d` channels and one pixel.

mod array;
mod batcher;
mod columns;
mod distribution;
mod division;
mod excerpt;
mod file;
mod options;
mod parquet_file;
mod signature;
mod standardization;
mod summary;
mod table;
mod text;

pub use batcher::{Jitter, PointBatcher};
pub use distribution::Distribution;
pub use division::Division;
pub use file::FileKind;
pub use options::{Decimal, Delimiter, Missing, TableOptions};
pub use standardization::Standardization;
pub use summary::{Dialect, LeftOut, Reason, Summary};

use crate::batches::order::{Purpose, stream};
use crate::error::DatasetError;
use std::path::{Path, PathBuf};
use summary::Reading;

/// A table of points, one a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    /// The source, for messages.
    path: PathBuf,
    /// The names of the columns.
    names: Vec<String>,
    /// Whether the names are more than numbers.
    named: bool,
    values: Vec<f64>,
    /// Of each row in its file, from 0 on; `None` if they are 0, 1, 2, …
    numbers: Option<Vec<usize>>,
    reading: Reading,
}

impl Points {
    /// Points from values in row-major order.
    ///
    /// # Panics
    /// If there are no dimensions, or the values do not make whole rows.
    pub fn new(dimensions: usize, values: Vec<f64>) -> Self {
        assert!(dimensions > 0 && values.len().is_multiple_of(dimensions), "{} values of {dimensions}", values.len());
        Self {
            path: PathBuf::new(),
            names: Self::numbered(dimensions),
            named: false,
            values,
            numbers: None,
            reading: Reading::default(),
        }
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

    /// Points of the same columns, none so far.
    fn like(&self) -> Self {
        let (path, names, reading) = (self.path.clone(), self.names.clone(), self.reading.clone());
        Self { path, names, named: self.named, values: Vec::new(), numbers: None, reading }
    }
}

fn error(path: &Path, place: &str, reason: String) -> DatasetError {
    DatasetError::Points { path: path.to_path_buf(), place: place.into(), reason }
}
