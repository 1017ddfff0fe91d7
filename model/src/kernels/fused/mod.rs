//! The branch, its vector-Jacobian products and its pullback, on the CPU.
//!
//! A batch is cut into units of a few images, and a unit's pixels into blocks. A block goes through the whole branch inside
//! the cache; a unit, through a whole chain of products. Units, and blocks of large ones, are spread over threads. How
//! a batch is cut depends on shapes alone, and so do all sums: results are the same for any number of threads.
//!
//! Between the products of a unit, a monitor can stop everything; results are then of the right shape, and nothing else.

mod cut;
mod layer;
mod sums;
mod terms;
mod unit;

pub(crate) use cut::Grid;
pub(crate) use layer::{FusedLayer, TapSide};
pub(crate) use terms::{Terms, ValueTerms, term_weight};

use super::InstructionSet;
use super::field::Cell;
use super::pointwise::{Phi, channel_sums};
use super::pool::Buffer;
use crate::monitor::Monitor;
use cut::Cut;
use rayon::prelude::*;
use std::ops::Range;
use sums::Sums;
use unit::{Cotangents, Record, Unit};

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
    pub monitor: Monitor,
}

/// The derivatives along one batch: what vector-Jacobian products need.
pub(crate) struct Linearized(Vec<Record>);

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
        pack_forward(&self.layers, cut.cell);
        let mut g = vec![0.0; x.len()];
        cut.units(x).zip(cut.units_mut(&mut g)).for_each(|((unit, x), (_, g))| {
            if self.monitor.is_stopped() {
                return;
            }
            let (z, _) = unit.enter(x);
            unit.leave(&unit.primal(&z), g);
        });
        g
    }

    /// `g(x)` and the derivatives at `x`.
    pub fn linearize(&self, grid: Grid, x: &[f32]) -> (Vec<f32>, Linearized) {
        let cut = Cut::new(self, grid);
        pack_forward(&self.layers, cut.cell);
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
        pack_backward(&self.layers, cut.cell);
        let mut out = vec![0.0; u.len()];
        cut.units(u).zip(cut.units_mut(&mut out)).zip(&at.0).for_each(|(((unit, u), (_, out)), record)| {
            if self.monitor.is_stopped() {
                return;
            }
            unit.field.export(&unit.vjp(record, &unit.field.import(u, self.channels)), self.channels, out);
        });
        out
    }

    /// `g(x)` and the series' value `[batch]` from probes `v`.
    pub fn series(&self, grid: Grid, x: &[f32], v: &[f32], terms: ValueTerms) -> (Vec<f32>, Vec<f32>) {
        let cut = Cut::new(self, grid);
        pack_forward(&self.layers, cut.cell);
        pack_backward(&self.layers, cut.cell);
        let mut g = vec![0.0; x.len()];
        let values = cut.units(x).zip(cut.units(v)).zip(cut.units_mut(&mut g)).map(|(((unit, x), (_, v)), (_, g))| {
            if self.monitor.is_stopped() {
                return vec![0.0; unit.field.images()];
            }
            let (record, product) = unit.record(x, true);
            unit.leave(&product, g);
            unit.values(&record, &unit.field.import(v, self.channels), terms)
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
        pack_forward(&self.layers[..self.activations.len()], cut.cell);
        pack_backward(&self.layers, cut.cell);
        let size = x.len() / grid.batch;
        let mut input = vec![0.0; x.len()];
        let parts = cut.parts(&mut input, size).into_par_iter().map(|(units, mut input)| {
            let mut sums: Vec<Sums> = (0..cut.bands).map(|_| Sums::new(self, cut.cell)).collect();
            let (mut values, mut pre_beta) = (Vec::new(), 0.0);
            for images in units {
                if self.monitor.is_stopped() {
                    values.extend(images.map(|_| 0.0));
                    continue;
                }
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
        let hidden = self.activations.len();
        let mut biases: Vec<Vec<f32>> = (0..hidden).map(|l| sums.bias(l, self.width(l))).collect();
        biases.push(channel_sums(self.set, y_bar, self.channels, grid.height * grid.width));
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
