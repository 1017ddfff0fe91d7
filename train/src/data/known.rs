//! What is known about samples beside their values: columns of a table on which a density is conditioned.

use crate::config::DataConfig;
use anyhow::{Context as _, Result, bail};
use burn::tensor::{Device, Tensor, TensorData};
use datasets::points::{Points, TableOptions};
use std::collections::HashMap;
use std::path::Path;

/// Columns of a table, a row for each sample of a split.
#[derive(Debug, PartialEq)]
pub struct KnownColumns {
    columns: usize,
    values: Vec<f64>,
}

/// Classes at most, for a column that names them by whole numbers.
const MOST_CLASSES: f64 = 1e6;

impl KnownColumns {
    /// The columns `data.context_columns` of a file, in the rows with these numbers; `None` if there are no such columns.
    ///
    /// # Errors
    /// If the file cannot be read, lacks a column, or a row.
    pub fn read(file: &Path, data: &DataConfig, rows: &[usize]) -> Result<Option<Self>> {
        if data.context_columns.is_empty() {
            return Ok(None);
        }
        let options = TableOptions { columns: Some(data.context_columns.clone()), ..data.dialect() };
        let table = Points::read_with(file, &options)?;
        let places: HashMap<usize, usize> = (0..table.len()).map(|place| (table.row_number(place), place)).collect();
        let columns = table.dimensions();
        let mut values = Vec::with_capacity(rows.len() * columns);
        for row in rows {
            let place = places.get(row);
            let place = place.with_context(|| format!("{}: row {row} has no {:?}", file.display(), data.context_columns))?;
            values.extend_from_slice(&table.values()[place * columns..][..columns]);
        }
        Ok(Some(Self { columns, values }))
    }

    /// All rows of a file with the columns `data.context_columns`, or of one with nothing else.
    ///
    /// # Errors
    /// If the file cannot be read, or lacks a column.
    pub fn of_file(file: &Path, data: &DataConfig) -> Result<Self> {
        let named = (!data.context_columns.is_empty()).then(|| data.context_columns.clone());
        let columns = |columns| TableOptions { columns, ..TableOptions::default() };
        let table = match Points::read_with(file, &columns(named)) {
            // An array has no names.
            Err(_) if file.extension().is_some_and(|extension| extension == "npy") => Points::read_with(file, &columns(None)),
            read => read,
        }?;
        Ok(Self { columns: table.dimensions(), values: table.values().to_vec() })
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many there are.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Mean and standard deviation of each column; 1 where a column does not vary.
    pub fn units(&self) -> [Vec<f64>; 2] {
        let n = (self.values.len() / self.columns).max(1) as f64;
        let column = |column: usize| self.values.iter().skip(column).step_by(self.columns);
        let mean: Vec<f64> = (0..self.columns).map(|index| column(index).sum::<f64>() / n).collect();
        let variance = |index: usize| column(index).map(|value| (value - mean[index]).powi(2)).sum::<f64>() / n;
        let std = (0..self.columns).map(|index| if variance(index) > 0.0 { variance(index).sqrt() } else { 1.0 });
        let std = std.collect();
        [mean, std]
    }

    /// The rows of some samples, `[batch, columns]`.
    pub fn vectors(&self, indices: &[usize], device: &Device) -> Tensor<2> {
        let rows = indices.iter().flat_map(|index| &self.values[index * self.columns..][..self.columns]);
        let values: Vec<f32> = rows.map(|&value| value as f32).collect();
        Tensor::from_data(TensorData::new(values, [indices.len(), self.columns]), device)
    }

    /// The rows of some samples as classes; `None` unless there is one column of whole numbers from 0 on.
    pub fn classes(&self, indices: &[usize]) -> Option<Vec<u32>> {
        if self.columns == 1 { indices.iter().map(|&index| class(self.values[index], MOST_CLASSES)).collect() } else { None }
    }

    /// That all samples have one of this many classes.
    ///
    /// # Errors
    /// Names a value that is none.
    pub fn check_classes(&self, classes: usize) -> Result<()> {
        match self.values.iter().find(|value| class(**value, classes as f64).is_none()) {
            Some(value) => bail!("a class is {value}: expected whole numbers from 0 to {}", classes - 1),
            None => Ok(()),
        }
    }
}

/// The class that a number names: a whole one from 0 on, below this many.
fn class(value: f64, classes: f64) -> Option<u32> {
    (value.fract() == 0.0 && (0.0..classes).contains(&value)).then_some(value as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_vectors_or_classes() {
        let known = KnownColumns { columns: 1, values: vec![2.0, 0.0, 1.0] };
        assert_eq!(known.classes(&[2, 0]), Some(vec![1, 2]));
        assert!(known.check_classes(3).is_ok() && known.check_classes(2).is_err());
        let vectors = known.vectors(&[0, 0, 1], &Device::flex());
        assert_eq!(vectors.try_into_vec_as::<f32>().expect("floats"), [2.0, 2.0, 0.0]);
        let [mean, std] = known.units();
        assert!((mean[0] - 1.0).abs() < 1e-12 && (std[0] - (2.0f64 / 3.0).sqrt()).abs() < 1e-12);
        let fractions = KnownColumns { columns: 1, values: vec![0.5, -1.0] };
        assert!(fractions.classes(&[0]).is_none() && fractions.classes(&[1]).is_none());
        let two = KnownColumns { columns: 2, values: vec![0.0, 5.0, 1.0, 5.0] };
        assert_eq!((two.classes(&[0]), two.units()[1][1]), (None, 1.0));
    }
}
