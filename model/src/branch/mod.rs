//! A residual branch `g` with its weights made contractive, ready to be evaluated and differentiated.
//!
//! Two paths compute the same: [`FusedBranch`] on the CPU, for networks whose inner kernels are 1×1, and
//! [`GeneralBranch`] in tensor operations, for every network on every backend. Images are channels-last here,
//! `[batch, height, width, channels]`.

mod convolution;
mod fused;
mod general;

pub(crate) use convolution::{Convolution, Form};
use fused::FusedBranch;
use general::GeneralBranch;

use crate::activation::Activation;
use burn::tensor::Tensor;

/// What a branch is made of.
pub(crate) struct BranchParts<'a> {
    /// With the constrained weights.
    pub convolutions: Vec<Convolution>,
    /// One `[channels]` a convolution.
    pub biases: Vec<Tensor<1>>,
    /// The activation before the first convolution.
    pub preactivation: Option<&'a Activation>,
    /// Between convolutions.
    pub activations: Vec<&'a Activation>,
}

/// Gradients by the constrained weights (in [`Convolution`]'s layout), biases and `β`s.
pub(crate) struct BranchGradients {
    pub weights: Vec<Tensor<2>>,
    pub biases: Vec<Tensor<1>>,
    /// Of the preactivation, if there is one with a `β`, then of the others in order.
    pub betas: Vec<Tensor<1>>,
}

impl BranchGradients {
    /// The sum of two pullbacks' gradients.
    pub fn plus(self, other: Self) -> Self {
        fn sums<const D: usize>(a: Vec<Tensor<D>>, b: Vec<Tensor<D>>) -> Vec<Tensor<D>> {
            a.into_iter().zip(b).map(|(a, b)| a + b).collect()
        }
        Self {
            weights: sums(self.weights, other.weights),
            biases: sums(self.biases, other.biases),
            betas: sums(self.betas, other.betas),
        }
    }
}

/// A branch, on one of the two paths.
pub(crate) enum Branch<'a> {
    Fused(Box<FusedBranch>),
    General(GeneralBranch<'a>),
}

/// The derivatives along one input.
pub(crate) enum Linearization {
    Fused(crate::kernels::Slopes),
    General(general::Slopes),
}

impl<'a> Branch<'a> {
    /// The fused path where it applies, else the general one.
    pub fn new(parts: BranchParts<'a>) -> Self {
        match FusedBranch::new(&parts) {
            Some(fused) => Branch::Fused(Box::new(fused)),
            None => Self::general(parts),
        }
    }

    /// The path in tensor operations.
    pub fn general(parts: BranchParts<'a>) -> Self {
        Branch::General(GeneralBranch::new(parts))
    }

    /// `g(x)`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Branch::Fused(branch) => branch.forward(x),
            Branch::General(branch) => branch.forward(x),
        }
    }

    /// `g(x)` and the derivatives at `x`.
    pub fn linearize(&self, x: Tensor<4>) -> (Tensor<4>, Linearization) {
        match self {
            Branch::Fused(branch) => {
                let (g, slopes) = branch.linearize(x);
                (g, Linearization::Fused(slopes))
            }
            Branch::General(branch) => {
                let (g, slopes) = branch.linearize(x);
                (g, Linearization::General(slopes))
            }
        }
    }

    /// `Jᵀ u` at the point of the linearization.
    ///
    /// # Panics
    /// If the linearization comes from the other path.
    pub fn vjp(&self, at: &Linearization, u: Tensor<4>) -> Tensor<4> {
        match (self, at) {
            (Branch::Fused(branch), Linearization::Fused(slopes)) => branch.vjp(slopes, u),
            (Branch::General(branch), Linearization::General(slopes)) => branch.vjp(slopes, u),
            _ => panic!("a linearization belongs to the branch that made it"),
        }
    }

    /// `J v` at the point of the linearization, which must be [general](Self::general).
    ///
    /// # Panics
    /// If the linearization or the branch is fused.
    pub fn jvp(&self, at: &Linearization, v: Tensor<4>) -> Tensor<4> {
        match (self, at) {
            (Branch::General(branch), Linearization::General(slopes)) => branch.jvp(slopes, v),
            _ => panic!("the fused path has no products J v"),
        }
    }

    /// The gradient of `⟨ȳ, g(x)⟩ + ⟨τ, J(x) v⟩` by `x` and by the parameters: the pullback through the primal and the
    /// tangent pass at once.
    pub fn pullback(&self, x: Tensor<4>, v: Tensor<4>, y_bar: Tensor<4>, tau: Tensor<4>) -> (Tensor<4>, BranchGradients) {
        match self {
            Branch::Fused(branch) => branch.pullback(x, v, y_bar, tau),
            Branch::General(branch) => branch.pullback(x, v, y_bar, tau),
        }
    }
}
