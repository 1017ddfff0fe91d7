//! 3×3 convolutions with 16 products for every quad of 2×2 pixels instead of 36.
//!
//! By Winograd's minimal filtering `F(2×2, 3×3)`, the outputs `y` at a quad follow from the 4×4 pixels `d` around it and a
//! kernel `w` as `y = Aᵀ ((G w Gᵀ) ⊙ (Bᵀ d B)) A`, and sums over channels can be taken before `A`. So a convolution is 16
//! small matrices, one for each position, between a narrow side, where patches of 4×4 pixels are transformed, and a wide one,
//! where quads are. The transposed maps and the gradients are the same in reverse.
//!
//! Narrow features lie in panels of quads, `[group, (position, channel), PANEL]`; wide ones in panels of pixels,
//! `[place in the quad, group, feature, PANEL]`: a group is 32 quads.
//!
//! Lavin and Gray (2016), Fast Algorithms for Convolutional Neural Networks, section 4.1. <https://arxiv.org/abs/1509.09308>.
//! The last rows of `Aᵀ` and `Bᵀ` are negated here.

use super::InstructionSet;
use super::instruction_set::dispatch;
use super::microkernel::{self, MAX_STRIPS, PANEL, STRIP, Tile};
use super::outer_sum::OuterSum;
use super::workspace::Buffer;
use rayon::prelude::*;

/// Places in a patch, and in its transform.
pub(super) const POSITIONS: usize = 16;
/// Four columns of a strip.
const LINE: usize = STRIP * STRIP;
/// Pixels of a quad.
const QUAD: usize = 4;

/// `Bᵀ d`
#[inline(always)]
fn patch([a, b, c, d]: [f32; 4]) -> [f32; 4] {
    [a - c, b + c, c - b, d - b]
}

/// `B m`
#[inline(always)]
fn patch_transposed([a, b, c, d]: [f32; 4]) -> [f32; 4] {
    [a, b - c - d, b + c - a, d]
}

/// `Aᵀ m`
#[inline(always)]
fn quad([a, b, c, d]: [f32; 4]) -> [f32; 2] {
    [a + b + c, b - c + d]
}

/// `A y`
#[inline(always)]
fn quad_transposed([a, b]: [f32; 2]) -> [f32; 4] {
    [a, a + b, a - b, b]
}

/// `G w`
#[inline(always)]
fn kernel([a, b, c]: [f32; 3]) -> [f32; 4] {
    let ends = a + c;
    [a, 0.5 * (ends + b), 0.5 * (ends - b), c]
}

/// `Gᵀ m`
#[inline(always)]
fn kernel_transposed([a, b, c, d]: [f32; 4]) -> [f32; 3] {
    let both = 0.5 * (b + c);
    [a + both, 0.5 * (b - c), both + d]
}

/// `f(m) = F m Fᵀ` for the map `f(x) = F x` of columns, in every lane.
#[inline(always)]
fn both_ways<const I: usize, const O: usize, const L: usize>(
    m: [[&[f32; L]; I]; I],
    f: impl Fn([f32; I]) -> [f32; O],
) -> [[[f32; L]; O]; O] {
    let mut half = [[[0.0; L]; I]; O];
    for column in 0..I {
        for x in 0..L {
            let mut line = [0.0; I];
            (0..I).for_each(|row| line[row] = m[row][column][x]);
            let line = f(line);
            (0..O).for_each(|row| half[row][column][x] = line[row]);
        }
    }
    let mut out = [[[0.0; L]; O]; O];
    for (half, out) in half.iter().zip(&mut out) {
        for x in 0..L {
            let mut line = [0.0; I];
            (0..I).for_each(|column| line[column] = half[column][x]);
            let line = f(line);
            (0..O).for_each(|column| out[column][x] = line[column]);
        }
    }
    out
}

/// One channel's rows of a group, by position.
#[inline(always)]
fn positions(rows: &[[f32; PANEL]], channel: usize, channels: usize) -> [[&[f32; PANEL]; 4]; 4] {
    let mut positions = [[&rows[channel]; 4]; 4];
    for (position, row) in positions.as_flattened_mut().iter_mut().zip(rows[channel..].iter().step_by(channels)) {
        *position = row;
    }
    positions
}

