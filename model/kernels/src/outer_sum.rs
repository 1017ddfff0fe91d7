//! Sums of outer products over pixels: the gradients of weights.

use super::InstructionSet;
use super::microkernel::{self, MAX_STRIPS, Outer, PANEL, STRIP};
use super::packing::{multiples, padded};
use super::workspace::Buffer;
use rayon::prelude::*;
use std::ops::Range;

/// A sum `Σ_x left[i][x] right[j][x]` over pixels, `[rows, columns]`.
#[derive(Debug)]
pub(super) struct OuterSum {
    rows: usize,
    columns: usize,
    /// `[block of PANEL columns, row, PANEL]`: what is added to goes through the cache in order.
    values: Buffer,
}

impl OuterSum {
    pub fn new(rows: usize, columns: usize) -> Self {
        Self { rows, columns, values: Buffer::zeros(padded(rows) * columns.next_multiple_of(PANEL)) }
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Adds panels of `left` and of `right`, the latter [transposed](super::transpose::transpose).
    pub fn add(&mut self, set: InstructionSet, left: &[f32], right: &[f32], pixels: usize) {
        let rows = padded(self.rows);
        for (block, right) in right.chunks(pixels.div_ceil(PANEL) * PANEL * PANEL).enumerate() {
            self.add_rows(set, block, 0..rows, (left, rows * PANEL), right, pixels);
        }
    }

    /// Adds to some rows of a block of columns: from `left`, whose panels of these rows are a stride apart, and the block's
    /// panels of `right`.
    pub fn add_rows(
        &mut self,
        set: InstructionSet,
        block: usize,
        rows: Range<usize>,
        (left, left_stride): (&[f32], usize),
        right: &[f32],
        pixels: usize,
    ) {
        let columns = PANEL.min(self.columns - block * PANEL);
        let start = block * padded(self.rows) * PANEL;
        let sums = &mut self.values[start + rows.start * PANEL..start + rows.end * PANEL];
        for (sums, row) in sums.chunks_mut(MAX_STRIPS * STRIP * PANEL).zip((0..).step_by(MAX_STRIPS * STRIP)) {
            microkernel::outer(set, &Outer { left: &left[row * PANEL..], left_stride, right, pixels, columns }, sums);
        }
    }

    /// The rows of each block of columns.
    pub fn blocks(&self) -> impl Iterator<Item = &[[f32; PANEL]]> {
        self.values.as_chunks::<PANEL>().0.chunks_exact(padded(self.rows))
    }

    /// Adds another sum of the same shape.
    pub fn merge(&mut self, other: &Self) {
        const PIECE: usize = 1 << 14;
        let pieces = self.values.par_chunks_mut(PIECE).zip(other.values.par_chunks(PIECE));
        pieces.for_each(|(sums, values)| sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value));
    }

    /// Writes the element in row `i` and column `j` to `out[rows[i] + columns[j]]`.
    pub fn scatter(&self, out: &mut [f32], rows: &[usize], columns: &[usize]) {
        for (values, columns) in self.blocks().zip(columns.chunks(PANEL)) {
            for (values, row) in values.iter().zip(rows) {
                values.iter().zip(columns).for_each(|(value, column)| out[row + column] = *value);
            }
        }
    }

    /// The sum as a row-major matrix `[rows, columns]`.
    pub fn matrix(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.rows * self.columns];
        self.scatter(&mut out, &multiples(self.rows, self.columns), &multiples(self.columns, 1));
        out
    }
}
