//! A few images together, channel by channel, and their pixels' neighbourhoods.
//!
//! Images lie in planes, `[channel, plane]`: the pixels of all images one after the other between margins of zeros. A tap
//! of a `k×k` kernel is then a shift of a plane, and a mask that keeps what stays inside its image.
//!
//! With taps `t ∈ {-r..r}²` (`r = k/2`), features `(t, c)`, and `s` either +1 or -1:
//! `unfold(x)[p, (t, c)] = x[p + s t, c]` and `fold(m)[p, c] = Σ_t m[p + s t, (t, c)]`, zero outside of the image.
//! `fold` with one sign is the transpose of `unfold` with the other.

use super::InstructionSet;
use super::instruction_set::dispatch;
use super::matrix::padded;
use super::pointwise::fma;
use super::pool::Buffer;
use super::tile::PANEL;
use rayon::prelude::*;
use std::ops::Range;

/// The sign `s` of the taps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taps {
    Forward,
    Mirrored,
}

/// Images of one size.
#[derive(Debug)]
pub(super) struct Field {
    images: usize,
    height: usize,
    width: usize,
    /// Zeros before and after the pixels of a plane.
    margin: usize,
}

/// A kernel's taps over a field.
#[derive(Debug)]
pub(super) struct Window {
    taps: Vec<Tap>,
    padded_pixels: usize,
    /// `[tap, pixel]`: all bits set where the pixel's tap is inside the image.
    masks: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Tap {
    dy: isize,
    dx: isize,
    /// From a pixel to its neighbour.
    shift: isize,
}

impl Field {
    /// For kernels of at most this size.
    pub fn new(images: usize, [height, width]: [usize; 2], kernel: usize) -> Self {
        let reach = (kernel / 2) * (width + 1);
        Self { images, height, width, margin: reach.next_multiple_of(PANEL) }
    }

    pub fn images(&self) -> usize {
        self.images
    }

    fn image_pixels(&self) -> usize {
        self.height * self.width
    }

    pub fn pixels(&self) -> usize {
        self.images * self.image_pixels()
    }

    pub fn panels(&self) -> usize {
        self.pixels().div_ceil(PANEL)
    }

    fn plane(&self) -> usize {
        2 * self.margin + self.panels() * PANEL
    }

    /// A plane is this many rows of a panel.
    pub fn plane_rows(&self) -> usize {
        self.plane() / PANEL
    }

    /// From `[image, channel, pixel]`.
    pub fn import(&self, images: &[f32], channels: usize) -> Buffer {
        let mut planes = Buffer::zeros(channels * self.plane());
        let size = self.image_pixels();
        for (image, values) in images.chunks_exact(channels * size).enumerate() {
            for (values, plane) in values.chunks_exact(size).zip(planes.chunks_exact_mut(self.plane())) {
                plane[self.margin + image * size..][..size].copy_from_slice(values);
            }
        }
        planes
    }

    /// To `[image, channel, pixel]`.
    pub fn export(&self, planes: &[f32], channels: usize, images: &mut [f32]) {
        let size = self.image_pixels();
        for (image, values) in images.chunks_exact_mut(channels * size).enumerate() {
            for (values, plane) in values.chunks_exact_mut(size).zip(planes.chunks_exact(self.plane())) {
                values.copy_from_slice(&plane[self.margin + image * size..][..size]);
            }
        }
    }

    /// Each plane's pixels, without margins.
    pub fn planes<'a>(&'a self, planes: &'a [f32]) -> impl Iterator<Item = &'a [f32]> {
        planes.chunks_exact(self.plane()).map(|plane| &plane[self.margin..][..self.pixels()])
    }

    /// `⟨a, b⟩` of every image.
    pub fn dots(&self, a: &[f32], b: &[f32]) -> Vec<f64> {
        let size = self.image_pixels();
        let mut dots = vec![0.0; self.images];
        for (a, b) in self.planes(a).zip(self.planes(b)) {
            for (dot, (a, b)) in dots.iter_mut().zip(a.chunks_exact(size).zip(b.chunks_exact(size))) {
                *dot += inner_product(a, b);
            }
        }
        dots
    }

    /// Multiplies every image by its factor.
    pub fn scale(&self, planes: &mut [f32], factors: &[f32]) {
        let (size, pixels, margin) = (self.image_pixels(), self.pixels(), self.margin);
        for plane in planes.chunks_exact_mut(self.plane()) {
            for (image, factor) in plane[margin..][..pixels].chunks_exact_mut(size).zip(factors) {
                image.iter_mut().for_each(|value| *value *= factor);
            }
        }
    }

