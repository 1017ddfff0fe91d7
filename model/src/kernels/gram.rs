//! `‖A x‖`, its gradient and `Aᵀ A x` for a convolution `A` on one image, without the wide image `A x` in memory.

use super::fused::{GRADIENT_PARTS, block_rows};
use super::matmul::{Rhs, add_transposed_matmul, matmul};
use super::unfold::{Grid, Taps, fold, unfold_rows};
use rayon::prelude::*;
use std::ops::Range;

/// A convolution, or its transpose, seen from the side where its taps are unfolded.
pub(crate) struct NarrowMap {
    pub grid: Grid,
    /// Channels of `x`.
    pub channels: usize,
    /// Channels of `A x`.
    pub hidden: usize,
    pub kernel: usize,
    pub side: Side,
    pub weight: Vec<f32>,
}

/// Which map `A` is.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    /// The convolution itself: the weight is `[k² channels, hidden]`.
    Input,
    /// Its transpose: the weight is `[hidden, k² channels]`.
    Output,
}

/// The unfolded neighbourhoods of a block of pixels, and its part of `A x`.
struct Block {
    narrow: Vec<f32>,
    wide: Vec<f32>,
}

impl NarrowMap {
    fn columns(&self) -> usize {
        self.kernel * self.kernel * self.channels
    }

    fn block(&self) -> Block {
        let rows = block_rows(self.grid.pixels());
        Block { narrow: vec![0.0; rows * self.columns()], wide: vec![0.0; rows * self.hidden] }
    }

    /// `A x` of these pixels; returns the sum of its squares.
    fn fill(&self, x: &[f32], rows: Range<usize>, block: &mut Block) -> f64 {
        let (m, columns) = (rows.len(), self.columns());
        let (taps, layout) = match self.side {
            Side::Input => (Taps::Forward, Rhs::Plain),
            Side::Output => (Taps::Mirrored, Rhs::Transposed),
        };
        unfold_rows(x, self.grid, self.channels, self.kernel, taps, rows, &mut block.narrow);
        matmul(m, self.hidden, columns, &mut block.wide, &block.narrow, &self.weight, layout);
        sum_of_squares(&block.wide[..m * self.hidden])
    }

    /// `‖A x‖²`.
    pub fn squares(&self, x: &[f32]) -> f64 {
        let pixels = self.grid.pixels();
        let rows = block_rows(pixels);
        let starts: Vec<usize> = (0..pixels).step_by(rows).collect();
        let of_block = |block: &mut Block, &start: &usize| self.fill(x, start..(start + rows).min(pixels), block);
        starts.par_iter().map_init(|| self.block(), of_block).collect::<Vec<f64>>().iter().sum()
    }

    /// `Aᵀ A x` and `‖A x‖²`.
    pub fn gram(&self, x: &[f32]) -> (Vec<f32>, f64) {
        let columns = self.columns();
        let (folding, layout) = match self.side {
            Side::Input => (Taps::Mirrored, Rhs::Transposed),
            Side::Output => (Taps::Forward, Rhs::Plain),
        };
        let mut product = vec![0.0; self.grid.pixels() * columns];
        let rows = block_rows(self.grid.pixels());
        let back = |block: &mut Block, (index, product): (usize, &mut [f32])| {
            let m = product.len() / columns;
            let squares = self.fill(x, index * rows..index * rows + m, block);
            matmul(m, columns, self.hidden, product, &block.wide, &self.weight, layout);
            squares
        };
        let blocks = product.par_chunks_mut(rows * columns).enumerate();
        let squares: Vec<f64> = blocks.map_init(|| self.block(), back).collect();
        (fold(product, self.grid, self.channels, self.kernel, folding), squares.iter().sum())
    }

    /// The gradient of `½‖A x‖²` by the weight, in its layout, and `‖A x‖²`.
    pub fn weight_gradient(&self, x: &[f32]) -> (Vec<f32>, f64) {
        let (pixels, columns) = (self.grid.pixels(), self.columns());
        let rows = block_rows(pixels);
        let part_rows = pixels.div_ceil(GRADIENT_PARTS).next_multiple_of(rows);
        let parts: Vec<usize> = (0..pixels).step_by(part_rows).collect();
        let of_part = |&part: &usize| {
            let mut gradient = vec![0.0; columns * self.hidden];
            let mut squares = 0.0;
            let mut block = self.block();
            let end = (part + part_rows).min(pixels);
            for start in (part..end).step_by(rows) {
                let m = rows.min(end - start);
                squares += self.fill(x, start..start + m, &mut block);
                match self.side {
                    Side::Input => add_transposed_matmul(columns, self.hidden, m, &mut gradient, &block.narrow, &block.wide),
                    Side::Output => add_transposed_matmul(self.hidden, columns, m, &mut gradient, &block.wide, &block.narrow),
                }
            }
            (gradient, squares)
        };
        let parts: Vec<(Vec<f32>, f64)> = parts.par_iter().map(of_part).collect();
        let add = |(mut sum, squares): (Vec<f32>, f64), (part, more): (Vec<f32>, f64)| {
            sum.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
            (sum, squares + more)
        };
        parts.into_iter().reduce(add).unwrap_or_default()
    }
}

fn sum_of_squares(x: &[f32]) -> f64 {
    const LANES: usize = 16;
    let run = |run: &[f32]| {
        let mut lanes = [0f32; LANES];
        for values in run.chunks(LANES) {
            lanes.iter_mut().zip(values).for_each(|(lane, value)| *lane += value * value);
        }
        f64::from(lanes.iter().sum::<f32>())
    };
    x.chunks(64 * LANES).map(run).sum()
}
