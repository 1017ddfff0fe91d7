//! The branch, its vector-Jacobian products and its pullback, block by block of pixel rows.

use super::matmul::{Rhs, add_transposed_matmul, matmul};
use super::pointwise::{Phi, multiply};
pub(crate) use super::unfold::Grid;
use super::unfold::{Taps, fold, unfold_rows};
use rayon::prelude::*;
use std::ops::Range;

/// Rows of a block at the most: enough to keep the matrix products busy, while hidden activations stay in the cache.
const MAX_BLOCK_ROWS: usize = 512;
/// And at the least.
const MIN_BLOCK_ROWS: usize = 32;
/// Row ranges with weight-gradient sums of their own. The number does not depend on the threads, so neither do the sums.
pub(super) const GRADIENT_PARTS: usize = 16;

/// One affine map of the branch as a matrix.
///
/// The first layer reads unfolded neighbourhoods (`[k² c, hidden]`), the last writes ones to be folded
/// (`[hidden, k² c]`), the others act on single pixels.
#[derive(Debug)]
pub(crate) struct FusedLayer {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

/// A branch `[φ₀] k×k φ 1×1 φ … φ k×k`, channels last.
#[derive(Debug)]
pub(crate) struct FusedNet {
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

/// The activations' derivatives along one input: what vector-Jacobian products need.
pub(crate) struct Slopes {
    pre: Option<Vec<f32>>,
    /// Of each block of rows, one matrix for each activation. (As a single matrix they would be cleared and faulted in
    /// by one thread.)
    hidden: Vec<Vec<Vec<f32>>>,
}

/// Gradients by weights (in `FusedLayer`'s layout), biases and activation parameters, and the cotangent of the input.
pub(crate) struct FusedGradients {
    pub input: Vec<f32>,
    pub weights: Vec<Vec<f32>>,
    pub biases: Vec<Vec<f32>>,
    /// By `β`: of the preactivation if there is one, then of the others in order.
    pub betas: Vec<f64>,
}

impl FusedNet {
    fn in_columns(&self) -> usize {
        self.first_kernel * self.first_kernel * self.channels
    }

    fn out_columns(&self) -> usize {
        self.last_kernel * self.last_kernel * self.channels
    }

    fn width(&self, hidden: usize) -> usize {
        self.layers[hidden].bias.len()
    }

    fn max_width(&self) -> usize {
        (0..self.activations.len()).map(|l| self.width(l)).max().unwrap_or(0)
    }

    fn last(&self) -> &FusedLayer {
        &self.layers[self.layers.len() - 1]
    }

    /// `g(x)`.
    pub fn forward(&self, grid: Grid, x: &[f32]) -> Vec<f32> {
        let mut z = x.to_vec();
        if let Some(phi) = self.preactivation {
            by_runs(&mut z, |zeros, _, z| phi.value(zeros, z));
        }
        self.forward_from(grid, &z, false).0
    }

    /// `g(x)` and the derivatives at `x`.
    pub fn linearize(&self, grid: Grid, x: &[f32]) -> (Vec<f32>, Slopes) {
        let mut z = x.to_vec();
        let pre = self.preactivation.map(|phi| {
            let mut slope = vec![0.0; z.len()];
            by_runs(&mut slope, |zeros, run, slope| phi.value_and_slope(zeros, &mut x[run].to_vec(), slope));
            by_runs(&mut z, |zeros, _, z| phi.value(zeros, z));
            slope
        });
        let (g, hidden) = self.forward_from(grid, &z, true);
        (g, Slopes { pre, hidden })
    }