    /// The taps of a `kernel×kernel` kernel.
    pub fn window(&self, kernel: usize) -> Window {
        let radius = (kernel / 2) as isize;
        let (height, width) = (self.height as isize, self.width as isize);
        let offsets = || (0..kernel).map(move |i| i as isize - radius);
        let taps: Vec<Tap> = offsets().flat_map(|dy| offsets().map(move |dx| Tap { dy, dx, shift: dy * width + dx })).collect();
        let padded_pixels = self.panels() * PANEL;
        let mut masks = vec![0; taps.len() * padded_pixels];
        for (tap, mask) in taps.iter().zip(masks.chunks_exact_mut(padded_pixels)) {
            for (line, mask) in mask[..self.pixels()].chunks_exact_mut(self.width).enumerate() {
                let y = (line % self.height) as isize + tap.dy;
                let (first, end) = ((-tap.dx).clamp(0, width), (width - tap.dx).clamp(0, width));
                if (0..height).contains(&y) && first < end {
                    mask[first as usize..end as usize].fill(u32::MAX);
                }
            }
        }
        Window { taps, padded_pixels, masks }
    }

    /// Panels of `unfold(x)`, `[panel, (tap, channel), PANEL]`.
    pub fn unfold(&self, set: InstructionSet, window: &Window, taps: Taps, x: &[f32], panels: Range<usize>, out: &mut [f32]) {
        let field = self;
        dispatch!(set, unfold_body,
            (field: &Field, window: &Window, taps: Taps, x: &[f32], panels: Range<usize>, out: &mut [f32]))
    }

    /// `fold(m)`, of panels `[panel, (tap, channel), PANEL]` of all pixels.
    pub fn fold(&self, set: InstructionSet, window: &Window, taps: Taps, m: &[f32], channels: usize) -> Buffer {
        const WORTH_SHARING: usize = 1 << 16;
        let mut out = Buffer::zeros(channels * self.plane());
        let at_a_time = if m.len() > WORTH_SHARING { 1 } else { channels };
        let planes = out.par_chunks_mut(self.plane()).enumerate().with_min_len(at_a_time);
        planes.for_each(|(channel, plane)| {
            let (field, source) = (self, Source { m, channels, channel });
            dispatch!(set, fold_body, (field: &Field, window: &Window, taps: Taps, source: Source, plane: &mut [f32]));
            plane[..self.margin].fill(0.0);
            plane[self.margin + self.pixels()..].fill(0.0);
        });
        out
    }
}

impl Window {
    pub fn n_taps(&self) -> usize {
        self.taps.len()
    }

    /// Of a panel: where the tap `s t` leads, and which pixels have it.
    fn at(&self, tap: usize, taps: Taps, panel: usize) -> (isize, &[u32; PANEL]) {
        let tap = match taps {
            Taps::Forward => tap,
            Taps::Mirrored => self.taps.len() - 1 - tap,
        };
        let masks = self.masks[tap * self.padded_pixels..].as_chunks::<PANEL>().0;
        (self.taps[tap].shift, &masks[panel])
    }
}

#[inline(always)]
fn unfold_body<const FMA: bool>(field: &Field, window: &Window, taps: Taps, x: &[f32], panels: Range<usize>, out: &mut [f32]) {
    let (plane, channels) = (field.plane(), x.len() / field.plane());
    let rows = padded(window.n_taps() * channels);
    for (panel, out) in panels.zip(out.as_chunks_mut::<PANEL>().0.chunks_exact_mut(rows)) {
        for (tap, out) in out.chunks_exact_mut(channels).take(window.n_taps()).enumerate() {
            let (shift, mask) = window.at(tap, taps, panel);
            let place = (field.margin + panel * PANEL).strict_add_signed(shift);
            for (out, plane) in out.iter_mut().zip(x.chunks_exact(plane)) {
                for ((out, x), mask) in out.iter_mut().zip(&plane[place..place + PANEL]).zip(mask) {
                    *out = f32::from_bits(x.to_bits() & mask);
                }
            }
        }
    }
}

/// The panels that are folded into one channel.
#[derive(Clone, Copy)]
struct Source<'a> {
    m: &'a [f32],
    channels: usize,
    channel: usize,
}

