//! The branch, its vector-Jacobian products and its pullback, on the CPU.
//!
//! A batch is cut into units of a few images, and a unit's pixels into blocks. A block goes through the whole branch inside
//! the cache; a unit, through a whole chain of products. Units, and blocks of large ones, are spread over threads. How
//! a batch is cut depends on shapes alone, and so do all sums: results are the same for any number of threads.

use super::InstructionSet;
use super::field::{Field, Taps, Window};
use super::matrix::{OuterSum, Packed, multiples, padded, transpose, transposed_len};
use super::pointwise::{At, Phi, add_scaled, multiply};
use super::pool::Buffer;
use super::tile::PANEL;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::OnceLock;

/// Pixels of a unit at the least, where the batch has as many.
const UNIT_PIXELS: usize = 128;
/// Pixels for which it pays to have sums of weight gradients of their own, and how many such sums there are at the most.
const PART_PIXELS: usize = 256;
const MAX_PARTS: usize = 16;
/// Numbers of one hidden layer in a block, and its panels at the least and at the most.
const BLOCK_VALUES: usize = 1 << 14;
const BLOCK_PANELS: [usize; 2] = [4, 8];

/// Images of a batch, `[batch, channels, height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
}

/// One affine map of the branch, from inputs to outputs of a pixel.
///
/// The first layer's inputs are unfolded neighbourhoods, taps by channels, the last one's outputs are such that are to be
/// folded; the others act on single pixels.
#[derive(Debug)]
pub(crate) struct FusedLayer {
    /// `[out, in, k, k]`, to be divided by `divisor`.
    weight: Vec<f32>,
    divisor: f32,
    /// Where each input's and each output's elements stand in the weight: at the sum of both.
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    /// Filled up with zeros to whole strips; of the last layer one a channel.
    bias: Vec<f32>,
    forward: OnceLock<Packed>,
    backward: OnceLock<Packed>,
}

/// On which side a layer has its kernel's taps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TapSide {
    Inputs,
    Outputs,
}

impl FusedLayer {
    /// From a weight `[out, in, k, k]`, to be divided by a number.
    pub fn new(weight: Vec<f32>, [out, channels, k, _]: [usize; 4], divisor: f32, side: TapSide, mut bias: Vec<f32>) -> Self {
        let taps = k * k;
        let with_taps = |channels: Vec<usize>| (0..taps).flat_map(|tap| channels.iter().map(move |c| tap + c)).collect();
        let (mut inputs, mut outputs) = (multiples(channels, taps), multiples(out, channels * taps));
        match side {
            TapSide::Inputs => inputs = with_taps(inputs),
            TapSide::Outputs => outputs = with_taps(outputs),
        }
        bias.resize(padded(bias.len()), 0.0);
        Self { weight, divisor, inputs, outputs, bias, forward: OnceLock::new(), backward: OnceLock::new() }
    }

    fn n_inputs(&self) -> usize {
        self.inputs.len()
    }

    fn n_outputs(&self) -> usize {
        self.outputs.len()
    }

    /// The map from inputs to outputs.
    fn forward(&self) -> &Packed {
        self.forward.get_or_init(|| Packed::gather(&self.weight, &self.outputs, &self.inputs, 1.0 / self.divisor))
    }

    /// Its transpose.
    fn backward(&self) -> &Packed {
        self.backward.get_or_init(|| Packed::gather(&self.weight, &self.inputs, &self.outputs, 1.0 / self.divisor))
    }
}

/// A branch `[φ₀] k×k φ 1×1 φ … φ k×k`.
#[derive(Debug)]
pub(crate) struct FusedNet {
    pub set: InstructionSet,
    /// Channels of input and output.
    pub channels: usize,
    /// The activation before the first layer.
    pub preactivation: Option<Phi>,
    pub layers: Vec<FusedLayer>,
    /// The activations between layers: one less than there are layers.
    pub activations: Vec<Phi>,
    pub first_kernel: usize,
    pub last_kernel: usize,
}

