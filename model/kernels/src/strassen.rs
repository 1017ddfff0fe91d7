//! Products of wide matrices by seven products of their quarters instead of eight.
//!
//! Quarters are numbered `0 1` above `2 3`. Of a matrix they halve rows and depth; of panels, two of which are taken at once,
//! features and pixels. With the sums `q₀+q₃`, `q₁-q₃`, `q₂-q₀`, `q₀+q₁` and `q₂+q₃` of each side's quarters, and `q₀` and `q₃`
//! themselves, every product is one of these seven on the left times another one on the right.
//!
//! Strassen (1969), Gaussian elimination is not optimal. <https://doi.org/10.1007/BF02165411>.

use super::InstructionSet;
use super::instruction_set::dispatch;
use super::microkernel::{self, MAX_STRIPS, PANEL, STRIP, Tile};
use super::workspace::Buffer;
use rayon::prelude::*;
use std::array::from_fn;

/// Rows and columns of a matrix at the least: with fewer, sums cost what the eighth product does.
const MIN_WIDTH: usize = 256;
const SUMS: usize = 5;
/// The right operand of each product, whose left one has the product's number: first the sums, then the quarters 0 and 3.
const RIGHT: [usize; 7] = [0, 4, 3, 6, 5, 1, 2];
const PRODUCTS: usize = RIGHT.len();
/// Rows and numbers of a tile.
const ROWS: usize = MAX_STRIPS * STRIP;
const TILE: usize = ROWS * PANEL;

/// The seven left operands of a packed matrix.
#[derive(Debug)]
pub(super) struct Quarters {
    half_rows: usize,
    half_depth: usize,
    /// `[pair of strips, product, strip, depth / 2, STRIP]`
    strips: Buffer,
}

impl Quarters {
    /// The operands of a matrix `[rows, depth]` in strips, `[strip, depth, STRIP]`, if it is wide enough.
    pub fn new(set: InstructionSet, strips: &[f32], rows: usize, depth: usize) -> Option<Self> {
        if rows.min(depth) < MIN_WIDTH || !rows.is_multiple_of(2 * ROWS) || !depth.is_multiple_of(2 * STRIP) {
            return None;
        }
        let (half_rows, half_depth) = (rows / 2, depth / 2);
        let length = half_depth * STRIP;
        let mut operands = Buffer::recycled(strips.len() / 4 * PRODUCTS);
        operands.par_chunks_exact_mut(PRODUCTS * MAX_STRIPS * length).enumerate().for_each(|(pair, out)| {
            for strip in 0..MAX_STRIPS {
                let first = pair * MAX_STRIPS + strip;
                let quarters = [0, 1, 2, 3].map(|q| {
                    let strip = first + q / 2 * half_rows / STRIP;
                    &strips[(2 * strip + q % 2) * length..][..length]
                });
                let mut out = out.chunks_exact_mut(length).skip(strip).step_by(MAX_STRIPS);
                add_quarters(set, quarters, &mut out);
                out.zip([quarters[0], quarters[3]]).for_each(|(out, quarter)| out.copy_from_slice(quarter));
            }
        });
        Some(Self { half_rows, half_depth, strips: operands })
    }

    /// The product with all pairs of full panels, then the epilogue on each tile while it is in the cache. Returns how many
    /// pixels these are.
    pub fn product(
        &self,
        set: InstructionSet,
        input: &[f32],
        out: &mut [f32],
        pixels: usize,
        epilogue: &mut impl FnMut(Tile, &mut [f32]),
    ) -> usize {
        let pairs = pixels / (2 * PANEL);
        let &Self { half_rows, half_depth, .. } = self;
        let (from, to) = (half_depth * PANEL, half_rows * PANEL);
        // The halves of a pair's panels: first the upper, then the lower half of each.
        let half = |pair: usize, q: usize| 2 * (2 * pair + q % 2) + q / 2;
        let quarter = |pair: usize, q: usize| &input[half(pair, q) * from..][..from];
        let mut sums = Buffer::recycled(pairs * SUMS * from);
        for (pair, sums) in sums.chunks_exact_mut(SUMS * from).enumerate() {
            add_quarters(set, [0, 1, 2, 3].map(|q| quarter(pair, q)), &mut sums.chunks_exact_mut(from));
        }
        let operand = |pair: usize, product: usize| match RIGHT[product] {
            5 => quarter(pair, 0),
            6 => quarter(pair, 3),
            sum => &sums[(pair * SUMS + sum) * from..][..from],
        };
        let mut products = Buffer::recycled(pairs * PRODUCTS * TILE);
        let length = ROWS * half_depth;
        for (first, weights) in self.strips.chunks_exact(PRODUCTS * length).enumerate() {
            for (product, weight) in weights.chunks_exact(length).enumerate() {
                for pair in 0..pairs {
                    let out = &mut products[(pair * PRODUCTS + product) * TILE..][..TILE];
                    microkernel::product(set, weight, half_depth, operand(pair, product), out, PANEL);
                }
            }
            for (pair, products) in products.chunks_exact(PRODUCTS * TILE).enumerate() {
                let places: [usize; 4] = from_fn(|q| half(pair, q) * to + first * TILE);
                {
                    let out: &mut [f32] = out;
                    dispatch!(set, gather_body, (products: &[f32], out: &mut [f32], places: [usize; 4]));
                }
                for (q, at) in places.into_iter().enumerate() {
                    let row = q / 2 * half_rows + first * ROWS;
                    epilogue(Tile { at, row }, &mut out[at..at + TILE]);
                }
            }
        }
        pairs * 2 * PANEL
    }
}

