//! Activations with their derivatives in one vectorised pass.
//!
//! The loops are plain Rust over slices, compiled three times: for AVX-512, for AVX2 with FMA, and for the build's own
//! target. The exponential is the Cephes polynomial (relative error about 1e-7).

use crate::activation::LIP_SWISH_DIVISOR;

/// An activation with its parameter as a number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Phi {
    LipSwish {
        /// `k = softplus(β)`
        k: f32,
        /// `∂k/∂β`
        dk: f32,
    },
    Elu,
}

impl Phi {
    /// LipSwish at the learned parameter `β`.
    pub fn lip_swish(beta: f32) -> Self {
        Phi::LipSwish { k: beta.max(0.0) + (-beta.abs()).exp().ln_1p(), dk: 1.0 / (1.0 + (-beta).exp()) }
    }
}

/// `φ`, `φ'`, `φ''`, `∂φ/∂β`, `∂φ'/∂β` at one point; what a loop does not use is not computed.
#[derive(Clone, Copy)]
struct Jet {
    value: f32,
    slope: f32,
    curvature: f32,
    value_by_beta: f32,
    slope_by_beta: f32,
}

trait Pointwise: Copy {
    fn jet<const FMA: bool>(self, a: f32) -> Jet;
}

#[derive(Clone, Copy)]
struct LipSwish {
    k: f32,
    dk: f32,
}

impl Pointwise for LipSwish {
    #[inline(always)]
    fn jet<const FMA: bool>(self, a: f32) -> Jet {
        const SCALE: f32 = 1.0 / LIP_SWISH_DIVISOR;
        let s = 1.0 / (1.0 + exp::<FMA>(-self.k * a));
        let a_bell = a * s * (1.0 - s);
        let bend = fma::<FMA>(a_bell * self.k, 1.0 - 2.0 * s, 2.0 * s * (1.0 - s));
        Jet {
            value: a * s * SCALE,
            slope: fma::<FMA>(self.k, a_bell, s) * SCALE,
            curvature: self.k * bend * SCALE,
            value_by_beta: a * a_bell * self.dk * SCALE,
            slope_by_beta: a * bend * self.dk * SCALE,
        }
    }
}

#[derive(Clone, Copy)]
struct Elu;

impl Pointwise for Elu {
    #[inline(always)]
    fn jet<const FMA: bool>(self, a: f32) -> Jet {
        let e = exp::<FMA>(a.min(0.0));
        Jet {
            value: if a > 0.0 { a } else { e - 1.0 },
            slope: e,
            curvature: if a > 0.0 { 0.0 } else { e },
            value_by_beta: 0.0,
            slope_by_beta: 0.0,
        }
    }
}

#[inline(always)]
fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `exp(x)` without branches or calls.
#[inline(always)]
fn exp<const FMA: bool>(x: f32) -> f32 {
    let x = x.clamp(-87.3, 88.3);
    // Adding 1.5·2²³ rounds to the nearest integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let shifted = fma::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = fma::<FMA>(n, -0.693_359_4, x);
    let r = fma::<FMA>(n, 2.121_944_4e-4, r);
    let p = fma::<FMA>(1.987_569_1e-4, r, 1.398_199_9e-3);
    let p = fma::<FMA>(p, r, 8.333_452e-3);
    let p = fma::<FMA>(p, r, 4.166_579_6e-2);
    let p = fma::<FMA>(p, r, 1.666_666_5e-1);
    let p = fma::<FMA>(p, r, 0.5);
    let mantissa = fma::<FMA>(p, r * r, r + 1.0);
    mantissa * f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000))
}

#[inline(always)]
fn value_body<P: Pointwise, const FMA: bool>(phi: P, bias: &[f32], a: &mut [f32]) {
    for row in a.chunks_exact_mut(bias.len()) {
        for (a, b) in row.iter_mut().zip(bias) {
            *a = phi.jet::<FMA>(*a + b).value;
        }
    }
}

#[inline(always)]
fn value_slope_body<P: Pointwise, const FMA: bool>(phi: P, bias: &[f32], a: &mut [f32], slope: &mut [f32]) {
    let width = bias.len();
    for (row, slope) in a.chunks_exact_mut(width).zip(slope.chunks_exact_mut(width)) {
        for ((a, slope), b) in row.iter_mut().zip(slope).zip(bias) {
            let jet = phi.jet::<FMA>(*a + b);
            *a = jet.value;
            *slope = jet.slope;
        }
    }
}

#[inline(always)]
fn tangent_body<P: Pointwise, const FMA: bool>(phi: P, bias: &[f32], a: &mut [f32], da: &[f32], z: &mut [f32], dz: &mut [f32]) {
    let width = bias.len();
    let rows =
        a.chunks_exact_mut(width).zip(da.chunks_exact(width)).zip(z.chunks_exact_mut(width)).zip(dz.chunks_exact_mut(width));
    for (((a, da), z), dz) in rows {
        for ((((a, da), z), dz), b) in a.iter_mut().zip(da).zip(z).zip(dz).zip(bias) {
            *a += b;
            let jet = phi.jet::<FMA>(*a);
            *z = jet.value;
            *dz = jet.slope * da;
        }
    }
}

