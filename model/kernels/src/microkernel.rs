//! Microkernels: the innermost loops of matrix products, whose sums stay in registers.
//!
//! A tile of the product has `MR` rows of the packed matrix and `NR` pixels: 8×32 with AVX-512, 4×16 with AVX2, 4×8 without.

use super::InstructionSet;

/// Pixels in a panel, the unit in which pixels go through a branch; a multiple of every microkernel's `NR`.
pub(super) const PANEL: usize = 32;
/// Rows of a packed matrix that lie together, `[depth, STRIP]`.
pub(super) const STRIP: usize = 4;
/// The most strips that [`product`] takes: `MR` is one or two strips.
pub(super) const MAX_STRIPS: usize = 2;

/// Where a tile of rows stands.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    /// Its start in the panels.
    pub at: usize,
    /// Its first row.
    pub row: usize,
}

/// A vector register of single-precision numbers.
///
/// The methods must be inlined where the instruction set is enabled.
trait Lanes: Copy {
    const WIDTH: usize;
    /// # Safety
    /// `from` is good for reading `WIDTH` numbers.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    /// `to` is good for writing `WIDTH` numbers.
    unsafe fn store(self, to: *mut f32);
    fn splat(value: f32) -> Self;
    /// `self · b + c`
    fn mul_add(self, b: Self, c: Self) -> Self;
}

/// Four numbers in plain Rust; fused where the target's baseline fuses.
#[derive(Clone, Copy)]
struct Four([f32; 4]);

impl Lanes for Four {
    const WIDTH: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; 4])
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        const FMA: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));
        let one = |i: usize| if FMA { self.0[i].mul_add(b.0[i], c.0[i]) } else { self.0[i] * b.0[i] + c.0[i] };
        Self([one(0), one(1), one(2), one(3)])
    }
}

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    macro_rules! lanes {
        ($name:ident, $width:expr, $load:ident, $store:ident, $splat:ident, $mul_add:ident) => {
            impl Lanes for $name {
                const WIDTH: usize = $width;

                #[inline(always)]
                unsafe fn load(from: *const f32) -> Self {
                    // SAFETY: the caller's promise; tiles of this type run where the processor has the instructions.
                    unsafe { $load(from) }
                }

                #[inline(always)]
                unsafe fn store(self, to: *mut f32) {
                    // SAFETY: as above.
                    unsafe { $store(to, self) }
                }

                #[inline(always)]
                fn splat(value: f32) -> Self {
                    // SAFETY: as above.
                    unsafe { $splat(value) }
                }

                #[inline(always)]
                fn mul_add(self, b: Self, c: Self) -> Self {
                    // SAFETY: as above.
                    unsafe { $mul_add(self, b, c) }
                }
            }
        };
    }

    lanes!(__m256, 8, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_set1_ps, _mm256_fmadd_ps);
    lanes!(__m512, 16, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_set1_ps, _mm512_fmadd_ps);
}

/// Asks for what will be read soon; any address will do.
#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "left to the processor"))]
fn prefetch(address: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint reads nothing; every x86-64 processor has it.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
}

/// `out[r][x] = Σ_k weight[r][k] input[k][x]` for `STRIPS · STRIP` rows and `VECTORS` vectors of a panel's pixels.
///
/// # Safety
/// `weight` points at `STRIPS` strips of `depth · STRIP` numbers, `input` at `depth` rows of `PANEL` numbers and `out` at
/// `STRIPS · STRIP` such rows, both from the first of the vectors' pixels on.
#[inline(always)]
unsafe fn rows<L: Lanes, const STRIPS: usize, const VECTORS: usize>(
    weight: *const f32,
    depth: usize,
    input: *const f32,
    out: *mut f32,
) {
    let mut sums = [[[L::splat(0.0); VECTORS]; STRIP]; STRIPS];
    // SAFETY: the caller's promise.
    unsafe {
        for k in 0..depth {
            // The next tile's weights.
            (STRIPS..2 * STRIPS).for_each(|s| prefetch(weight.wrapping_add((s * depth + k) * STRIP)));
            let input = input.add(k * PANEL);
            let mut x = [L::splat(0.0); VECTORS];
            for (v, x) in x.iter_mut().enumerate() {
                *x = L::load(input.add(v * L::WIDTH));
            }
            for (s, sums) in sums.iter_mut().enumerate() {
                let weight = weight.add((s * depth + k) * STRIP);
                for (r, sums) in sums.iter_mut().enumerate() {
                    let factor = L::splat(*weight.add(r));
                    for (sum, x) in sums.iter_mut().zip(x) {
                        *sum = factor.mul_add(x, *sum);
                    }
                }
            }
        }
        for (s, sums) in sums.iter().enumerate() {
            for (r, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    sum.store(out.add((s * STRIP + r) * PANEL + v * L::WIDTH));
                }
            }
        }
    }
}

