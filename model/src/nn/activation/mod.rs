//! Activations of contractive networks, with the derivatives that the log-determinant's gradient needs.

mod elementwise;
mod permuting;

use burn::module::{Module, Param};
use burn::tensor::{Device, FloatDType, Tensor};
use elementwise::Function;
use flow_kernels::Phi;
use permuting::Permutation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which activation a network uses. All but SELU have Lipschitz constant 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActivationKind {
    /// `φ(a) = a · sigmoid(k a) / 1.1` with `k = softplus(β)` learned, `β = 0.5` at the start
    /// (Chen et al. 2019, section 4).
    LipSwish,
    /// `φ(a) = a` for `a > 0`, else `exp(a) - 1`.
    Elu,
    /// `φ(a) = ln(1 + exp a)`
    Softplus,
    /// `φ(a) = a³/3` for `|a| < 1`, else `a - ⅔ sign(a)`.
    LipschitzCube,
    /// `φ(a) = max(a, 0)`. Its curvature is zero, so the log-determinant's gradient does not reach the biases.
    Relu,
    /// `φ(a) = a`
    Identity,
    /// The hyperbolic tangent.
    Tanh,
    /// `φ(a) = λ a` for `a > 0`, else `λ α (exp(a) - 1)`, with Lipschitz constant `λ α ≈ 1.758`: a network with it is
    /// contractive only if the layers' bounds make up for that (Klambauer et al. 2017).
    Selu,
    /// The larger of each pair of neighbouring channels, then the smaller of each (Anil, Lucas, Grosse 2019).
    MaxMin,
    /// All channels in ascending order (Anil, Lucas, Grosse 2019).
    FullSort,
}

impl ActivationKind {
    /// A bound of the slope.
    pub fn lipschitz_constant(self) -> f64 {
        if self == ActivationKind::Selu { elementwise::SELU_SCALE * elementwise::SELU_ALPHA } else { 1.0 }
    }

    /// Whether the CPU's fused kernels compute it.
    pub(crate) fn has_kernel(self) -> bool {
        use ActivationKind::{Elu, FullSort, Identity, LipSwish, LipschitzCube, MaxMin, Relu, Selu, Softplus, Tanh};
        match self {
            LipSwish | Elu => true,
            Softplus | LipschitzCube | Relu | Identity | Tanh | Selu | MaxMin | FullSort => false,
        }
    }

    /// Whether channels must come in pairs.
    pub(crate) fn pairs_channels(self) -> bool {
        self == ActivationKind::MaxMin
    }
}

const INITIAL_BETA: f32 = 0.5;

/// An activation with its learned parameter, if it has one.
#[derive(Module, Debug)]
pub struct Activation {
    #[module(skip)]
    kind: ActivationKind,
    /// `β` of LipSwish, `[1]`.
    pub(crate) beta: Option<Param<Tensor<1>>>,
}

/// The derivative of an activation at one input, a linear map. Tensors have channels last.
#[expect(clippy::large_enum_variant, reason = "there is one a layer")]
pub(crate) enum Slope {
    /// `φ'(a)`, elementwise.
    Elementwise(Tensor<4>),
    /// Channels change places.
    Permutation(Permutation),
}

/// The derivatives of an activation at one input that the pullback uses.
pub(crate) struct Jet {
    pub slope: Slope,
    /// `φ''(a)`; none where it is zero everywhere.
    pub curvature: Option<Tensor<4>>,
    /// `∂φ/∂β` and `∂φ'/∂β`, where there is a `β`.
    pub by_beta: Option<(Tensor<4>, Tensor<4>)>,
}

impl Slope {
    /// Rounded to another type.
    pub fn rounded(&self, dtype: FloatDType) -> Self {
        match self {
            Slope::Elementwise(slope) => Slope::Elementwise(slope.clone().cast(dtype)),
            Slope::Permutation(permutation) => Slope::Permutation(permutation.clone()),
        }
    }

    /// `φ'(a) ȧ`, for a tangent.
    pub fn push(&self, tangent: Tensor<4>) -> Tensor<4> {
        match self {
            Slope::Elementwise(slope) => tangent * slope.clone(),
            Slope::Permutation(permutation) => permutation.apply(tangent),
        }
    }

    /// `φ'(a)ᵀ ζ`, for a cotangent.
    pub fn pull(&self, cotangent: Tensor<4>) -> Tensor<4> {
        match self {
            Slope::Elementwise(slope) => cotangent * slope.clone(),
            Slope::Permutation(permutation) => permutation.undo(cotangent),
        }
    }
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

    /// `φ(a)` and its derivative.
    pub(crate) fn value_and_slope(&self, a: Tensor<4>) -> (Tensor<4>, Slope) {
        match self.form() {
            Form::Permuting(permutation) => {
                let permutation = permutation(a.clone());
                (permutation.apply(a), Slope::Permutation(permutation))
            }
            Form::Elementwise(function) => {
                let (value, slope) = function.value_and_slope(a);
                (value, Slope::Elementwise(slope))
            }
        }
    }

    /// All derivatives at `a` that the pullback uses.
    pub(crate) fn jet(&self, a: Tensor<4>) -> Jet {
        match self.form() {
            Form::Permuting(permutation) => Jet { slope: Slope::Permutation(permutation(a)), curvature: None, by_beta: None },
            Form::Elementwise(function) => function.jet(a),
        }
    }

    fn form(&self) -> Form {
        let beta = || self.beta.as_ref().expect("LipSwish has a parameter").val();
        match self.kind {
            ActivationKind::LipSwish => Form::Elementwise(Function::LipSwish(beta())),
            ActivationKind::Elu => Form::Elementwise(Function::Elu),
            ActivationKind::Softplus => Form::Elementwise(Function::Softplus),
            ActivationKind::LipschitzCube => Form::Elementwise(Function::LipschitzCube),
            ActivationKind::Relu => Form::Elementwise(Function::Relu),
            ActivationKind::Identity => Form::Elementwise(Function::Identity),
            ActivationKind::Tanh => Form::Elementwise(Function::Tanh),
            ActivationKind::Selu => Form::Elementwise(Function::Selu),
            ActivationKind::MaxMin => Form::Permuting(Permutation::max_min),
            ActivationKind::FullSort => Form::Permuting(Permutation::sort),
        }
    }

    /// The kernels' version of it, if they have one: for the kinds that [`has_kernel`](ActivationKind::has_kernel) names.
    pub(crate) fn kernel(&self) -> Option<Phi> {
        match self.kind {
            ActivationKind::LipSwish => self.beta.as_ref().map(|beta| Phi::lip_swish(beta.val().into_scalar())),
            ActivationKind::Elu => Some(Phi::Elu),
            ActivationKind::Softplus
            | ActivationKind::LipschitzCube
            | ActivationKind::Relu
            | ActivationKind::Identity
            | ActivationKind::Tanh
            | ActivationKind::Selu
            | ActivationKind::MaxMin
            | ActivationKind::FullSort => None,
        }
    }
}

/// How an activation acts on the channels of a pixel.
#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
enum Form {
    /// On each alone.
    Elementwise(Function),
    /// It lets them change places, by a permutation that depends on them.
    Permuting(fn(Tensor<4>) -> Permutation),
}
