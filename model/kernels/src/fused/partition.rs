//! How a batch is divided: into chunks of a few images, these into parts, and the blocks of large ones into block ranges.
//!
//! Shapes alone decide, and never the number of threads.

use super::FusedNet;
use super::chunk::Chunk;
use super::ranges::{runs, split};
use crate::im2col::Window;
use crate::microkernel::PANEL;
use crate::padded_images::{Cell, PaddedImages};
use rayon::prelude::*;
use std::ops::Range;

/// Least number of pixels in a chunk. Batches with fewer are halved, if each half fills whole vectors.
const CHUNK_PIXELS: usize = 128;
const MIN_CHUNK_PIXELS: usize = PANEL / 2;
/// Number of pixels from which separate sums of weight gradients pay, and the most such sums.
const PART_PIXELS: usize = 512;
const MAX_PARTS: usize = 16;
/// Values of one hidden layer in a block, and the least and the most panels of a block.
const BLOCK_VALUES: usize = 1 << 14;
const BLOCK_PANELS: [usize; 2] = [4, 8];

/// With fewer channels transforms cost what quads save.
const MIN_QUAD_CHANNELS: usize = 8;

/// Images of a batch, `[batch, channels, height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchShape {
    /// Number of images.
    pub batch: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
}

/// The partition of a batch into chunks, and of chunks into parts and block ranges.
pub(super) struct Partition<'a> {
    net: &'a FusedNet,
    shape: BatchShape,
    pub cell: Cell,
    /// Images of each chunk.
    chunks: Vec<Range<usize>>,
    /// For chunks of two sizes, the second one image smaller, if there are such.
    layouts: [ChunkLayout; 2],
    /// Number of runs of chunks, and of runs of each chunk's blocks, that have their own sums of weight gradients.
    n_parts: usize,
    pub block_ranges: usize,
}

/// What chunks of one size have in common.
struct ChunkLayout {
    layout: PaddedImages,
    first: Window,
    last: Window,
}

impl<'a> Partition<'a> {
    pub fn new(net: &'a FusedNet, shape: BatchShape) -> Self {
        let pixels = shape.height * shape.width;
        let all_pixels = shape.batch * pixels;
        let n_chunks = if all_pixels < CHUNK_PIXELS {
            (all_pixels / MIN_CHUNK_PIXELS).min(shape.batch).clamp(1, 2)
        } else {
            shape.batch.div_ceil(CHUNK_PIXELS.div_ceil(pixels))
        };
        let n_sums = (all_pixels / PART_PIXELS).clamp(2, MAX_PARTS);
        // All parts have as many chunks.
        let n_parts = n_sums.min(n_chunks);
        let n_chunks = n_chunks / n_parts * n_parts;
        let chunks: Vec<Range<usize>> = runs(shape.batch, n_chunks).collect();
        let largest = chunks[0].len();
        let cell = cell(net, shape, [largest, chunks[n_chunks - 1].len()]);
        let layouts = |images: usize| {
            let layout = PaddedImages::new(cell, images, [shape.height, shape.width], net.first_kernel.max(net.last_kernel));
            let first = layout.window(net.first_kernel, net.layers[0].taps());
            let last = layout.window(net.last_kernel, net.last().taps());
            ChunkLayout { layout, first, last }
        };
        let layouts = [layouts(largest), layouts((largest - 1).max(1))];
        let n_blocks = (layouts[0].layout.panels() * cell.pixels()).div_ceil(block_panels(net, cell));
        let block_ranges = (n_sums / n_chunks).clamp(1, n_blocks.max(1));
        Self { net, shape, cell, chunks, layouts, n_parts, block_ranges }
    }

    pub fn chunk(&self, images: Range<usize>) -> Chunk<'_> {
        let ChunkLayout { layout, first, last } = &self.layouts[self.layouts[0].layout.images() - images.len()];
        Chunk {
            net: self.net,
            layout,
            first,
            last,
            // With enough chunks for every thread their blocks need not be spread.
            at_a_time: if self.chunks.len() >= 4 * rayon::current_num_threads() { usize::MAX } else { 1 },
            block_panels: block_panels(self.net, self.cell),
            block_ranges: self.block_ranges,
        }
    }

    /// Each chunk with its images' values.
    pub fn chunks<'b>(&'b self, values: &'b [f32]) -> impl IndexedParallelIterator<Item = (Chunk<'b>, &'b [f32])> {
        let size = values.len() / self.shape.batch;
        self.chunks.par_iter().map(move |images| (self.chunk(images.clone()), &values[images.start * size..images.end * size]))
    }

    /// Each chunk with its images' values, to be written.
    pub fn chunks_mut<'b>(&'b self, values: &'b mut [f32]) -> impl IndexedParallelIterator<Item = (Chunk<'b>, &'b mut [f32])> {
        let size = values.len() / self.shape.batch;
        let slices = split(values, self.chunks.iter().map(|images| images.len() * size));
        self.chunks.par_iter().zip(slices).map(|(images, values)| (self.chunk(images.clone()), values))
    }

    /// Runs of chunks that share sums, with their images' values to be written.
    pub fn parts<'b>(&'b self, values: &'b mut [f32], size: usize) -> Vec<(Vec<Range<usize>>, &'b mut [f32])> {
        let parts: Vec<Vec<Range<usize>>> =
            runs(self.chunks.len(), self.n_parts).map(|chunks| self.chunks[chunks].to_vec()).collect();
        let lengths = parts.iter().map(|chunks| chunks.iter().map(ExactSizeIterator::len).sum::<usize>() * size);
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
fn cell(net: &FusedNet, shape: BatchShape, images: [usize; 2]) -> Cell {
    let sides = [shape.height, shape.width];
    let fills_groups = |images: &usize| {
        let quads = images * shape.height * shape.width / Cell::Quad.pixels();
        quads.next_multiple_of(PANEL) <= quads + quads / 8
    };
    let suits = net.channels >= MIN_QUAD_CHANNELS
        && [&net.layers[0], net.last()].iter().all(|layer| layer.takes_quads())
        && sides.iter().all(|side| side.is_multiple_of(2))
        && images.iter().all(fills_groups);
    if suits { Cell::Quad } else { Cell::Pixel }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FusedLayer, InstructionSet, SharedValues, TapSide};

    fn cell_of(channels: usize, hidden: usize, kernel: usize, [batch, height, width]: [usize; 3]) -> Cell {
        let layer = |[out, inputs]: [usize; 2], side| {
            let weight = vec![0.0; out * inputs * kernel * kernel];
            FusedLayer::new(SharedValues::new(weight), [out, inputs, kernel, kernel], 1.0, side, vec![0.0; out])
        };
        let net = FusedNet {
            set: InstructionSet::Portable,
            channels,
            preactivation: None,
            layers: vec![layer([hidden, channels], TapSide::Inputs), layer([channels, hidden], TapSide::Outputs)],
            activations: vec![crate::Phi::Elu],
            first_kernel: kernel,
            last_kernel: kernel,
            interrupt: Box::new(()),
        };
        Partition::new(&net, BatchShape { batch, height, width }).cell
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
