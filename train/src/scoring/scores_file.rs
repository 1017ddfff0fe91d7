//! Scores sample by sample as a table, and the threshold below which a sample is an anomaly.

use crate::data::DataSet;
use crate::data::kind::DataKind;
use crate::scoring::evaluate::SampleScores;
use anyhow::Result;
use datasets::io::output::{self, Existing};
use std::path::Path;

/// The log-density below which a part `q` of samples lies: of `n` values in rising order the one at `q (n - 1)`, between two
/// neighbours in proportion.
///
/// # Panics
/// If there are no values.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = q * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let [low, high] = [below, (below + 1).min(sorted.len() - 1)].map(|at| sorted[at]);
    if part == 0.0 { low } else { low + part * (high - low) }
}

/// Writes a line for each sample: `index` in its split, `row` in its file (of points, both from 0), `log_density` (nats; of images
/// in `[0, 1]`, of points in the file's units), `bits_per_dim` of images, what is known of its class, and with a threshold
/// `anomaly`, 1 for samples below it.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, existing: Existing, data: &DataSet, scores: &SampleScores, threshold: Option<f64>) -> Result<()> {
    output::write(path, existing, |out| {
        let is_image = matches!(data.kind, DataKind::Images { only_classes: false, .. });
        let columns = [
            ("index", true),
            ("row", data.rows.is_some()),
            ("log_density", true),
            ("bits_per_dim", is_image),
            ("cross_entropy", scores.cross_entropy.is_some()),
            ("correct", scores.correct.is_some()),
            ("anomaly", threshold.is_some()),
        ];
        let names: Vec<&str> = columns.into_iter().filter_map(|(name, is_there)| is_there.then_some(name)).collect();
        writeln!(out, "{}", names.join(","))?;
        for (place, (&index, &log_density)) in scores.index.iter().zip(&scores.log_density).enumerate() {
            let fields = [
                Some(index.to_string()),
                data.rows.as_ref().map(|rows| rows[index].to_string()),
                // Those of a density of 0 are `-inf`.
                Some(log_density.to_string()),
                is_image.then(|| scores.loss[place].to_string()),
                scores.cross_entropy.as_ref().map(|of| of[place].to_string()),
                scores.correct.as_ref().map(|of| u8::from(of[place]).to_string()),
                threshold.map(|threshold| u8::from(log_density < threshold).to_string()),
            ];
            writeln!(out, "{}", fields.into_iter().flatten().collect::<Vec<_>>().join(","))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        let values = [3.0, 1.0, 2.0, 4.0, 5.0];
        for (q, want) in [(0.0, 1.0), (0.25, 2.0), (0.1, 1.4), (1.0, 5.0)] {
            assert!((quantile(&values, q) - want).abs() < 1e-12, "{q}");
        }
        assert_eq!(quantile(&[7.0], 0.01), 7.0);
        assert_eq!(quantile(&[f64::NEG_INFINITY, 0.0], 0.0), f64::NEG_INFINITY);
    }
}
