//! A few images on their way through the branch.

use super::FusedNet;
use super::ranges::{runs, split};
use super::sums::Sums;
use crate::chain::{BeginSums, ChainWeights};
use crate::elementwise::{LANES, add_scaled, multiply, product};
use crate::im2col::Window;
use crate::microkernel::PANEL;
use crate::packing::padded;
use crate::padded_images::{Cell, PaddedImages};
use crate::workspace::Buffer;
use rayon::prelude::*;
use std::ops::Range;

/// Some images of the batch on their way through the branch.
pub(super) struct Chunk<'a> {
    pub net: &'a FusedNet,
    pub layout: &'a PaddedImages,
    pub first: &'a Window,
    pub last: &'a Window,
    /// Blocks that stay on one thread.
    pub at_a_time: usize,
    pub block_panels: usize,
    pub block_ranges: usize,
}

/// What a chunk's primal pass leaves.
pub(super) struct Record {
    /// The preactivation's derivative.
    slope: Option<Buffer>,
    blocks: Vec<Block>,
}

/// A block's hidden layers, in panels.
struct Block {
    /// Arguments of activations, and the derivatives there.
    points: Vec<[Buffer; 2]>,
    /// The inputs of all layers, if a pullback is to follow.
    inputs: Vec<Buffer>,
}

/// What a pullback takes in, in planes.
pub(super) struct Cotangents<'a> {
    pub v: &'a [f32],
    pub y_bar: &'a [f32],
    pub tau: &'a [f32],
}

