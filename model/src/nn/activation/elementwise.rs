//! Activations that act on each element alone.

use super::{Jet, Slope};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Bool, Tensor};
use flow_kernels::LIP_SWISH_DIVISOR;
use std::f64::consts::TAU;

/// `α` and `λ` of SELU (Klambauer et al. 2017).
pub(super) const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
pub(super) const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// A function of single numbers; [`ActivationKind`](super::ActivationKind) says which.
#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
pub(super) enum Function {
    /// With `β`, `[1]`.
    LipSwish(Tensor<1>),
    Elu,
    Selu,
    Softplus,
    LipschitzCube,
    Relu,
    Identity,
    Tanh,
    Sin,
    /// The half of CPila that acts on `a`, without its shift and divisor.
    Pila,
}

/// `k` of Pila.
const PILA_RATE: f64 = 5.0;

impl Function {
    /// `φ(a)` and `φ'(a)`.
    pub fn value_and_slope(self, a: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        match self {
            Function::LipSwish(beta) => {
                let k = softplus(beta).reshape([1, 1, 1, 1]);
                let s = sigmoid(a.clone() * k.clone());
                let value = a.clone() * s.clone() / LIP_SWISH_DIVISOR;
                let slope = (s.clone() + a * k * s.clone() * (s.neg() + 1.0)) / LIP_SWISH_DIVISOR;
                (value, slope)
            }
            Function::Elu => {
                let e = exp_of_negative(a.clone());
                (relu(a) + e.clone() - 1.0, e)
            }
            Function::Selu => {
                let (e, rising) = (exp_of_negative(a.clone()), a.clone().greater_elem(0.0));
                let value = (relu(a) + (e.clone() - 1.0) * SELU_ALPHA) * SELU_SCALE;
                (value, selu_slope(e, rising))
            }
            Function::Softplus => (softplus(a.clone()), sigmoid(a)),
            Function::LipschitzCube => {
                let inside = a.clone().clamp(-1.0, 1.0);
                (a - inside.clone() + inside.clone().powi_scalar(3) / 3.0, inside.square())
            }
            Function::Relu => (relu(a.clone()), a.greater_elem(0.0).float()),
            Function::Tanh => {
                let value = a.tanh();
                (value.clone(), value.square().neg() + 1.0)
            }
            Function::Identity => (a.clone(), a.ones_like()),
            Function::Sin => {
                let angle = a * TAU;
                (angle.clone().sin() / TAU, angle.cos())
            }
            Function::Pila => {
                let (e, below) = pila_parts(a.clone());
                let k = PILA_RATE;
                let square = below.clone().square();
                let value = square.clone() * below.clone() * (k * k / 2.0) - square.clone() * k + below.clone();
                let slope = square.clone() * below.clone() * (k * k * k / 2.0) + square * (k * k / 2.0) - below * k + 1.0;
                // Where `a` is positive, `below` is 0 and the slope 1.
                (relu(a) + value * e.clone(), slope * e)
            }
        }
    }

    /// All derivatives at `a` that the pullback uses.
    pub fn jet(self, a: Tensor<4>) -> Jet {
        // The curvature from `a`, the value and the slope; none where it is zero everywhere.
        type Curvature = fn(Tensor<4>, Tensor<4>, Tensor<4>) -> Tensor<4>;
        let curvature: Option<Curvature> = match &self {
            Function::LipSwish(beta) => return lip_swish_jet(beta.clone(), a),
            Function::Elu | Function::Selu => Some(|a, _, slope| slope.mask_fill(a.greater_elem(0.0), 0.0)),
            Function::Softplus => Some(|_, _, slope| slope.clone() * (slope.neg() + 1.0)),
            Function::LipschitzCube => Some(|a, _, _| (a.clone() * 2.0).mask_fill(a.abs().greater_equal_elem(1.0), 0.0)),
            Function::Tanh => Some(|_, value, slope| value * slope * -2.0),
            Function::Sin => Some(|_, value, _| value * (-TAU * TAU)),
            Function::Pila => Some(|a, _, _| {
                let (e, below) = pila_parts(a);
                let square = below.clone().square();
                let k = PILA_RATE;
                (square.clone() * below * (k.powi(4) / 2.0) + square * (2.0 * k * k * k)) * e
            }),
            Function::Relu | Function::Identity => None,
        };
        let (value, slope) = self.value_and_slope(a.clone());
        let curvature = curvature.map(|curvature| curvature(a, value, slope.clone()));
        Jet { slope: Slope::Elementwise(slope), curvature, by_beta: None }
    }
}

