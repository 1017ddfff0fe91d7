//! Activations with their derivatives in one vectorised pass.
//!
//! The loops are plain Rust over slices, compiled three times: for AVX-512, for AVX2 with FMA, and for the build's own
//! target. The exponential is a polynomial of degree five over half an octave to either side, with the least largest relative
//! error, 1.5e-7 in single precision.

use super::InstructionSet;
use super::instruction_set::dispatch;
use super::microkernel::PANEL;
use std::f32::consts::LOG2_E;

/// LipSwish divides Swish by this, a bound of its derivative.
pub const LIP_SWISH_DIVISOR: f32 = 1.1;

/// An activation with its parameter as a number.
#[derive(Clone, Copy, Debug)]
pub enum Phi {
    /// `φ(a) = a · sigmoid(k a) / 1.1` with `k = softplus(β)`.
    LipSwish {
        /// `k = softplus(β)`
        k: f32,
        /// `∂k/∂β`
        dk: f32,
    },
    /// `φ(a) = a` for `a > 0`, else `exp(a) - 1`.
    Elu,
}

impl Phi {
    /// LipSwish at the learned parameter `β`.
    pub fn lip_swish(beta: f32) -> Self {
        Phi::LipSwish { k: beta.max(0.0) + (-beta.abs()).exp().ln_1p(), dk: 1.0 / (1.0 + (-beta).exp()) }
    }
}

/// `φ`, `φ'`, `φ''`, `∂φ/∂k`, `∂φ'/∂k` at one point; what a loop does not use is not computed.
#[derive(Clone, Copy)]
struct Jet {
    value: f32,
    slope: f32,
    curvature: f32,
    value_by_k: f32,
    slope_by_k: f32,
}

trait Pointwise: Copy {
    fn jet<const FMA: bool>(self, a: f32) -> Jet;
}

#[derive(Clone, Copy)]
struct LipSwish {
    k: f32,
}

impl Pointwise for LipSwish {
    #[inline(always)]
    fn jet<const FMA: bool>(self, a: f32) -> Jet {
        const D: f32 = LIP_SWISH_DIVISOR;
        // `q = σ(ka) / D`, and what is left: `1 - σ(ka)`.
        let e = exp2::<FMA>(a * (-self.k * LOG2_E));
        let q = 1.0 / fma::<FMA>(e, D, D);
        let left = D * e * q;
        let (ka, bell) = (self.k * a, q * left);
        let bend = bell * fma::<FMA>(ka, fma::<FMA>(2.0, left, -1.0), 2.0);
        Jet {
            value: a * q,
            slope: fma::<FMA>(ka, bell, q),
            curvature: self.k * bend,
            value_by_k: a * a * bell,
            slope_by_k: a * bend,
        }
    }
}

#[derive(Clone, Copy)]
struct Elu;

impl Pointwise for Elu {
    #[inline(always)]
    fn jet<const FMA: bool>(self, a: f32) -> Jet {
        let e = exp2::<FMA>(a.min(0.0) * LOG2_E);
        Jet {
            value: if a > 0.0 { a } else { e - 1.0 },
            slope: e,
            curvature: if a > 0.0 { 0.0 } else { e },
            value_by_k: 0.0,
            slope_by_k: 0.0,
        }
    }
}

/// `a b + c`, fused where the instruction set does that.
#[inline(always)]
pub(super) fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Sums that are kept apart, for a row's numbers to be added without waiting for each other.
pub(super) const LANES: usize = 16;

/// The sum, by halves.
#[inline(always)]
pub(super) fn lane_sum<const N: usize>(mut lanes: [f32; N]) -> f32 {
    let mut width = N;
    while width > 1 {
        width /= 2;
        (0..width).for_each(|i| lanes[i] += lanes[i + width]);
    }
    lanes[0]
}

