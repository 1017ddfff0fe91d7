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
    fn offset(self, tap: usize, radius: usize) -> isize {
        let offset = tap as isize - radius as isize;
        match self {
            Taps::Forward => offset,
            Taps::Mirrored => -offset,
        }
    }
}

/// Rows `rows` of `unfold(x)`, into `out[rows, k² c]`.
pub(super) fn unfold_rows(x: &[f32], grid: Grid, c: usize, k: usize, taps: Taps, rows: Range<usize>, out: &mut [f32]) {
    if k == 1 {
        out[..rows.len() * c].copy_from_slice(&x[rows.start * c..rows.end * c]);
        return;
    }
    let (h, w) = (grid.height, grid.width);
    for (p, out) in rows.zip(out.chunks_exact_mut(k * k * c)) {
        let (image, py, px) = (p / (h * w), p / w % h, p % w);
        for (tap, out) in out.chunks_exact_mut(c).enumerate() {
            let y = py as isize + taps.offset(tap / k, k / 2);
            let x_at = px as isize + taps.offset(tap % k, k / 2);
            if (0..h as isize).contains(&y) && (0..w as isize).contains(&x_at) {
                let from = ((image * h + y as usize) * w + x_at as usize) * c;
                out.copy_from_slice(&x[from..from + c]);
            } else {
                out.fill(0.0);
            }
        }
    }
}

/// `fold(m)` of a whole grid: `m` is `[pixels, k² c]`, the result `[pixels, c]`.
pub(super) fn fold(m: Vec<f32>, grid: Grid, c: usize, k: usize, taps: Taps) -> Vec<f32> {
    if k == 1 {
        return m;
    }
    let (h, w) = (grid.height, grid.width);
    let mut out = vec![0.0; grid.pixels() * c];
    out.par_chunks_mut(w * c).enumerate().for_each(|(line, out)| {
        let (image, py) = (line / h, line % h);
        for tap_y in 0..k {
            let y = py as isize + taps.offset(tap_y, k / 2);
            if !(0..h as isize).contains(&y) {
                continue;
            }
            for (px, out) in out.chunks_exact_mut(c).enumerate() {
                for tap_x in 0..k {
                    let x_at = px as isize + taps.offset(tap_x, k / 2);
                    if (0..w as isize).contains(&x_at) {
                        let pixel = (image * h + y as usize) * w + x_at as usize;
                        let from = (pixel * k * k + tap_y * k + tap_x) * c;
                        for (out, m) in out.iter_mut().zip(&m[from..from + c]) {
                            *out += m;
                        }
                    }
                }
            }
        }
    });
    out
}
