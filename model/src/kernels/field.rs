//! A few images together, channel by channel, and their pixels' neighbourhoods.
//!
//! Images lie in planes, `[plane, cell]`: the cells of all images one after the other between margins of zeros. A cell is a
//! pixel and a channel one plane, or a cell is a quad of 2×2 pixels and a channel four planes, one for each place in the quad.
//! What stands beside a cell is then a shift of a plane, and a mask that keeps what is inside the cell's image.
//!
//! A window has taps: those of a `k×k` kernel around a pixel, `t ∈ {-r..r}²` with `r = k/2`, or the 4×4 pixels around a quad.
//! `unfold(x)[cell, (t, c)]` is channel `c` of the pixel at tap `t`, zero outside of the image; `fold` is its transpose.

use super::InstructionSet;
use super::instruction_set::dispatch;
use super::matrix::padded;
use super::pointwise::{LANES, fma, lane_sum};
use super::pool::Buffer;
use super::tile::PANEL;
use rayon::prelude::*;
use std::ops::Range;

/// The sign of a kernel's taps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taps {
    Forward,
    Mirrored,
}

/// What a field is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Pixel,
    /// 2×2 pixels, of images with even sides.
    Quad,
}

impl Cell {
    /// Pixels along each side.
    fn side(self) -> usize {
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

/// Images of one size.
#[derive(Debug)]
pub(super) struct Field {
    cell: Cell,
    images: usize,
    /// Of an image, in cells.
    height: usize,
    width: usize,
    /// Zeros before and after the cells of a plane.
    margin: usize,
}

/// Taps over a field.
#[derive(Debug)]
pub(super) struct Window {
    taps: Vec<Tap>,
    padded_cells: usize,
    /// `[tap, cell]`: all bits set where the cell's tap is inside the image.
    masks: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Tap {
    dy: isize,
    dx: isize,
    /// From a cell to its neighbour.
    shift: isize,
    /// The place in the quad.
    phase: usize,
}

impl Field {
    /// Of images of this size, for windows that reach as far as a kernel of this size around a cell.
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

    fn image_cells(&self) -> usize {
        self.height * self.width
    }

    pub fn cells(&self) -> usize {
        self.images * self.image_cells()
    }

    /// Panels of cells.
    pub fn panels(&self) -> usize {
        self.cells().div_ceil(PANEL)
    }

    fn plane(&self) -> usize {
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

    /// Each plane's cells, without margins.
    fn planes<'a>(&'a self, planes: &'a [f32]) -> impl Iterator<Item = &'a [f32]> {
        planes.chunks_exact(self.plane()).map(|plane| &plane[self.margin..][..self.cells()])
    }

    /// `⟨a, b⟩` of every image.
    pub fn dots(&self, set: InstructionSet, a: &[f32], b: &[f32]) -> Vec<f64> {
        let mut dots = vec![0.0; self.images];
        let (field, out) = (self, &mut dots[..]);
        dispatch!(set, dots_body, (field: &Field, a: &[f32], b: &[f32], out: &mut [f64]));
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

    /// The taps `t` or `-t` of a `kernel×kernel` kernel around a pixel, or the 4×4 pixels around a quad.
    pub fn window(&self, kernel: usize, taps: Taps) -> Window {
        let offsets: Vec<[isize; 2]> = match self.cell {
            Cell::Pixel => {
                let radius = (kernel / 2) as isize;
                let sign = if taps == Taps::Forward { 1 } else { -1 };
                (0..kernel as isize).map(|i| [sign * (i - radius), 0]).collect()
            }
            // Of the cell above the odd pixel, the cell's own two, of the cell below the even one.
            Cell::Quad => vec![[-1, 1], [0, 0], [0, 1], [1, 0]],
        };
        let (height, width) = (self.height as isize, self.width as isize);
        let tap = |[dy, row]: [isize; 2], [dx, column]: [isize; 2]| Tap {
            dy,
            dx,
            shift: dy * width + dx,
            phase: (row * self.cell.side() as isize + column) as usize,
        };
        let taps: Vec<Tap> = offsets.iter().flat_map(|y| offsets.iter().map(move |x| tap(*y, *x))).collect();
        let padded_cells = self.panels() * PANEL;
        let mut masks = vec![0; taps.len() * padded_cells];
        for (tap, mask) in taps.iter().zip(masks.chunks_exact_mut(padded_cells)) {
            for (line, mask) in mask[..self.cells()].chunks_exact_mut(self.width).enumerate() {
                let y = (line % self.height) as isize + tap.dy;
                let (first, end) = ((-tap.dx).clamp(0, width), (width - tap.dx).clamp(0, width));
                if (0..height).contains(&y) && first < end {
                    mask[first as usize..end as usize].fill(u32::MAX);
                }
            }
        }
        Window { taps, padded_cells, masks }
    }

    /// Panels of `unfold(x)`, `[panel, (tap, channel), PANEL]`.
    pub fn unfold(&self, set: InstructionSet, window: &Window, x: &[f32], panels: Range<usize>, out: &mut [f32]) {
        let field = self;
        dispatch!(set, unfold_body, (field: &Field, window: &Window, x: &[f32], panels: Range<usize>, out: &mut [f32]))
    }

    /// `fold(m)`, of panels `[panel, (tap, channel), PANEL]` of all cells.
    pub fn fold(&self, set: InstructionSet, window: &Window, m: &[f32], channels: usize) -> Buffer {
        const WORTH_SHARING: usize = 1 << 16;
        let mut out = Buffer::zeros(channels * self.cell.pixels() * self.plane());
        let at_a_time = if m.len() > WORTH_SHARING { 1 } else { channels * self.cell.pixels() };
        let planes = out.par_chunks_mut(self.plane()).enumerate().with_min_len(at_a_time);
        planes.for_each(|(index, plane)| {
            let (channel, phase) = (index / self.cell.pixels(), index % self.cell.pixels());
            let (field, source) = (self, Source { m, channels, channel, phase });
            dispatch!(set, fold_body, (field: &Field, window: &Window, source: Source, plane: &mut [f32]));
            plane[..self.margin].fill(0.0);
            plane[self.margin + self.cells()..].fill(0.0);
        });
        out
    }
}

impl Window {
    pub fn n_taps(&self) -> usize {
        self.taps.len()
    }

    /// Which of a panel's cells have the tap.
    fn mask(&self, tap: usize, panel: usize) -> &[u32; PANEL] {
        &self.masks[tap * self.padded_cells..].as_chunks::<PANEL>().0[panel]
    }
}

#[inline(always)]
fn unfold_body<const FMA: bool>(field: &Field, window: &Window, x: &[f32], panels: Range<usize>, out: &mut [f32]) {
    let (plane, phases) = (field.plane(), field.cell.pixels());
    let channels = x.len() / plane / phases;
    let rows = padded(window.n_taps() * channels);
    for (panel, out) in panels.zip(out.as_chunks_mut::<PANEL>().0.chunks_exact_mut(rows)) {
        for ((index, tap), out) in window.taps.iter().enumerate().zip(out.chunks_exact_mut(channels)) {
            let mask = window.mask(index, panel);
            let place = (tap.phase * plane + field.margin + panel * PANEL).strict_add_signed(tap.shift);
            for (out, x) in out.iter_mut().zip(x[place..].chunks(phases * plane)) {
                for ((out, x), mask) in out.iter_mut().zip(&x[..PANEL]).zip(mask) {
                    *out = f32::from_bits(x.to_bits() & mask);
                }
            }
        }
    }
}

/// In single precision over short runs: of large images along them, of small ones through their planes.
#[inline(always)]
fn dots_body<const FMA: bool>(field: &Field, a: &[f32], b: &[f32], out: &mut [f64]) {
    const SMALL: usize = 64;
    const PLANES: usize = 64;
    let size = field.image_cells();
    if size >= SMALL {
        for (a, b) in field.planes(a).zip(field.planes(b)) {
            for (dot, (a, b)) in out.iter_mut().zip(a.chunks_exact(size).zip(b.chunks_exact(size))) {
                *dot += inner_product_body::<FMA>(a, b);
            }
        }
        return;
    }
    let mut lanes = vec![0f32; field.cells()];
    let mut planes = field.planes(a).zip(field.planes(b)).peekable();
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

/// The panels that are folded into one plane.
#[derive(Clone, Copy)]
struct Source<'a> {
    m: &'a [f32],
    channels: usize,
    channel: usize,
    phase: usize,
}

#[inline(always)]
fn fold_body<const FMA: bool>(field: &Field, window: &Window, source: Source, plane: &mut [f32]) {
    let rows = padded(window.n_taps() * source.channels);
    let m = source.m.as_chunks::<PANEL>().0;
    // Taps outside: what two of them write to overlaps, and reading what was just written elsewhere is slow.
    for (index, tap) in window.taps.iter().enumerate().filter(|(_, tap)| tap.phase == source.phase) {
        let row = index * source.channels + source.channel;
        for (panel, m) in m[row..].iter().step_by(rows).enumerate() {
            let mask = window.mask(index, panel);
            let place = (field.margin + panel * PANEL).strict_add_signed(tap.shift);
            for ((out, m), mask) in plane[place..place + PANEL].iter_mut().zip(m).zip(mask) {
                *out += f32::from_bits(m.to_bits() & mask);
            }
        }
    }
}

/// `⟨a, b⟩`, in single precision over short runs.
pub(crate) fn inner_product(a: &[f32], b: &[f32]) -> f64 {
    dispatch!(InstructionSet::best(), inner_product_body, (a: &[f32], b: &[f32]) -> f64)
}

#[inline(always)]
fn inner_product_body<const FMA: bool>(a: &[f32], b: &[f32]) -> f64 {
    const AT_A_TIME: usize = 4 * LANES;
    let mut sum = 0.0;
    for (a, b) in a.chunks(16 * AT_A_TIME).zip(b.chunks(16 * AT_A_TIME)) {
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<AT_A_TIME>(), b.as_chunks::<AT_A_TIME>());
        let mut lanes = [0f32; AT_A_TIME];
        for (a, b) in a.iter().zip(b) {
            for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
                *lane = fma::<FMA>(*a, *b, *lane);
            }
        }
        let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
        sum += f64::from(lane_sum(lanes) + rest);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_follow_their_definition_on_every_instruction_set() {
        for set in InstructionSet::available() {
            for (images, size, channels, kernel) in [
                (2, [4, 5], 1, 3),
                (3, [2, 3], 3, 5),
                (1, [1, 1], 2, 3),
                (2, [3, 1], 7, 3),
                (1, [9, 8], 2, 1),
                (70, [1, 1], 3, 1),
            ] {
                follow_their_definition(set, Cell::Pixel, images, size, channels, kernel);
            }
            for (images, size, channels) in [(1, [2, 2], 4), (3, [4, 6], 1), (2, [10, 8], 3), (5, [6, 2], 4)] {
                follow_their_definition(set, Cell::Quad, images, size, channels, 3);
            }
        }
    }

    fn follow_their_definition(
        set: InstructionSet,
        cell: Cell,
        images: usize,
        [h, w]: [usize; 2],
        channels: usize,
        kernel: usize,
    ) {
        let field = Field::new(cell, images, [h, w], kernel);
        // NaN, which must not reach another image, is in the first image's last pixel where there are two.
        let mut values: Vec<f32> = (0..images * channels * h * w).map(|i| 1.0 + i as f32).collect();
        if images > 1 {
            values[h * w - 1] = f32::NAN;
        }
        let planes = field.import(&values, channels);
        let mut back = vec![0.0; values.len()];
        field.export(&planes, channels, &mut back);
        assert!(values.iter().zip(&back).all(|(a, b)| a.to_bits() == b.to_bits()));
        let dots = field.dots(set, &planes, &planes);
        for (dot, image) in dots.into_iter().zip(values.chunks_exact(channels * h * w)) {
            let want: f64 = image.iter().map(|x| f64::from(*x).powi(2)).sum();
            assert!((dot.is_nan() && want.is_nan()) || (dot - want).abs() <= 1e-6 * want, "{dot} {want}");
        }

        for taps in [Taps::Forward, Taps::Mirrored] {
            let window = field.window(kernel, taps);
            let (side, columns, n) = (cell.side(), w / cell.side(), window.n_taps() * channels);
            let line = if cell == Cell::Quad { 4 } else { kernel };
            // The pixel at a cell's tap: its image, and its place there.
            let pixel_at = |index: usize, tap: usize| {
                let (image, index) = (index / field.image_cells(), index % field.image_cells());
                let offset = |i: usize| match (cell, taps) {
                    (Cell::Quad, _) => i as isize - 1,
                    (Cell::Pixel, Taps::Forward) => i as isize - (kernel / 2) as isize,
                    (Cell::Pixel, Taps::Mirrored) => (kernel / 2) as isize - i as isize,
                };
                let y = (index / columns * side) as isize + offset(tap / line);
                let x = (index % columns * side) as isize + offset(tap % line);
                let inside = (0..h as isize).contains(&y) && (0..w as isize).contains(&x);
                inside.then(|| (image, y as usize * w + x as usize))
            };
            let row = |panel: usize, feature: usize| (panel * padded(n) + feature) * PANEL;
            let mut out = vec![-1.0; field.panels() * padded(n) * PANEL];
            field.unfold(set, &window, &planes, 0..field.panels(), &mut out);
            let m: Vec<f32> = (0..out.len()).map(|i| ((i * 37) % 101) as f32).collect();
            let folded = field.fold(set, &window, &m, channels);
            let mut images_of_fold = vec![0.0; values.len()];
            field.export(&folded, channels, &mut images_of_fold);
            let mut wanted_of_fold = vec![0.0; values.len()];
            for index in 0..field.panels() * PANEL {
                for feature in 0..n {
                    let (tap, c) = (feature / channels, feature % channels);
                    let place = (index < field.cells()).then(|| pixel_at(index, tap)).flatten();
                    let place = place.map(|(image, pixel)| (image * channels + c) * h * w + pixel);
                    let want = place.map_or(0.0, |place| values[place]);
                    let at = row(index / PANEL, feature) + index % PANEL;
                    let case = format!("{set:?} {cell:?} {h}x{w} {channels} {kernel} {taps:?}: {index}, {feature}");
                    assert_eq!(out[at].to_bits(), want.to_bits(), "{case}");
                    if let Some(place) = place {
                        wanted_of_fold[place] += m[at];
                    }
                }
            }
            assert_eq!(images_of_fold, wanted_of_fold, "{set:?} {cell:?} {h}x{w} {channels} {kernel} {taps:?}");
        }
    }
}
