//! Matrices packed for products with panels of pixels.
//!
//! Features of pixels lie in panels, `[panel, feature, PANEL]`: all features of 32 pixels together. A product takes a
//! panel's features to another panel's. The outer loop is over rows of the matrix, so that a packed strip stays in the
//! first-level cache while a block of panels passes.

use super::InstructionSet;
use super::instruction_set::dispatch;
use super::microkernel::{self, MAX_STRIPS, PANEL, STRIP, Tile};
use super::strassen::Quarters;
use super::workspace::Buffer;
use rayon::prelude::*;

/// The rows that a panel has room for: whole strips.
pub(super) fn padded(features: usize) -> usize {
    features.next_multiple_of(STRIP)
}

/// `0, step, 2 step, …`: the places of a row-major matrix's rows or columns.
pub(super) fn multiples(n: usize, step: usize) -> Vec<usize> {
    (0..n).map(|i| i * step).collect()
}

/// A matrix `[rows, depth]` in strips of rows, the last filled up with zeros.
#[derive(Debug)]
pub(super) struct Packed {
    rows: usize,
    depth: usize,
    /// `[strip, depth, STRIP]`
    strips: Buffer,
    /// Strassen operands of wide matrices, for pairs of panels.
    quarters: Option<Quarters>,
}

impl Packed {
    /// The matrix whose element in row `r` and column `k` is `scale · values[rows[r] + columns[k]]`.
    pub fn gather(values: &[f32], rows: &[usize], columns: &[usize], scale: f32) -> Self {
        let depth = columns.len();
        let mut strips = Buffer::recycled(padded(rows.len()) * depth);
        let (set, is_row_major) = (InstructionSet::best(), are_consecutive(columns));
        let strip = |(out, rows): (&mut [f32], &[usize])| match *rows {
            [a, b, c, d] if is_row_major => {
                let lines = [a, b, c, d].map(|row| &values[row + columns[0]..][..depth]);
                dispatch!(set, interleave_body, (lines: [&[f32]; STRIP], scale: f32, out: &mut [f32]));
            }
            [first, _, _, _] if are_consecutive(rows) => {
                for (out, column) in out.as_chunks_mut::<STRIP>().0.iter_mut().zip(columns) {
                    let line = &values[first + column..][..STRIP];
                    out.iter_mut().zip(line).for_each(|(out, value)| *out = scale * value);
                }
            }
            _ => {
                out.fill(0.0);
                for (out, column) in out.chunks_exact_mut(STRIP).zip(columns) {
                    out.iter_mut().zip(rows).for_each(|(out, row)| *out = scale * values[row + column]);
                }
            }
        };
        strips.par_chunks_mut(depth * STRIP).zip(rows.par_chunks(STRIP)).with_min_len(16).for_each(strip);
        Self { rows: rows.len(), depth, strips, quarters: None }
    }

    /// Prepared for products with many pixels.
    pub fn with_quarters(self) -> Self {
        let quarters = Quarters::new(InstructionSet::best(), &self.strips, self.rows, self.depth);
        Self { quarters, ..self }
    }

    /// A row-major matrix.
    pub fn new(values: &[f32], rows: usize, depth: usize) -> Self {
        Self::gather(values, &multiples(rows, depth), &multiples(depth, 1), 1.0)
    }

    /// `out[p][r][x] = Σ_k self[r][k] input[p][k][x]`, then the epilogue on each tile while it is in the cache.
    pub fn product(
        &self,
        set: InstructionSet,
        input: &[f32],
        out: &mut [f32],
        pixels: usize,
        mut epilogue: impl FnMut(Tile, &mut [f32]),
    ) {
        let (from, to) = (padded(self.depth) * PANEL, padded(self.rows) * PANEL);
        let done = self.quarters.as_ref().map_or(0, |quarters| quarters.product(set, input, out, pixels, &mut epilogue));
        let mut place = 0;
        for weight in self.strips.chunks(MAX_STRIPS * STRIP * self.depth) {
            let tile = weight.len() / self.depth * PANEL;
            for start in (done..pixels).step_by(PANEL) {
                let panel = start / PANEL;
                let at = panel * to + place;
                let out = &mut out[at..at + tile];
                microkernel::product(set, weight, self.depth, &input[panel * from..], out, PANEL.min(pixels - start));
                epilogue(Tile { at, row: place / PANEL }, out);
            }
            place += tile;
        }
    }
}

