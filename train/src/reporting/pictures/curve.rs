//! The course of a run as a drawing: the loss over steps.

use crate::data::kind::DataKind;
use crate::directory::RunDir;
use crate::reporting::history::History;
use crate::reporting::pictures::plot::{Plot, Series, smoothed};
use anyhow::Result;

/// Decay of the running mean that is drawn of training.
pub const SMOOTHING: f64 = 0.9;

/// Writes `curve.svg` from the metrics of a run: the running mean of training as a line, evaluations as dots.
///
/// # Errors
/// If the metrics cannot be read or the file cannot be written.
pub fn write(dir: &RunDir, kind: &DataKind) -> Result<()> {
    let svg = curve(&History::read(&dir.file("metrics.jsonl"))?, kind).svg((800, 500))?;
    dir.write("curve.svg", &svg)
}

fn curve(history: &History, kind: &DataKind) -> Plot {
    let training = smoothed(history.get(&kind.key("")), SMOOTHING);
    let evaluated = |split: &str| history.get(&kind.key(&format!("{split}_"))).to_vec();
    let mut series = vec![
        Series::line("training (running mean)", 0, training),
        Series::dots("validation (averaged weights)", 2, evaluated("validation")),
        Series::dots("test (averaged weights)", 1, evaluated("test")),
    ];
    series.retain(|series| !series.points.is_empty());
    Plot { x_label: "optimiser steps", y_label: kind.loss_unit().axis().into(), series }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGES: DataKind = DataKind::Images { levels: 256, only_classes: false };

    #[test]
    fn axes_are_labelled_and_points_drawn() -> Result<()> {
        let mut history = History::default();
        let training = (1..50).map(|step| (step as f64, 3.0 + 5.0 / step as f64)).collect();
        history.series.insert("bits_per_dim".into(), training);
        history.series.insert("test_bits_per_dim".into(), vec![(20.0, 3.2), (40.0, 3.1)]);
        let svg = curve(&history, &IMAGES).svg((800, 500))?;
        assert!(svg.contains("bits per dimension") && svg.contains("optimiser steps"));
        assert_eq!(svg.matches("<circle").count(), 2, "two evaluations");
        assert!(!svg.contains("validation"), "none was made");
        history.series.insert("validation_bits_per_dim".into(), vec![(10.0, 3.3)]);
        let svg = curve(&history, &IMAGES).svg((800, 500))?;
        assert!(svg.matches("<circle").count() == 3 && svg.contains("validation"));
        Ok(())
    }

    #[test]
    fn a_run_without_records_has_an_empty_curve() -> Result<()> {
        assert_eq!(curve(&History::default(), &IMAGES).svg((800, 500))?, "");
        Ok(())
    }
}
