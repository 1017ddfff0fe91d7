//! Columns of mean 0 and variance 1, and back.

use super::Points;
use crate::DatasetError;
use serde::{Deserialize, Serialize};

/// `z = (x - mean) / std`, column by column.
///
/// A density of standardised points becomes one of the points themselves by `ln p(x) = ln p(z) - Σ ln std`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardization {
    /// Of each column.
    pub mean: Vec<f64>,
    /// Of each column, positive.
    pub std: Vec<f64>,
}

impl Standardization {
    /// Leaves points as they are.
    pub fn identity(dimensions: usize) -> Self {
        Self { mean: vec![0.0; dimensions], std: vec![1.0; dimensions] }
    }

    /// From the mean and the standard deviation of these points.
    ///
    /// # Errors
    /// If a column is constant: no density describes it.
    pub fn of(points: &Points) -> Result<Self, DatasetError> {
        let n = points.len() as f64;
        let columns = 0..points.dimensions();
        let mean: Vec<f64> = columns.clone().map(|c| points.column(c).sum::<f64>() / n).collect();
        let square = |c: usize| points.column(c).map(|x| (x - mean[c]).powi(2)).sum::<f64>() / n;
        let std: Vec<f64> = columns.map(|c| square(c).sqrt()).collect();
        for (c, (mean, std)) in mean.iter().zip(&std).enumerate() {
            // Rounding leaves a constant column some variance.
            if *std <= 1e-12 * mean.abs().max(f64::MIN_POSITIVE) {
                let reason = format!("all values are {mean}: a constant has no density; remove the column");
                return Err(DatasetError::Points { path: points.path.clone(), place: format!("column {}", c + 1), reason });
            }
        }
        Ok(Self { mean, std })
    }

    /// Columns of the points that this fits.
    pub fn dimensions(&self) -> usize {
        self.mean.len()
    }

    /// Points, row by row, to standardised ones.
    pub fn apply(&self, values: &[f64]) -> Vec<f32> {
        self.by_column(values).map(|(x, mean, std)| ((x - mean) / std) as f32).collect()
    }

    /// Standardised points, row by row, to points.
    pub fn invert(&self, values: &[f32]) -> Vec<f64> {
        let values: Vec<f64> = values.iter().copied().map(f64::from).collect();
        self.by_column(&values).map(|(z, mean, std)| z * std + mean).collect()
    }

    /// `Σ ln std`
    pub fn log_scale(&self) -> f64 {
        self.std.iter().map(|std| std.ln()).sum()
    }

    fn by_column<'a>(&'a self, values: &'a [f64]) -> impl Iterator<Item = (f64, f64, f64)> + 'a {
        let columns = self.mean.iter().zip(&self.std).cycle();
        values.iter().zip(columns).map(|(value, (mean, std))| (*value, *mean, *std))
    }
}
