//! Every kernel as a case to be timed: `cargo bench -p flow-kernels --features benchmarks`.
//!
//! A case counts the operations of the kernel's definition, `2 m n k` for a product and as many for one by Strassen's or Winograd's
//! method, so that rates compare. Two cases are no kernels: they are loops of fused multiply-adds, whose rate is the processor's peak.

use crate::chain::ChainWeights;
use crate::elementwise::{self, LANES, Phi, fma};
use crate::fused::{BatchShape, FusedLayer, FusedNet, TapSide};
use crate::im2col::Taps;
use crate::instruction_set::dispatch;
use crate::microkernel::PANEL;
use crate::outer_sum::OuterSum;
use crate::packing::{Packed, multiples, padded};
use crate::padded_images::{Cell, PaddedImages};
use crate::transpose::{transpose, transposed_len};
use crate::winograd::{FilterSum, Filters, POSITIONS};
use crate::{InstructionSet, MatrixView, NarrowMap, SharedValues, Side, inner_product, matmul};
use rayon::prelude::*;
use std::hint::black_box;

/// Pixels that a single-threaded kernel is given: those of a block, in the second-level cache.
const PIXELS: usize = 8 * PANEL;
/// The hidden width of the cases.
const WIDTH: usize = 512;
/// Channels of the narrow ends.
const CHANNELS: usize = 12;
/// Images of the cases of whole branches.
const IMAGES: usize = 16;
/// Height and width of these images.
const SIDE: usize = 16;
/// Rounds of a loop of fused multiply-adds.
const ROUNDS: usize = 1 << 16;

/// What a kernel's rate is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Floating-point operations.
    Flops(u64),
    /// Bytes read and written.
    Bytes(u64),
}

/// A kernel on data of a typical size.
pub struct Case {
    /// The kernel and the size, and whether all threads work on it.
    pub name: &'static str,
    /// What one call of `run` does.
    pub work: Work,
    /// The call.
    pub run: Box<dyn FnMut()>,
}

/// The names of all cases.
pub fn names() -> Vec<&'static str> {
    CASES.iter().map(|(name, _)| *name).collect()
}

/// The case of this name.
///
/// # Panics
/// If there is none.
pub fn case(name: &str) -> Case {
    let (name, build) = CASES.iter().find(|(other, _)| *other == name).expect("a name of `names`");
    let (work, run) = build(InstructionSet::best());
    Case { name, work, run }
}

type Built = (Work, Box<dyn FnMut()>);
type Build = fn(InstructionSet) -> Built;

const CASES: [(&str, Build); 20] = [
    ("peak, one thread", |set| peak(set, 1)),
    ("peak, all threads", |set| peak(set, rayon::current_num_threads())),
    ("product 512x512", |set| product(set, WIDTH, WIDTH, false)),
    ("product 512x512 by Strassen", |set| product(set, WIDTH, WIDTH, true)),
    ("product 512x108 after im2col", |set| product(set, WIDTH, 9 * CHANNELS, false)),
    ("outer sum 512x512", outer_sum),
    ("Winograd widen 12 to 512", |set| winograd(set, Direction::Widen)),
    ("Winograd narrow 512 to 12", |set| winograd(set, Direction::Narrow)),
    ("Winograd sum 12x512", winograd_sum),
    ("transpose 512", transposed),
    ("im2col unfold 3x3", unfold),
    ("im2col fold 3x3", fold),
    ("LipSwish value", |set| activation(set, Pass::Value)),
    ("LipSwish value and slope", |set| activation(set, Pass::Record)),
    ("LipSwish pullback", |set| activation(set, Pass::Pull)),
    ("multiply", multiply),
    ("inner product", dot),
    ("norm of a convolution", norm),
    ("matmul 512x512x512, all threads", square_matmul),
    ("branch 12-512-512-12 step, all threads", step),
];

fn wave(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * 0.37).sin()).collect()
}

fn flops(n: usize) -> Work {
    Work::Flops(n as u64)
}

/// Of `f32`s.
fn bytes(numbers: usize) -> Work {
    Work::Bytes(4 * numbers as u64)
}

/// Chains of multiply-adds that fill the registers: ten, which hides a latency of up to five on two units.
#[inline(always)]
fn chains<const N: usize, const FMA: bool>(rounds: usize) -> f32 {
    let mut sums = [black_box(1.0f32); N];
    let (a, b) = (black_box(0.999f32), black_box(0.001f32));
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = fma::<FMA>(*sum, a, b);
        }
    }
    sums.iter().sum()
}

#[inline(always)]
fn chains_of_4<const FMA: bool>(rounds: usize) -> f32 {
    chains::<40, FMA>(rounds)
}

#[inline(always)]
fn chains_of_8<const FMA: bool>(rounds: usize) -> f32 {
    chains::<80, FMA>(rounds)
}