/// The derivatives along one batch: what vector-Jacobian products need.
pub(crate) struct Linearized(Vec<Record>);

/// What a unit's primal pass leaves.
struct Record {
    /// The input after the preactivation, in planes.
    z: Buffer,
    /// The preactivation's derivative.
    slope: Option<Buffer>,
    blocks: Vec<Block>,
}

/// The hidden layers' arguments of activations, and their derivatives there, in panels.
struct Block(Vec<[Buffer; 2]>);

/// The terms of a log-determinant's power series along the chain `u_0 = v`, `u_k = Jᵀ u_{k-1}`.
pub(crate) struct Terms<'a> {
    /// `ℓ̂ = Σ_k value_k ⟨u_k, v⟩`, `k ≥ 1`
    pub value: &'a [f64],
    /// `w = v + Σ_k gradient_k u_k`, `k ≥ 1`
    pub gradient: &'a [f64],
}

/// Gradients by weights (`[out, in, k, k]`), biases and activation parameters, and the cotangent of the input.
pub(crate) struct FusedGradients {
    pub input: Vec<f32>,
    pub weights: Vec<Vec<f32>>,
    pub biases: Vec<Vec<f32>>,
    /// By `β`: of the preactivation if there is one, then of the others in order.
    pub betas: Vec<f64>,
}

impl FusedNet {
    /// `g(x)`.
    pub fn forward(&self, grid: Grid, x: &[f32]) -> Vec<f32> {
        let cut = Cut::new(self, grid);
        let mut g = vec![0.0; x.len()];
        cut.units(x).zip(cut.units_mut(&mut g)).for_each(|((unit, x), (_, g))| {
            let (z, _) = unit.enter(x);
            unit.leave(&unit.primal(&z), g);
        });
        g
    }

    /// `g(x)` and the derivatives at `x`.
    pub fn linearize(&self, grid: Grid, x: &[f32]) -> (Vec<f32>, Linearized) {
        let cut = Cut::new(self, grid);
        let mut g = vec![0.0; x.len()];
        let records = cut.units(x).zip(cut.units_mut(&mut g)).map(|((unit, x), (_, g))| {
            let (record, product) = unit.record(x, true);
            unit.leave(&product, g);
            record
        });
        let records = records.collect();
        (g, Linearized(records))
    }

    /// `Jᵀ u` with the Jacobian at the point of linearization.
    pub fn vjp(&self, grid: Grid, at: &Linearized, u: &[f32]) -> Vec<f32> {
        let cut = Cut::new(self, grid);
        let mut out = vec![0.0; u.len()];
        cut.units(u).zip(cut.units_mut(&mut out)).zip(&at.0).for_each(|(((unit, u), (_, out)), record)| {
            unit.field.export(&unit.vjp(record, &unit.field.import(u, self.channels)), self.channels, out);
        });
        out
    }

    /// `g(x)` and the series' value `[batch]` from probes `v`.
    pub fn series(&self, grid: Grid, x: &[f32], v: &[f32], value: &[f64]) -> (Vec<f32>, Vec<f32>) {
        let cut = Cut::new(self, grid);
        let mut g = vec![0.0; x.len()];
        let values = cut.units(x).zip(cut.units(v)).zip(cut.units_mut(&mut g)).map(|(((unit, x), (_, v)), (_, g))| {
            let (record, product) = unit.record(x, true);
            unit.leave(&product, g);
            unit.chain(&record, &unit.field.import(v, self.channels), &Terms { value, gradient: &[] }).0
        });
        let values: Vec<Vec<f64>> = values.collect();
        (g, values.concat().into_iter().map(|value| value as f32).collect())
    }

    /// The gradient of `⟨ȳ, g(x)⟩ + ⟨τ, J(x) v⟩`.
    pub fn pullback(&self, grid: Grid, x: &[f32], v: &[f32], y_bar: &[f32], tau: &[f32]) -> FusedGradients {
        let size = x.len() / grid.batch;
        self.pull(grid, x, v, y_bar, |unit, _, images, _| {
            (Vec::new(), unit.field.import(&tau[images.start * size..images.end * size], self.channels))
        })
        .1
    }

