//! How a batch is cut: into units of a few images, these into parts, and the blocks of large ones into bands.
//!
//! Shapes alone decide, and never the number of threads.

use super::FusedNet;
use super::unit::Unit;
use crate::kernels::field::{Cell, Field, Window};
use crate::kernels::tile::PANEL;
use rayon::prelude::*;
use std::ops::Range;

/// Pixels of a unit at the least. Batches with fewer are halved, if halves have pixels for whole vectors.
const UNIT_PIXELS: usize = 128;
const MIN_UNIT_PIXELS: usize = PANEL / 2;
/// Pixels for which it pays to have sums of weight gradients of their own, and how many such sums there are at the most.
const PART_PIXELS: usize = 512;
const MAX_PARTS: usize = 16;
/// Numbers of one hidden layer in a block, and its panels at the least and at the most.
const BLOCK_VALUES: usize = 1 << 14;
const BLOCK_PANELS: [usize; 2] = [4, 8];

/// With fewer channels transforms cost what quads save.
const MIN_QUAD_CHANNELS: usize = 8;

/// Images of a batch, `[batch, channels, height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
}

/// How a batch is cut into units, and units into parts and bands.
pub(super) struct Cut<'a> {
    net: &'a FusedNet,
    grid: Grid,
    pub cell: Cell,
    /// Images of each unit.
    units: Vec<Range<usize>>,
    /// For units of two sizes, the second one image smaller, if there are such.
    shapes: [Shape; 2],
    /// Runs of units, and runs of each unit's blocks, with sums of weight gradients of their own.
    n_parts: usize,
    pub bands: usize,
}

/// What units of one size have in common.
struct Shape {
    field: Field,
    first: Window,
    last: Window,
}

/// `n` things in runs of nearly the same length, longer ones first.
pub(super) fn runs(n: usize, runs: usize) -> impl Iterator<Item = Range<usize>> {
    let (short, longer) = (n / runs, n % runs);
    (0..runs).map(move |i| i * short + i.min(longer)..(i + 1) * short + (i + 1).min(longer))
}

impl<'a> Cut<'a> {
    pub fn new(net: &'a FusedNet, grid: Grid) -> Self {
        let pixels = grid.height * grid.width;
        let all_pixels = grid.batch * pixels;
        let n_units = if all_pixels < UNIT_PIXELS {
            (all_pixels / MIN_UNIT_PIXELS).min(grid.batch).clamp(1, 2)
        } else {
            grid.batch.div_ceil(UNIT_PIXELS.div_ceil(pixels))
        };
        let n_sums = (all_pixels / PART_PIXELS).clamp(2, MAX_PARTS);
        // All parts have as many units.
        let n_parts = n_sums.min(n_units);
        let n_units = n_units / n_parts * n_parts;
        let units: Vec<Range<usize>> = runs(grid.batch, n_units).collect();
        let largest = units[0].len();
        let cell = cell(net, grid, [largest, units[n_units - 1].len()]);
        let shape = |images: usize| {
            let field = Field::new(cell, images, [grid.height, grid.width], net.first_kernel.max(net.last_kernel));
            let first = field.window(net.first_kernel, net.layers[0].taps());
            let last = field.window(net.last_kernel, net.last().taps());
            Shape { field, first, last }
        };
        let shapes = [shape(largest), shape((largest - 1).max(1))];
        let n_blocks = (shapes[0].field.panels() * cell.pixels()).div_ceil(block_panels(net, cell));
        let bands = (n_sums / n_units).clamp(1, n_blocks.max(1));
        Self { net, grid, cell, units, shapes, n_parts, bands }
    }

