//! The branch, its vector-Jacobian products and its pullback, on the CPU.
//!
//! A batch is divided into chunks of a few images, and a chunk's pixels into blocks. A block goes through the whole branch
//! inside the cache; a chunk, through a whole chain of products. Chunks, and the blocks of large chunks, are spread over threads.
//! The partition of a batch depends on shapes alone, and so do all sums: results are the same for any number of threads.
//!
//! Between the products of a chunk, an [`Interrupt`] can stop everything; results are then of the right shape, and nothing else.

mod chunk;
mod layer;
mod partition;
mod ranges;
mod sums;

pub use layer::{FusedLayer, TapSide};
pub use partition::BatchShape;

use super::InstructionSet;
use super::elementwise::{Phi, channel_sums};
use super::padded_images::Cell;
use super::workspace::Buffer;
use crate::chain::{BeginSums, ChainWeights};
use crate::interrupt::Interrupt;
use chunk::{Chunk, Cotangents, Record};
use partition::Partition;
use rayon::prelude::*;
use std::ops::Range;
use sums::Sums;

/// A branch `[φ₀] k×k φ 1×1 φ … φ k×k`.
#[derive(Debug)]
pub struct FusedNet {
    /// The instruction set that the kernels run with.
    pub set: InstructionSet,
    /// Channels of input and output.
    pub channels: usize,
    /// The activation before the first layer.
    pub preactivation: Option<Phi>,
    /// The affine maps.
    pub layers: Vec<FusedLayer>,
    /// The activations between layers: one less than there are layers.
    pub activations: Vec<Phi>,
    /// Kernel size of the first layer.
    pub first_kernel: usize,
    /// Kernel size of the last layer.
    pub last_kernel: usize,
    /// Asked between products whether to stop.
    pub interrupt: Box<dyn Interrupt>,
}

/// The derivatives along one batch: what vector-Jacobian products need.
pub struct Linearized(Vec<Record>);

/// Gradients by weights (`[out, in, k, k]`), biases and activation parameters, and the cotangent of the input.
pub struct FusedGradients {
    /// The cotangent of the input.
    pub input: Vec<f32>,
    /// By each layer's weight.
    pub weights: Vec<Vec<f32>>,
    /// By each layer's bias.
    pub biases: Vec<Vec<f32>>,
    /// By `β`: of the preactivation if there is one, then of the others in order.
    pub betas: Vec<f64>,
}

impl FusedNet {
    /// `g(x)`.
    pub fn forward(&self, shape: BatchShape, x: &[f32]) -> Vec<f32> {
        let partition = Partition::new(self, shape);
        pack_forward(&self.layers, partition.cell);
        let mut g = vec![0.0; x.len()];
        partition.chunks(x).zip(partition.chunks_mut(&mut g)).for_each(|((chunk, x), (_, g))| {
            if self.interrupt.is_stopped() {
                return;
            }
            let (z, _) = chunk.enter(x);
            chunk.leave(&chunk.primal(&z), g);
        });
        g
    }

    /// `g(x)` and the derivatives at `x`.
    pub fn linearize(&self, shape: BatchShape, x: &[f32]) -> (Vec<f32>, Linearized) {
        let partition = Partition::new(self, shape);
        pack_forward(&self.layers, partition.cell);
        let mut g = vec![0.0; x.len()];
        let records = partition.chunks(x).zip(partition.chunks_mut(&mut g)).map(|((chunk, x), (_, g))| {
            let (record, product) = chunk.record(x, true);
            chunk.leave(&product, g);
            record
        });
        let records = records.collect();
        (g, Linearized(records))
    }

    /// `Jᵀ u` with the Jacobian at the point of linearization.
    pub fn vjp(&self, shape: BatchShape, at: &Linearized, u: &[f32]) -> Vec<f32> {
        let partition = Partition::new(self, shape);
        pack_backward(&self.layers, partition.cell);
        let mut out = vec![0.0; u.len()];
        partition.chunks(u).zip(partition.chunks_mut(&mut out)).zip(&at.0).for_each(|(((chunk, u), (_, out)), record)| {
            if self.interrupt.is_stopped() {
                return;
            }
            chunk.layout.export(&chunk.vjp(record, &chunk.layout.import(u, self.channels)), self.channels, out);
        });
        out
    }

    /// `g(x)` and the sum over the chain from probes `v`, `[batch]`.
    pub fn series(&self, shape: BatchShape, x: &[f32], v: &[f32], begin: &BeginSums) -> (Vec<f32>, Vec<f32>) {
        let partition = Partition::new(self, shape);
        pack_forward(&self.layers, partition.cell);
        pack_backward(&self.layers, partition.cell);
        let mut g = vec![0.0; x.len()];
        let values = partition.chunks(x).zip(partition.chunks(v)).zip(partition.chunks_mut(&mut g)).map(
            |(((chunk, x), (_, v)), (_, g))| {
                if self.interrupt.is_stopped() {
                    return vec![0.0; chunk.layout.images()];
                }
                let (record, product) = chunk.record(x, true);
                chunk.leave(&product, g);
                chunk.sums(&record, &chunk.layout.import(v, self.channels), begin)
            },
        );
        let values: Vec<Vec<f64>> = values.collect();
        (g, values.concat().into_iter().map(|value| value as f32).collect())
    }

