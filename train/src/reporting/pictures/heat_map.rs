//! Numbers over the plane as colours, from black over red to yellow.

use crate::scoring::density::Window;
use image::{Rgb, RgbImage};

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

    /// Adds 1 where the point lies; false if that is not in the window.
    pub fn count(&mut self, window: &Window, point: [f32; 2]) -> bool {
        let cell = window.cell(self.cells, point);
        if let Some([column, row]) = cell {
            self.values[row * self.cells + column] += 1.0;
        }
        cell.is_some()
    }

    /// Adds 1 where the point lies, in parts of the map's sides from the lower left, if it is inside.
    pub fn count_at(&mut self, place: [f64; 2]) {
        if place.iter().all(|part| (0.0..=1.0).contains(part)) {
            let [column, row] = place.map(|part| ((part * self.cells as f64) as usize).min(self.cells - 1));
            self.values[row * self.cells + column] += 1.0;
        }
    }

    /// Draws the map as a square of this many pixels a side; the second coordinate rises upwards.
    pub fn draw(&self, picture: &mut RgbImage, [left, top]: [u32; 2], side: u32) {
        let brightest = self.brightest();
        let cell = |pixel: u32| pixel as usize * self.cells / side as usize;
        for (x, y) in (0..side).flat_map(|y| (0..side).map(move |x| (x, y))) {
            let value = self.values[cell(side - 1 - y) * self.cells + cell(x)];
            picture.put_pixel(left + x, top + y, colour(value / brightest));
        }
    }

    /// What is drawn brightest: the largest number but for a few single fields.
    fn brightest(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let most = sorted[sorted.len() - 1 - sorted.len() / 500];
        if most > 0.0 { most } else { 1.0 }
    }
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
    fn points_are_drawn_where_they_are() {
        const SIDE: u32 = 64;
        let mut map = HeatMap::new(4);
        // In the upper left field, and one outside.
        assert!(map.count(&Window::default(), [-3.9, 3.9]));
        assert!(!map.count(&Window::default(), [-4.1, 3.9]));
        map.count_at([1.1, 0.5]);
        let mut picture = RgbImage::new(SIDE + 10, SIDE + 10);
        map.draw(&mut picture, [10, 10], SIDE);
        let [black, yellow] = [0.0, 1.0].map(colour);
        assert_eq!(*picture.get_pixel(11, 11), yellow);
        for (x, y) in [(11, SIDE + 9), (SIDE + 9, 11), (10 + SIDE / 4, 11)] {
            assert_eq!(*picture.get_pixel(x, y), black, "{x} {y}");
        }
        map.count_at([1.0, 0.0]);
        map.draw(&mut picture, [10, 10], SIDE);
        assert_eq!(*picture.get_pixel(SIDE + 9, SIDE + 9), yellow, "the lower right end belongs to the map");
    }

    #[test]
    fn the_scale_goes_through_its_colours() {
        assert_eq!((colour(-1.0), colour(0.0), colour(7.0)), (Rgb(SCALE[0]), Rgb(SCALE[0]), Rgb(SCALE[8])));
        let greens: Vec<u8> = (0..=63).map(|shade| colour(f64::from(shade) / 63.0)[1]).collect();
        assert!(greens.is_sorted() && greens[32] > 40);
    }
}
