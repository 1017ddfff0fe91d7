//! Activations of contractive networks, with the derivatives that the log-determinant's gradient needs.

mod concatenated;
mod elementwise;
mod permuting;

use burn::module::{Module, Param};
use burn::tensor::{Device, FloatDType, Tensor};
use concatenated::Concatenated;
use elementwise::Function;
pub(super) use elementwise::softplus;
use flow_kernels::Phi;
use permuting::Permutation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which activation a network uses. All but SELU have Lipschitz constant 1 at most.
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
    /// `φ(a) = [s(a); s(-a)] / 1.004` with LipSwish `s`: twice as many channels (Perugachi-Diaz, Tomczak, Bhulai 2021,
    /// Invertible DenseNets with Concatenated LipSwish, <https://arxiv.org/abs/2102.02694>).
    #[serde(rename = "clip_swish")]
    CLipSwish,
    /// `φ(a) = [π(a - 0.2); π(-a - 0.2)] / 1.06` with `π(a) = a` for `a > 0`, else `(k²/2 a³ - k a² + a) exp(k a)`, `k = 5`:
    /// twice as many channels, and no parameter (Ahn, Kim, Hong, Kim 2022, Monotone Flows, <https://arxiv.org/abs/2210.08176>).
    #[serde(rename = "cpila")]
    CPila,
    /// `φ(a) = sin(2π a) / (2π)` (Lu et al. 2021, Implicit Normalizing Flows, <https://arxiv.org/abs/2103.09527>).
    Sin,
}

impl ActivationKind {
    /// A bound of the slope.
    pub fn lipschitz_constant(self) -> f64 {
        if self == ActivationKind::Selu { elementwise::SELU_SCALE * elementwise::SELU_ALPHA } else { 1.0 }
    }

    /// Whether the CPU's fused kernels compute it.
    pub(crate) fn has_kernel(self) -> bool {
        matches!(self, ActivationKind::LipSwish | ActivationKind::Elu)
    }

    /// Its name in configurations, in quotation marks.
    pub(crate) fn name(self) -> String {
        serde_json::to_string(&self).unwrap_or_default()
    }

    /// Whether it has a learned `β`.
    pub(crate) fn has_beta(self) -> bool {
        matches!(self, ActivationKind::LipSwish | ActivationKind::CLipSwish)
    }

    /// How many channels it makes of one.
    pub(crate) fn widening(self) -> usize {
        if matches!(self, ActivationKind::CLipSwish | ActivationKind::CPila) { 2 } else { 1 }
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
    /// `β` of LipSwish and CLipSwish, `[1]`.
    pub(crate) beta: Option<Param<Tensor<1>>>,
}

/// The derivative of an activation at one input, a linear map. Tensors have channels last.
#[expect(clippy::large_enum_variant, reason = "there is one a layer")]
pub(crate) enum Slope {
    /// `φ'(a)`, elementwise.
    Elementwise(Tensor<4>),
    /// `φ'(a)` of an activation that makes two channels of each: first all of one kind, then all of the other.
    Concatenated(Tensor<4>),
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
            Slope::Concatenated(slope) => Slope::Concatenated(slope.clone().cast(dtype)),
            Slope::Permutation(permutation) => Slope::Permutation(permutation.clone()),
        }
    }

    /// `φ'(a) ȧ`, for a tangent.
    pub fn push(&self, tangent: Tensor<4>) -> Tensor<4> {
        match self {
            Slope::Elementwise(slope) => tangent * slope.clone(),
            Slope::Concatenated(slope) => self.widened(tangent) * slope.clone(),
            Slope::Permutation(permutation) => permutation.apply(tangent),
        }
    }

    /// `φ'(a)ᵀ ζ`, for a cotangent.
    pub fn pull(&self, cotangent: Tensor<4>) -> Tensor<4> {
        match self {
            Slope::Elementwise(slope) => cotangent * slope.clone(),
            Slope::Concatenated(slope) => self.narrowed(cotangent * slope.clone()),
            Slope::Permutation(permutation) => permutation.undo(cotangent),
        }
    }

    /// A tensor on the activation's inputs beside what each of them becomes.
    pub fn widened(&self, tangent: Tensor<4>) -> Tensor<4> {
        match self {
            Slope::Concatenated(_) => Tensor::cat(vec![tangent.clone(), tangent], 3),
            Slope::Elementwise(_) | Slope::Permutation(_) => tangent,
        }
    }

    /// The transposed map: sums over what each input becomes.
    pub fn narrowed(&self, cotangent: Tensor<4>) -> Tensor<4> {
        match self {
            Slope::Concatenated(_) => {
                let channels = cotangent.dims()[3] / 2;
                cotangent.clone().narrow(3, 0, channels) + cotangent.narrow(3, channels, channels)
            }
            Slope::Elementwise(_) | Slope::Permutation(_) => cotangent,
        }
    }
}

impl Activation {
    /// An activation in its initial state.
    pub fn new(kind: ActivationKind, device: &Device) -> Self {
        let beta = kind.has_beta().then(|| Param::from_tensor(Tensor::from_floats([INITIAL_BETA], device)));
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
            Form::Concatenated(concatenated) => concatenated.value_and_slope(a),
        }
    }

    /// All derivatives at `a` that the pullback uses.
    pub(crate) fn jet(&self, a: Tensor<4>) -> Jet {
        match self.form() {
            Form::Permuting(permutation) => Jet { slope: Slope::Permutation(permutation(a)), curvature: None, by_beta: None },
            Form::Elementwise(function) => function.jet(a),
            Form::Concatenated(concatenated) => concatenated.jet(a),
        }
    }

    fn form(&self) -> Form {
        let beta = || self.beta.as_ref().expect("it has a parameter").val();
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
            ActivationKind::CLipSwish => Form::Concatenated(Concatenated::clip_swish(beta())),
            ActivationKind::CPila => Form::Concatenated(Concatenated::cpila()),
            ActivationKind::Sin => Form::Elementwise(Function::Sin),
        }
    }

    /// The kernels' version of it, if they have one: for the kinds that [`has_kernel`](ActivationKind::has_kernel) names.
    pub(crate) fn kernel(&self) -> Option<Phi> {
        match self.kind {
            ActivationKind::LipSwish => self.beta.as_ref().map(|beta| Phi::lip_swish(beta.val().into_scalar())),
            ActivationKind::Elu => Some(Phi::Elu),
            _ => None,
        }
    }
}

/// How an activation acts on the channels of a pixel.
enum Form {
    /// On each alone.
    Elementwise(Function),
    /// It lets them change places, by a permutation that depends on them.
    Permuting(fn(Tensor<4>) -> Permutation),
    /// It makes two of each.
    Concatenated(Concatenated),
}
