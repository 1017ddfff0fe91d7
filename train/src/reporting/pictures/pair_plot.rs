//! A table beside samples: every pair of columns as a map, and every column as a histogram.

use crate::reporting::pictures::axis::Axis;
use crate::reporting::pictures::grid;
use crate::reporting::pictures::heat_map::HeatMap;
use crate::reporting::pictures::panel::{self, INK, LEFT, PAPER, RIGHT};
use crate::reporting::pictures::text::{self, HEIGHT};
use anyhow::Result;
use datasets::io::output::Existing;
use datasets::points::Standardization;
use image::{Rgb, RgbImage};
use std::path::Path;

/// Columns that are shown at most: the first ones.
pub const MOST_COLUMNS: usize = 5;
/// Pixels a side of a field.
const SIDE: u32 = 150;
/// Pixels between fields.
const GAP: u32 = 12;
/// Above the fields: lines that say what is what.
const TOP: u32 = 3 * (HEIGHT + 2) + 8;
/// Below them: numbers and names.
const BOTTOM: u32 = 48;
/// Fields of a map, and bars of a histogram.
const CELLS: usize = 30;
const DATA: Rgb<u8> = Rgb([150, 180, 220]);
const SAMPLES: Rgb<u8> = Rgb([200, 70, 20]);

/// Rows of a table, of which only the first columns are kept, in the table's own units.
#[derive(Clone, Debug)]
pub struct Columns {
    values: Vec<f64>,
    n: usize,
}

impl Columns {
    /// From whole rows of this many columns.
    pub fn of(rows: &[f64], columns: usize) -> Self {
        let n = columns.min(MOST_COLUMNS);
        Self { values: rows.chunks_exact(columns.max(1)).flat_map(|row| &row[..n]).copied().collect(), n }
    }

    fn len(&self) -> usize {
        self.values.len() / self.n.max(1)
    }

    fn column(&self, index: usize) -> impl Iterator<Item = f64> {
        self.values.iter().skip(index).step_by(self.n.max(1)).copied()
    }

    /// An axis on which all values of a column lie, and three standard deviations on both sides of the training data's mean: few
    /// data say little of where samples may be.
    fn axis(&self, index: usize, name: &str, training: &Standardization) -> Axis {
        let (mean, std) = (training.mean[index], training.std[index]);
        let usual = (mean - 3.0 * std, mean + 3.0 * std);
        let (least, most) = self.column(index).fold(usual, |(a, b), x| (a.min(x), b.max(x)));
        let room = 0.02 * (most - least);
        Axis::new(name, least - room, most + room)
    }

    /// Rows with a value beside one of the axes.
    fn outside(&self, axes: &[Axis]) -> usize {
        let is_outside = |row: &&[f64]| row.iter().zip(axes).any(|(&x, axis)| !(0.0..=1.0).contains(&axis.place(x)));
        self.values.chunks_exact(self.n.max(1)).filter(is_outside).count()
    }

    fn map(&self, [x, y]: [usize; 2], axes: &[Axis]) -> HeatMap {
        let mut map = HeatMap::new(CELLS);
        for (a, b) in self.column(x).zip(self.column(y)) {
            map.count_at([axes[x].place(a), axes[y].place(b)]);
        }
        map
    }

    /// The part of all rows in each bar.
    fn histogram(&self, index: usize, axis: &Axis) -> Vec<f64> {
        let mut bars = vec![0.0; CELLS];
        let cells = self.column(index).map(|x| axis.place(x)).filter(|place| (0.0..=1.0).contains(place));
        cells.for_each(|place| bars[((place * CELLS as f64) as usize).min(CELLS - 1)] += 1.0);
        bars.iter().map(|n| n / self.len().max(1) as f64).collect()
    }
}

