//! Columns of mean 0 and variance 1, and back.

use super::excerpt::excerpt;
use super::{Points, error};
use crate::error::DatasetError;
use serde::{Deserialize, Serialize};

/// `z = (x - mean) / std`, column by column.
///
/// A density of standardised points becomes one of the points themselves by `ln p(x) = ln p(z) - Σ ln std`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardization {
    /// The mean of each column.
    pub mean: Vec<f64>,
    /// The standard deviation of each column, positive.
    pub std: Vec<f64>,
}

impl Standardization {
    /// Leaves points as they are.
    pub fn identity(dimensions: usize) -> Self {
        Self { mean: vec![0.0; dimensions], std: vec![1.0; dimensions] }
    }

    /// The standardisation by the mean and the standard deviation of these points.
    ///
    /// Both are computed in double precision, the deviations from the mean that is subtracted.
    ///
    /// # Errors
    /// If a column is constant: no density describes it. If its values are so large, or so close to each other or to zero, that
    /// their variance is no ordinary number of 64 bits.
    pub fn of(points: &Points) -> Result<Self, DatasetError> {
        let n = points.len() as f64;
        let columns = 0..points.dimensions();
        let mean: Vec<f64> = columns.clone().map(|c| points.column(c).sum::<f64>() / n).collect();
        let square = |c: usize| points.column(c).map(|x| (x - mean[c]).powi(2)).sum::<f64>() / n;
        let std: Vec<f64> = columns.map(|c| square(c).sqrt()).collect();
        for (c, name) in points.names.iter().enumerate() {
            let fail = |reason: String| Err(error(&points.path, &format!("column {} ({})", c + 1, excerpt(name)), reason));
            let (least, most) = points.column(c).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
            if least == most {
                return fail(format!("all values are {least:?}: a constant has no density; leave the column out"));
            }
            if !mean[c].is_finite() || !std[c].is_finite() {
                return fail(format!(
                    "values from {least:?} to {most:?} have no variance in 64 bits; rescale the column or remove the rows"
                ));
            }
            // Squares of smaller numbers lose digits, then vanish.
            if std[c] < f64::MIN_POSITIVE.sqrt() {
                return fail(format!("values from {least:?} to {most:?} are too close to each other; rescale the column"));
            }
        }
        Ok(Self { mean, std })
    }

    /// Columns of the points that this fits.
    pub fn dimensions(&self) -> usize {
        self.mean.len()
    }

    /// Points, row by row, to standardised ones; infinite where they are beyond single precision.
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