impl Chunk<'_> {
    /// The images in planes, after the preactivation; and its derivative.
    pub fn enter(&self, x: &[f32]) -> (Buffer, Option<Buffer>) {
        let mut z = self.layout.import(x, self.net.channels);
        let slope = self.net.preactivation.map(|phi| {
            let (mut before, mut slope) = (Buffer::recycled(z.len()), Buffer::recycled(z.len()));
            phi.record(self.net.set, &self.no_bias(), &mut z, &mut before, &mut slope);
            slope
        });
        (z, slope)
    }

    /// For planes, which are rows of panels as well.
    fn no_bias(&self) -> Vec<f32> {
        vec![0.0; self.net.channels * self.layout.channel_rows()]
    }

    fn cell(&self) -> Cell {
        self.layout.cell()
    }

    /// Panels of pixels.
    fn panels(&self) -> usize {
        self.layout.panels() * self.cell().pixels()
    }

    /// Folds the last layer's products and adds its bias.
    pub fn leave(&self, product: &[f32], g: &mut [f32]) {
        let net = self.net;
        let planes = self.layout.fold(net.set, self.last, product, net.channels);
        self.layout.export(&planes, net.channels, g);
        let size = g.len() / self.layout.images() / net.channels;
        for (plane, bias) in g.chunks_exact_mut(size).zip(net.last().bias[..net.channels].iter().cycle()) {
            plane.iter_mut().for_each(|value| *value += bias);
        }
    }

    fn n_blocks(&self) -> usize {
        self.panels().div_ceil(self.block_panels)
    }

    /// Panels of a block, and how many pixels they have.
    fn block(&self, block: usize) -> (Range<usize>, usize) {
        let start = block * self.block_panels;
        let panels = start..(start + self.block_panels).min(self.panels());
        let pixels = match self.cell() {
            Cell::Pixel => self.layout.cells().min(panels.end * PANEL) - start * PANEL,
            // A group's quads that are not there are zero in all that is unfolded.
            Cell::Quad => panels.len() * PANEL,
        };
        (panels, pixels)
    }

    /// The last layer's products, to be folded.
    pub fn primal(&self, z: &[f32]) -> Buffer {
        let net = self.net;
        let row = net.last().output_rows(self.cell()) * PANEL;
        let mut product = Buffer::recycled(self.panels() * row);
        let blocks = product.par_chunks_mut(self.block_panels * row).enumerate().with_min_len(self.at_a_time);
        blocks.for_each(|(block, product)| {
            let (panels, pixels) = self.block(block);
            let mut from = self.unfolded(z, self.first, panels.clone());
            for (layer, phi) in net.layers.iter().zip(&net.activations) {
                let mut h = Buffer::recycled(panels.len() * padded(layer.n_outputs()) * PANEL);
                layer.forward(self.cell()).product(net.set, &from, &mut h, pixels, |tile, rows| {
                    phi.value(net.set, &layer.bias[tile.row..], rows);
                });
                from = h;
            }
            net.last().forward(self.cell()).product(net.set, &from, product, pixels, |_, _| ());
        });
        product
    }

    /// The primal pass with its derivatives; and the last layer's products if they are wanted.
    pub fn record(&self, x: &[f32], product: bool) -> (Record, Buffer) {
        let net = self.net;
        let (z, slope) = self.enter(x);
        let row = if product { net.last().output_rows(self.cell()) * PANEL } else { 0 };
        let mut products = Buffer::recycled(self.panels() * row);
        let of_block = |(block, product): (usize, Option<&mut [f32]>)| {
            let (panels, pixels) = self.block(block);
            let mut points = Vec::with_capacity(net.activations.len());
            let mut inputs = vec![self.unfolded(&z, self.first, panels.clone())];
            for (layer, phi) in net.layers.iter().zip(&net.activations) {
                let length = panels.len() * padded(layer.n_outputs()) * PANEL;
                let [mut h, mut before, mut slope] = [length; 3].map(Buffer::recycled);
                layer.forward(self.cell()).product(net.set, &inputs[inputs.len() - 1], &mut h, pixels, |tile, rows| {
                    let range = tile.at..tile.at + rows.len();
                    let bias = &layer.bias[tile.row..];
                    phi.record(net.set, bias, rows, &mut before[range.clone()], &mut slope[range]);
                });
                points.push([before, slope]);
                inputs.push(h);
            }
            if let Some(product) = product {
                net.last().forward(self.cell()).product(net.set, &inputs[inputs.len() - 1], product, pixels, |_, _| ());
                inputs.clear();
            }
            Block { points, inputs }
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
        (Record { slope, blocks }, products)
    }

    /// `Jᵀ u`, in planes.
    pub fn vjp(&self, at: &Record, u: &[f32]) -> Buffer {
        let net = self.net;
        let row = net.layers[0].input_rows(self.cell()) * PANEL;
        let mut product = Buffer::recycled(self.panels() * row);
        let blocks = product.par_chunks_mut(self.block_panels * row).zip(&at.blocks).enumerate().with_min_len(self.at_a_time);
        blocks.for_each(|(block, (product, Block { points, .. }))| {
            let (panels, pixels) = self.block(block);
            let mut from = self.unfolded(u, self.last, panels);
            for (layer, [_, slope]) in net.layers[1..].iter().zip(points).rev() {
                let mut h = Buffer::recycled(slope.len());
                layer.backward(self.cell()).product(net.set, &from, &mut h, pixels, |tile, rows| {
                    multiply(net.set, rows, &slope[tile.at..]);
                });
                from = h;
            }
            net.layers[0].backward(self.cell()).product(net.set, &from, product, pixels, |_, _| ());
        });
        let mut out = self.layout.fold(net.set, self.first, &product, net.channels);
        if let Some(slope) = &at.slope {
            multiply(net.set, &mut out, slope);
        }
        out
    }

    /// The sum over the chain of every image.
    pub fn sums(&self, at: &Record, v: &[f32], begin: &BeginSums) -> Vec<f64> {
        let mut sums = begin(&self.layout.dots(self.net.set, v, v));
        let mut u = copy(v);
        while !sums.is_done() && !self.net.interrupt.is_stopped() {
            u = self.vjp(at, &u);
            sums.add(&self.layout.dots(self.net.set, &u, v), &self.layout.dots(self.net.set, &u, &u));
        }
        sums.values()
    }

    /// The value `ℓ` of every image, and `w`.
    pub fn chain(&self, at: &Record, v: &[f32], weights: &ChainWeights) -> (Vec<f64>, Buffer) {
        let (mut u, mut w) = (copy(v), copy(v));
        let mut values = vec![0.0; self.layout.images()];
        for (weight, &factor) in weights.value.iter().zip(weights.gradient) {
            if self.net.interrupt.is_stopped() {
                break;
            }
            u = self.vjp(at, &u);
            values.iter_mut().zip(self.layout.dots(self.net.set, &u, v)).for_each(|(value, dot)| *value += weight * dot);
            add_scaled(self.net.set, &mut w, factor as f32, &u);
        }
        (values, w)
    }

    /// Writes the cotangent of the input, adds to the sums of each block range, returns the gradient by the preactivation's `β`.
    pub fn pull(&self, at: &Record, x: &[f32], ends: &Cotangents, sums: &mut [Sums], out: &mut [f32]) -> f64 {
        let net = self.net;
        let row = net.layers[0].input_rows(self.cell()) * PANEL;
        let dz = match &at.slope {
            Some(slope) => {
                let mut dz = copy(ends.v);
                multiply(net.set, &mut dz, slope);
                Some(dz)
            }
            None => None,
        };
        let inner = Cotangents { v: dz.as_deref().unwrap_or(ends.v), ..*ends };
        let mut z_bar = Buffer::recycled(self.panels() * row);
        let mut zeta = Buffer::recycled(if net.preactivation.is_some() { z_bar.len() } else { 0 });
        let block_ranges: Vec<Range<usize>> = runs(self.n_blocks(), self.block_ranges.min(self.n_blocks())).collect();
        let values_of =
            |range: &Range<usize>, row: usize| self.block(range.end - 1).0.end * row - self.block(range.start).0.start * row;
        let z_bars = split(&mut z_bar, block_ranges.iter().map(|range| values_of(range, row)));
        let zetas = split(
            &mut zeta,
            block_ranges.iter().map(|range| if net.preactivation.is_some() { values_of(range, row) } else { 0 }),
        );
        block_ranges.par_iter().zip(sums).zip(z_bars).zip(zetas).for_each(|(((range, sums), z_bar), zeta)| {
            let row = self.block_panels * row;
            let zetas = zeta.chunks_mut(row).map(Some).chain(std::iter::repeat_with(|| None));
            for ((block, z_bar), zeta) in range.clone().zip(z_bar.chunks_mut(row)).zip(zetas) {
                self.pull_block(at, &inner, block, sums, z_bar, zeta);
            }
        });

        let fold = |m: &[f32]| self.layout.fold(net.set, self.first, m, net.channels);
        let mut x_bar = fold(&z_bar);
        let mut by_beta = 0.0;
        if let Some(phi) = net.preactivation {
            let (x, mut zeta) = (self.layout.import(x, net.channels), fold(&zeta));
            // The pull sums a bias gradient, which has no use here.
            let mut lanes = Buffer::recycled(x.len() / PANEL * LANES);
            by_beta = phi.pull(net.set, [&x, ends.v], [&mut x_bar, &mut zeta, &mut lanes]);
        }
        self.layout.export(&x_bar, net.channels, out);
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
        if net.interrupt.is_stopped() {
            return;
        }
        let (panels, pixels) = self.block(block);
        let Block { points, inputs } = &at.blocks[block];
        let room = |features: usize| Buffer::recycled(panels.len() * padded(features) * PANEL);

        // For each hidden layer, the tangents of the activation's argument and of its value.
        let mut tangents: Vec<Buffer> = Vec::with_capacity(points.len());
        let mut input_tangents = vec![self.unfolded(ends.v, self.first, panels.clone())];
        for (layer, [_, slope]) in net.layers.iter().zip(points) {
            let [mut da, mut dz] = [(); 2].map(|()| room(layer.n_outputs()));
            let from = &input_tangents[input_tangents.len() - 1];
            layer.forward(self.cell()).product(net.set, from, &mut da, pixels, |tile, da| {
                let range = tile.at..tile.at + da.len();
                product(net.set, da, &slope[range.clone()], &mut dz[range]);
            });
            tangents.push(da);
            input_tangents.push(dz);
        }

        let mut cotangents = [ends.y_bar, ends.tau].map(|y| self.unfolded(y, self.last, panels.clone()));
        for (l, layer) in net.layers.iter().enumerate().rev() {
            for (input, cotangent) in [&inputs[l], &input_tangents[l]].into_iter().zip(&cotangents) {
                sums.weights[l].add(net.set, input, cotangent, pixels);
            }
            let [h_bar, tau] = &cotangents;
            if l == 0 {
                layer.backward(self.cell()).product(net.set, h_bar, z_bar, pixels, |_, _| ());
                if let Some(zeta) = zeta {
                    layer.backward(self.cell()).product(net.set, tau, zeta, pixels, |_, _| ());
                }
                return;
            }
            let [mut a_bar, mut next_tau] = [(); 2].map(|()| room(layer.n_inputs()));
            layer.backward(self.cell()).product(net.set, tau, &mut next_tau, pixels, |_, _| ());
            let ([before, _], da, phi) = (&points[l - 1], &tangents[l - 1], net.activations[l - 1]);
            let (lanes, beta) = (&mut sums.biases[l - 1], &mut sums.betas[l - 1]);
            layer.backward(self.cell()).product(net.set, h_bar, &mut a_bar, pixels, |tile, z_bar| {
                let range = tile.at..tile.at + z_bar.len();
                let lanes = &mut lanes[tile.row * LANES..];
                let at = [&before[range.clone()], &da[range.clone()]];
                *beta += phi.pull(net.set, at, [z_bar, &mut next_tau[range], lanes]);
            });
            cotangents = [a_bar, next_tau];
        }
    }

    fn unfolded(&self, planes: &[f32], window: &Window, panels: Range<usize>) -> Buffer {
        let (channels, cell) = (self.net.channels, self.cell().pixels());
        let cells = panels.start / cell..panels.end / cell;
        let mut out = Buffer::recycled(cells.len() * padded(window.n_taps() * channels) * PANEL);
        self.layout.unfold(self.net.set, window, planes, cells, &mut out);
        out
    }
}

fn copy(planes: &[f32]) -> Buffer {
    let mut copy = Buffer::recycled(planes.len());
    copy.copy_from_slice(planes);
    copy
}