/// Draws data and samples into a PNG file of the run: data below the diagonal, samples above it, histograms of both on it. The axes
/// reach as far as the data, and as most of the training data did.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, names: &[String], training: &Standardization, data: &Columns, samples: Option<&Columns>) -> Result<()> {
    let n = data.n as u32;
    let axes: Vec<Axis> = names.iter().take(data.n).enumerate().map(|(index, name)| data.axis(index, name, training)).collect();
    let size = n * (SIDE + GAP) - GAP;
    let mut picture = RgbImage::from_pixel(LEFT + size + RIGHT, TOP + size + BOTTOM, PAPER);
    legend(&mut picture, names.len(), data, samples, &axes);
    for (row, column) in (0..n).flat_map(|row| (0..n).map(move |column| (row, column))) {
        let corner = [LEFT + column * (SIDE + GAP), TOP + row * (SIDE + GAP)];
        let (x, y) = (column as usize, row as usize);
        match row.cmp(&column) {
            std::cmp::Ordering::Greater => data.map([x, y], &axes).draw(&mut picture, corner, SIDE),
            std::cmp::Ordering::Less => {
                if let Some(samples) = samples {
                    samples.map([x, y], &axes).draw(&mut picture, corner, SIDE);
                }
            }
            std::cmp::Ordering::Equal => histograms(&mut picture, corner, data, samples, (x, &axes[x])),
        }
        panel::frame(&mut picture, corner, SIDE);
        if row + 1 == n {
            panel::along_bottom(&mut picture, corner, SIDE, &axes[x]);
        }
        if column == 0 {
            panel::along_left(&mut picture, corner, SIDE, &axes[y]);
        }
    }
    grid::save(path, Existing::Own, &picture)
}

fn legend(picture: &mut RgbImage, columns: usize, data: &Columns, samples: Option<&Columns>, axes: &[Axis]) {
    let of_samples = samples.map_or_else(
        || "samples could not be drawn".into(),
        |samples| match samples.outside(axes) {
            0 => "above the diagonal, line: samples".into(),
            outside => format!("above the diagonal, line: samples ({outside} of {} outside)", samples.len()),
        },
    );
    let of_columns = if columns > data.n { format!("the first {} of {columns} columns", data.n) } else { String::new() };
    let lines = ["below the diagonal, filled: held-out data".to_string(), of_samples, of_columns];
    for ((line, top), colour) in lines.iter().zip((4..).step_by(HEIGHT as usize + 2)).zip([Rgb([60, 100, 160]), SAMPLES, INK]) {
        text::draw(picture, [LEFT, top], line, colour);
    }
}

fn histograms(picture: &mut RgbImage, corner: [u32; 2], data: &Columns, samples: Option<&Columns>, of: (usize, &Axis)) {
    let (index, axis) = of;
    let filled = data.histogram(index, axis);
    let line = samples.map(|samples| samples.histogram(index, axis)).unwrap_or_default();
    let most = filled.iter().chain(&line).copied().fold(1e-12, f64::max);
    let height = |part: f64| (part / most * f64::from(SIDE - 8)) as u32;
    let bar = |x: u32| (x as usize * CELLS / SIDE as usize).min(CELLS - 1);
    panel::fill(picture, corner, SIDE, |x| height(filled[bar(x)]), DATA);
    if !line.is_empty() {
        panel::line(picture, corner, SIDE, 0, |x| height(line[bar(x)]), SAMPLES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_lie_below_the_diagonal_and_samples_above() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("pairs.png");
        let rows: Vec<f64> = (0..300).flat_map(|i| [f64::from(i), f64::from(i * i), f64::from(-i)]).collect();
        let names = ["age", "square", "minus"].map(String::from);
        let data = Columns::of(&rows, 3);
        write(&path, &names, &Standardization::identity(3), &data, None)?;
        let picture = image::open(&path)?.to_rgb8();
        let size = 3 * (SIDE + GAP) - GAP;
        assert_eq!(picture.dimensions(), (LEFT + size + RIGHT, TOP + size + BOTTOM));
        let is_map = |row: u32, column: u32| {
            let corner = [LEFT + column * (SIDE + GAP) + 4, TOP + row * (SIDE + GAP) + 4];
            *picture.get_pixel(corner[0], corner[1]) != PAPER
        };
        assert!(is_map(1, 0) && is_map(2, 0) && is_map(2, 1), "data");
        assert!(!is_map(0, 1) && !is_map(0, 2) && !is_map(1, 2), "no samples");
        Ok(())
    }

    #[test]
    fn what_lies_outside_is_counted() {
        let data = Columns::of(&[0.0, 0.0, 0.0, 1.0, 1.0, 1.0], 3);
        let training = Standardization { mean: vec![0.5; 3], std: vec![0.01; 3] };
        let axes: Vec<Axis> = (0..3).map(|index| data.axis(index, "x", &training)).collect();
        assert_eq!(data.outside(&axes), 0);
        assert_eq!(Columns::of(&[0.5, 0.5, 0.5, 0.5, 9.0, 0.5], 3).outside(&axes), 1);
        let parts = data.histogram(0, &axes[0]);
        assert!((parts.iter().sum::<f64>() - 1.0).abs() < 1e-12 && parts[0] == 0.5 && parts[29] == 0.5, "{parts:?}");
        assert_eq!(Columns::of(&[0.0; 14], 7).n, MOST_COLUMNS);
    }
}