/// `Bᵀ d B` of all patches.
fn transform(set: InstructionSet, patches: &[f32], channels: usize) -> Buffer {
    let mut transformed = Buffer::recycled(patches.len());
    let out: &mut [f32] = &mut transformed;
    dispatch!(set, transform_body, (patches: &[f32], channels: usize, out: &mut [f32]));
    transformed
}

#[inline(always)]
fn transform_body<const FMA: bool>(patches: &[f32], channels: usize, out: &mut [f32]) {
    let group = POSITIONS * channels;
    let out = out.as_chunks_mut::<PANEL>().0.chunks_exact_mut(group);
    for (patches, out) in patches.as_chunks::<PANEL>().0.chunks_exact(group).zip(out) {
        for channel in 0..channels {
            let transformed = both_ways(positions(patches, channel, channels), patch);
            let transformed = transformed.as_flattened().iter();
            out[channel..].iter_mut().step_by(channels).zip(transformed).for_each(|(out, row)| *out = *row);
        }
    }
}

/// `B m Bᵀ` in the place of `m`, of all patches.
#[inline(always)]
fn transform_back_body<const FMA: bool>(m: &mut [f32], channels: usize) {
    for m in m.as_chunks_mut::<PANEL>().0.chunks_exact_mut(POSITIONS * channels) {
        for channel in 0..channels {
            let patches = both_ways(positions(m, channel, channels), patch_transposed);
            let patches = patches.as_flattened().iter();
            m[channel..].iter_mut().step_by(channels).zip(patches).for_each(|(m, row)| *m = *row);
        }
    }
}

/// `Aᵀ m A` of a tile, `[position, row, PANEL]`, to rows that are `stride` numbers apart for each place in the quad.
#[inline(always)]
fn gather_body<const FMA: bool>(m: &[f32], out: &mut [f32], stride: usize) {
    let (m, out, stride) = (m.as_chunks::<PANEL>().0, out.as_chunks_mut::<PANEL>().0, stride / PANEL);
    let rows = m.len() / POSITIONS;
    for row in 0..rows {
        let quads = both_ways(positions(m, row, rows), quad);
        quads.as_flattened().iter().enumerate().for_each(|(place, quad)| out[place * stride + row] = *quad);
    }
}

/// One line of `A y Aᵀ`: from all places in quads, `[place, …]`, to four positions, `[position, …]`.
fn spread(set: InstructionSet, line: usize, quads: &[f32], out: &mut [f32]) {
    dispatch!(set, spread_body, (line: usize, quads: &[f32], out: &mut [f32]))
}

#[inline(always)]
fn spread_body<const FMA: bool>(line: usize, quads: &[f32], out: &mut [f32]) {
    let [upper, lower] = [quad_transposed([1.0, 0.0])[line], quad_transposed([0.0, 1.0])[line]];
    let (quads, out) = (quads.as_chunks::<PANEL>().0, out.as_chunks_mut::<PANEL>().0);
    let rows = quads.len() / QUAD;
    for row in 0..rows {
        let [a, b, c, d] = [0, 1, 2, 3].map(|place| &quads[place * rows + row]);
        let mut lines = [[0.0; PANEL]; 4];
        for x in 0..PANEL {
            let line = quad_transposed([upper * a[x] + lower * c[x], upper * b[x] + lower * d[x]]);
            (0..4).for_each(|position| lines[position][x] = line[position]);
        }
        lines.iter().enumerate().for_each(|(position, line)| out[position * rows + row] = *line);
    }
}