    /// The hidden layers and the last one; with the hidden slopes of each block of rows, if they are to be kept.
    fn forward_from(&self, grid: Grid, z: &[f32], keep_slopes: bool) -> (Vec<f32>, Vec<Vec<Vec<f32>>>) {
        let (inputs, outputs, width) = (self.in_columns(), self.out_columns(), self.max_width());
        let mut product = vec![0.0; grid.pixels() * outputs];
        let block_rows = block_rows(grid.pixels());
        let of_block = |scratch: &mut Scratch, (block, product): (usize, &mut [f32])| {
            let m = product.len() / outputs;
            let rows = block * block_rows..block * block_rows + m;
            unfold_rows(z, grid, self.channels, self.first_kernel, Taps::Forward, rows, &mut scratch.narrow);
            let (mut h, mut next) = (&mut scratch.wide, &mut scratch.wide_too);
            let mut slopes = Vec::with_capacity(self.activations.len());
            for (l, phi) in self.activations.iter().enumerate() {
                let layer = &self.layers[l];
                let n = layer.bias.len();
                let (from, columns) = if l == 0 { (&scratch.narrow, inputs) } else { (&*h, self.width(l - 1)) };
                matmul(m, n, columns, next, from, &layer.weight, Rhs::Plain);
                if keep_slopes {
                    let mut slope = vec![0.0; m * n];
                    phi.value_and_slope(&layer.bias, &mut next[..m * n], &mut slope);
                    slopes.push(slope);
                } else {
                    phi.value(&layer.bias, &mut next[..m * n]);
                }
                std::mem::swap(&mut h, &mut next);
            }
            matmul(m, outputs, self.width(self.activations.len() - 1), product, h, &self.last().weight, Rhs::Plain);
            slopes
        };
        let blocks = product.par_chunks_mut(block_rows * outputs).enumerate();
        let slopes = blocks.map_init(|| Scratch::new(block_rows * inputs, block_rows * width), of_block).collect();
        let mut g = fold(product, grid, self.channels, self.last_kernel, Taps::Forward);
        add_bias(&mut g, &self.last().bias);
        (g, slopes)
    }

    /// `Jᵀ u` with the Jacobian at the point of `slopes`.
    pub fn vjp(&self, grid: Grid, slopes: &Slopes, u: &[f32]) -> Vec<f32> {
        let (inputs, outputs, width) = (self.in_columns(), self.out_columns(), self.max_width());
        let mut product = vec![0.0; grid.pixels() * inputs];
        let rows_of = block_rows(grid.pixels());
        product.par_chunks_mut(rows_of * inputs).enumerate().for_each_init(
            || Scratch::new(rows_of * outputs, rows_of * width),
            |scratch, (block, product)| {
                let m = product.len() / inputs;
                let start = block * rows_of;
                unfold_rows(u, grid, self.channels, self.last_kernel, Taps::Mirrored, start..start + m, &mut scratch.narrow);
                let hidden = self.activations.len();
                let (mut h, mut next) = (&mut scratch.wide, &mut scratch.wide_too);
                matmul(m, self.width(hidden - 1), outputs, h, &scratch.narrow, &self.last().weight, Rhs::Transposed);
                for l in (0..hidden).rev() {
                    let n = self.width(l);
                    multiply(&mut h[..m * n], &slopes.hidden[block][l]);
                    if l == 0 {
                        matmul(m, inputs, n, product, h, &self.layers[0].weight, Rhs::Transposed);
                    } else {
                        matmul(m, self.width(l - 1), n, next, h, &self.layers[l].weight, Rhs::Transposed);
                        std::mem::swap(&mut h, &mut next);
                    }
                }
            },
        );
        let mut out = fold(product, grid, self.channels, self.first_kernel, Taps::Mirrored);
        if let Some(slope) = &slopes.pre {
            multiply(&mut out, slope);
        }
        out
    }

    /// The gradient of `⟨ȳ, g(x)⟩ + ⟨τ, J(x) v⟩` by the input, the weights, the biases and the activations' parameters.
    pub fn pullback(&self, grid: Grid, x: &[f32], v: &[f32], y_bar: &[f32], tau: &[f32]) -> FusedGradients {
        let (mut z, mut dz) = (x.to_vec(), v.to_vec());
        if let Some(phi) = self.preactivation {
            by_runs(&mut dz, |zeros, run, dz| {
                let (mut a, mut z) = (x[run.clone()].to_vec(), vec![0.0; run.len()]);
                phi.tangent(zeros, &mut a, &v[run], &mut z, dz);
            });
            by_runs(&mut z, |zeros, _, z| phi.value(zeros, z));
        }
        let pixels = grid.pixels();
        let inputs = self.in_columns();
        let (mut z_bar, mut zeta) = (vec![0.0; pixels * inputs], vec![0.0; pixels * inputs]);
        let part_rows = pixels.div_ceil(GRADIENT_PARTS).next_multiple_of(block_rows(pixels));
        let ends = PullbackEnds { grid, z: &z, dz: &dz, y_bar, tau };
        let parts: Vec<Sums> = z_bar
            .par_chunks_mut(part_rows * inputs)
            .zip(zeta.par_chunks_mut(part_rows * inputs))
            .enumerate()
            .map_init(
                || PullbackScratch::new(self, block_rows(pixels)),
                |scratch, (part, (z_bar, zeta))| self.pullback_part(&ends, part * part_rows, z_bar, zeta, scratch),
            )
            .collect();
        let mut sums = Sums::new(self);
        for part in &parts {
            sums.add(part);
        }

        let mut input = fold(z_bar, grid, self.channels, self.first_kernel, Taps::Mirrored);
        let mut betas = Vec::with_capacity(sums.betas.len() + 1);
        if let Some(phi) = self.preactivation {
            let mut zeta = fold(zeta, grid, self.channels, self.first_kernel, Taps::Mirrored);
            betas.push(phi.pull(x, v, &mut input, &mut zeta));
        }
        betas.extend(sums.betas);
        let mut biases = sums.biases;
        biases.push(column_sums(y_bar, self.channels));
        FusedGradients { input, weights: sums.weights, biases, betas }
    }