    /// The series' value `[batch]` from probes `v`, and the gradient of `⟨ȳ, g(x)⟩ + Σ_b λ_b ⟨w_b, J(x) v_b⟩`.
    pub fn series_pullback(
        &self,
        grid: Grid,
        [x, v, y_bar]: [&[f32]; 3],
        terms: &Terms,
        lambda: &[f32],
    ) -> (Vec<f32>, FusedGradients) {
        self.pull(grid, x, v, y_bar, |unit, record, images, v| {
            let (values, mut w) = unit.chain(record, v, terms);
            unit.field.scale(&mut w, &lambda[images]);
            (values, w)
        })
    }

    /// The pullback with `τ`, in planes, and numbers for each image from a unit's record, its images, and its `v`.
    fn pull(
        &self,
        grid: Grid,
        x: &[f32],
        v: &[f32],
        y_bar: &[f32],
        tau: impl Fn(&Unit, &Record, Range<usize>, &[f32]) -> (Vec<f64>, Buffer) + Sync,
    ) -> (Vec<f32>, FusedGradients) {
        let cut = Cut::new(self, grid);
        let size = x.len() / grid.batch;
        let mut input = vec![0.0; x.len()];
        let parts = cut.parts(&mut input, size).into_par_iter().map(|(units, mut input)| {
            let mut sums: Vec<Sums> = (0..cut.bands).map(|_| Sums::new(self)).collect();
            let (mut values, mut pre_beta) = (Vec::new(), 0.0);
            for images in units {
                let unit = cut.unit(images.clone());
                let range = images.start * size..images.end * size;
                let (x, v, y_bar) = (&x[range.clone()], &v[range.clone()], &y_bar[range.clone()]);
                let (record, _) = unit.record(x, false);
                let [v, y_bar] = [v, y_bar].map(|values| unit.field.import(values, self.channels));
                let (of_unit, tau) = tau(&unit, &record, images, &v);
                values.extend(of_unit.into_iter().map(|value| value as f32));
                let (out, rest) = std::mem::take(&mut input).split_at_mut(range.len());
                input = rest;
                pre_beta += unit.pull(&record, x, &Cotangents { v: &v, y_bar: &y_bar, tau: &tau }, &mut sums, out);
            }
            (sums, values, pre_beta)
        });
        let parts: Vec<(Vec<Sums>, Vec<f32>, f64)> = parts.collect();

        let pre_beta: f64 = parts.iter().map(|(_, _, beta)| beta).sum();
        let values = parts.iter().flat_map(|(_, values, _)| values.iter().copied()).collect();
        let sums = Sums::merged(parts.into_iter().flat_map(|(sums, _, _)| sums).collect());
        let plane = grid.height * grid.width;
        let last_bias = (0..self.channels).map(|c| y_bar.chunks_exact(plane).skip(c).step_by(self.channels).flatten().sum());
        let mut biases: Vec<Vec<f32>> = sums.biases;
        biases.push(last_bias.collect());
        for (bias, layer) in biases.iter_mut().zip(&self.layers[..self.activations.len()]) {
            bias.truncate(layer.n_outputs());
        }
        let betas = self.preactivation.iter().map(|_| pre_beta).chain(sums.betas).collect();
        let weights = sums.weights.par_iter().zip(&self.layers).enumerate().map(|(l, (sum, layer))| {
            let mut weight = vec![0.0; layer.weight.len()];
            match l == self.activations.len() {
                true => sum.scatter(&mut weight, &layer.inputs, &layer.outputs),
                false => sum.scatter(&mut weight, &layer.outputs, &layer.inputs),
            }
            weight
        });
        let weights = weights.collect();
        (values, FusedGradients { input, weights, biases, betas })
    }

