//! Activations of contractive networks: smooth functions of Lipschitz constant at most 1, with the derivatives
//! that the log-determinant's gradient needs.

use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Which activation a network uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivationKind {
    /// `φ(a) = a · sigmoid(k a) / 1.1` with `k = softplus(β)` learned, `β = 0.5` at the start
    /// (Chen et al. 2019, section 4).
    LipSwish,
    /// `φ(a) = a` for `a > 0`, else `exp(a) - 1`.
    Elu,
}

/// LipSwish divides Swish by this, a bound of its derivative.
pub(crate) const LIP_SWISH_DIVISOR: f32 = 1.1;
const INITIAL_BETA: f32 = 0.5;

/// An activation with its learned parameter, if it has one.
#[derive(Module, Debug)]
pub struct Activation {
    #[module(skip)]
    kind: ActivationKind,
    /// `β` of LipSwish, `[1]`.
    pub(crate) beta: Option<Param<Tensor<1>>>,
}

/// The derivatives of `φ` at `a`, elementwise.
pub(crate) struct Jet {
    /// `φ'(a)`
    pub slope: Tensor<4>,
    /// `φ''(a)`
    pub curvature: Tensor<4>,
    /// `∂φ/∂β` and `∂φ'/∂β`, where there is a `β`.
    pub by_beta: Option<(Tensor<4>, Tensor<4>)>,
}

impl Activation {
    /// An activation in its initial state.
    pub fn new(kind: ActivationKind, device: &Device) -> Self {
        let beta = (kind == ActivationKind::LipSwish).then(|| Param::from_tensor(Tensor::from_floats([INITIAL_BETA], device)));
        Self { kind, beta }
    }

    /// Which function this is.
    pub fn kind(&self) -> ActivationKind {
        self.kind
    }

    /// `φ(a)` and `φ'(a)`.
    pub(crate) fn value_and_slope(&self, a: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        match &self.beta {
            Some(beta) => {
                let k = softplus(beta.val()).reshape([1, 1, 1, 1]);
                let s = sigmoid(a.clone() * k.clone());
                let value = a.clone() * s.clone() / LIP_SWISH_DIVISOR;
                let slope = (s.clone() + a * k * s.clone() * (s.neg() + 1.0)) / LIP_SWISH_DIVISOR;
                (value, slope)
            }
            None => {
                let e = a.clone().clamp_max(0.0).exp();
                (a.clamp_min(0.0) + e.clone() - 1.0, e)
            }
        }
    }

    /// All derivatives at `a` that the pullback uses.
    pub(crate) fn jet(&self, a: Tensor<4>) -> Jet {
        match &self.beta {
            Some(beta) => {
                let beta = beta.val().reshape([1, 1, 1, 1]);
                let k = softplus(beta.clone());
                let dk = sigmoid(beta) / LIP_SWISH_DIVISOR;
                let s = sigmoid(a.clone() * k.clone());
                let bell = s.clone() * (s.clone().neg() + 1.0);
                let a_bell = a.clone() * bell.clone();
                let bend = a_bell.clone() * k.clone() * (s.clone() * -2.0 + 1.0) + bell * 2.0;
                Jet {
                    slope: (s + a_bell.clone() * k.clone()) / LIP_SWISH_DIVISOR,
                    curvature: bend.clone() * k / LIP_SWISH_DIVISOR,
                    by_beta: Some((a.clone() * a_bell * dk.clone(), a * bend * dk)),
                }
            }
            None => {
                let negative = a.clone().lower_equal_elem(0.0);
                let e = a.clone().clamp_max(0.0).exp();
                let curvature = e.zeros_like().mask_where(negative, e.clone());
                Jet { slope: e, curvature, by_beta: None }
            }
        }
    }
}

/// `ln(1 + exp x)`, exact for large `x` as well.
fn softplus<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone().clamp_min(0.0) + (x.abs().neg().exp() + 1.0).log()
}