/// Transformed kernels between some rows and all columns, as [`Filters`] has them.
#[inline(always)]
fn gather_filters_body<const FMA: bool>(
    values: &[f32],
    [rows, columns]: [&[usize]; 2],
    mirrored: bool,
    scale: f32,
    out: &mut [f32],
) {
    let depth = columns.len();
    for (k, columns) in columns.chunks_exact(STRIP).enumerate() {
        // A line of the cache for each position and strip: they are far apart.
        let mut taps = [[0.0; MAX_STRIPS * LINE]; 9];
        for (r, row) in rows.iter().enumerate() {
            for (i, column) in columns.iter().enumerate() {
                let lane = r / STRIP * LINE + i * STRIP + r % STRIP;
                let kernel = &values[row + column..][..9];
                for tap in 0..9 {
                    taps[if mirrored { 8 - tap } else { tap }][lane] = scale * kernel[tap];
                }
            }
        }
        let mut kernels = [[&taps[0]; 3]; 3];
        kernels.as_flattened_mut().iter_mut().zip(&taps).for_each(|(kernel, tap)| *kernel = tap);
        let filters = both_ways(kernels, kernel);
        for (out, lines) in out.chunks_exact_mut(rows.len() * depth).zip(filters.as_flattened()) {
            for (out, line) in out.chunks_exact_mut(STRIP * depth).zip(lines.as_chunks::<LINE>().0) {
                out[k * LINE..][..LINE].copy_from_slice(line);
            }
        }
    }
}

/// Transformed kernels `G w Gᵀ`, packed for products in one direction: from `depth` features to `rows` of them.
#[derive(Debug)]
pub(super) struct Filters {
    rows: usize,
    depth: usize,
    /// `[pair of strips, position, strip, depth, STRIP]`
    strips: Buffer,
}

impl Filters {
    /// From `scale · values[rows[r] + columns[k] + tap]`, the taps in reverse where kernels are mirrored. Numbers of rows and
    /// columns are multiples of [`STRIP`].
    pub fn gather(values: &[f32], rows: &[usize], columns: &[usize], mirrored: bool, scale: f32) -> Self {
        let depth = columns.len();
        let mut strips = Buffer::recycled(POSITIONS * rows.len() * depth);
        let pairs = strips.par_chunks_mut(POSITIONS * MAX_STRIPS * STRIP * depth).zip(rows.par_chunks(MAX_STRIPS * STRIP));
        let set = InstructionSet::best();
        pairs.for_each(|(out, rows)| {
            let places = [rows, columns];
            dispatch!(set, gather_filters_body, (values: &[f32], places: [&[usize]; 2], mirrored: bool, scale: f32, out: &mut [f32]));
        });
        Self { rows: rows.len(), depth, strips }
    }

    /// Pairs of strips, and where their rows are in a panel.
    fn pairs(&self) -> impl Iterator<Item = (usize, &[f32])> {
        const ROWS: usize = MAX_STRIPS * STRIP;
        self.strips.chunks(POSITIONS * ROWS * self.depth).enumerate().map(|(pair, filters)| (pair * ROWS * PANEL, filters))
    }

    /// From patches to wide features, with the epilogue on each tile while it is in the cache.
    pub fn widen(&self, set: InstructionSet, patches: &[f32], out: &mut [f32], mut epilogue: impl FnMut(Tile, &mut [f32])) {
        let (group, panel) = (POSITIONS * self.depth * PANEL, self.rows * PANEL);
        let transformed = transform(set, patches, self.depth);
        let groups = patches.len() / group;
        let mut products = Buffer::recycled(POSITIONS * MAX_STRIPS * STRIP * PANEL);
        for (place, filters) in self.pairs() {
            let length = filters.len() / POSITIONS;
            let tile = length / self.depth * PANEL;
            for (g, inputs) in transformed.chunks_exact(group).enumerate() {
                let m = &mut products[..POSITIONS * tile];
                let inputs = inputs.chunks_exact(self.depth * PANEL);
                for ((filter, input), m) in filters.chunks_exact(length).zip(inputs).zip(m.chunks_exact_mut(tile)) {
                    microkernel::product(set, filter, self.depth, input, m, PANEL);
                }
                let (at, stride) = (g * panel + place, groups * panel);
                {
                    let (m, out): (&[f32], &mut [f32]) = (m, &mut out[at..]);
                    dispatch!(set, gather_body, (m: &[f32], out: &mut [f32], stride: usize));
                }
                for at in (0..QUAD).map(|place| at + place * stride) {
                    epilogue(Tile { at, row: place / PANEL }, &mut out[at..at + tile]);
                }
            }
        }
    }