    /// The gradient of `⟨ȳ, g(x)⟩ + ⟨τ, J(x) v⟩`.
    pub fn pullback(&self, shape: BatchShape, x: &[f32], v: &[f32], y_bar: &[f32], tau: &[f32]) -> FusedGradients {
        let size = x.len() / shape.batch;
        self.pull(shape, x, v, y_bar, |chunk, _, images, _| {
            (Vec::new(), chunk.layout.import(&tau[images.start * size..images.end * size], self.channels))
        })
        .1
    }

    /// The chain's value `ℓ` from probes `v`, `[batch]`, and the gradient of `⟨ȳ, g(x)⟩ + Σ_b λ_b ⟨w_b, J(x) v_b⟩`.
    pub fn series_pullback(
        &self,
        shape: BatchShape,
        [x, v, y_bar]: [&[f32]; 3],
        weights: &ChainWeights,
        lambda: &[f32],
    ) -> (Vec<f32>, FusedGradients) {
        self.pull(shape, x, v, y_bar, |chunk, record, images, v| {
            let (values, mut w) = chunk.chain(record, v, weights);
            chunk.layout.scale(&mut w, &lambda[images]);
            (values, w)
        })
    }

    /// The pullback with `τ`, in planes, and numbers for each image from a chunk's record, its images, and its `v`.
    fn pull(
        &self,
        shape: BatchShape,
        x: &[f32],
        v: &[f32],
        y_bar: &[f32],
        tau: impl Fn(&Chunk, &Record, Range<usize>, &[f32]) -> (Vec<f64>, Buffer) + Sync,
    ) -> (Vec<f32>, FusedGradients) {
        let partition = Partition::new(self, shape);
        pack_forward(&self.layers[..self.activations.len()], partition.cell);
        pack_backward(&self.layers, partition.cell);
        let size = x.len() / shape.batch;
        let mut input = vec![0.0; x.len()];
        let parts = partition.parts(&mut input, size).into_par_iter().map(|(chunks, mut input)| {
            let mut sums: Vec<Sums> = (0..partition.block_ranges).map(|_| Sums::new(self, partition.cell)).collect();
            let (mut values, mut pre_beta) = (Vec::new(), 0.0);
            for images in chunks {
                if self.interrupt.is_stopped() {
                    values.extend(images.map(|_| 0.0));
                    continue;
                }
                let chunk = partition.chunk(images.clone());
                let range = images.start * size..images.end * size;
                let (x, v, y_bar) = (&x[range.clone()], &v[range.clone()], &y_bar[range.clone()]);
                let (record, _) = chunk.record(x, false);
                let [v, y_bar] = [v, y_bar].map(|values| chunk.layout.import(values, self.channels));
                let (of_chunk, tau) = tau(&chunk, &record, images, &v);
                values.extend(of_chunk.into_iter().map(|value| value as f32));
                let (out, rest) = std::mem::take(&mut input).split_at_mut(range.len());
                input = rest;
                pre_beta += chunk.pull(&record, x, &Cotangents { v: &v, y_bar: &y_bar, tau: &tau }, &mut sums, out);
            }
            (sums, values, pre_beta)
        });
        let parts: Vec<(Vec<Sums>, Vec<f32>, f64)> = parts.collect();

        let pre_beta: f64 = parts.iter().map(|(_, _, beta)| beta).sum();
        let values = parts.iter().flat_map(|(_, values, _)| values.iter().copied()).collect();
        let sums = Sums::merged(parts.into_iter().flat_map(|(sums, _, _)| sums).collect());
        let hidden = self.activations.len();
        let mut biases: Vec<Vec<f32>> = (0..hidden).map(|l| sums.bias(l, self.width(l))).collect();
        biases.push(channel_sums(self.set, y_bar, self.channels, shape.height * shape.width));
        let betas = self.preactivation.iter().map(|_| pre_beta).chain(sums.betas).collect();
        let weights = sums.weights.par_iter().zip(&self.layers).map(|(sum, layer)| sum.weight(layer)).collect();
        (values, FusedGradients { input, weights, biases, betas })
    }

    fn width(&self, hidden: usize) -> usize {
        self.layers[hidden].n_outputs()
    }

    /// The most features that stand between two layers, or at an end.
    fn widest(&self) -> usize {
        let ends = [self.layers[0].n_inputs(), self.last().n_outputs()];
        (0..self.activations.len()).map(|l| self.width(l)).chain(ends).max().unwrap_or(0)
    }

    fn last(&self) -> &FusedLayer {
        &self.layers[self.activations.len()]
    }
}

/// Packs these layers before several threads ask for their maps. One that waited for another's packing could hold work that
/// the other takes on while it waits for parts of that packing, and that asks for the same map: both would wait for ever.
fn pack_forward(layers: &[FusedLayer], cell: Cell) {
    layers.iter().for_each(|layer| {
        layer.forward(cell);
    });
}

/// As [`pack_forward`], for the transposed maps.
fn pack_backward(layers: &[FusedLayer], cell: Cell) {
    layers.iter().for_each(|layer| {
        layer.backward(cell);
    });
}