const LANES: usize = 16;

#[inline(always)]
fn pull_body<P: Pointwise, const FMA: bool>(phi: P, a: &[f32], da: &[f32], z_bar: &mut [f32], zeta: &mut [f32]) -> f64 {
    let mut by_beta = 0f64;
    // Short runs keep the single-precision partial sums exact enough; lanes keep them vectorised.
    const RUN: usize = 64 * LANES;
    for (((a, da), z_bar), zeta) in a.chunks(RUN).zip(da.chunks(RUN)).zip(z_bar.chunks_mut(RUN)).zip(zeta.chunks_mut(RUN)) {
        let mut sums = [0f32; LANES];
        let chunks = a.chunks(LANES).zip(da.chunks(LANES)).zip(z_bar.chunks_mut(LANES)).zip(zeta.chunks_mut(LANES));
        for (((a, da), z_bar), zeta) in chunks {
            for ((((a, da), z_bar), zeta), sum) in a.iter().zip(da).zip(z_bar).zip(zeta).zip(&mut sums) {
                let jet = phi.jet::<FMA>(*a);
                let tangent = *zeta * da;
                *sum += fma::<FMA>(*z_bar, jet.value_by_beta, tangent * jet.slope_by_beta);
                *z_bar = fma::<FMA>(jet.slope, *z_bar, jet.curvature * tangent);
                *zeta *= jet.slope;
            }
        }
        by_beta += f64::from(sums.iter().sum::<f32>());
    }
    by_beta
}

#[inline(always)]
fn multiply_body<const FMA: bool>(a: &mut [f32], b: &[f32]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a *= b;
    }
}

/// What the processor can do; kernels are compiled for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InstructionSet {
    /// What the build targets: NEON on 64-bit ARM, SSE2 on x86-64.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl InstructionSet {
    /// All that this processor has, the best last.
    fn available() -> impl DoubleEndedIterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let wider = {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw");
            [(avx2, Self::Avx2), (avx512, Self::Avx512)]
        };
        #[cfg(not(target_arch = "x86_64"))]
        let wider: [(bool, Self); 0] = [];
        std::iter::once((true, Self::Portable)).chain(wider).filter_map(|(there, set)| there.then_some(set))
    }

    /// The best one, or the one under test.
    fn current() -> Self {
        #[cfg(test)]
        if let Some(set) = tests::UNDER_TEST.get() {
            return set;
        }
        Self::available().next_back().unwrap_or(Self::Portable)
    }
}

/// Compiles a loop for each instruction set and picks one at run time.
macro_rules! dispatch {
    ($call:ident $(::<$phi:ident: $bound:ident>)?, ($($arg:ident: $ty:ty),*) $(-> $ret:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
        fn avx512$(<$phi: $bound>)?($($arg: $ty),*) $(-> $ret)? {
            $call::<$($phi,)? true>($($arg),*)
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2$(<$phi: $bound>)?($($arg: $ty),*) $(-> $ret)? {
            $call::<$($phi,)? true>($($arg),*)
        }
        const FMA: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));
        match InstructionSet::current() {
            InstructionSet::Portable => $call::<$($phi,)? FMA>($($arg),*),
            // SAFETY: `current` yields only what the processor was found to have.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { avx2($($arg),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { avx512($($arg),*) },
        }
    }};
}

fn value_of<P: Pointwise>(phi: P, bias: &[f32], a: &mut [f32]) {
    dispatch!(value_body::<P: Pointwise>, (phi: P, bias: &[f32], a: &mut [f32]))
}

fn value_slope_of<P: Pointwise>(phi: P, bias: &[f32], a: &mut [f32], slope: &mut [f32]) {
    dispatch!(value_slope_body::<P: Pointwise>, (phi: P, bias: &[f32], a: &mut [f32], slope: &mut [f32]))
}

fn tangent_of<P: Pointwise>(phi: P, bias: &[f32], a: &mut [f32], da: &[f32], z: &mut [f32], dz: &mut [f32]) {
    dispatch!(tangent_body::<P: Pointwise>, (phi: P, bias: &[f32], a: &mut [f32], da: &[f32], z: &mut [f32], dz: &mut [f32]))
}

fn pull_of<P: Pointwise>(phi: P, a: &[f32], da: &[f32], z_bar: &mut [f32], zeta: &mut [f32]) -> f64 {
    dispatch!(pull_body::<P: Pointwise>, (phi: P, a: &[f32], da: &[f32], z_bar: &mut [f32], zeta: &mut [f32]) -> f64)
}