    pub fn unit(&self, images: Range<usize>) -> Unit<'_> {
        let Shape { field, first, last } = &self.shapes[self.shapes[0].field.images() - images.len()];
        Unit {
            net: self.net,
            field,
            first,
            last,
            // With enough units for every thread their blocks need not be spread.
            at_a_time: if self.units.len() >= 4 * rayon::current_num_threads() { usize::MAX } else { 1 },
            block_panels: block_panels(self.net, self.cell),
            bands: self.bands,
        }
    }

    /// Each unit with its images' values.
    pub fn units<'b>(&'b self, values: &'b [f32]) -> impl IndexedParallelIterator<Item = (Unit<'b>, &'b [f32])> {
        let size = values.len() / self.grid.batch;
        self.units.par_iter().map(move |images| (self.unit(images.clone()), &values[images.start * size..images.end * size]))
    }

    /// Likewise, to be written.
    pub fn units_mut<'b>(&'b self, values: &'b mut [f32]) -> impl IndexedParallelIterator<Item = (Unit<'b>, &'b mut [f32])> {
        let size = values.len() / self.grid.batch;
        let slices = split(values, self.units.iter().map(|images| images.len() * size));
        self.units.par_iter().zip(slices).map(|(images, values)| (self.unit(images.clone()), values))
    }

    /// Runs of units that share sums, with their images' values to be written.
    pub fn parts<'b>(&'b self, values: &'b mut [f32], size: usize) -> Vec<(Vec<Range<usize>>, &'b mut [f32])> {
        let parts: Vec<Vec<Range<usize>>> =
            runs(self.units.len(), self.n_parts).map(|units| self.units[units].to_vec()).collect();
        let lengths = parts.iter().map(|units| units.iter().map(ExactSizeIterator::len).sum::<usize>() * size);
        let slices = split(values, lengths);
        parts.into_iter().zip(slices).collect()
    }
}

fn block_panels(net: &FusedNet, cell: Cell) -> usize {
    let [least, most] = BLOCK_PANELS;
    let panels = (BLOCK_VALUES / PANEL / net.widest()).clamp(least, most);
    panels / cell.pixels() * cell.pixels()
}

/// Quads where both ends have 3×3 kernels over enough channels, and groups of quads are nearly full.
fn cell(net: &FusedNet, grid: Grid, images: [usize; 2]) -> Cell {
    let sides = [grid.height, grid.width];
    let fills_groups = |images: &usize| {
        let quads = images * grid.height * grid.width / Cell::Quad.pixels();
        quads.next_multiple_of(PANEL) <= quads + quads / 8
    };
    let suits = net.channels >= MIN_QUAD_CHANNELS
        && [&net.layers[0], net.last()].iter().all(|layer| layer.takes_quads())
        && sides.iter().all(|side| side.is_multiple_of(2))
        && images.iter().all(fills_groups);
    if suits { Cell::Quad } else { Cell::Pixel }
}

/// Consecutive pieces of these lengths.
pub(super) fn split(mut values: &mut [f32], lengths: impl Iterator<Item = usize>) -> Vec<&mut [f32]> {
    let piece = |length: usize| {
        let (piece, rest) = std::mem::take(&mut values).split_at_mut(length);
        values = rest;
        piece
    };
    lengths.map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{FusedLayer, InstructionSet, TapSide};
    use crate::tensor::Values;

    fn cell_of(channels: usize, hidden: usize, kernel: usize, [batch, height, width]: [usize; 3]) -> Cell {
        let layer = |[out, inputs]: [usize; 2], side| {
            let weight = vec![0.0; out * inputs * kernel * kernel];
            FusedLayer::new(Values::Read(weight.into()), [out, inputs, kernel, kernel], 1.0, side, vec![0.0; out])
        };
        let net = FusedNet {
            set: InstructionSet::Portable,
            channels,
            preactivation: None,
            layers: vec![layer([hidden, channels], TapSide::Inputs), layer([channels, hidden], TapSide::Outputs)],
            activations: vec![crate::kernels::Phi::Elu],
            first_kernel: kernel,
            last_kernel: kernel,
            monitor: Default::default(),
        };
        Cut::new(&net, Grid { batch, height, width }).cell
    }

    #[test]
    fn quads_are_for_even_images_of_enough_channels_that_fill_groups() {
        assert_eq!(cell_of(12, 128, 3, [4, 16, 16]), Cell::Quad);
        // Two images fill a group; one image, or one left over, does not.
        assert_eq!(cell_of(48, 128, 3, [4, 8, 8]), Cell::Quad);
        assert_eq!(cell_of(48, 128, 3, [1, 8, 8]), Cell::Pixel);
        assert_eq!(cell_of(48, 128, 3, [3, 8, 8]), Cell::Pixel);
        for (channels, hidden, kernel, side) in
            [(3, 128, 3, 16), (9, 128, 3, 16), (12, 30, 3, 16), (12, 128, 1, 16), (12, 128, 3, 15)]
        {
            assert_eq!(cell_of(channels, hidden, kernel, [4, side, 16]), Cell::Pixel, "{channels} {hidden} {kernel} {side}");
        }
    }
}