/// `2^x` for `|x| ≤ 126`, beyond that the nearest such, without branches or calls.
#[expect(clippy::approx_constant, reason = "a coefficient of a fitted polynomial, near ln 2 but not that")]
#[inline(always)]
fn exp2<const FMA: bool>(x: f32) -> f32 {
    let x = x.clamp(-126.0, 126.0);
    // Adding 1.5·2²³ rounds to the nearest integer `n` and leaves it in the low bits; with 127 more they are `2^n`'s exponent.
    const ROUND: f32 = 12_582_912.0 + 127.0;
    let shifted = x + ROUND;
    let r = x - (shifted - ROUND);
    let p = fma::<FMA>(1.326_472_7e-3, r, 9.671_513e-3);
    let p = fma::<FMA>(p, r, 5.550_724e-2);
    let p = fma::<FMA>(p, r, 2.402_224_1e-1);
    let p = fma::<FMA>(p, r, 6.931_47e-1);
    let p = fma::<FMA>(p, r, 1.0);
    p * f32::from_bits(shifted.to_bits() << 23)
}

/// Rows of panels with a bias for each.
#[inline(always)]
fn value_body<P: Pointwise, const FMA: bool>(phi: P, bias: &[f32], a: &mut [f32]) {
    for (row, b) in a.as_chunks_mut::<PANEL>().0.iter_mut().zip(bias) {
        for a in row {
            *a = phi.jet::<FMA>(*a + b).value;
        }
    }
}

#[inline(always)]
fn record_body<P: Pointwise, const FMA: bool>(phi: P, bias: &[f32], a: &mut [f32], before: &mut [f32], slope: &mut [f32]) {
    let rows = a.as_chunks_mut::<PANEL>().0.iter_mut().zip(before.as_chunks_mut::<PANEL>().0);
    for (((row, before), slope), b) in rows.zip(slope.as_chunks_mut::<PANEL>().0).zip(bias) {
        for i in 0..PANEL {
            before[i] = row[i] + b;
            let jet = phi.jet::<FMA>(before[i]);
            row[i] = jet.value;
            slope[i] = jet.slope;
        }
    }
}

#[inline(always)]
fn pull_body<P: Pointwise, const FMA: bool>(
    phi: P,
    before: &[f32],
    da: &[f32],
    z_bar: &mut [f32],
    zeta: &mut [f32],
    row_lanes: &mut [f32],
) -> f64 {
    let inputs = before.as_chunks::<PANEL>().0.iter().zip(da.as_chunks::<PANEL>().0);
    let outputs = z_bar.as_chunks_mut::<PANEL>().0.iter_mut().zip(zeta.as_chunks_mut::<PANEL>().0);
    let row_lanes = row_lanes.as_chunks_mut::<LANES>().0;
    let mut sums = [0f32; PANEL];
    for (((before, da), (z_bar, zeta)), row_lanes) in inputs.zip(outputs).zip(row_lanes) {
        let mut row = [0f32; PANEL];
        for i in 0..PANEL {
            let jet = phi.jet::<FMA>(before[i]);
            let tangent = zeta[i] * da[i];
            sums[i] = fma::<FMA>(z_bar[i], jet.value_by_k, fma::<FMA>(tangent, jet.slope_by_k, sums[i]));
            row[i] = fma::<FMA>(jet.slope, z_bar[i], jet.curvature * tangent);
            zeta[i] *= jet.slope;
        }
        *z_bar = row;
        let [upper, lower] = [&row[..LANES], &row[LANES..]];
        for (lane, (a, b)) in row_lanes.iter_mut().zip(upper.iter().zip(lower)) {
            *lane += a + b;
        }
    }
    f64::from(lane_sum(sums))
}

#[inline(always)]
fn multiply_body<const FMA: bool>(a: &mut [f32], b: &[f32]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a *= b;
    }
}

#[inline(always)]
fn product_body<const FMA: bool>(a: &[f32], b: &[f32], out: &mut [f32]) {
    for (out, (a, b)) in out.iter_mut().zip(a.iter().zip(b)) {
        *out = a * b;
    }
}

#[inline(always)]
fn add_scaled_body<const FMA: bool>(sum: &mut [f32], factor: f32, a: &[f32]) {
    for (sum, a) in sum.iter_mut().zip(a) {
        *sum = fma::<FMA>(factor, *a, *sum);
    }
}