#[inline(always)]
fn chains_of_16<const FMA: bool>(rounds: usize) -> f32 {
    chains::<160, FMA>(rounds)
}

fn peak(set: InstructionSet, threads: usize) -> Built {
    let lanes = match set {
        InstructionSet::Portable => 4,
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => 8,
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => 16,
    };
    let one = move || {
        let rounds = ROUNDS;
        match lanes {
            4 => dispatch!(set, chains_of_4, (rounds: usize) -> f32),
            8 => dispatch!(set, chains_of_8, (rounds: usize) -> f32),
            _ => dispatch!(set, chains_of_16, (rounds: usize) -> f32),
        }
    };
    let run = move || {
        if threads == 1 {
            black_box(one());
        } else {
            (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
                black_box(one());
            });
        }
    };
    (flops(2 * 10 * lanes * ROUNDS * threads), Box::new(run))
}

fn product(set: InstructionSet, rows: usize, depth: usize, by_strassen: bool) -> Built {
    let packed = Packed::new(&wave(rows * depth), rows, depth);
    let packed = if by_strassen { packed.with_quarters() } else { packed };
    let input = wave(PIXELS * padded(depth));
    let mut out = vec![0.0; PIXELS * padded(rows)];
    let run = move || packed.product(set, black_box(&input), &mut out, PIXELS, |_, _| ());
    (flops(2 * rows * depth * PIXELS), Box::new(run))
}

fn outer_sum(set: InstructionSet) -> Built {
    let (left, right) = (wave(PIXELS * WIDTH), wave(transposed_len(WIDTH, PIXELS / PANEL)));
    let mut sum = OuterSum::new(WIDTH, WIDTH);
    let run = move || sum.add(set, black_box(&left), black_box(&right), PIXELS);
    (flops(2 * WIDTH * WIDTH * PIXELS), Box::new(run))
}

/// Operations of a 3×3 convolution on as many pixels as `PIXELS` quads have.
fn convolution_flops() -> Work {
    flops(2 * 9 * CHANNELS * WIDTH * 4 * PIXELS)
}

fn patches() -> Vec<f32> {
    wave(POSITIONS * CHANNELS * PIXELS)
}

fn quads() -> Vec<f32> {
    wave(4 * WIDTH * PIXELS)
}

#[derive(Clone, Copy)]
enum Direction {
    Widen,
    Narrow,
}

fn winograd(set: InstructionSet, direction: Direction) -> Built {
    let weight = wave(WIDTH * CHANNELS * 9);
    let (narrow, wide) = (multiples(CHANNELS, 9), multiples(WIDTH, CHANNELS * 9));
    let (mut patches, mut quads) = (patches(), quads());
    let run: Box<dyn FnMut()> = match direction {
        Direction::Widen => {
            let filters = Filters::gather(&weight, &wide, &narrow, false, 1.0);
            Box::new(move || filters.widen(set, black_box(&patches), &mut quads, |_, _| ()))
        }
        Direction::Narrow => {
            let filters = Filters::gather(&weight, &narrow, &wide, false, 1.0);
            Box::new(move || filters.narrow(set, black_box(&quads), &mut patches))
        }
    };
    (convolution_flops(), run)
}

fn winograd_sum(set: InstructionSet) -> Built {
    let (patches, quads) = (patches(), wave(transposed_len(WIDTH, 4 * PIXELS / PANEL)));
    let mut sum = FilterSum::new(CHANNELS, WIDTH);
    let run = move || sum.add(set, black_box(&patches), black_box(&quads));
    (convolution_flops(), Box::new(run))
}

fn transposed(set: InstructionSet) -> Built {
    let (input, mut out) = (wave(PIXELS * WIDTH), vec![0.0; transposed_len(WIDTH, PIXELS / PANEL)]);
    let run = move || transpose(set, WIDTH, black_box(&input), &mut out, PIXELS);
    (bytes(2 * PIXELS * WIDTH), Box::new(run))
}

fn images() -> PaddedImages {
    PaddedImages::new(Cell::Pixel, 1, [SIDE, SIDE], 3)
}

fn unfold(set: InstructionSet) -> Built {
    let layout = images();
    let window = layout.window(3, Taps::Forward);
    let planes = layout.import(&wave(CHANNELS * SIDE * SIDE), CHANNELS);
    let panels = layout.panels();
    let mut out = vec![0.0; panels * PANEL * padded(9 * CHANNELS)];
    let run = move || layout.unfold(set, &window, black_box(&planes), 0..panels, &mut out);
    (bytes(10 * CHANNELS * SIDE * SIDE), Box::new(run))
}

fn fold(set: InstructionSet) -> Built {
    let layout = images();
    let window = layout.window(3, Taps::Forward);
    let columns = wave(layout.panels() * PANEL * padded(9 * CHANNELS));
    let run = move || drop(black_box(layout.fold(set, &window, black_box(&columns), CHANNELS)));
    (bytes(10 * CHANNELS * SIDE * SIDE), Box::new(run))
}