    fn width(&self, hidden: usize) -> usize {
        self.layers[hidden].n_outputs()
    }

    fn widest(&self) -> usize {
        let ends = [self.layers[0].n_inputs(), self.last().n_outputs()];
        (0..self.activations.len()).map(|l| self.width(l)).chain(ends).max().unwrap_or(0)
    }

    fn last(&self) -> &FusedLayer {
        &self.layers[self.activations.len()]
    }
}

/// How a batch is cut into units, and units into parts and bands.
struct Cut<'a> {
    net: &'a FusedNet,
    grid: Grid,
    /// Images of each unit.
    units: Vec<Range<usize>>,
    /// For units of two sizes, the second one image smaller, if there are such.
    shapes: [Shape; 2],
    /// Units' blocks with sums of weight gradients of their own.
    bands: usize,
}

/// What units of one size have in common.
struct Shape {
    field: Field,
    first: Window,
    last: Window,
}

/// Some images of the batch on their way through the branch.
struct Unit<'a> {
    net: &'a FusedNet,
    field: &'a Field,
    first: &'a Window,
    last: &'a Window,
    /// Blocks that stay on one thread.
    at_a_time: usize,
    block_panels: usize,
    bands: usize,
}

/// `n` things in runs of nearly the same length, longer ones first.
fn runs(n: usize, runs: usize) -> impl Iterator<Item = Range<usize>> {
    let (short, longer) = (n / runs, n % runs);
    (0..runs).map(move |i| i * short + i.min(longer)..(i + 1) * short + (i + 1).min(longer))
}

impl<'a> Cut<'a> {
    fn new(net: &'a FusedNet, grid: Grid) -> Self {
        let pixels = grid.height * grid.width;
        let n_units = grid.batch.div_ceil(UNIT_PIXELS.div_ceil(pixels)).max(1);
        let units: Vec<Range<usize>> = runs(grid.batch, n_units).collect();
        let shape = |images: usize| {
            let field = Field::new(images, [grid.height, grid.width], net.first_kernel.max(net.last_kernel));
            let (first, last) = (field.window(net.first_kernel), field.window(net.last_kernel));
            Shape { field, first, last }
        };
        let largest = units[0].len();
        let n_parts = (grid.batch * pixels / PART_PIXELS).clamp(2, MAX_PARTS);
        let bands = (n_parts / n_units).max(1);
        Self { net, grid, units, shapes: [shape(largest), shape((largest - 1).max(1))], bands }
    }

    fn unit(&self, images: Range<usize>) -> Unit<'_> {
        let Shape { field, first, last } = &self.shapes[self.shapes[0].field.images() - images.len()];
        let [least, most] = BLOCK_PANELS;
        Unit {
            net: self.net,
            field,
            first,
            last,
            // With enough units for every thread their blocks need not be spread.
            at_a_time: if self.units.len() >= 4 * rayon::current_num_threads() { usize::MAX } else { 1 },
            block_panels: (BLOCK_VALUES / PANEL / self.net.widest()).clamp(least, most),
            bands: self.bands,
        }
    }

    /// Each unit with its images' values.
    fn units<'b>(&'b self, values: &'b [f32]) -> impl IndexedParallelIterator<Item = (Unit<'b>, &'b [f32])> {
        let size = values.len() / self.grid.batch;
        self.units.par_iter().map(move |images| (self.unit(images.clone()), &values[images.start * size..images.end * size]))
    }

    /// Likewise, to be written.
    fn units_mut<'b>(&'b self, values: &'b mut [f32]) -> impl IndexedParallelIterator<Item = (Unit<'b>, &'b mut [f32])> {
        let size = values.len() / self.grid.batch;
        let slices = split(values, self.units.iter().map(|images| images.len() * size));
        self.units.par_iter().zip(slices).map(|(images, values)| (self.unit(images.clone()), values))
    }

    /// Runs of units that share sums, with their images' values to be written.
    fn parts<'b>(&'b self, values: &'b mut [f32], size: usize) -> Vec<(Vec<Range<usize>>, &'b mut [f32])> {
        let n_parts = (self.grid.batch * self.grid.height * self.grid.width / PART_PIXELS).clamp(2, MAX_PARTS);
        let parts: Vec<Vec<Range<usize>>> =
            runs(self.units.len(), n_parts.min(self.units.len())).map(|units| self.units[units].to_vec()).collect();
        let lengths = parts.iter().map(|units| units.iter().map(ExactSizeIterator::len).sum::<usize>() * size);
        let slices = split(values, lengths);
        parts.into_iter().zip(slices).collect()
    }
}