    /// From wide features to patches.
    pub fn narrow(&self, set: InstructionSet, wide: &[f32], out: &mut [f32]) {
        let (panel, group) = (self.depth * PANEL, POSITIONS * self.rows * PANEL);
        let mut inputs = Buffer::recycled(wide.len());
        for line in 0..4 {
            spread(set, line, wide, &mut inputs);
            for (place, filters) in self.pairs() {
                let length = filters.len() / POSITIONS;
                let tile = length / self.depth * PANEL;
                for (column, inputs) in inputs.chunks_exact(wide.len() / QUAD).enumerate() {
                    let position = 4 * line + column;
                    let filter = &filters[position * length..][..length];
                    for (input, out) in inputs.chunks_exact(panel).zip(out.chunks_exact_mut(group)) {
                        let out = &mut out[position * self.rows * PANEL + place..][..tile];
                        microkernel::product(set, filter, self.depth, input, out, PANEL);
                    }
                }
            }
        }
        let (m, channels) = (out, self.rows);
        dispatch!(set, transform_back_body, (m: &mut [f32], channels: usize));
    }
}

/// The gradient of [`Filters`] summed over quads, `[(position, channel), wide feature]`.
#[derive(Debug)]
pub(super) struct FilterSum {
    channels: usize,
    sum: OuterSum,
}

impl FilterSum {
    pub fn new(channels: usize, wide: usize) -> Self {
        Self { channels, sum: OuterSum::new(POSITIONS * channels, wide) }
    }

    /// Number of wide features.
    pub fn wide(&self) -> usize {
        self.sum.columns()
    }

    /// Adds patches times wide features, the latter [transposed](super::transpose::transpose).
    pub fn add(&mut self, set: InstructionSet, patches: &[f32], wide: &[f32]) {
        let rows = self.channels * PANEL;
        let group = POSITIONS * rows;
        let quads = patches.len() / group * PANEL;
        let left = transform(set, patches, self.channels);
        let mut lines = Buffer::recycled(QUAD * quads * PANEL);
        for (block, wide) in wide.chunks_exact(lines.len()).enumerate() {
            for line in 0..4 {
                spread(set, line, wide, &mut lines);
                for (column, right) in lines.chunks_exact(quads * PANEL).enumerate() {
                    let position = 4 * line + column;
                    let first = position * self.channels;
                    self.sum.add_rows(set, block, first..first + self.channels, (&left[position * rows..], group), right, quads);
                }
            }
        }
    }

    /// Adds another sum of the same shape.
    pub fn merge(&mut self, other: &Self) {
        self.sum.merge(&other.sum);
    }

