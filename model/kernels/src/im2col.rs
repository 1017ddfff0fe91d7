//! Neighbourhoods of pixels as matrix columns (im2col), and their transpose (col2im).
//!
//! A window has taps: those of a `k×k` kernel around a pixel, `t ∈ {-r..r}²` with `r = k/2`, or the 4×4 pixels around a quad.
//! `unfold(x)[cell, (t, c)]` is channel `c` of the pixel at tap `t`, zero outside of the image; `fold` is its transpose.

use super::InstructionSet;
use super::instruction_set::dispatch;
use super::microkernel::PANEL;
use super::packing::padded;
use super::padded_images::{Cell, PaddedImages};
use super::workspace::Buffer;
use rayon::prelude::*;
use std::ops::Range;

/// The sign of a kernel's taps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taps {
    Forward,
    Mirrored,
}

/// Taps over padded images.
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

impl PaddedImages {
    /// The taps `t` or `-t` of a `kernel×kernel` kernel around a pixel, or the 4×4 pixels around a quad.
    pub fn window(&self, kernel: usize, taps: Taps) -> Window {
        let offsets: Vec<[isize; 2]> = match self.cell {
            Cell::Pixel => {
                let radius = (kernel / 2) as isize;
                let sign = if taps == Taps::Forward { 1 } else { -1 };
                (0..kernel as isize).map(|i| [sign * (i - radius), 0]).collect()
            }
            // The odd pixel of the cell above, the cell's own two, the even pixel of the cell below.
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
        let layout = self;
        dispatch!(set, unfold_body, (layout: &PaddedImages, window: &Window, x: &[f32], panels: Range<usize>, out: &mut [f32]))
    }

    /// `fold(m)`, of panels `[panel, (tap, channel), PANEL]` of all cells.
    pub fn fold(&self, set: InstructionSet, window: &Window, m: &[f32], channels: usize) -> Buffer {
        const WORTH_SHARING: usize = 1 << 16;
        let mut out = Buffer::zeros(channels * self.cell.pixels() * self.plane());
        let at_a_time = if m.len() > WORTH_SHARING { 1 } else { channels * self.cell.pixels() };
        let planes = out.par_chunks_mut(self.plane()).enumerate().with_min_len(at_a_time);
        planes.for_each(|(index, plane)| {
            let (channel, phase) = (index / self.cell.pixels(), index % self.cell.pixels());
            let (layout, source) = (self, Source { m, channels, channel, phase });
            dispatch!(set, fold_body, (layout: &PaddedImages, window: &Window, source: Source, plane: &mut [f32]));
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
fn unfold_body<const FMA: bool>(layout: &PaddedImages, window: &Window, x: &[f32], panels: Range<usize>, out: &mut [f32]) {
    let (plane, phases) = (layout.plane(), layout.cell.pixels());
    let channels = x.len() / plane / phases;
    let rows = padded(window.n_taps() * channels);
    for (panel, out) in panels.zip(out.as_chunks_mut::<PANEL>().0.chunks_exact_mut(rows)) {
        for ((index, tap), out) in window.taps.iter().enumerate().zip(out.chunks_exact_mut(channels)) {
            let mask = window.mask(index, panel);
            let place = (tap.phase * plane + layout.margin + panel * PANEL).strict_add_signed(tap.shift);
            for (out, x) in out.iter_mut().zip(x[place..].chunks(phases * plane)) {
                for ((out, x), mask) in out.iter_mut().zip(&x[..PANEL]).zip(mask) {
                    *out = f32::from_bits(x.to_bits() & mask);
                }
            }
        }
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
fn fold_body<const FMA: bool>(layout: &PaddedImages, window: &Window, source: Source, plane: &mut [f32]) {
    let rows = padded(window.n_taps() * source.channels);
    let m = source.m.as_chunks::<PANEL>().0;
    // Taps outside: what two of them write to overlaps, and reading what was just written elsewhere is slow.
    for (index, tap) in window.taps.iter().enumerate().filter(|(_, tap)| tap.phase == source.phase) {
        let row = index * source.channels + source.channel;
        for (panel, m) in m[row..].iter().step_by(rows).enumerate() {
            let mask = window.mask(index, panel);
            let place = (layout.margin + panel * PANEL).strict_add_signed(tap.shift);
            for ((out, m), mask) in plane[place..place + PANEL].iter_mut().zip(m).zip(mask) {
                *out += f32::from_bits(m.to_bits() & mask);
            }
        }
    }
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
        let layout = PaddedImages::new(cell, images, [h, w], kernel);
        // NaN, which must not reach another image, is in the first image's last pixel where there are two.
        let mut values: Vec<f32> = (0..images * channels * h * w).map(|i| 1.0 + i as f32).collect();
        if images > 1 {
            values[h * w - 1] = f32::NAN;
        }
        let planes = layout.import(&values, channels);
        let mut back = vec![0.0; values.len()];
        layout.export(&planes, channels, &mut back);
        assert!(values.iter().zip(&back).all(|(a, b)| a.to_bits() == b.to_bits()));
        let dots = layout.dots(set, &planes, &planes);
        for (dot, image) in dots.into_iter().zip(values.chunks_exact(channels * h * w)) {
            let want: f64 = image.iter().map(|x| f64::from(*x).powi(2)).sum();
            assert!((dot.is_nan() && want.is_nan()) || (dot - want).abs() <= 1e-6 * want, "{dot} {want}");
        }

        for taps in [Taps::Forward, Taps::Mirrored] {
            let window = layout.window(kernel, taps);
            let (side, columns, n) = (cell.side(), w / cell.side(), window.n_taps() * channels);
            let line = if cell == Cell::Quad { 4 } else { kernel };
            // The pixel at a cell's tap: its image, and its place there.
            let pixel_at = |index: usize, tap: usize| {
                let (image, index) = (index / layout.image_cells(), index % layout.image_cells());
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
            let mut out = vec![-1.0; layout.panels() * padded(n) * PANEL];
            layout.unfold(set, &window, &planes, 0..layout.panels(), &mut out);
            let m: Vec<f32> = (0..out.len()).map(|i| ((i * 37) % 101) as f32).collect();
            let folded = layout.fold(set, &window, &m, channels);
            let mut images_of_fold = vec![0.0; values.len()];
            layout.export(&folded, channels, &mut images_of_fold);
            let mut wanted_of_fold = vec![0.0; values.len()];
            for index in 0..layout.panels() * PANEL {
                for feature in 0..n {
                    let (tap, c) = (feature / channels, feature % channels);
                    let place = (index < layout.cells()).then(|| pixel_at(index, tap)).flatten();
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
