//! Neighbourhoods of pixels as matrix rows, and back.
//!
//! With taps `t ∈ {-r..r}²` of a `k×k` kernel (`r = k/2`), tap-major columns and zero padding:
//! `unfold(x)[p, (t, c)] = x[p + s t, c]` and `fold(m)[p, c] = Σ_t m[p + s t, (t, c)]`, where `s` is +1 or -1.
//! `fold` with one sign is the transpose of `unfold` with the other.

use rayon::prelude::*;
use std::ops::Range;

/// A batch of pixel grids, rows ordered image, height, width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
}

impl Grid {
    pub fn pixels(&self) -> usize {
        self.batch * self.height * self.width
    }
}

/// The sign `s` of the taps.
#[derive(Clone, Copy)]
pub(super) enum Taps {
    Forward,
    Mirrored,
}

impl Taps {
    /// Where a tap stands, in lines and pixels from its pixel.
    fn shift(self, tap: usize, k: usize) -> [isize; 2] {
        let shift = [tap / k, tap % k].map(|place| place as isize - (k / 2) as isize);
        match self {
            Taps::Forward => shift,
            Taps::Mirrored => shift.map(|s| -s),
        }
    }
}

/// A run of pixels of one line, and where a tap reads or writes for it.
struct Run {
    /// First pixel of the run whose tap is inside the image, counted from the run's start; and how many are.
    skipped: usize,
    inside: usize,
    /// The pixel that the first of them is paired with.
    pixel: usize,
}

impl Run {
    /// For the pixels `start..start + length` of line `line` (counted over all images), shifted by `(dy, dx)`.
    fn new(grid: Grid, line: usize, start: usize, length: usize, [dy, dx]: [isize; 2]) -> Self {
        let (h, w) = (grid.height as isize, grid.width as isize);
        let y = (line % grid.height) as isize + dy;
        let first = (start as isize + dx).clamp(0, w);
        let end = ((start + length) as isize + dx).clamp(0, w);
        if !(0..h).contains(&y) || first >= end {
            return Self { skipped: length, inside: 0, pixel: 0 };
        }
        let line = (line as isize + dy) as usize;
        Self { skipped: (first - dx) as usize - start, inside: (end - first) as usize, pixel: line * grid.width + first as usize }
    }
}

/// Rows `rows` of `unfold(x)`, into `out[rows, k² c]`.
pub(super) fn unfold_rows(x: &[f32], grid: Grid, c: usize, k: usize, taps: Taps, rows: Range<usize>, out: &mut [f32]) {
    if k == 1 {
        out[..rows.len() * c].copy_from_slice(&x[rows.start * c..rows.end * c]);
        return;
    }
    let columns = k * k * c;
    let mut row = rows.start;
    let mut out = &mut out[..rows.len() * columns];
    while row < rows.end {
        let (line, start) = (row / grid.width, row % grid.width);
        let length = (grid.width - start).min(rows.end - row);
        let (segment, rest) = out.split_at_mut(length * columns);
        for tap in 0..k * k {
            let run = Run::new(grid, line, start, length, taps.shift(tap, k));
            let (before, after) = (run.skipped, length - run.skipped - run.inside);
            let column = &mut segment[tap * c..];
            if before + after > 0 {
                zero_pixels(column, columns, c, 0..before);
                zero_pixels(column, columns, c, length - after..length);
            }
            if run.inside > 0 {
                let from = &x[run.pixel * c..][..run.inside * c];
                move_pixels(from, c, c, &mut column[before * columns..], columns, |to, from| *to = from);
            }
        }
        out = rest;
        row += length;
    }
}

fn zero_pixels(column: &mut [f32], stride: usize, c: usize, pixels: Range<usize>) {
    for pixel in pixels {
        column[pixel * stride..][..c].fill(0.0);
    }
}