    /// Writes the gradient of the kernels to where [`Filters::gather`] has them from, unscaled.
    pub fn scatter(&self, out: &mut [f32], channels: &[usize], wide: &[usize], mirrored: bool) {
        for (rows, wide) in self.sum.blocks().zip(wide.chunks(PANEL)) {
            for (channel, at) in channels.iter().enumerate() {
                let taps = both_ways(positions(rows, channel, self.channels), kernel_transposed);
                for (tap, lanes) in taps.as_flattened().iter().enumerate() {
                    let at = at + if mirrored { 8 - tap } else { tap };
                    lanes.iter().zip(wide).for_each(|(value, wide)| out[at + wide] = *value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packing::multiples;
    use crate::transpose::{transpose, transposed_len};

    const GROUPS: usize = 2;

    fn wave(n: usize, step: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * step).sin()).collect()
    }

    /// All of `(narrow channel, wide feature, tap, place in the quad, position in the patch)` that a kernel connects.
    fn connections(channels: usize, wide: usize) -> impl Iterator<Item = [usize; 5]> {
        (0..channels * wide * 9 * QUAD).map(move |i| {
            let (place, tap, feature, channel) = (i % 4, i / 4 % 9, i / 36 % wide, i / 36 / wide);
            [channel, feature, tap, place, (place / 2 + tap / 3) * 4 + place % 2 + tap % 3]
        })
    }

    /// `want` and the sum of its terms' magnitudes.
    fn assert_close(got: &[f32], want: &[[f64; 2]], what: &str) {
        assert_eq!(got.len(), want.len());
        for (i, (got, [want, magnitude])) in got.iter().zip(want).enumerate() {
            assert!((f64::from(*got) - want).abs() < 2e-6 * magnitude, "{what} at {i}: {got} {want} of {magnitude}");
        }
    }

    fn add(sum: &mut [f64; 2], a: f32, b: f32) {
        let term = f64::from(a) * f64::from(b);
        *sum = [sum[0] + term, sum[1] + term.abs()];
    }

    #[test]
    fn products_and_sums_are_those_of_the_convolution_on_every_instruction_set() {
        for set in InstructionSet::available() {
            for (channels, wide) in [(4, 8), (12, 36), (8, 4)] {
                for mirrored in [false, true] {
                    agree_with_the_convolution(set, channels, wide, mirrored);
                }
            }
        }
    }

    fn agree_with_the_convolution(set: InstructionSet, channels: usize, wide: usize, mirrored: bool) {
        let case = format!("{set:?} {channels} {wide} {mirrored}");
        // `[wide, channel, tap]`
        let weight = wave(wide * channels * 9, 0.37);
        let (columns, rows) = (multiples(channels, 9), multiples(wide, channels * 9));
        let at = |channel: usize, feature: usize, tap: usize| {
            (feature * channels + channel) * 9 + if mirrored { 8 - tap } else { tap }
        };
        let patches = wave(GROUPS * POSITIONS * channels * PANEL, 0.11);
        let features = wave(QUAD * GROUPS * wide * PANEL, 0.07);
        let patch_at = |g: usize, position: usize, channel: usize| ((g * POSITIONS + position) * channels + channel) * PANEL;
        let feature_at = |g: usize, place: usize, feature: usize| ((place * GROUPS + g) * wide + feature) * PANEL;

        let [mut widened, mut narrowed, mut by_weight] = [&features, &patches, &weight].map(|like| vec![[0.0; 2]; like.len()]);
        for [channel, feature, tap, place, position] in connections(channels, wide) {
            let w = at(channel, feature, tap);
            for (g, x) in (0..GROUPS).flat_map(|g| (0..PANEL).map(move |x| (g, x))) {
                let (p, f) = (patch_at(g, position, channel) + x, feature_at(g, place, feature) + x);
                add(&mut widened[f], weight[w], patches[p]);
                add(&mut narrowed[p], weight[w], features[f]);
                add(&mut by_weight[w], patches[p], features[f]);
            }
        }

        let mut out = vec![f32::NAN; features.len()];
        let mut seen = 0;
        let filters = Filters::gather(&weight, &rows, &columns, mirrored, 2.0);
        filters.widen(set, &patches, &mut out, |tile, rows| {
            seen += rows.len();
            assert_eq!(tile.at / PANEL % wide, tile.row);
            rows.iter_mut().for_each(|value| *value *= 0.5);
        });
        assert_eq!(seen, out.len(), "the epilogue sees every row once");
        assert_close(&out, &widened, &format!("{case}: widened"));

        let mut out = vec![f32::NAN; patches.len()];
        Filters::gather(&weight, &columns, &rows, mirrored, 1.0).narrow(set, &features, &mut out);
        assert_close(&out, &narrowed, &format!("{case}: narrowed"));

        let pixels = QUAD * GROUPS * PANEL;
        let mut exchanged = vec![f32::NAN; transposed_len(wide, QUAD * GROUPS)];
        transpose(set, wide, &features, &mut exchanged, pixels);
        let mut sum = FilterSum::new(channels, wide);
        sum.add(set, &patches, &exchanged);
        let mut gradient = vec![f32::NAN; weight.len()];
        sum.scatter(&mut gradient, &columns, &rows, mirrored);
        assert_close(&gradient, &by_weight, &format!("{case}: summed"));
    }
}