    /// The pullback of the rows from `start` on: writes the cotangents of the unfolded input, returns the sums.
    fn pullback_part(
        &self,
        ends: &PullbackEnds,
        start: usize,
        z_bar: &mut [f32],
        zeta: &mut [f32],
        scratch: &mut PullbackScratch,
    ) -> Sums {
        let (inputs, outputs, hidden) = (self.in_columns(), self.out_columns(), self.activations.len());
        let block = block_rows(ends.grid.pixels());
        let mut sums = Sums::new(self);
        let PullbackScratch { pre, post, bottom, top, cotangent, next } = scratch;
        for (index, (z_bar, zeta)) in z_bar.chunks_mut(block * inputs).zip(zeta.chunks_mut(block * inputs)).enumerate() {
            let m = z_bar.len() / inputs;
            let rows = start + index * block..start + index * block + m;
            ends.unfold_inputs(self, rows.clone(), &mut bottom[..2 * m * inputs]);
            ends.unfold_outputs(self, rows, &mut top[..2 * m * outputs]);
            for (l, phi) in self.activations.iter().enumerate() {
                let n = self.width(l);
                let (from, columns) = if l == 0 { (&*bottom, inputs) } else { (&post[l - 1], self.width(l - 1)) };
                matmul(2 * m, n, columns, &mut pre[l], from, &self.layers[l].weight, Rhs::Plain);
                let (a, da) = pre[l][..2 * m * n].split_at_mut(m * n);
                let (z, dz) = post[l][..2 * m * n].split_at_mut(m * n);
                phi.tangent(&self.layers[l].bias, a, da, z, dz);
            }
            let top_width = self.width(hidden - 1);
            add_transposed_matmul(top_width, outputs, 2 * m, &mut sums.weights[hidden], &post[hidden - 1], top);
            matmul(2 * m, top_width, outputs, cotangent, top, &self.last().weight, Rhs::Transposed);
            for (l, phi) in self.activations.iter().enumerate().rev() {
                let n = self.width(l);
                let (a, da) = pre[l][..2 * m * n].split_at(m * n);
                let (z_bar, zeta) = cotangent[..2 * m * n].split_at_mut(m * n);
                sums.betas[l] += phi.pull(a, da, z_bar, zeta);
                add_column_sums(&mut sums.biases[l], z_bar);
                let (from, columns) = if l == 0 { (&*bottom, inputs) } else { (&post[l - 1], self.width(l - 1)) };
                add_transposed_matmul(columns, n, 2 * m, &mut sums.weights[l], from, cotangent);
                matmul(2 * m, columns, n, next, cotangent, &self.layers[l].weight, Rhs::Transposed);
                std::mem::swap(cotangent, next);
            }
            z_bar.copy_from_slice(&cotangent[..m * inputs]);
            zeta.copy_from_slice(&cotangent[m * inputs..2 * m * inputs]);
        }
        sums
    }
}

/// One thread's buffers for a block of the pullback. Primal rows come first, tangent rows after them; likewise the
/// cotangents of the two.
struct PullbackScratch {
    /// Before and after each activation.
    pre: Vec<Vec<f32>>,
    post: Vec<Vec<f32>>,
    /// Unfolded, at the two ends of the branch.
    bottom: Vec<f32>,
    top: Vec<f32>,
    cotangent: Vec<f32>,
    next: Vec<f32>,
}

impl PullbackScratch {
    fn new(net: &FusedNet, rows: usize) -> Self {
        let stacked = |columns: usize| vec![0f32; 2 * rows * columns];
        let hidden = || (0..net.activations.len()).map(|l| stacked(net.width(l))).collect();
        let widest = net.max_width().max(net.in_columns());
        Self {
            pre: hidden(),
            post: hidden(),
            bottom: stacked(net.in_columns()),
            top: stacked(net.out_columns()),
            cotangent: stacked(widest),
            next: stacked(widest),
        }
    }
}

/// What the pullback reads at both ends of the branch.
struct PullbackEnds<'a> {
    grid: Grid,
    z: &'a [f32],
    dz: &'a [f32],
    y_bar: &'a [f32],
    tau: &'a [f32],
}

impl PullbackEnds<'_> {
    fn unfold_inputs(&self, net: &FusedNet, rows: Range<usize>, out: &mut [f32]) {
        let (primal, tangent) = out.split_at_mut(out.len() / 2);
        unfold_rows(self.z, self.grid, net.channels, net.first_kernel, Taps::Forward, rows.clone(), primal);
        unfold_rows(self.dz, self.grid, net.channels, net.first_kernel, Taps::Forward, rows, tangent);
    }