#[inline(always)]
fn channel_sums_body<const FMA: bool>(images: &[f32], plane: usize, sums: &mut [f32]) {
    for image in images.chunks_exact(sums.len() * plane) {
        for (sum, values) in sums.iter_mut().zip(image.chunks_exact(plane)) {
            let (whole, rest) = values.as_chunks::<LANES>();
            let mut lanes = [0f32; LANES];
            for values in whole {
                lanes.iter_mut().zip(values).for_each(|(lane, value)| *lane += value);
            }
            *sum += lane_sum(lanes) + rest.iter().sum::<f32>();
        }
    }
}

fn value_of<P: Pointwise>(set: InstructionSet, phi: P, bias: &[f32], a: &mut [f32]) {
    dispatch!(set, value_body::<P: Pointwise>, (phi: P, bias: &[f32], a: &mut [f32]))
}

fn record_of<P: Pointwise>(set: InstructionSet, phi: P, bias: &[f32], a: &mut [f32], before: &mut [f32], slope: &mut [f32]) {
    dispatch!(set, record_body::<P: Pointwise>, (phi: P, bias: &[f32], a: &mut [f32], before: &mut [f32], slope: &mut [f32]))
}

fn pull_of<P: Pointwise>(
    set: InstructionSet,
    phi: P,
    [before, da]: [&[f32]; 2],
    [z_bar, zeta, row_lanes]: [&mut [f32]; 3],
) -> f64 {
    dispatch!(set, pull_body::<P: Pointwise>,
        (phi: P, before: &[f32], da: &[f32], z_bar: &mut [f32], zeta: &mut [f32], row_lanes: &mut [f32]) -> f64)
}

/// `a *= b`, elementwise.
pub(super) fn multiply(set: InstructionSet, a: &mut [f32], b: &[f32]) {
    dispatch!(set, multiply_body, (a: &mut [f32], b: &[f32]))
}

/// `out = a b`, elementwise.
pub(super) fn product(set: InstructionSet, a: &[f32], b: &[f32], out: &mut [f32]) {
    dispatch!(set, product_body, (a: &[f32], b: &[f32], out: &mut [f32]))
}

/// The sum of each channel's planes, of images `[image, channel, plane]`.
pub(super) fn channel_sums(set: InstructionSet, images: &[f32], channels: usize, plane: usize) -> Vec<f32> {
    let mut channel_sums = vec![0.0; channels];
    let sums = &mut channel_sums[..];
    dispatch!(set, channel_sums_body, (images: &[f32], plane: usize, sums: &mut [f32]));
    channel_sums
}

/// `sum += factor · a`, elementwise.
pub(super) fn add_scaled(set: InstructionSet, sum: &mut [f32], factor: f32, a: &[f32]) {
    dispatch!(set, add_scaled_body, (sum: &mut [f32], factor: f32, a: &[f32]))
}

/// All slices hold rows of `PANEL` numbers.
impl Phi {
    /// `a ← φ(a + bias)`, with a bias for each row.
    pub(super) fn value(self, set: InstructionSet, bias: &[f32], a: &mut [f32]) {
        match self {
            Phi::LipSwish { k, .. } => value_of(set, LipSwish { k }, bias, a),
            Phi::Elu => value_of(set, Elu, bias, a),
        }
    }

    /// `before ← a + bias`, `slope ← φ'(before)`, `a ← φ(before)`.
    pub(super) fn record(self, set: InstructionSet, bias: &[f32], a: &mut [f32], before: &mut [f32], slope: &mut [f32]) {
        match self {
            Phi::LipSwish { k, .. } => record_of(set, LipSwish { k }, bias, a, before, slope),
            Phi::Elu => record_of(set, Elu, bias, a, before, slope),
        }
    }