/// `a *= b`, elementwise.
pub(super) fn multiply(a: &mut [f32], b: &[f32]) {
    dispatch!(multiply_body, (a: &mut [f32], b: &[f32]))
}

impl Phi {
    /// `a ← φ(a + bias)`, with `a` of shape `[rows, bias.len()]`.
    pub(super) fn value(self, bias: &[f32], a: &mut [f32]) {
        match self {
            Phi::LipSwish { k, dk } => value_of(LipSwish { k, dk }, bias, a),
            Phi::Elu => value_of(Elu, bias, a),
        }
    }

    /// `slope ← φ'(a + bias)`, `a ← φ(a + bias)`.
    pub(super) fn value_and_slope(self, bias: &[f32], a: &mut [f32], slope: &mut [f32]) {
        match self {
            Phi::LipSwish { k, dk } => value_slope_of(LipSwish { k, dk }, bias, a, slope),
            Phi::Elu => value_slope_of(Elu, bias, a, slope),
        }
    }

    /// `a ← a + bias`, `z ← φ(a)`, `dz ← φ'(a) da`.
    pub(super) fn tangent(self, bias: &[f32], a: &mut [f32], da: &[f32], z: &mut [f32], dz: &mut [f32]) {
        match self {
            Phi::LipSwish { k, dk } => tangent_of(LipSwish { k, dk }, bias, a, da, z, dz),
            Phi::Elu => tangent_of(Elu, bias, a, da, z, dz),
        }
    }

    /// The pullback through the activation: `z̄ ← φ'(a) z̄ + φ''(a) ȧ ζ`, `ζ ← φ'(a) ζ`; returns
    /// `⟨z̄, ∂φ/∂β⟩ + ⟨ζ ȧ, ∂φ'/∂β⟩` of the values before.
    pub(super) fn pull(self, a: &[f32], da: &[f32], z_bar: &mut [f32], zeta: &mut [f32]) -> f64 {
        match self {
            Phi::LipSwish { k, dk } => pull_of(LipSwish { k, dk }, a, da, z_bar, zeta),
            Phi::Elu => pull_of(Elu, a, da, z_bar, zeta),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        /// The instruction set that this thread's kernels use.
        pub(super) static UNDER_TEST: Cell<Option<InstructionSet>> = const { Cell::new(None) };
    }

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
            UNDER_TEST.set(Some(set));
            kernels_agree_with_double_precision();
        }
        UNDER_TEST.set(None);
    }

    fn kernels_agree_with_double_precision() {
        for phi in [Phi::lip_swish(0.5), Phi::lip_swish(-3.0), Phi::lip_swish(6.0), Phi::Elu] {
            let a: Vec<f32> = (0..1003).map(|i| (i as f32 / 1003.0 - 0.5) * 60.0).collect();
            let n = a.len();
            let bias = vec![0.25f32; n];
            let (mut value, mut slope) = (a.clone(), vec![0.0; n]);
            phi.value_and_slope(&bias, &mut value, &mut slope);
            let mut only_value = a.clone();
            phi.value(&bias, &mut only_value);
            let (mut at, mut z, mut dz) = (a.clone(), vec![0.0; n], vec![0.0; n]);
            let da: Vec<f32> = (0..n).map(|i| (i as f32).sin()).collect();
            phi.tangent(&bias, &mut at, &da, &mut z, &mut dz);
            let mut z_bar: Vec<f32> = (0..n).map(|i| (i as f32).cos()).collect();
            let mut zeta: Vec<f32> = (0..n).map(|i| (0.5 * i as f32).cos()).collect();
            let (z_bar_in, zeta_in) = (z_bar.clone(), zeta.clone());
            let by_beta = phi.pull(&at, &da, &mut z_bar, &mut zeta);
            let mut by_beta_exact = 0.0;
            for i in 0..n {
                let [v, d1, d2, p, q] = exact(phi, f64::from(a[i] + 0.25));
                let (da, zb, ze) = (f64::from(da[i]), f64::from(z_bar_in[i]), f64::from(zeta_in[i]));
                let close = |got: f32, want: f64| {
                    assert!((f64::from(got) - want).abs() < 4e-6 * (1.0 + want.abs()), "{phi:?} at {}: {got} {want}", a[i])
                };
                close(value[i], v);
                close(only_value[i], v);
                close(z[i], v);
                close(slope[i], d1);
                close(dz[i], d1 * da);
                close(z_bar[i], d1 * zb + d2 * da * ze);
                close(zeta[i], d1 * ze);
                by_beta_exact += zb * p + ze * da * q;
            }
            assert!((by_beta - by_beta_exact).abs() < 1e-4 * (1.0 + by_beta_exact.abs()), "{phi:?}: {by_beta} {by_beta_exact}");
        }
    }
}
