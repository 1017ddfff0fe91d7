//! Points in text (`.csv`), numpy (`.npy`) and Parquet files.

use super::columns::Chosen;
use super::summary::Reading;
use super::table::Finished;
use super::{Points, TableOptions, array, error, parquet_file, text};
use crate::error::DatasetError;
use crate::io::output::{self, Existing};
use ndarray::ArrayView2;
use ndarray_npy::WriteNpyExt;
use std::path::Path;

/// Fewer rows may count 0, 1, 2, … by chance.
const COUNTING_ROWS: usize = 3;

/// Fewer rows may be numbered in some order by chance.
const SHUFFLED_ROWS: usize = 10;

/// How a table is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// One point a line; the first line may name columns.
    Csv,
    /// A numpy array of shape `[points, dimensions]`.
    Npy,
    /// A Parquet file with a column of numbers for each dimension; read only.
    Parquet,
}

impl FileKind {
    /// The kind that the file's extension says.
    ///
    /// # Errors
    /// If the extension is another one.
    pub fn of(path: &Path) -> Result<Self, DatasetError> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
        let advice = match &extension[..] {
            "csv" | "tsv" | "txt" => return Ok(Self::Csv),
            "npy" => return Ok(Self::Npy),
            "parquet" => return Ok(Self::Parquet),
            "gz" | "bz2" | "xz" | "zst" | "zip" | "7z" | "rar" => "; unpack it first",
            "xls" | "xlsx" | "xlsm" | "ods" => "; save the sheet as CSV",
            "npz" => "; save the array with numpy.save",
            "h5" | "hdf5" | "feather" | "arrow" | "pkl" | "pickle" | "json" | "mat" | "rds" | "rdata" => {
                "; save the table as CSV"
            }
            _ => "",
        };
        Err(error(path, "the name", format!("expected an extension: .csv, .tsv, .txt, .npy or .parquet{advice}")))
    }

    /// Of a file to be written: text for devices and FIFOs, whatever their names.
    ///
    /// # Errors
    /// Those of [`FileKind::of`].
    pub fn of_output(path: &Path) -> Result<Self, DatasetError> {
        if output::is_stream(path) { Ok(Self::Csv) } else { Self::of(path) }
    }
}

/// Whether these are 0, 1, 2, … or 1, 2, 3, … in any order, more of them than there may be by chance.
fn is_permutation(values: impl ExactSizeIterator<Item = f64> + Clone) -> bool {
    let n = values.len();
    let start = values.clone().fold(f64::INFINITY, f64::min);
    let mut seen = vec![false; n];
    let mut is_new = |value: f64| {
        let place = value - start;
        let is_place = place.fract() == 0.0 && place < n as f64;
        is_place && !std::mem::replace(&mut seen[place as usize], true)
    };
    n >= SHUFFLED_ROWS && (start == 0.0 || start == 1.0) && values.clone().all(&mut is_new)
}