/// One tile: `STRIPS` strips of a weight times a panel, or the part of it that has pixels.
#[inline(always)]
fn panel_body<L: Lanes, const STRIPS: usize>(weight: &[f32], depth: usize, input: &[f32], out: &mut [f32], pixels: usize) {
    assert!(weight.len() >= STRIPS * STRIP * depth && input.len() >= depth * PANEL && out.len() >= STRIPS * STRIP * PANEL);
    assert!(pixels <= PANEL);
    // Where there are no pixels everything is zero, whatever was there before.
    let done = pixels.next_multiple_of(L::WIDTH);
    if done < PANEL {
        out.chunks_exact_mut(PANEL).take(STRIPS * STRIP).for_each(|row| row[done..].fill(0.0));
    }
    let (weight, input, out) = (weight.as_ptr(), input.as_ptr(), out.as_mut_ptr());
    let mut pixel = 0;
    while pixel < pixels {
        // SAFETY: the lengths were checked above, and a panel holds whole pairs of vectors.
        unsafe {
            let (input, out) = (input.add(pixel), out.add(pixel));
            if pixels - pixel <= L::WIDTH {
                rows::<L, STRIPS, 1>(weight, depth, input, out);
            } else {
                rows::<L, STRIPS, 2>(weight, depth, input, out);
            }
        }
        pixel += 2 * L::WIDTH;
    }
}

/// `gradient[r][j] += Σ_x left[r][x] right[x][j]` over the pixels of all panels, for `STRIPS · STRIP` rows and `VECTORS`
/// vectors of columns.
///
/// # Safety
/// All panels of `left` (`left_stride` apart, rows of `PANEL` numbers), of `right` (`PANEL` rows of `PANEL` numbers each) and
/// the rows of `gradient` (`PANEL` apart) are good for what is read and written.
#[inline(always)]
unsafe fn outer_rows<L: Lanes, const STRIPS: usize, const VECTORS: usize>(
    left: *const f32,
    left_stride: usize,
    right: *const f32,
    pixels: usize,
    gradient: *mut f32,
) {
    let mut sums = [[[L::splat(0.0); VECTORS]; STRIP]; STRIPS];
    for r in 0..STRIPS * STRIP {
        (0..VECTORS).for_each(|v| prefetch(gradient.wrapping_add(r * PANEL + v * L::WIDTH)));
    }
    // SAFETY: the caller's promise.
    unsafe {
        for (panel, start) in (0..pixels).step_by(PANEL).enumerate() {
            let (left, right) = (left.add(panel * left_stride), right.add(panel * PANEL * PANEL));
            for x in 0..PANEL.min(pixels - start) {
                let mut y = [L::splat(0.0); VECTORS];
                for (v, y) in y.iter_mut().enumerate() {
                    *y = L::load(right.add(x * PANEL + v * L::WIDTH));
                }
                for (r, sums) in sums.as_flattened_mut().iter_mut().enumerate() {
                    let factor = L::splat(*left.add(r * PANEL + x));
                    for (sum, y) in sums.iter_mut().zip(y) {
                        *sum = factor.mul_add(y, *sum);
                    }
                }
            }
        }
        for (r, sums) in sums.as_flattened().iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                let gradient = gradient.add(r * PANEL + v * L::WIDTH);
                let before = L::load(gradient);
                L::splat(1.0).mul_add(*sum, before).store(gradient);
            }
        }
    }
}

