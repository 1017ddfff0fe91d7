//! Activations that make two channels of each: one function at `a` and at `-a`.

use super::elementwise::Function;
use super::{Jet, Slope};
use burn::tensor::Tensor;

/// What CLipSwish is divided by, so that `√(s'(a)² + s'(-a)²) ≤ 1` for every `β`.
const CLIP_SWISH_DIVISOR: f64 = 1.004;
/// How far CPila's two halves are moved apart, and what they are divided by.
const CPILA_SHIFT: f64 = 0.2;
const CPILA_DIVISOR: f64 = 1.06;

/// `φ(a) = [f(a - t); f(-a - t)] / d`: first all channels at `a`, then all at `-a`.
pub(super) struct Concatenated {
    function: Function,
    shift: f64,
    divisor: f64,
}

impl Concatenated {
    /// With `β`, `[1]`.
    pub fn clip_swish(beta: Tensor<1>) -> Self {
        Self { function: Function::LipSwish(beta), shift: 0.0, divisor: CLIP_SWISH_DIVISOR }
    }

    pub fn cpila() -> Self {
        Self { function: Function::Pila, shift: CPILA_SHIFT, divisor: CPILA_DIVISOR }
    }

    /// `φ(a)` and its derivative.
    pub fn value_and_slope(self, a: Tensor<4>) -> (Tensor<4>, Slope) {
        let (signs, divisor) = (signs(&a), self.divisor);
        let (value, slope) = self.function.value_and_slope(both(a, self.shift));
        (value / divisor, Slope::Concatenated(slope * signs / divisor))
    }

    /// All derivatives at `a` that the pullback uses. The second ones of `f(-a)` have no sign.
    pub fn jet(self, a: Tensor<4>) -> Jet {
        let (signs, divisor) = (signs(&a), self.divisor);
        let jet = self.function.jet(both(a, self.shift));
        Jet {
            slope: match jet.slope {
                Slope::Elementwise(slope) => Slope::Concatenated(slope * signs.clone() / divisor),
                other => other,
            },
            curvature: jet.curvature.map(|curvature| curvature / divisor),
            by_beta: jet.by_beta.map(|(value, slope)| (value / divisor, slope * signs / divisor)),
        }
    }
}

/// `[a - t; -a - t]`
fn both(a: Tensor<4>, shift: f64) -> Tensor<4> {
    Tensor::cat(vec![a.clone(), a.neg()], 3) - shift
}

/// The derivatives of `a` and of `-a`.
fn signs(a: &Tensor<4>) -> Tensor<4> {
    let ones = Tensor::<4>::ones([1, 1, 1, a.dims()[3]], (&a.device(), a.dtype()));
    Tensor::cat(vec![ones.clone(), ones.neg()], 3)
}

#[cfg(test)]
mod tests {
    use super::super::{Activation, ActivationKind};
    use super::*;
    use crate::numerics::tensor::to_vec;
    use burn::tensor::Device;

    fn lip_swish(a: f64) -> f64 {
        a / (1.0 + (-a * 0.5f64.exp().ln_1p()).exp()) / 1.1
    }

    fn pila(a: f64) -> f64 {
        if a > 0.0 { a } else { (12.5 * a.powi(3) - 5.0 * a * a + a) * (5.0 * a).exp() }
    }

    /// Values, slopes and curvatures against the functions in double precision and their differences; both slopes together are
    /// at most 1.
    #[test]
    fn derivatives_are_those_of_finite_differences() {
        let points: Vec<f32> = (0..60).map(|i| (i as f32 - 29.5) * 0.11).collect();
        let n = points.len();
        let a = Tensor::<1>::from_floats(&*points, &Device::flex()).reshape([1, 1, 1, -1]);
        for kind in [ActivationKind::CLipSwish, ActivationKind::CPila] {
            let f = |a: f64| match kind {
                ActivationKind::CPila => pila(a - 0.2) / 1.06,
                _ => lip_swish(a) / 1.004,
            };
            let activation = Activation::new(kind, &Device::flex());
            let (value, slope) = activation.value_and_slope(a.clone());
            let Slope::Concatenated(slope) = slope else { panic!("{kind:?}") };
            let jet = activation.jet(a.clone());
            let Slope::Concatenated(slope_too) = jet.slope else { panic!("{kind:?}") };
            let curvature = to_vec(jet.curvature.expect("it is curved"));
            let (value, slope, slope_too) = (to_vec(value), to_vec(slope), to_vec(slope_too));
            assert_eq!([value.len(), slope.len(), curvature.len()], [2 * n; 3]);
            for (i, &a) in points.iter().enumerate() {
                for (index, sign) in [(i, 1.0), (n + i, -1.0)] {
                    let (a, step) = (f64::from(a), 1e-4);
                    let g = |a: f64| f(sign * a);
                    let first = (g(a + step) - g(a - step)) / (2.0 * step);
                    let second = (g(a + step) - 2.0 * g(a) + g(a - step)) / (step * step);
                    let close = |what, got: f32, want: f64| {
                        assert!(
                            (f64::from(got) - want).abs() < 2e-4 * (1.0 + want.abs()),
                            "{kind:?} {what} at {a}: {got} {want}"
                        );
                    };
                    close("value", value[index], g(a));
                    close("slope", slope[index], first);
                    close("slope", slope_too[index], first);
                    close("curvature", curvature[index], second);
                }
                assert!(slope[i].hypot(slope[n + i]) <= 1.0, "{kind:?} at {a}");
            }
        }
    }
}