impl Points {
    /// Reads a file, all of which has to be found in it: see [`read_with`](Self::read_with).
    ///
    /// # Errors
    /// Those of `read_with`.
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        Self::read_with(path, &TableOptions::default())
    }

    /// Reads a `.csv` (`.tsv`, `.txt`), `.npy` or `.parquet` file.
    ///
    /// Of a text, what [`TableOptions`] do not state is found by rule, and [`summary`](Self::summary) tells what was found;
    /// whatever can be read in two ways is an error that says which option decides:
    ///
    /// - Delimiter and decimals are the pair that makes numbers or missing values of the most fields. Lines such as `1,5` are two
    ///   columns under two names, one under one name, and an error without names.
    /// - A first line of words names the columns (without blanks around them, and without a `# ` before them); so does one of
    ///   different whole numbers where all other numbers show decimals that are zeros. Another first line of numbers is a
    ///   point, but an error if it counts (0, 1, 2, …) or is the only one of whole numbers.
    /// - A first column without a name, or without names one that numbers the rows, is an index, and refused unless it is left out.
    /// - Lines are comments only if [`TableOptions::comment`] says so; blank lines are skipped.
    /// - Nothing, `NA`, `#N/A`, `NaN`, `null`, `-`, `?` and their like are missing values, `inf` and its like infinite ones: see
    ///   [`TableOptions::missing`].
    ///
    /// # Errors
    /// [`DatasetError::Points`] names the line and the column of what is not a finite number, or of a line that has more or
    /// fewer fields than the first; [`DatasetError::Io`] if the file cannot be read, or is a directory, a pipe or a device.
    pub fn read_with(path: &Path, options: &TableOptions) -> Result<Self, DatasetError> {
        match FileKind::of(path)? {
            FileKind::Csv => text::read(path, options),
            FileKind::Npy => array::read(path, options),
            FileKind::Parquet => parquet_file::read(path, options),
        }
    }

    /// What was read, unless it begins with a column that only counts the rows.
    pub(super) fn from_table(
        path: &Path,
        chosen: Chosen,
        named: bool,
        finished: Finished,
        reading: Reading,
    ) -> Result<Self, DatasetError> {
        let Finished { values, dropped, left_out, rounded, counting } = finished;
        let d = chosen.names.len();
        let is_count = counting.first() == Some(&0) && values.len() >= COUNTING_ROWS * d;
        let is_index = || is_count || is_permutation(values.iter().step_by(d).copied());
        if !named && !chosen.is_stated && d > 1 && chosen.positions[0] == 0 && is_index() {
            let reason = format!(
                "it numbers the rows, as an index beside the data does; leave it out with data.exclude = [{:?}], or name the \
                 columns to read with data.columns",
                chosen.names[0]
            );
            return Err(error(path, "column 1", reason));
        }
        let counting = counting.into_iter().map(|c| chosen.names[c].clone()).collect();
        let reading = Reading { left_out, rounded, counting, ignored: chosen.ignored, ..reading };
        let numbers = (!dropped.is_empty()).then(|| {
            let mut dropped = dropped.into_iter().peekable();
            let rows = (0..).filter(|row| dropped.next_if_eq(row).is_none());
            rows.take(values.len() / d).map(|row| row as usize).collect()
        });
        Ok(Self { path: path.to_path_buf(), names: chosen.names, named, values, numbers, reading })
    }

    /// Writes a file of a kind ([`FileKind::of_output`]), as [`output::write`] does. Numbers are written so that they read back
    /// the same.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path, kind: FileKind, existing: Existing) -> Result<(), DatasetError> {
        let bytes = match kind {
            FileKind::Csv if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tsv")) => {
                self.to_text(b'\t')
            }
            FileKind::Csv => self.to_text(b','),
            FileKind::Parquet => {
                return Err(error(path, "the name", "Parquet files are read only; write a .csv or .npy file".into()));
            }
            FileKind::Npy => {
                let shape = (self.len(), self.dimensions());
                let view = ArrayView2::from_shape(shape, &self.values).map_err(|e| error(path, "the array", e.to_string()))?;
                let mut bytes = Vec::new();
                view.write_npy(&mut bytes).map_err(|e| error(path, "the array", e.to_string()))?;
                bytes
            }
        };
        output::write(path, existing, |out| out.write_all(&bytes).map_err(DatasetError::io("write", path)))
    }

    /// The text of a `.csv` file.
    pub fn to_csv(&self) -> String {
        String::from_utf8(self.to_text(b',')).expect("names and numbers are UTF-8")
    }

    /// Names and numbers, with quotation marks where a name needs them.
    fn to_text(&self, delimiter: u8) -> Vec<u8> {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        let in_memory = "memory takes all that is written";
        writer.write_record(&self.names).expect(in_memory);
        for row in self.rows() {
            writer.write_record(row.iter().map(|x| x.to_string())).expect(in_memory);
        }
        writer.into_inner().expect(in_memory)
    }
}