/// Consecutive pieces of these lengths.
fn split<'a>(mut values: &'a mut [f32], lengths: impl Iterator<Item = usize>) -> Vec<&'a mut [f32]> {
    let piece = |length: usize| {
        let (piece, rest) = std::mem::take(&mut values).split_at_mut(length);
        values = rest;
        piece
    };
    lengths.map(piece).collect()
}

/// What a pullback takes in, in planes.
struct Cotangents<'a> {
    v: &'a [f32],
    y_bar: &'a [f32],
    tau: &'a [f32],
}

impl Unit<'_> {
    /// The images in planes, after the preactivation; and its derivative.
    fn enter(&self, x: &[f32]) -> (Buffer, Option<Buffer>) {
        let mut z = self.field.import(x, self.net.channels);
        let slope = self.net.preactivation.map(|phi| {
            let (mut before, mut slope) = (Buffer::stale(z.len()), Buffer::stale(z.len()));
            phi.record(self.net.set, &self.no_bias(), &mut z, &mut before, &mut slope);
            slope
        });
        (z, slope)
    }

    /// For planes, which are rows of panels as well.
    fn no_bias(&self) -> Vec<f32> {
        vec![0.0; self.net.channels * self.field.plane_rows()]
    }

    /// Folds the last layer's products and adds its bias.
    fn leave(&self, product: &[f32], g: &mut [f32]) {
        let net = self.net;
        let planes = self.field.fold(net.set, self.last, Taps::Forward, product, net.channels);
        self.field.export(&planes, net.channels, g);
        let size = g.len() / self.field.images() / net.channels;
        for (plane, bias) in g.chunks_exact_mut(size).zip(net.last().bias[..net.channels].iter().cycle()) {
            plane.iter_mut().for_each(|value| *value += bias);
        }
    }

    fn n_blocks(&self) -> usize {
        self.field.panels().div_ceil(self.block_panels)
    }

    /// Panels of a block, and how many pixels they have.
    fn block(&self, block: usize) -> (Range<usize>, usize) {
        let start = block * self.block_panels;
        let panels = start..(start + self.block_panels).min(self.field.panels());
        let pixels = self.field.pixels().min(panels.end * PANEL) - start * PANEL;
        (panels, pixels)
    }

    /// The last layer's products, to be folded.
    fn primal(&self, z: &[f32]) -> Buffer {
        let net = self.net;
        let row = padded(net.last().n_outputs()) * PANEL;
        let mut product = Buffer::stale(self.field.panels() * row);
        let blocks = product.par_chunks_mut(self.block_panels * row).enumerate().with_min_len(self.at_a_time);
        blocks.for_each(|(block, product)| {
            let (panels, pixels) = self.block(block);
            let mut from = self.unfolded(z, self.first, Taps::Forward, panels.clone());
            for (layer, phi) in net.layers.iter().zip(&net.activations) {
                let mut h = Buffer::stale(panels.len() * padded(layer.n_outputs()) * PANEL);
                layer.forward().product(net.set, &from, &mut h, pixels, |tile, rows| {
                    phi.value(net.set, &layer.bias[tile.row..], rows);
                });
                from = h;
            }
            net.last().forward().product(net.set, &from, product, pixels, |_, _| ());
        });
        product
    }

    /// The primal pass with its derivatives; and the last layer's products if they are wanted.
    fn record(&self, x: &[f32], product: bool) -> (Record, Buffer) {
        let net = self.net;
        let (z, slope) = self.enter(x);
        let row = if product { padded(net.last().n_outputs()) * PANEL } else { 0 };
        let mut products = Buffer::stale(self.field.panels() * row);
        let of_block = |(block, product): (usize, Option<&mut [f32]>)| {
            let (panels, pixels) = self.block(block);
            let mut from = self.unfolded(&z, self.first, Taps::Forward, panels.clone());
            let mut kept = Vec::with_capacity(net.activations.len());
            for (layer, phi) in net.layers.iter().zip(&net.activations) {
                let length = panels.len() * padded(layer.n_outputs()) * PANEL;
                let [mut h, mut before, mut slope] = [length; 3].map(Buffer::stale);
                layer.forward().product(net.set, &from, &mut h, pixels, |tile, rows| {
                    let range = tile.at..tile.at + rows.len();
                    let bias = &layer.bias[tile.row..];
                    phi.record(net.set, bias, rows, &mut before[range.clone()], &mut slope[range]);
                });
                kept.push([before, slope]);
                from = h;
            }
            if let Some(product) = product {
                net.last().forward().product(net.set, &from, product, pixels, |_, _| ());
            }
            Block(kept)
        };
        let blocks = match product {
            true => {
                let blocks = products.par_chunks_mut(self.block_panels * row).map(Some).enumerate();
                blocks.with_min_len(self.at_a_time).map(of_block).collect()
            }
            false => {
                let blocks = (0..self.n_blocks()).into_par_iter().with_min_len(self.at_a_time);
                blocks.map(|block| of_block((block, None))).collect()
            }
        };
        (Record { z, slope, blocks }, products)
    }

    /// `Jᵀ u`, in planes.
    fn vjp(&self, at: &Record, u: &[f32]) -> Buffer {
        let net = self.net;
        let row = padded(net.layers[0].n_inputs()) * PANEL;
        let mut product = Buffer::stale(self.field.panels() * row);
        let blocks = product.par_chunks_mut(self.block_panels * row).zip(&at.blocks).enumerate().with_min_len(self.at_a_time);
        blocks.for_each(|(block, (product, Block(hidden)))| {
            let (panels, pixels) = self.block(block);
            let mut from = self.unfolded(u, self.last, Taps::Mirrored, panels);
            for (layer, [_, slope]) in net.layers[1..].iter().zip(hidden).rev() {
                let mut h = Buffer::stale(slope.len());
                layer.backward().product(net.set, &from, &mut h, pixels, |tile, rows| {
                    multiply(net.set, rows, &slope[tile.at..]);
                });
                from = h;
            }
            net.layers[0].backward().product(net.set, &from, product, pixels, |_, _| ());
        });
        let mut out = self.field.fold(net.set, self.first, Taps::Mirrored, &product, net.channels);
        if let Some(slope) = &at.slope {
            multiply(net.set, &mut out, slope);
        }
        out
    }

    /// The series' value of every image, and `w` if it is wanted.
    fn chain(&self, at: &Record, v: &[f32], terms: &Terms) -> (Vec<f64>, Buffer) {
        let mut w = Buffer::stale(if terms.gradient.is_empty() { 0 } else { v.len() });
        let n = w.len();
        w.copy_from_slice(&v[..n]);
        let mut values = vec![0.0; self.field.images()];
        let mut u = Buffer::stale(v.len());
        u.copy_from_slice(v);
        for (k, weight) in terms.value.iter().enumerate() {
            u = self.vjp(at, &u);
            values.iter_mut().zip(self.field.dots(&u, v)).for_each(|(value, dot)| *value += weight * dot);
            if let Some(&factor) = terms.gradient.get(k) {
                add_scaled(self.net.set, &mut w, factor as f32, &u);
            }
        }
        (values, w)
    }

    /// Writes the cotangent of the input, adds to the sums of each band, returns the gradient by the preactivation's `β`.
    fn pull(&self, at: &Record, x: &[f32], ends: &Cotangents, sums: &mut [Sums], out: &mut [f32]) -> f64 {
        let net = self.net;
        let row = padded(net.layers[0].n_inputs()) * PANEL;
        let dz = match &at.slope {
            Some(slope) => {
                let mut dz = Buffer::stale(slope.len());
                dz.copy_from_slice(ends.v);
                multiply(net.set, &mut dz, slope);
                Some(dz)
            }
            None => None,
        };
        let inner = Cotangents { v: dz.as_deref().unwrap_or(ends.v), ..*ends };
        let mut z_bar = Buffer::stale(self.field.panels() * row);
        let mut zeta = Buffer::stale(if net.preactivation.is_some() { z_bar.len() } else { 0 });
        let bands: Vec<Range<usize>> = runs(self.n_blocks(), self.bands.min(self.n_blocks())).collect();
        let values_of =
            |band: &Range<usize>, row: usize| self.block(band.end - 1).0.end * row - self.block(band.start).0.start * row;
        let z_bars = split(&mut z_bar, bands.iter().map(|band| values_of(band, row)));
        let zetas = split(&mut zeta, bands.iter().map(|band| if net.preactivation.is_some() { values_of(band, row) } else { 0 }));
        let of_band = |(((band, sums), z_bar), zeta): (((&Range<usize>, &mut Sums), &mut [f32]), &mut [f32])| {
            let row = self.block_panels * row;
            let zetas = zeta.chunks_mut(row).map(Some).chain(std::iter::repeat_with(|| None));
            for ((block, z_bar), zeta) in band.clone().zip(z_bar.chunks_mut(row)).zip(zetas) {
                self.pull_block(at, &inner, block, sums, z_bar, zeta);
            }
        };
        bands.par_iter().zip(sums).zip(z_bars).zip(zetas).for_each(of_band);

        let fold = |m: &[f32]| self.field.fold(net.set, self.first, Taps::Mirrored, m, net.channels);
        let mut x_bar = fold(&z_bar);
        let mut by_beta = 0.0;
        if let Some(phi) = net.preactivation {
            let (x, mut zeta) = (self.field.import(x, net.channels), fold(&zeta));
            by_beta = phi.pull(net.set, &x, ends.v, &mut x_bar, &mut zeta);
        }
        self.field.export(&x_bar, net.channels, out);
        by_beta
    }

    /// The tangent pass and the pullback of one block.
    fn pull_block(
        &self,
        at: &Record,
        ends: &Cotangents,
        block: usize,
        sums: &mut Sums,
        z_bar: &mut [f32],
        zeta: Option<&mut [f32]>,
    ) {
        let net = self.net;
        let (panels, pixels) = self.block(block);
        let Block(hidden) = &at.blocks[block];
        let room = |features: usize| Buffer::stale(panels.len() * padded(features) * PANEL);
        let bottom = [&at.z, ends.v].map(|x| self.unfolded(x, self.first, Taps::Forward, panels.clone()));

        // For each hidden layer the tangent of the activation's argument, and the activation with its tangent.
        let mut tangents: Vec<Buffer> = Vec::with_capacity(hidden.len());
        let mut inputs: Vec<[Buffer; 2]> = vec![bottom];
        for ((layer, phi), [before, slope]) in net.layers.iter().zip(&net.activations).zip(hidden) {
            let [mut da, mut z, mut dz] = [(); 3].map(|()| room(layer.n_outputs()));
            let [_, from] = &inputs[inputs.len() - 1];
            layer.forward().product(net.set, from, &mut da, pixels, |tile, da| {
                let range = tile.at..tile.at + da.len();
                let at = At { before: &before[range.clone()], slope: &slope[range.clone()] };
                phi.tangent(net.set, at, da, &mut z[range.clone()], &mut dz[range]);
            });
            tangents.push(da);
            inputs.push([z, dz]);
        }

        let mut cotangents = [ends.y_bar, ends.tau].map(|y| self.unfolded(y, self.last, Taps::Mirrored, panels.clone()));
        let mut exchanged = Buffer::stale(transposed_len(net.widest(), panels.len()));
        for (l, layer) in net.layers.iter().enumerate().rev() {
            let is_last = l == hidden.len();
            for (input, cotangent) in inputs[l].iter().zip(&cotangents) {
                let (left, right, features) =
                    if is_last { (input, cotangent, layer.n_outputs()) } else { (cotangent, input, layer.n_inputs()) };
                let exchanged = &mut exchanged[..transposed_len(features, panels.len())];
                transpose(features, right, exchanged, pixels);
                sums.weights[l].add(net.set, left, exchanged, pixels);
            }
            let [h_bar, tau] = &cotangents;
            if l == 0 {
                layer.backward().product(net.set, h_bar, z_bar, pixels, |_, _| ());
                if let Some(zeta) = zeta {
                    layer.backward().product(net.set, tau, zeta, pixels, |_, _| ());
                }
                return;
            }
            let [mut a_bar, mut next_tau] = [(); 2].map(|()| room(layer.n_inputs()));
            layer.backward().product(net.set, tau, &mut next_tau, pixels, |_, _| ());
            let ([before, _], da, phi) = (&hidden[l - 1], &tangents[l - 1], net.activations[l - 1]);
            let (bias, beta) = (&mut sums.biases[l - 1], &mut sums.betas[l - 1]);
            layer.backward().product(net.set, h_bar, &mut a_bar, pixels, |tile, z_bar| {
                let range = tile.at..tile.at + z_bar.len();
                *beta += phi.pull(net.set, &before[range.clone()], &da[range.clone()], z_bar, &mut next_tau[range]);
                for (sum, row) in bias[tile.row..].iter_mut().zip(z_bar.chunks_exact(PANEL)) {
                    *sum += row.iter().sum::<f32>();
                }
            });
            cotangents = [a_bar, next_tau];
        }
    }

    fn unfolded(&self, planes: &[f32], window: &Window, taps: Taps, panels: Range<usize>) -> Buffer {
        let net = self.net;
        let mut out = Buffer::stale(panels.len() * padded(window.n_taps() * net.channels) * PANEL);
        self.field.unfold(net.set, window, taps, planes, panels, &mut out);
        out
    }
}