#[inline(always)]
fn outer_body<L: Lanes, const STRIPS: usize>(operands: &Outer, left: &[f32], gradient: &mut [f32]) {
    let &Outer { left_stride, right, pixels, columns, .. } = operands;
    let (panels, rows) = (pixels.div_ceil(PANEL), STRIPS * STRIP);
    assert!(panels > 0 && left.len() >= (panels - 1) * left_stride + rows * PANEL && right.len() >= panels * PANEL * PANEL);
    assert!(columns <= PANEL && gradient.len() >= rows * PANEL);
    let (left, right, gradient) = (left.as_ptr(), right.as_ptr(), gradient.as_mut_ptr());
    let mut column = 0;
    while column < columns {
        // SAFETY: the lengths were checked above, and a panel holds whole pairs of vectors.
        unsafe {
            let (right, gradient) = (right.add(column), gradient.add(column));
            if columns - column <= L::WIDTH {
                outer_rows::<L, STRIPS, 1>(left, left_stride, right, pixels, gradient);
            } else {
                outer_rows::<L, STRIPS, 2>(left, left_stride, right, pixels, gradient);
            }
        }
        column += 2 * L::WIDTH;
    }
}

/// `out[r][x] = Σ_k weight[r][k] input[k][x]`: one or two strips of a packed weight times the first pixels of a panel.
///
/// `weight` holds strips `[depth, STRIP]`, `input` rows `[depth, PANEL]`, `out` rows `[strips · STRIP, PANEL]`.
pub(super) fn product(set: InstructionSet, weight: &[f32], depth: usize, input: &[f32], out: &mut [f32], pixels: usize) {
    let two = out.len() > STRIP * PANEL;
    match set {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => {
            #[target_feature(enable = "avx512f,avx2,fma")]
            fn run(two: bool, weight: &[f32], depth: usize, input: &[f32], out: &mut [f32], pixels: usize) {
                match two {
                    true => panel_body::<__m512, 2>(weight, depth, input, out, pixels),
                    false => panel_body::<__m512, 1>(weight, depth, input, out, pixels),
                }
            }
            // SAFETY: this instruction set was found.
            unsafe { run(two, weight, depth, input, out, pixels) }
        }
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => {
            #[target_feature(enable = "avx2,fma")]
            fn run(weight: &[f32], depth: usize, input: &[f32], out: &mut [f32], pixels: usize) {
                panel_body::<__m256, 1>(weight, depth, input, out, pixels);
            }
            let strips = weight.chunks(depth * STRIP).zip(out.chunks_mut(STRIP * PANEL));
            // SAFETY: this instruction set was found.
            strips.for_each(|(weight, out)| unsafe { run(weight, depth, input, out, pixels) });
        }
        InstructionSet::Portable => {
            let strips = weight.chunks(depth * STRIP).zip(out.chunks_mut(STRIP * PANEL));
            strips.for_each(|(weight, out)| panel_body::<Four, 1>(weight, depth, input, out, pixels));
        }
    }
}

/// The operands of [`outer`].
pub(super) struct Outer<'a> {
    /// Rows of `PANEL` numbers: some features of the first panel, followed by the same of the others, `left_stride` apart.
    pub left: &'a [f32],
    pub left_stride: usize,
    /// Panels `[PANEL pixels, PANEL columns]`.
    pub right: &'a [f32],
    pub pixels: usize,
    /// Number of columns in use.
    pub columns: usize,
}

/// `gradient[r][j] += Σ_x left[r][x] right[x][j]` over all panels' pixels, for one or two strips of rows `[row, PANEL]`.
pub(super) fn outer(set: InstructionSet, operands: &Outer, gradient: &mut [f32]) {
    let strips = gradient.chunks_mut(STRIP * PANEL).enumerate();
    match set {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => {
            #[target_feature(enable = "avx512f,avx2,fma")]
            fn run(operands: &Outer, gradient: &mut [f32]) {
                match gradient.len() > STRIP * PANEL {
                    true => outer_body::<__m512, 2>(operands, operands.left, gradient),
                    false => outer_body::<__m512, 1>(operands, operands.left, gradient),
                }
            }
            // SAFETY: this instruction set was found.
            unsafe { run(operands, gradient) }
        }
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => {
            #[target_feature(enable = "avx2,fma")]
            fn run(operands: &Outer, left: &[f32], gradient: &mut [f32]) {
                outer_body::<__m256, 1>(operands, left, gradient);
            }
            for (strip, gradient) in strips {
                // SAFETY: this instruction set was found.
                unsafe { run(operands, &operands.left[strip * STRIP * PANEL..], gradient) }
            }
        }
        InstructionSet::Portable => {
            for (strip, gradient) in strips {
                outer_body::<Four, 1>(operands, &operands.left[strip * STRIP * PANEL..], gradient);
            }
        }
    }
}
