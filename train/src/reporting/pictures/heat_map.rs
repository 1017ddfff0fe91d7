//! Numbers over the plane as colours, from black over red to yellow.

use crate::reporting::pictures::grid;
use crate::scoring::density::Window;
use anyhow::Result;
use datasets::output::Existing;
use image::{Rgb, RgbImage};
use std::path::Path;

/// Pixels a side of a map.
const SIDE: u32 = 256;
/// Pixels between maps.
const GAP: u32 = 8;
/// Shades that are told apart: few, for small files.
const SHADES: f64 = 63.0;

/// Colours at equal distances along the scale (those of matplotlib's `inferno`).
const SCALE: [[u8; 3]; 9] = [
    [0, 0, 4],
    [31, 12, 72],
    [85, 15, 109],
    [136, 34, 106],
    [186, 54, 85],
    [227, 89, 51],
    [249, 140, 10],
    [249, 201, 50],
    [252, 255, 164],
];

/// One number for each of `cells x cells` fields of a window.
#[derive(Clone, Debug)]
pub struct HeatMap {
    cells: usize,
    values: Vec<f64>,
}

impl HeatMap {
    /// Zeros.
    pub fn new(cells: usize) -> Self {
        Self { cells, values: vec![0.0; cells * cells] }
    }

    /// Of these values, row by row.
    ///
    /// # Panics
    /// If their number is no square.
    pub fn of(values: Vec<f64>) -> Self {
        let cells = values.len().isqrt();
        assert_eq!(cells * cells, values.len(), "a square of values");
        Self { cells, values }
    }

    /// Adds 1 where the point lies, if it is in the window.
    pub fn count(&mut self, window: &Window, point: [f32; 2]) {
        if let Some([column, row]) = window.cell(self.cells, point) {
            self.values[row * self.cells + column] += 1.0;
        }
    }

    /// The number at a pixel; the second coordinate rises upwards.
    fn at(&self, x: u32, y: u32) -> f64 {
        let cell = |pixel: u32| pixel as usize * self.cells / SIDE as usize;
        self.values[cell(SIDE - 1 - y) * self.cells + cell(x)]
    }

    /// What is drawn brightest: the largest number but for a few single fields.
    fn brightest(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let most = sorted[sorted.len() - 1 - sorted.len() / 500];
        if most > 0.0 { most } else { 1.0 }
    }
}

/// Draws maps from left to right into a PNG file of the run.
///
/// # Errors
/// If the file cannot be written.
pub fn write_side_by_side(path: &Path, maps: &[HeatMap]) -> Result<()> {
    let n = maps.len() as u32;
    let mut picture = RgbImage::from_pixel(n * SIDE + n.saturating_sub(1) * GAP, SIDE, Rgb([255; 3]));
    for (map, left) in maps.iter().zip((0..).step_by((SIDE + GAP) as usize)) {
        let brightest = map.brightest();
        for y in 0..SIDE {
            for x in 0..SIDE {
                picture.put_pixel(left + x, y, colour(map.at(x, y) / brightest));
            }
        }
    }
    grid::save(path, Existing::Own, &picture)
}

/// The colour of a number in `[0, 1]`; what lies outside is clamped.
fn colour(value: f64) -> Rgb<u8> {
    let place = (value.clamp(0.0, 1.0) * SHADES).round() / SHADES * (SCALE.len() - 1) as f64;
    let index = (place as usize).min(SCALE.len() - 2);
    let part = place - index as f64;
    Rgb([0, 1, 2].map(|c| {
        let (from, to) = (f64::from(SCALE[index][c]), f64::from(SCALE[index + 1][c]));
        (from + part * (to - from)).round() as u8
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_drawn_where_they_are() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("map.png");
        let mut map = HeatMap::new(4);
        // In the upper left field, and one outside.
        map.count(&Window::default(), [-3.9, 3.9]);
        map.count(&Window::default(), [-4.1, 3.9]);
        write_side_by_side(&path, &[HeatMap::new(2), map])?;
        let picture = image::open(&path)?.to_rgb8();
        assert_eq!(picture.dimensions(), (2 * SIDE + GAP, SIDE));
        let [black, yellow] = [0.0, 1.0].map(colour);
        assert_eq!(*picture.get_pixel(SIDE + GAP + 1, 1), yellow);
        for (x, y) in [(SIDE + GAP + 1, SIDE - 1), (2 * SIDE + GAP - 1, 1), (SIDE + GAP + SIDE / 4, 1), (1, 1)] {
            assert_eq!(*picture.get_pixel(x, y), black, "{x} {y}");
        }
        Ok(())
    }

    #[test]
    fn the_scale_goes_through_its_colours() {
        assert_eq!((colour(-1.0), colour(0.0), colour(7.0)), (Rgb(SCALE[0]), Rgb(SCALE[0]), Rgb(SCALE[8])));
        let greens: Vec<u8> = (0..=63).map(|shade| colour(f64::from(shade) / 63.0)[1]).collect();
        assert!(greens.is_sorted() && greens[32] > 40);
    }
}
