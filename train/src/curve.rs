//! The course of a run as a drawing: the loss over steps.

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use std::path::Path;

/// Decay of the running mean that is drawn of training.
const SMOOTHING: f64 = 0.9;

/// The loss by step.
pub struct Curve {
    /// Label of the vertical axis.
    axis: &'static str,
    training: Vec<(f64, f64)>,
    test: Vec<(f64, f64)>,
}

impl Curve {
    /// Nothing yet, with this label for the vertical axis.
    pub fn new(axis: &'static str) -> Self {
        Self { axis, training: Vec::new(), test: Vec::new() }
    }

    /// A logged training step.
    pub fn add_training(&mut self, step: u64, loss: f64) {
        let before = self.training.last().map_or(loss, |&(_, mean)| mean);
        self.training.push((step as f64, SMOOTHING * before + (1.0 - SMOOTHING) * loss));
    }

    /// An evaluation.
    pub fn add_test(&mut self, step: u64, loss: f64) {
        self.test.push((step as f64, loss));
    }

    /// Writes an SVG file: the running mean of training as a line, evaluations as dots.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        self.draw(path).map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
    }

    fn draw(&self, path: &Path) -> Result<(), Box<dyn std::error::Error + '_>> {
        let Some((low, high)) = self.range() else { return Ok(()) };
        let last = self.training.iter().chain(&self.test).map(|point| point.0).fold(1.0, f64::max);
        let root = SVGBackend::new(path, (800, 500)).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..last, low..high)?;
        chart.configure_mesh().max_light_lines(1).x_desc("optimiser steps").y_desc(self.axis).draw()?;
        let inside = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            points.iter().map(|&(step, loss)| (step, loss.clamp(low, high))).collect()
        };
        chart
            .draw_series(LineSeries::new(inside(&self.training), &BLUE))?
            .label("training (running mean)")
            .legend(|(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], BLUE));
        chart
            .draw_series(inside(&self.test).into_iter().map(|point| Circle::new(point, 3, RED.filled())))?
            .label("test (averaged weights)")
            .legend(|(x, y)| Circle::new((x + 8, y), 3, RED.filled()));
        chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
        root.present()?;
        Ok(())
    }

    /// What the vertical axis shows: all but the first steps, which are far above the rest.
    fn range(&self) -> Option<(f64, f64)> {
        let settled = self.training.iter().skip(self.training.len() / 20);
        let values: Vec<f64> = settled.chain(&self.test).map(|point| point.1).collect();
        let low = values.iter().copied().reduce(f64::min)?;
        let high = values.iter().copied().reduce(f64::max)?;
        let margin = 0.05 * (high - low).max(0.01);
        Some((low - margin, high + margin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_labelled_and_points_drawn() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("curve.svg");
        let mut curve = Curve::new("bits per dimension");
        for step in 1..50 {
            curve.add_training(step, 3.0 + 5.0 / step as f64);
        }
        curve.add_test(20, 3.2);
        curve.add_test(40, 3.1);
        curve.write(&path)?;
        let svg = std::fs::read_to_string(&path)?;
        assert!(svg.contains("bits per dimension") && svg.contains("optimiser steps"));
        assert_eq!(svg.matches("<circle").count(), 3, "two evaluations and the legend");
        Ok(())
    }
}