fn are_consecutive(places: &[usize]) -> bool {
    places.is_sorted_by(|a, b| a + 1 == *b)
}

/// Four rows of a matrix as a strip.
#[inline(always)]
fn interleave_body<const FMA: bool>(lines: [&[f32]; STRIP], scale: f32, out: &mut [f32]) {
    let [a, b, c, d] = lines;
    for ((((out, a), b), c), d) in out.as_chunks_mut::<STRIP>().0.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        *out = [scale * a, scale * b, scale * c, scale * d];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outer_sum::OuterSum;
    use crate::transpose::{transpose, transposed_len};

    fn wave(n: usize, step: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * step).sin()).collect()
    }

    fn panels_of(features: usize, pixels: usize, value: impl Fn(usize, usize) -> f32) -> Vec<f32> {
        let mut out = vec![f32::NAN; pixels.div_ceil(PANEL) * padded(features) * PANEL];
        for pixel in 0..pixels {
            for feature in 0..features {
                out[(pixel / PANEL * padded(features) + feature) * PANEL + pixel % PANEL] = value(feature, pixel);
            }
        }
        out
    }

    #[test]
    fn products_and_outer_sums_follow_their_definitions_on_every_instruction_set() {
        for set in InstructionSet::available() {
            for (rows, depth, pixels) in [(1, 1, 1), (9, 7, 33), (12, 27, 16), (21, 40, 100), (64, 9, 49), (5, 3, 31)] {
                let weight = wave(rows * depth, 0.37);
                let input = panels_of(depth, pixels, |k, x| ((k * 31 + x * 7) as f32 * 0.11).cos());
                let at = |k: usize, x: usize| input[(x / PANEL * padded(depth) + k) * PANEL + x % PANEL];
                let transposed: Vec<f32> = (0..depth * rows).map(|i| weight[i % rows * depth + i / rows]).collect();
                let of_transposed = Packed::gather(&transposed, &multiples(rows, 1), &multiples(depth, rows), 1.0);
                for packed in [Packed::new(&weight, rows, depth), of_transposed] {
                    let panels = pixels.div_ceil(PANEL);
                    let mut out = vec![f32::NAN; panels * padded(rows) * PANEL];
                    let mut seen = 0;
                    packed.product(set, &input, &mut out, pixels, |_, tile| seen += tile.len());
                    assert_eq!(seen, out.len(), "the epilogue sees every row once");
                    for x in 0..pixels {
                        for r in 0..rows {
                            let want: f32 = (0..depth).map(|k| weight[r * depth + k] * at(k, x)).sum();
                            let got = out[(x / PANEL * padded(rows) + r) * PANEL + x % PANEL];
                            assert!((got - want).abs() < 1e-5, "{set:?} {rows}x{depth} at {r}, {x}: {got} {want}");
                        }
                    }
                }
                let left = panels_of(rows, pixels, |r, x| ((r * 13 + x * 5) as f32 * 0.07).sin());
                let mut right = vec![f32::NAN; transposed_len(depth, pixels.div_ceil(PANEL))];
                transpose(set, depth, &input, &mut right, pixels);
                let mut sum = OuterSum::new(rows, depth);
                sum.add(set, &left, &right, pixels);
                sum.add(set, &left, &right, pixels);
                let matrix = sum.matrix();
                for r in 0..rows {
                    for k in 0..depth {
                        let term = |x: usize| left[(x / PANEL * padded(rows) + r) * PANEL + x % PANEL] * at(k, x);
                        let want = 2.0 * (0..pixels).map(term).sum::<f32>();
                        let got = matrix[r * depth + k];
                        assert!((got - want).abs() < 1e-4, "{set:?} {rows}x{depth} outer at {r}, {k}: {got} {want}");
                    }
                }
            }
        }
    }
}