#[inline(always)]
fn fold_body<const FMA: bool>(field: &Field, window: &Window, taps: Taps, source: Source, plane: &mut [f32]) {
    let opposite = match taps {
        Taps::Forward => Taps::Mirrored,
        Taps::Mirrored => Taps::Forward,
    };
    let rows = padded(window.n_taps() * source.channels);
    let m = source.m.as_chunks::<PANEL>().0;
    // Taps outside: what two of them write to overlaps, and reading what was just written elsewhere is slow.
    for tap in 0..window.n_taps() {
        let row = tap * source.channels + source.channel;
        for (panel, m) in m[row..].iter().step_by(rows).enumerate() {
            let (shift, mask) = window.at(tap, opposite, panel);
            let place = (field.margin + panel * PANEL).strict_add_signed(shift);
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
    const LANES: usize = 16;
    let mut sum = 0.0;
    for (a, b) in a.chunks(64 * LANES).zip(b.chunks(64 * LANES)) {
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        let mut lanes = [0f32; LANES];
        for (a, b) in a.iter().zip(b) {
            for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
                *lane = fma::<FMA>(*a, *b, *lane);
            }
        }
        let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
        sum += f64::from(lanes.iter().sum::<f32>() + rest);
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
                follow_their_definition(set, images, size, channels, kernel);
            }
        }
    }

    fn follow_their_definition(set: InstructionSet, images: usize, [h, w]: [usize; 2], channels: usize, kernel: usize) {
        let field = Field::new(images, [h, w], kernel);
        let window = field.window(kernel);
        let n = window.n_taps() * channels;
        // NaN, which must not reach another image, is in the first image's last pixel where there are two.
        let mut values: Vec<f32> = (0..images * channels * h * w).map(|i| 1.0 + i as f32).collect();
        if images > 1 {
            values[h * w - 1] = f32::NAN;
        }
        let planes = field.import(&values, channels);
        let mut back = vec![0.0; values.len()];
        field.export(&planes, channels, &mut back);
        assert!(values.iter().zip(&back).all(|(a, b)| a.to_bits() == b.to_bits()));

        let neighbour = |pixel: usize, tap: usize, taps: Taps| {
            let sign = if taps == Taps::Forward { 1 } else { -1 };
            let (dy, dx) = ((tap / kernel) as isize - (kernel / 2) as isize, (tap % kernel) as isize - (kernel / 2) as isize);
            let (image, y, x) = (pixel / (h * w), (pixel / w % h) as isize + sign * dy, (pixel % w) as isize + sign * dx);
            let inside = (0..h as isize).contains(&y) && (0..w as isize).contains(&x);
            inside.then(|| (image, y as usize * w + x as usize))
        };
        let row = |panel: usize, feature: usize| (panel * padded(n) + feature) * PANEL;
        for taps in [Taps::Forward, Taps::Mirrored] {
            let mut out = vec![-1.0; field.panels() * padded(n) * PANEL];
            field.unfold(set, &window, taps, &planes, 0..field.panels(), &mut out);
            let m: Vec<f32> = (0..out.len()).map(|i| ((i * 37) % 101) as f32).collect();
            let folded = field.fold(set, &window, taps, &m, channels);
            let mut images_of_fold = vec![0.0; values.len()];
            field.export(&folded, channels, &mut images_of_fold);
            for pixel in 0..field.panels() * PANEL {
                for feature in 0..n {
                    let (tap, c) = (feature / channels, feature % channels);
                    let place = (pixel < field.pixels()).then(|| neighbour(pixel, tap, taps)).flatten();
                    let want = place.map_or(0.0, |(image, pixel)| values[(image * channels + c) * h * w + pixel]);
                    let got = out[row(pixel / PANEL, feature) + pixel % PANEL];
                    assert_eq!(got.to_bits(), want.to_bits(), "{set:?} {h}x{w} {channels} {kernel}: pixel {pixel}, {feature}");
                }
            }
            for pixel in 0..field.pixels() {
                for c in 0..channels {
                    let terms = (0..window.n_taps()).filter_map(|tap| {
                        let (image, at) = neighbour(pixel, tap, taps)?;
                        let source = image * h * w + at;
                        Some(m[row(source / PANEL, tap * channels + c) + source % PANEL])
                    });
                    let got = images_of_fold[(pixel / (h * w) * channels + c) * h * w + pixel % (h * w)];
                    assert_eq!(got, terms.sum::<f32>(), "{set:?} {h}x{w} {channels} {kernel}: pixel {pixel}");
                }
            }
        }
    }
}