/// `fold(m)` of a whole grid: `m` is `[pixels, k² c]`, the result `[pixels, c]`.
pub(super) fn fold(m: Vec<f32>, grid: Grid, c: usize, k: usize, taps: Taps) -> Vec<f32> {
    if k == 1 {
        return m;
    }
    let columns = k * k * c;
    let mut out = vec![0.0; grid.pixels() * c];
    out.par_chunks_mut(grid.width * c).enumerate().for_each(|(line, out)| {
        for tap in 0..k * k {
            let run = Run::new(grid, line, 0, grid.width, taps.shift(tap, k));
            if run.inside > 0 {
                let from = &m[run.pixel * columns + tap * c..];
                move_pixels(from, columns, c, &mut out[run.skipped * c..][..run.inside * c], c, |to, from| *to += from);
            }
        }
    });
    out
}

/// Combines `c` channels a pixel from one strided matrix into another, until either ends.
fn move_pixels(from: &[f32], from_stride: usize, c: usize, to: &mut [f32], to_stride: usize, combine: impl Fn(&mut f32, f32)) {
    match c {
        1 => {
            for (to, from) in to.iter_mut().step_by(to_stride).zip(from.iter().step_by(from_stride)) {
                combine(to, *from);
            }
        }
        3 => {
            for (to, from) in to.chunks_mut(to_stride).zip(from.chunks(from_stride)) {
                if let (Some(to), Some(from)) = (to.first_chunk_mut::<3>(), from.first_chunk::<3>()) {
                    to.iter_mut().zip(from).for_each(|(to, from)| combine(to, *from));
                }
            }
        }
        _ => {
            for (to, from) in to.chunks_mut(to_stride).zip(from.chunks(from_stride)) {
                to.iter_mut().zip(from).take(c).for_each(|(to, from)| combine(to, *from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definitions, tap by tap.
    fn at(grid: Grid, pixel: usize, [dy, dx]: [isize; 2]) -> Option<usize> {
        let (h, w) = (grid.height, grid.width);
        let (image, y, x) = (pixel / (h * w), (pixel / w % h) as isize + dy, (pixel % w) as isize + dx);
        let inside = (0..h as isize).contains(&y) && (0..w as isize).contains(&x);
        inside.then(|| (image * h + y as usize) * w + x as usize)
    }

    #[test]
    fn both_follow_their_definition() {
        for (grid, c, k) in [
            (Grid { batch: 2, height: 4, width: 5 }, 1, 3),
            (Grid { batch: 3, height: 2, width: 3 }, 3, 5),
            (Grid { batch: 1, height: 1, width: 1 }, 2, 3),
            (Grid { batch: 2, height: 3, width: 1 }, 7, 3),
        ] {
            for taps in [Taps::Forward, Taps::Mirrored] {
                let columns = k * k * c;
                let x: Vec<f32> = (0..grid.pixels() * c).map(|i| 1.0 + i as f32).collect();
                // Odd ranges, over the ends of lines and images.
                for rows in [0..grid.pixels(), 0..1, grid.pixels() / 3..grid.pixels()] {
                    let mut out = vec![f32::NAN; rows.len() * columns];
                    unfold_rows(&x, grid, c, k, taps, rows.clone(), &mut out);
                    for (row, pixel) in rows.enumerate() {
                        for column in 0..columns {
                            let want = at(grid, pixel, taps.shift(column / c, k)).map_or(0.0, |from| x[from * c + column % c]);
                            assert_eq!(out[row * columns + column], want, "{grid:?} {c} {k} pixel {pixel} column {column}");
                        }
                    }
                }
                let m: Vec<f32> = (0..grid.pixels() * columns).map(|i| ((i * 37) % 101) as f32).collect();
                let folded = fold(m.clone(), grid, c, k, taps);
                for pixel in 0..grid.pixels() {
                    for channel in 0..c {
                        let taps = (0..k * k).filter_map(|tap| Some((tap, at(grid, pixel, taps.shift(tap, k))?)));
                        let want: f32 = taps.map(|(tap, from)| m[from * columns + tap * c + channel]).sum();
                        assert_eq!(folded[pixel * c + channel], want, "{grid:?} {c} {k} pixel {pixel}");
                    }
                }
            }
        }
    }
}