    /// The pullback through the activation at `a`: `z̄ ← φ'(a) z̄ + φ''(a) ȧ ζ`, `ζ ← φ'(a) ζ`; returns
    /// `⟨z̄, ∂φ/∂β⟩ + ⟨ζ ȧ, ∂φ'/∂β⟩` of the values before. Adds each row of `z̄` to its [`LANES`] numbers.
    pub(super) fn pull(self, set: InstructionSet, at: [&[f32]; 2], bars_and_lanes: [&mut [f32]; 3]) -> f64 {
        match self {
            Phi::LipSwish { k, dk } => pull_of(set, LipSwish { k }, at, bars_and_lanes) * f64::from(dk),
            Phi::Elu => pull_of(set, Elu, at, bars_and_lanes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The derivatives in double precision, from the formulas of LipSwish and ELU.
    fn exact(phi: Phi, a: f64) -> [f64; 5] {
        match phi {
            Phi::LipSwish { k, dk } => {
                let (k, dk) = (f64::from(k), f64::from(dk));
                let s = 1.0 / (1.0 + (-k * a).exp());
                let q = s * (1.0 - s);
                let bend = 2.0 * q + k * a * q * (1.0 - 2.0 * s);
                [a * s, s + k * a * q, k * bend, a * a * q * dk, a * bend * dk].map(|v| v / f64::from(LIP_SWISH_DIVISOR))
            }
            Phi::Elu if a > 0.0 => [a, 1.0, 0.0, 0.0, 0.0],
            Phi::Elu => [a.exp_m1(), a.exp(), a.exp(), 0.0, 0.0],
        }
    }

    #[test]
    fn kernels_agree_with_double_precision_on_every_instruction_set() {
        for set in InstructionSet::available() {
            for phi in [Phi::lip_swish(0.5), Phi::lip_swish(-3.0), Phi::lip_swish(6.0), Phi::Elu] {
                kernels_agree_with_double_precision(set, phi);
            }
        }
    }

    fn kernels_agree_with_double_precision(set: InstructionSet, phi: Phi) {
        let n = 31 * PANEL;
        let a: Vec<f32> = (0..n).map(|i| (i as f32 / n as f32 - 0.5) * 60.0).collect();
        let bias = vec![0.25f32; 31];
        let (mut value, mut before, mut slope) = (a.clone(), vec![0.0; n], vec![0.0; n]);
        phi.record(set, &bias, &mut value, &mut before, &mut slope);
        let mut only_value = a.clone();
        phi.value(set, &bias, &mut only_value);
        let da: Vec<f32> = (0..n).map(|i| (i as f32).sin()).collect();
        let mut z_bar: Vec<f32> = (0..n).map(|i| (i as f32).cos()).collect();
        let mut zeta: Vec<f32> = (0..n).map(|i| (0.5 * i as f32).cos()).collect();
        let (z_bar_in, zeta_in) = (z_bar.clone(), zeta.clone());
        let mut row_lanes = vec![1.0; 31 * LANES];
        let by_beta = phi.pull(set, [&before, &da], [&mut z_bar, &mut zeta, &mut row_lanes]);
        for (lanes, row) in row_lanes.chunks_exact(LANES).zip(z_bar.chunks_exact(PANEL)) {
            let [got, want] = [lanes, row].map(|values| values.iter().map(|x| f64::from(*x)).sum::<f64>());
            assert!((got - LANES as f64 - want).abs() < 1e-5 * (1.0 + want.abs()), "{set:?} {phi:?}: {got} {want}");
        }
        let mut by_beta_exact = 0.0;
        for i in 0..n {
            let [v, d1, d2, p, q] = exact(phi, f64::from(a[i] + 0.25));
            let (da, zb, ze) = (f64::from(da[i]), f64::from(z_bar_in[i]), f64::from(zeta_in[i]));
            let close = |got: f32, want: f64| {
                assert!((f64::from(got) - want).abs() < 4e-6 * (1.0 + want.abs()), "{set:?} {phi:?} at {}: {got} {want}", a[i])
            };
            close(value[i], v);
            close(only_value[i], v);
            close(before[i], f64::from(a[i] + 0.25));
            close(slope[i], d1);
            close(z_bar[i], d1 * zb + d2 * da * ze);
            close(zeta[i], d1 * ze);
            by_beta_exact += zb * p + ze * da * q;
        }
        assert!(
            (by_beta - by_beta_exact).abs() < 1e-4 * (1.0 + by_beta_exact.abs()),
            "{set:?} {phi:?}: {by_beta} {by_beta_exact}"
        );
    }
}