fn lip_swish_jet(beta: Tensor<1>, a: Tensor<4>) -> Jet {
    let beta = beta.reshape([1, 1, 1, 1]);
    let k = softplus(beta.clone());
    let dk = sigmoid(beta) / LIP_SWISH_DIVISOR;
    let s = sigmoid(a.clone() * k.clone());
    let bell = s.clone() * (s.clone().neg() + 1.0);
    let a_bell = a.clone() * bell.clone();
    let bend = a_bell.clone() * k.clone() * (s.clone() * -2.0 + 1.0) + bell * 2.0;
    Jet {
        slope: Slope::Elementwise((s + a_bell.clone() * k.clone()) / LIP_SWISH_DIVISOR),
        curvature: Some(bend.clone() * k / LIP_SWISH_DIVISOR),
        by_beta: Some((a.clone() * a_bell * dk.clone(), a * bend * dk)),
    }
}

fn selu_slope(e: Tensor<4>, rising: Tensor<4, Bool>) -> Tensor<4> {
    (e * (SELU_SCALE * SELU_ALPHA)).mask_fill(rising, SELU_SCALE)
}

/// `exp(k min(a, 0))` and `min(a, 0)`
fn pila_parts(a: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    let below = a.clamp_max(0.0);
    ((below.clone() * PILA_RATE).exp(), below)
}

/// `exp(min(a, 0))`
fn exp_of_negative(a: Tensor<4>) -> Tensor<4> {
    a.clamp_max(0.0).exp()
}

/// `ln(1 + exp x)`, exact for large `x` as well.
pub(in crate::nn) fn softplus<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone().clamp_min(0.0) + (x.abs().neg().exp() + 1.0).log()
}

#[cfg(test)]
mod tests {
    use super::super::ActivationKind::{self, *};
    use super::*;
    use crate::numerics::tensor::to_vec;
    use burn::tensor::Device;

    fn function(kind: ActivationKind, a: f64) -> f64 {
        match kind {
            LipSwish => a / (1.0 + (-a * 0.5f64.exp().ln_1p()).exp()) / 1.1,
            Elu => {
                if a > 0.0 {
                    a
                } else {
                    a.exp_m1()
                }
            }
            Selu => SELU_SCALE * if a > 0.0 { a } else { SELU_ALPHA * a.exp_m1() },
            Softplus => a.exp().ln_1p(),
            LipschitzCube if a.abs() >= 1.0 => a - a.signum() * 2.0 / 3.0,
            LipschitzCube => a.powi(3) / 3.0,
            Relu => a.max(0.0),
            Tanh => a.tanh(),
            Sin => (TAU * a).sin() / TAU,
            Identity | MaxMin | FullSort | CLipSwish | CPila => a,
        }
    }

    /// Values, slopes and curvatures against the functions in double precision and their differences.
    #[test]
    fn derivatives_are_those_of_finite_differences() {
        let points: Vec<f32> = (0..60).map(|i| (i as f32 - 29.5) * 0.11).collect();
        let a = Tensor::<1>::from_floats(&*points, &Device::flex()).reshape([1, 1, 1, -1]);
        for kind in [LipSwish, Elu, Softplus, LipschitzCube, Relu, Identity, Tanh, Selu, Sin] {
            let activation = super::super::Activation::new(kind, &Device::flex());
            let (value, Slope::Elementwise(slope)) = activation.value_and_slope(a.clone()) else { panic!("{kind:?}") };
            let jet = activation.jet(a.clone());
            let Slope::Elementwise(slope_too) = jet.slope else { panic!("{kind:?}") };
            let curvature = jet.curvature.unwrap_or_else(|| a.zeros_like());
            let (value, slope, curvature) = (to_vec(value), to_vec(slope), to_vec(curvature));
            let slope_too = to_vec(slope_too);
            for (i, &a) in points.iter().enumerate() {
                let (a, step) = (f64::from(a), 1e-4);
                let f = |a| function(kind, a);
                let first = (f(a + step) - f(a - step)) / (2.0 * step);
                let second = (f(a + step) - 2.0 * f(a) + f(a - step)) / (step * step);
                let close = |what, got: f32, want: f64| {
                    assert!((f64::from(got) - want).abs() < 2e-4 * (1.0 + want.abs()), "{kind:?} {what} at {a}: {got} {want}");
                };
                close("value", value[i], f(a));
                close("slope", slope[i], first);
                close("slope", slope_too[i], first);
                close("curvature", curvature[i], second);
                assert!(f64::from(slope[i].abs()) <= kind.lipschitz_constant() + 1e-6, "{kind:?}");
            }
        }
    }
}
