//! Points of one table for training, validation and testing.

use super::{Points, error};
use crate::batches::order::{Purpose, permutation_of};
use crate::error::DatasetError;
use crate::held_out::HeldOut;

/// A table's points, each part in the file's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Division {
    /// To learn from.
    pub train: Points,
    /// To choose settings and checkpoints by.
    pub validation: Option<Points>,
    /// To report results on.
    pub test: Option<Points>,
}

impl Points {
    /// Divides a table: `round(test_fraction · n)` of its points, at least one, are for testing; of the others some are for
    /// validation; the rest is for training. Which points are for testing does not depend on whether some are for validation.
    ///
    /// # Errors
    /// If none would be left for training.
    pub fn divide(&self, test_fraction: Option<f64>, validation: Option<&HeldOut>, seed: u64) -> Result<Division, DatasetError> {
        let n = self.len();
        let n_test = test_fraction.map_or(0, |fraction| ((fraction * n as f64).round() as usize).max(1));
        let n_validation = validation.map_or(0, |held_out| held_out.count(n.saturating_sub(n_test)));
        if n_test + n_validation >= n {
            let parts = [(n_test, "for testing"), (n_validation, "for validation")];
            let parts = parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} would be {what}"));
            let reason = format!("{n} points cannot be split: {}, none for training", parts.collect::<Vec<_>>().join(", "));
            return Err(error(self.path(), "the file", reason));
        }
        let order = permutation_of(Purpose::SplitPoints, n, seed, 0);
        let part = |from: usize, to: usize| (to > from).then(|| self.chosen(&order[from..to]));
        Ok(Division {
            train: self.chosen(&order[n_test + n_validation..]),
            validation: part(n_test, n_test + n_validation),
            test: part(0, n_test),
        })
    }

    /// Some rows, in the file's order.
    fn chosen(&self, rows: &[usize]) -> Self {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        let d = self.dimensions();
        let values = rows.iter().flat_map(|&row| &self.values[row * d..][..d]).copied().collect();
        let numbers = Some(rows.iter().map(|&row| self.row_number(row)).collect());
        Self { values, numbers, ..self.like() }
    }

    /// Where a row is in the file that the points come from, counted from 0; header, comments and blank lines do not count, rows
    /// that were left out do.
    pub fn row_number(&self, row: usize) -> usize {
        self.numbers.as_ref().map_or(row, |numbers| numbers[row])
    }
}