    fn unfold_outputs(&self, net: &FusedNet, rows: Range<usize>, out: &mut [f32]) {
        let (value, derivative) = out.split_at_mut(out.len() / 2);
        unfold_rows(self.y_bar, self.grid, net.channels, net.last_kernel, Taps::Mirrored, rows.clone(), value);
        unfold_rows(self.tau, self.grid, net.channels, net.last_kernel, Taps::Mirrored, rows, derivative);
    }
}

/// Sums over rows of the parameters' gradients.
struct Sums {
    weights: Vec<Vec<f32>>,
    biases: Vec<Vec<f32>>,
    betas: Vec<f64>,
}

impl Sums {
    fn new(net: &FusedNet) -> Self {
        Self {
            weights: net.layers.iter().map(|l| vec![0.0; l.weight.len()]).collect(),
            biases: (0..net.activations.len()).map(|l| vec![0.0; net.width(l)]).collect(),
            betas: vec![0.0; net.activations.len()],
        }
    }

    fn add(&mut self, other: &Sums) {
        let pairs = self.weights.iter_mut().chain(&mut self.biases).zip(other.weights.iter().chain(&other.biases));
        for (mine, theirs) in pairs {
            for (a, b) in mine.iter_mut().zip(theirs) {
                *a += b;
            }
        }
        for (a, b) in self.betas.iter_mut().zip(&other.betas) {
            *a += b;
        }
    }
}

/// Buffers of one thread for the rows of one block.
struct Scratch {
    narrow: Vec<f32>,
    wide: Vec<f32>,
    wide_too: Vec<f32>,
}

impl Scratch {
    fn new(narrow: usize, wide: usize) -> Self {
        Self { narrow: vec![0.0; narrow], wide: vec![0.0; wide], wide_too: vec![0.0; wide] }
    }
}

/// Fewer rows where there are few pixels, so that there is work for several threads; but every block packs the weights
/// once more. Does not depend on the number of threads.
pub(super) fn block_rows(pixels: usize) -> usize {
    (pixels / 4).next_multiple_of(16).clamp(MIN_BLOCK_ROWS, MAX_BLOCK_ROWS)
}

/// Applies an elementwise kernel to runs of a vector, with zeros for the bias and the run's place.
fn by_runs(values: &mut [f32], kernel: impl Fn(&[f32], Range<usize>, &mut [f32]) + Sync) {
    const RUN: usize = 4096;
    let zeros = [0.0; RUN];
    values.par_chunks_mut(RUN).enumerate().for_each(|(index, values)| {
        let start = index * RUN;
        kernel(&zeros[..values.len()], start..start + values.len(), values);
    });
}

fn add_bias(rows: &mut [f32], bias: &[f32]) {
    for row in rows.chunks_exact_mut(bias.len()) {
        for (a, b) in row.iter_mut().zip(bias) {
            *a += b;
        }
    }
}

fn add_column_sums(sums: &mut [f32], rows: &[f32]) {
    for row in rows.chunks_exact(sums.len()) {
        for (sum, a) in sums.iter_mut().zip(row) {
            *sum += a;
        }
    }
}

fn column_sums(rows: &[f32], columns: usize) -> Vec<f32> {
    let mut sums = vec![0.0; columns];
    add_column_sums(&mut sums, rows);
    sums
}