/// The five sums of quarters.
fn add_quarters<'a>(set: InstructionSet, quarters: [&[f32]; 4], out: &mut impl Iterator<Item = &'a mut [f32]>) {
    let out: [&mut [f32]; SUMS] = from_fn(|_| out.next().expect("there is room for all sums"));
    dispatch!(set, add_quarters_body, (quarters: [&[f32]; 4], out: [&mut [f32]; SUMS]));
}

#[inline(always)]
fn add_quarters_body<const FMA: bool>(quarters: [&[f32]; 4], out: [&mut [f32]; SUMS]) {
    let n = quarters[0].len();
    let [a, b, c, d] = quarters.map(|quarter| &quarter[..n]);
    let [s, t, u, v, w] = out.map(|sum| &mut sum[..n]);
    for i in 0..n {
        s[i] = a[i] + d[i];
        t[i] = b[i] - d[i];
        u[i] = c[i] - a[i];
        v[i] = a[i] + b[i];
        w[i] = c[i] + d[i];
    }
}

/// The tiles of four quarters from those of seven products.
#[inline(always)]
fn gather_body<const FMA: bool>(products: &[f32], out: &mut [f32], places: [usize; 4]) {
    let (products, out) = (products.as_chunks::<PANEL>().0, out.as_chunks_mut::<PANEL>().0);
    for row in 0..ROWS {
        let mut quarters = [[0.0; PANEL]; 4];
        for x in 0..PANEL {
            let m = |product: usize| products[product * ROWS + row][x];
            quarters[0][x] = (m(0) + m(1)) + (m(6) - m(3));
            quarters[1][x] = m(3) + m(5);
            quarters[2][x] = m(4) + m(6);
            quarters[3][x] = (m(0) + m(2)) + (m(5) - m(4));
        }
        for (place, quarter) in places.iter().zip(quarters) {
            out[place / PANEL + row] = quarter;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packing::Packed;

    #[test]
    fn wide_products_are_those_of_single_numbers_on_every_instruction_set() {
        // Two pairs of panels, and a pixel more.
        let (rows, depth, pixels) = (256, 272, 4 * PANEL + 1);
        let panels = pixels.div_ceil(PANEL);
        let wave = |n: usize, step: f32| (0..n).map(|i| (i as f32 * step).sin()).collect::<Vec<f32>>();
        let (weight, input) = (wave(rows * depth, 0.37), wave(panels * depth * PANEL, 0.11));
        let packed = Packed::new(&weight, rows, depth).with_quarters();
        for set in InstructionSet::available() {
            let mut out = vec![f32::NAN; panels * rows * PANEL];
            let mut seen = vec![0; panels * rows];
            packed.product(set, &input, &mut out, pixels, |tile, values| {
                for i in 0..values.len() / PANEL {
                    let line = tile.at / PANEL + i;
                    assert_eq!(line % rows, tile.row + i);
                    seen[line] += 1;
                }
            });
            assert!(seen.iter().all(|times| *times == 1), "the epilogue sees every row once");
            for x in 0..pixels {
                let (panel, lane) = (x / PANEL, x % PANEL);
                for r in 0..rows {
                    let of = |k: usize| f64::from(weight[r * depth + k]) * f64::from(input[(panel * depth + k) * PANEL + lane]);
                    let want: f64 = (0..depth).map(of).sum();
                    let got = f64::from(out[(panel * rows + r) * PANEL + lane]);
                    assert!((got - want).abs() < 5e-5, "{set:?} at {r}, {x}: {got} {want}");
                }
            }
        }
    }

    #[test]
    fn matrices_that_are_narrow_or_do_not_split_have_no_quarters() {
        for (rows, depth, are_there) in
            [(256, 256, true), (512, 264, true), (128, 512, false), (264, 256, false), (256, 260, false)]
        {
            let quarters = Quarters::new(InstructionSet::Portable, &vec![0.0; rows * depth], rows, depth);
            assert_eq!(quarters.is_some(), are_there, "{rows} {depth}");
        }
    }
}
