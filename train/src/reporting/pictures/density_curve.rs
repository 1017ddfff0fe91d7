//! Points of one dimension: their histogram, that of samples, and the model's density, over one axis.

use crate::reporting::pictures::axis::Axis;
use crate::reporting::pictures::grid;
use crate::reporting::pictures::panel::{self, LEFT, PAPER, RIGHT};
use crate::reporting::pictures::text::{self, HEIGHT};
use anyhow::Result;
use datasets::io::output::Existing;
use image::{Rgb, RgbImage};
use std::path::Path;

/// Pixels a side of the drawing.
const SIDE: u32 = 400;
/// Above it: lines that say what is what.
const TOP: u32 = 3 * (HEIGHT + 2) + 8;
/// Below it, for numbers and the name.
const BOTTOM: u32 = 44;
/// Bars of a histogram.
const BARS: usize = 50;
const DATA: Rgb<u8> = Rgb([150, 180, 220]);
const DATA_WORDS: Rgb<u8> = Rgb([60, 100, 160]);
const SAMPLES: Rgb<u8> = Rgb([44, 140, 44]);
const DENSITY: Rgb<u8> = Rgb([200, 70, 20]);

/// What is drawn, all in the column's own units.
pub struct DensityCurve<'a> {
    /// Along which everything lies.
    pub axis: Axis,
    /// Held-out points.
    pub data: &'a [f64],
    /// Samples; none where they could not be drawn.
    pub samples: Option<&'a [f64]>,
    /// The density at equal distances along the axis.
    pub density: &'a [f64],
}

impl DensityCurve<'_> {
    /// Draws it into a PNG file of the run.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let filled = self.histogram(self.data);
        let stepped = self.samples.map(|samples| self.histogram(samples));
        let heights = filled.iter().chain(stepped.iter().flatten()).chain(self.density);
        let most = 1.05 * heights.copied().filter(|height| height.is_finite()).fold(1e-300, f64::max);
        let corner = [LEFT, TOP];
        let mut picture = RgbImage::from_pixel(LEFT + SIDE + RIGHT, TOP + SIDE + BOTTOM, PAPER);
        let up = |height: f64| (height.clamp(0.0, most) / most * f64::from(SIDE - 1)) as u32;
        let at = |values: &[f64], x: u32| values[(x as usize * values.len() / SIDE as usize).min(values.len() - 1)];
        panel::fill(&mut picture, corner, SIDE, |x| up(at(&filled, x)), DATA);
        for (values, colour) in stepped.iter().map(|values| (values.as_slice(), SAMPLES)).chain([(self.density, DENSITY)]) {
            let height = |x| up(at(values, x));
            panel::line(&mut picture, corner, SIDE, height(0), height, colour);
        }
        self.legend(&mut picture);
        panel::frame(&mut picture, corner, SIDE);
        panel::along_bottom(&mut picture, corner, SIDE, &self.axis);
        panel::along_left(&mut picture, corner, SIDE, &Axis::new("density", 0.0, most));
        grid::save(path, Existing::Own, &picture)
    }

    /// The part of all values in each bar, by its width.
    fn histogram(&self, values: &[f64]) -> Vec<f64> {
        let mut bars = vec![0.0; BARS];
        let places = values.iter().map(|&x| self.axis.place(x)).filter(|place| (0.0..=1.0).contains(place));
        places.for_each(|place| bars[((place * BARS as f64) as usize).min(BARS - 1)] += 1.0);
        let width = (self.axis.most - self.axis.least) / BARS as f64;
        bars.iter().map(|n| n / (values.len().max(1) as f64 * width)).collect()
    }

    fn legend(&self, picture: &mut RgbImage) {
        let samples = if self.samples.is_some() { "steps: samples" } else { "samples could not be drawn" };
        let lines = [("filled: held-out data", DATA_WORDS), (samples, SAMPLES), ("curve: the model's density", DENSITY)];
        for ((words, colour), top) in lines.into_iter().zip((4..).step_by(HEIGHT as usize + 2)) {
            text::draw(picture, [LEFT, top], words, colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_densities() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("curve.png");
        // Uniform between 0 and 10, of an axis twice as long.
        let data: Vec<f64> = (0..1000).map(|i| f64::from(i) / 100.0).collect();
        let density: Vec<f64> = (0..400).map(|i| if i < 200 { 0.1 } else { 0.0 }).collect();
        let curve = DensityCurve { axis: Axis::new("age", 0.0, 20.0), data: &data, samples: None, density: &density };
        let bars = curve.histogram(&data);
        assert!(bars[..25].iter().all(|bar| (bar - 0.1).abs() < 0.01) && bars[25..].iter().all(|bar| *bar == 0.0), "{bars:?}");
        curve.write(&path)?;
        let picture = image::open(&path)?.to_rgb8();
        assert_eq!(picture.dimensions(), (LEFT + SIDE + RIGHT, TOP + SIDE + BOTTOM));
        let at = |x: u32, up: u32| *picture.get_pixel(LEFT + x, TOP + SIDE - 1 - up);
        assert_eq!([at(100, 100), at(300, 100)], [DATA, PAPER]);
        // The curve is about a twentieth below the upper end, where the highest bar is; at the other half of the axis it is zero.
        let curve = |x: u32| (2..SIDE).filter(|up| at(x, *up) == DENSITY).collect::<Vec<_>>();
        let high = curve(100);
        assert!(!high.is_empty() && high.iter().all(|up| (350..=385).contains(up)), "{high:?}");
        assert!(curve(300).is_empty());
        Ok(())
    }
}
