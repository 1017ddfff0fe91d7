//! Points in text (`.csv`) and numpy (`.npy`) files.

use super::Points;
use crate::DatasetError;
use crate::atomic::{persist, write_temp};
use crate::npy::check_header;
use ndarray::{Array2, ArrayView2};
use ndarray_npy::{ReadNpyError, ReadNpyExt, WriteNpyExt};
use std::path::Path;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// One point a line, its coordinates separated by commas (or semicolons or tabs); the first line may name columns.
    Csv,
    /// A numpy array of shape `[points, dimensions]`.
    Npy,
}

impl FileKind {
    /// By the file's extension.
    ///
    /// # Errors
    /// For any other extension.
    pub fn of(path: &Path) -> Result<Self, DatasetError> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv" | "tsv" | "txt") => Ok(Self::Csv),
            Some("npy") => Ok(Self::Npy),
            _ => Err(error(path, "the name", "expected an extension: .csv or .npy".into())),
        }
    }
}

impl Points {
    /// Reads a `.csv` or `.npy` file.
    ///
    /// # Errors
    /// [`DatasetError::Points`] names the line and the column of what is not a finite number, or of a line that is
    /// longer or shorter than the first.
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        let points = match FileKind::of(path)? {
            FileKind::Csv => read_csv(path)?,
            FileKind::Npy => read_npy(path)?,
        };
        if points.is_empty() {
            return Err(error(path, "the file", "there are no points in it".into()));
        }
        Ok(points)
    }

    /// Writes a `.csv` or `.npy` file; it is complete or absent. Numbers are written so that they read back the same.
    ///
    /// # Errors
    /// If the extension is another, or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), DatasetError> {
        let bytes = match FileKind::of(path)? {
            FileKind::Csv => self.to_csv().into_bytes(),
            FileKind::Npy => {
                let shape = (self.len(), self.dimensions());
                let view = ArrayView2::from_shape(shape, &self.values).map_err(|e| error(path, "the array", e.to_string()))?;
                let mut bytes = Vec::new();
                view.write_npy(&mut bytes).map_err(|e| error(path, "the array", e.to_string()))?;
                bytes
            }
        };
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        persist(write_temp(dir, &bytes)?, path)
    }

    /// The text of a `.csv` file.
    pub fn to_csv(&self) -> String {
        let mut text = self.names.join(",") + "\n";
        for row in self.rows() {
            let row: Vec<String> = row.iter().map(f64::to_string).collect();
            text += &row.join(",");
            text.push('\n');
        }
        text
    }
}

fn error(path: &Path, place: &str, reason: String) -> DatasetError {
    DatasetError::Points { path: path.to_path_buf(), place: place.into(), reason }
}

/// Numbers need no quoting, so a line is split at its delimiters; names may stand in quotes.
fn read_csv(path: &Path) -> Result<Points, DatasetError> {
    let text = std::fs::read_to_string(path).map_err(DatasetError::io("read", path))?;
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#')).peekable();
    let Some(&(_, first)) = lines.peek() else {
        return Ok(Points { path: path.to_path_buf(), names: Vec::new(), values: Vec::new() });
    };
    let delimiter = [',', ';', '\t'].into_iter().find(|&delimiter| first.contains(delimiter)).unwrap_or(',');
    let fields = |line: &str| -> Vec<String> { line.split(delimiter).map(|field| field.trim().to_string()).collect() };
    let first = fields(first);
    let dimensions = first.len();
    let names = if first.iter().any(|field| field.parse::<f64>().is_ok()) {
        Points::numbered(dimensions)
    } else {
        lines.next();
        first.iter().map(|name| name.trim_matches('"').to_string()).collect()
    };
    let mut values = Vec::new();
    for (line, text) in lines {
        let fields = fields(text);
        if fields.len() != dimensions {
            let reason = format!("it has {} values, the first line has {dimensions}", fields.len());
            return Err(error(path, &format!("line {line}"), reason));
        }
        for (column, field) in (1..).zip(&fields) {
            match field.parse::<f64>() {
                Ok(value) if value.is_finite() => values.push(value),
                _ => {
                    let reason = format!("`{field}` is not a finite number; correct it or remove the line");
                    return Err(error(path, &format!("line {line}, column {column}"), reason));
                }
            }
        }
    }
    Ok(Points { path: path.to_path_buf(), names, values })
}

fn read_npy(path: &Path) -> Result<Points, DatasetError> {
    let bytes = std::fs::read(path).map_err(DatasetError::io("read", path))?;
    check_header(&bytes).map_err(|e| error(path, "the array", e.to_string()))?;
    let array = match Array2::<f64>::read_npy(&bytes[..]) {
        Err(ReadNpyError::WrongDescriptor(_)) => Array2::<f32>::read_npy(&bytes[..]).map(|array| array.mapv(f64::from)),
        other => other,
    };
    let array =
        array.map_err(|e| error(path, "the array", format!("expected float32 or float64 of shape [points, dimensions]: {e}")))?;
    let dimensions = array.ncols();
    let values: Vec<f64> = array.iter().copied().collect();
    if let Some(position) = values.iter().position(|value| !value.is_finite()) {
        let place = format!("row {}, column {}", position / dimensions, position % dimensions);
        return Err(error(path, &place, format!("{} is not a finite number (counted from 0); remove it", values[position])));
    }
    Ok(Points { path: path.to_path_buf(), names: Points::numbered(dimensions), values })
}