/// Sums over pixels of the parameters' gradients.
struct Sums {
    /// `[outputs, inputs]`, but of the last layer, which has fewer outputs than inputs, `[inputs, outputs]`.
    weights: Vec<OuterSum>,
    biases: Vec<Vec<f32>>,
    betas: Vec<f64>,
}

impl Sums {
    fn new(net: &FusedNet) -> Self {
        let last = net.activations.len();
        let sum = |(l, layer): (usize, &FusedLayer)| match l == last {
            true => OuterSum::new(layer.n_inputs(), layer.n_outputs()),
            false => OuterSum::new(layer.n_outputs(), layer.n_inputs()),
        };
        Self {
            weights: net.layers.iter().enumerate().map(sum).collect(),
            biases: (0..last).map(|l| vec![0.0; padded(net.width(l))]).collect(),
            betas: vec![0.0; last],
        }
    }

    /// The sum of all.
    fn merged(parts: Vec<Self>) -> Self {
        let mut parts = parts.into_iter();
        let mut total = parts.next().expect("a batch has at least one part");
        for part in parts {
            total.weights.par_iter_mut().zip(&part.weights).for_each(|(sum, other)| sum.merge(other));
            for (sum, other) in total.biases.iter_mut().flatten().zip(part.biases.iter().flatten()) {
                *sum += other;
            }
            total.betas.iter_mut().zip(&part.betas).for_each(|(sum, other)| *sum += other);
        }
        total
    }
}