#[derive(Clone, Copy)]
enum Pass {
    Value,
    Record,
    Pull,
}

fn activation(set: InstructionSet, pass: Pass) -> Built {
    let n = PIXELS * WIDTH / 8;
    let (phi, bias) = (Phi::lip_swish(0.5), wave(n / PANEL));
    let [a, b] = [wave(n), wave(n)];
    let [mut c, mut d, mut e] = [a.clone(), a.clone(), a.clone()];
    let mut lanes = vec![0.0; n / PANEL * LANES];
    // Values and cotangents are written over what was there; each call begins with a copy, that they stay of one size.
    match pass {
        Pass::Value => {
            let run = move || {
                c.copy_from_slice(&a);
                phi.value(set, &bias, black_box(&mut c));
            };
            (bytes(4 * n), Box::new(run))
        }
        Pass::Record => {
            let run = move || {
                c.copy_from_slice(&a);
                phi.record(set, &bias, black_box(&mut c), &mut d, &mut e);
            };
            (bytes(6 * n), Box::new(run))
        }
        Pass::Pull => {
            let run = move || {
                c.copy_from_slice(&a);
                d.copy_from_slice(&a);
                black_box(phi.pull(set, [&a, &b], [&mut c, &mut d, &mut lanes]));
            };
            (bytes(10 * n), Box::new(run))
        }
    }
}

fn multiply(set: InstructionSet) -> Built {
    let n = PIXELS * WIDTH / 8;
    let (mut a, ones) = (wave(n), vec![1.0; n]);
    let run = move || elementwise::multiply(set, black_box(&mut a), &ones);
    (bytes(3 * n), Box::new(run))
}

fn dot(_: InstructionSet) -> Built {
    let n = PIXELS * WIDTH / 8;
    let (a, b) = (wave(n), wave(n));
    let run = move || {
        black_box(inner_product(black_box(&a), &b));
    };
    (bytes(2 * n), Box::new(run))
}

fn norm(_: InstructionSet) -> Built {
    let weight = SharedValues::new(wave(WIDTH * CHANNELS * 9));
    let map = NarrowMap::new(Side::Input, weight, [WIDTH, CHANNELS, 3, 3], [SIDE, SIDE]);
    let x = wave(CHANNELS * SIDE * SIDE);
    let run = move || {
        black_box(map.gram(black_box(&x)));
    };
    let columns = 9 * CHANNELS;
    (flops(2 * columns * columns * SIDE * SIDE), Box::new(run))
}

fn square_matmul(_: InstructionSet) -> Built {
    let (a, b) = (wave(WIDTH * WIDTH), wave(WIDTH * WIDTH));
    let run = move || {
        let view = |values| MatrixView::new(values, [WIDTH, WIDTH]);
        black_box(matmul(view(black_box(&a)), view(&b)));
    };
    (flops(2 * WIDTH * WIDTH * WIDTH), Box::new(run))
}

/// The pullback of a training step with a chain of four products.
fn step(set: InstructionSet) -> Built {
    const TERMS: usize = 4;
    let layer = |shape: [usize; 4], side| {
        let n = shape.iter().product();
        FusedLayer::new(SharedValues::new(wave(n)), shape, 40.0, side, vec![0.0; shape[0]])
    };
    let net = FusedNet {
        set,
        channels: CHANNELS,
        preactivation: Some(Phi::lip_swish(0.5)),
        layers: vec![
            layer([WIDTH, CHANNELS, 3, 3], TapSide::Inputs),
            layer([WIDTH, WIDTH, 1, 1], TapSide::Inputs),
            layer([CHANNELS, WIDTH, 3, 3], TapSide::Outputs),
        ],
        activations: vec![Phi::lip_swish(0.5); 2],
        first_kernel: 3,
        last_kernel: 3,
        interrupt: Box::new(()),
    };
    let shape = BatchShape { batch: IMAGES, height: SIDE, width: SIDE };
    let n = IMAGES * CHANNELS * SIDE * SIDE;
    let [x, v, y_bar] = [wave(n), wave(n), wave(n)];
    let (terms, lambda) = ([1.0; TERMS], [1.0; IMAGES]);
    let run = move || {
        let weights = ChainWeights { value: &terms, gradient: &terms };
        black_box(net.series_pullback(shape, [black_box(&x), &v, &y_bar], &weights, &lambda));
    };
    // Products of all layers: one forward, one a term, tangents forward; both cotangents back, and their outer sums.
    let passes = 1 + TERMS + 1 + 2 + 2;
    let weights = 2 * 9 * CHANNELS * WIDTH + WIDTH * WIDTH;
    (flops(2 * passes * weights * IMAGES * SIDE * SIDE), Box::new(run))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_runs() {
        super::names().into_iter().for_each(|name| (super::case(name).run)());
    }
}
