//! A model's density of points.

use crate::scoring::score::Scorer;
use anyhow::Result;
use burn::tensor::Device;
use residual_flows::{Context as Known, LogDetConfig, ResidualFlow};

/// Points of a batch.
pub const BATCH: usize = 10_000;

/// The square of the plane that is looked at, `[-half_side, half_side]²` in the model's (standardised) coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Half of its side.
    pub half_side: f32,
}

impl Default for Window {
    /// `[-4, 4]²`, as in the paper's pictures.
    fn default() -> Self {
        Self { half_side: 4.0 }
    }
}

impl Window {
    /// The centres of `cells x cells` equal fields, row by row, with the second coordinate rising from row to row.
    fn centres(&self, cells: usize) -> Vec<f32> {
        (0..cells * cells).flat_map(|cell| [self.centre(cell % cells, cells), self.centre(cell / cells, cells)]).collect()
    }

    /// Of one of `cells` equal parts of a side.
    fn centre(&self, index: usize, cells: usize) -> f32 {
        self.half_side * ((2 * index + 1) as f32 / cells as f32 - 1.0)
    }

    /// Column and row of the field that a point lies in.
    pub fn cell(&self, cells: usize, point: [f32; 2]) -> Option<[usize; 2]> {
        let place = point.map(|x| (x / self.half_side + 1.0) / 2.0 * cells as f32);
        place.iter().all(|x| (0.0..cells as f32).contains(x)).then(|| place.map(|x| x as usize))
    }
}

/// A model whose Lipschitz constraint has converged, as a function of points.
pub struct Density<'a> {
    model: &'a ResidualFlow,
    log_det: &'a LogDetConfig,
    device: Device,
    known: Option<Known>,
}

impl<'a> Density<'a> {
    /// With log-determinants computed in this way.
    pub fn new(model: &'a ResidualFlow, log_det: &'a LogDetConfig, device: &Device) -> Self {
        Self { model, log_det, device: device.clone(), known: None }
    }

    /// Of points about all of which the same is known.
    pub fn given(self, known: Option<Known>) -> Self {
        Self { known, ..self }
    }

    /// Number of coordinates.
    pub fn dimensions(&self) -> usize {
        self.model.dimensions()
    }

    /// `ln p` (nats) at points in the model's coordinates, row by row.
    ///
    /// # Errors
    /// As [`Scorer::scores`].
    fn log_prob(&self, points: &[f32]) -> Result<Vec<f64>> {
        let Self { model, log_det, device, known } = self;
        let scores = Scorer { model, log_det, device, batch: BATCH, seed: 0, known: known.as_ref() };
        let scores = scores.scores(points, [self.dimensions(), 1, 1])?;
        Ok(scores.log_prob_in_single_precision().collect())
    }

    /// The density in the fields of a window, as [`Window`] orders them: of models of the plane.
    ///
    /// # Errors
    /// As [`Scorer::scores`].
    pub fn on_grid(&self, window: &Window, cells: usize) -> Result<Vec<f64>> {
        Ok(self.log_prob(&window.centres(cells))?.into_iter().map(f64::exp).collect())
    }

    /// The density at so many places at equal distances between the window's ends: of models of a single column.
    ///
    /// # Errors
    /// As [`Scorer::scores`].
    pub fn on_line(&self, window: &Window, places: usize) -> Result<Vec<f64>> {
        let points: Vec<f32> = (0..places).map(|index| window.centre(index, places)).collect();
        Ok(self.log_prob(&points)?.into_iter().map(f64::exp).collect())
    }

    /// `∫ p` over a window by the midpoint rule: 1 but for what lies outside, and the rule's error.
    ///
    /// # Errors
    /// As [`Scorer::scores`].
    pub fn integral(&self, window: &Window, cells: usize) -> Result<f64> {
        let area = (2.0 * f64::from(window.half_side) / cells as f64).powi(2);
        Ok(area * self.on_grid(window, cells)?.iter().sum::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centres_lie_in_their_own_fields() {
        let window = Window { half_side: 3.0 };
        let centres = window.centres(5);
        for (index, point) in centres.chunks_exact(2).enumerate() {
            assert_eq!(window.cell(5, [point[0], point[1]]), Some([index % 5, index / 5]));
        }
        assert_eq!(window.cell(5, [3.1, 0.0]), None);
        assert_eq!(window.cell(5, [0.0, f32::NAN]), None);
        assert_eq!(window.cell(5, [-3.0, 2.999]), Some([0, 4]));
    }
}
