//! A few images together, channel by channel, between margins of zeros.
//!
//! Images lie in planes, `[plane, cell]`: the cells of all images one after the other between margins of zeros. A cell is a
//! pixel and a channel one plane, or a cell is a quad of 2×2 pixels and a channel four planes, one for each place in the quad.
//! What stands beside a cell is then a shift of a plane, and a mask that keeps what is inside the cell's image.

use super::InstructionSet;
use super::elementwise::fma;
use super::inner_product::inner_product_body;
use super::instruction_set::dispatch;
use super::microkernel::PANEL;
use super::workspace::Buffer;

/// What padded images are made of: the element that has a place in a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Pixel,
    /// 2×2 pixels, of images with even sides.
    Quad,
}

impl Cell {
    /// Pixels along each side.
    pub fn side(self) -> usize {
        match self {
            Cell::Pixel => 1,
            Cell::Quad => 2,
        }
    }

    /// Its pixels, and planes of a channel.
    pub fn pixels(self) -> usize {
        self.side() * self.side()
    }
}

/// The layout of a few images of one size in planes with margins of zeros.
#[derive(Debug)]
pub(super) struct PaddedImages {
    pub(super) cell: Cell,
    images: usize,
    /// Height of an image in cells.
    pub(super) height: usize,
    /// Width of an image in cells.
    pub(super) width: usize,
    /// Zeros before and after the cells of a plane.
    pub(super) margin: usize,
}

impl PaddedImages {
    /// A layout of `images` images of this height and width, with margins for windows as large as this kernel.
    pub fn new(cell: Cell, images: usize, size: [usize; 2], kernel: usize) -> Self {
        let [height, width] = size.map(|side| side / cell.side());
        let reach = (kernel / 2) * (width + 1);
        Self { cell, images, height, width, margin: reach.next_multiple_of(PANEL) }
    }

    pub fn cell(&self) -> Cell {
        self.cell
    }

    pub fn images(&self) -> usize {
        self.images
    }

    pub fn image_cells(&self) -> usize {
        self.height * self.width
    }

    pub fn cells(&self) -> usize {
        self.images * self.image_cells()
    }

    /// Panels of cells.
    pub fn panels(&self) -> usize {
        self.cells().div_ceil(PANEL)
    }

    pub fn plane(&self) -> usize {
        2 * self.margin + self.panels() * PANEL
    }

    /// Rows of a panel in the planes of a channel.
    pub fn channel_rows(&self) -> usize {
        self.cell.pixels() * self.plane() / PANEL
    }

    /// From `[image, channel, pixel]`.
    pub fn import(&self, images: &[f32], channels: usize) -> Buffer {
        let mut planes = Buffer::zeros(channels * self.cell.pixels() * self.plane());
        let size = self.image_cells() * self.cell.pixels();
        for (image, values) in images.chunks_exact(channels * size).enumerate() {
            let place = self.margin + image * self.image_cells();
            let planes = planes.chunks_exact_mut(self.cell.pixels() * self.plane());
            for (values, planes) in values.chunks_exact(size).zip(planes) {
                match self.cell {
                    // Without a call for a single number.
                    Cell::Pixel if size == 1 => planes[place] = values[0],
                    Cell::Pixel => planes[place..place + size].copy_from_slice(values),
                    Cell::Quad => self.split_quads(values, planes, place),
                }
            }
        }
        planes
    }

    /// One channel of an image to its four planes.
    fn split_quads(&self, values: &[f32], planes: &mut [f32], place: usize) {
        for (y, row) in values.chunks_exact(2 * self.width).enumerate() {
            let place = place + y / 2 * self.width;
            let (left, right) = planes[y % 2 * 2 * self.plane()..].split_at_mut(self.plane());
            let pairs = row.as_chunks::<2>().0.iter().zip(&mut left[place..]).zip(&mut right[place..]);
            pairs.for_each(|((pair, left), right)| [*left, *right] = *pair);
        }
    }

    /// To `[image, channel, pixel]`.
    pub fn export(&self, planes: &[f32], channels: usize, images: &mut [f32]) {
        let size = self.image_cells() * self.cell.pixels();
        for (image, values) in images.chunks_exact_mut(channels * size).enumerate() {
            let place = self.margin + image * self.image_cells();
            let planes = planes.chunks_exact(self.cell.pixels() * self.plane());
            for (values, planes) in values.chunks_exact_mut(size).zip(planes) {
                match self.cell {
                    Cell::Pixel if size == 1 => values[0] = planes[place],
                    Cell::Pixel => values.copy_from_slice(&planes[place..place + size]),
                    Cell::Quad => self.join_quads(values, planes, place),
                }
            }
        }
    }

    /// One channel of an image from its four planes.
    fn join_quads(&self, values: &mut [f32], planes: &[f32], place: usize) {
        for (y, row) in values.chunks_exact_mut(2 * self.width).enumerate() {
            let place = place + y / 2 * self.width;
            let (left, right) = planes[y % 2 * 2 * self.plane()..].split_at(self.plane());
            let pairs = row.as_chunks_mut::<2>().0.iter_mut().zip(&left[place..]).zip(&right[place..]);
            pairs.for_each(|((pair, left), right)| *pair = [*left, *right]);
        }
    }

    /// The cells of each plane, without margins.
    fn planes<'a>(&'a self, planes: &'a [f32]) -> impl Iterator<Item = &'a [f32]> {
        planes.chunks_exact(self.plane()).map(|plane| &plane[self.margin..][..self.cells()])
    }

    /// `⟨a, b⟩` of every image.
    pub fn dots(&self, set: InstructionSet, a: &[f32], b: &[f32]) -> Vec<f64> {
        let mut dots = vec![0.0; self.images];
        let (layout, out) = (self, &mut dots[..]);
        dispatch!(set, dots_body, (layout: &PaddedImages, a: &[f32], b: &[f32], out: &mut [f64]));
        dots
    }

    /// Multiplies every image by its factor.
    pub fn scale(&self, planes: &mut [f32], factors: &[f32]) {
        let (size, cells, margin) = (self.image_cells(), self.cells(), self.margin);
        for plane in planes.chunks_exact_mut(self.plane()) {
            for (image, factor) in plane[margin..][..cells].chunks_exact_mut(size).zip(factors) {
                image.iter_mut().for_each(|value| *value *= factor);
            }
        }
    }
}

/// In single precision over short runs: of large images along them, of small ones through their planes.
#[inline(always)]
fn dots_body<const FMA: bool>(layout: &PaddedImages, a: &[f32], b: &[f32], out: &mut [f64]) {
    const SMALL: usize = 64;
    const PLANES: usize = 64;
    let size = layout.image_cells();
    if size >= SMALL {
        for (a, b) in layout.planes(a).zip(layout.planes(b)) {
            for (dot, (a, b)) in out.iter_mut().zip(a.chunks_exact(size).zip(b.chunks_exact(size))) {
                *dot += inner_product_body::<FMA>(a, b);
            }
        }
        return;
    }
    let mut lanes = vec![0f32; layout.cells()];
    let mut planes = layout.planes(a).zip(layout.planes(b)).peekable();
    while planes.peek().is_some() {
        lanes.fill(0.0);
        for (a, b) in planes.by_ref().take(PLANES) {
            for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
                *lane = fma::<FMA>(*a, *b, *lane);
            }
        }
        let images = lanes.chunks_exact(size);
        out.iter_mut().zip(images).for_each(|(dot, lanes)| *dot += f64::from(lanes.iter().sum::<f32>()));
    }
}
