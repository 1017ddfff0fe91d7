//! A residual branch `g` with its weights made contractive, ready to be evaluated and differentiated.
//!
//! Two paths compute the same: [`FusedBranch`] on the CPU, for networks whose inner kernels are 1×1 and whose activations
//! the kernels know, and [`GeneralBranch`] in tensor operations, for every network on every backend. Images are
//! `[batch, channels, height, width]`.

mod fused;
mod general;

pub(crate) use general::GeneralBranch;

use crate::log_det::ValueTerms;
use crate::monitor::Monitor;
use crate::nn::activation::Activation;
use crate::numerics::convolution::Convolution;
use burn::tensor::{FloatDType, Tensor};
use flow_kernels::ChainWeights;
use fused::FusedBranch;

/// What stands between two convolutions.
pub(crate) struct Joint<'a> {
    /// `φ`
    pub activation: &'a Activation,
    /// The factors `η₁` and `η₂`, each `[1]`, where the next convolution sees `[η₁ z; η₂ φ(h)]` instead of `φ(h)`, with the input
    /// `z` of the one before.
    pub concatenation: Option<[Tensor<1>; 2]>,
}

/// What a branch is made of.
pub(crate) struct BranchParts<'a> {
    /// With the constrained weights.
    pub convolutions: Vec<Convolution>,
    /// One `[channels]` a convolution.
    pub biases: Vec<Tensor<1>>,
    /// The activation before the first convolution.
    pub preactivation: Option<&'a Activation>,
    /// Between convolutions; `None` between two that follow each other immediately.
    pub joints: Vec<Option<Joint<'a>>>,
    /// Added to the first convolution's output, `[batch, channels]`: what is known about each sample.
    pub sample_bias: Option<Tensor<2>>,
    /// Added to the input before all else, `[channels]`.
    pub input_shift: Option<Tensor<1>>,
    /// Multiplies the last convolution's input: dropout, `[batch, 1, 1, channels]`.
    pub last_mask: Option<Tensor<4>>,
    /// Stops what takes long.
    pub monitor: Monitor,
}

/// Gradients by the constrained weights (`[out, in, k, k]`), biases, `β`s, concatenations and the shift of the input.
pub(crate) struct BranchGradients {
    pub weights: Vec<Tensor<4>>,
    pub biases: Vec<Tensor<1>>,
    /// Of the preactivation, if there is one with a `β`, then of the others in order.
    pub betas: Vec<Tensor<1>>,
    /// By `η₁` and `η₂` of each concatenation, in order.
    pub concatenations: Vec<[Tensor<1>; 2]>,
    /// Where the branch has a shift.
    pub shift: Option<Tensor<1>>,
    /// Where the branch has a bias for each sample.
    pub sample_bias: Option<Tensor<2>>,
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
            concatenations: {
                let pairs = self.concatenations.into_iter().zip(other.concatenations);
                pairs.map(|([a, b], [c, d])| [a + c, b + d]).collect()
            },
            shift: self.shift.zip(other.shift).map(|(a, b)| a + b),
            sample_bias: self.sample_bias.zip(other.sample_bias).map(|(a, b)| a + b),
        }
    }
}

/// A branch, on one of the two paths.
pub(crate) struct Branch<'a> {
    input_shift: Option<Tensor<4>>,
    path: Path<'a>,
    monitor: Monitor,
}

#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
enum Path<'a> {
    Fused(Box<FusedBranch>),
    General(GeneralBranch<'a>),
}

/// The derivatives along one input.
pub(crate) enum Linearization {
    Fused(flow_kernels::Linearized),
    General(general::Slopes),
}

impl<'a> Branch<'a> {
    /// The fused path where it applies, else the general one.
    pub fn new(parts: BranchParts<'a>) -> Self {
        match FusedBranch::new(&parts) {
            Some(fused) => {
                Self { input_shift: shift(&parts), path: Path::Fused(Box::new(fused)), monitor: parts.monitor.clone() }
            }
            None => Self::general(parts),
        }
    }

    /// The path in tensor operations.
    pub fn general(parts: BranchParts<'a>) -> Self {
        let (input_shift, monitor) = (shift(&parts), parts.monitor.clone());
        Self { input_shift, path: Path::General(GeneralBranch::new(parts)), monitor }
    }

    /// The same with its kernels on another instruction set.
    #[cfg(test)]
    pub fn on(self, set: flow_kernels::InstructionSet) -> Self {
        let path = match self.path {
            Path::Fused(branch) => Path::Fused(Box::new(branch.on(set))),
            general => general,
        };
        Self { path, ..self }
    }

    /// Whether it is on the fused path.
    #[cfg(test)]
    pub fn is_fused(&self) -> bool {
        matches!(self.path, Path::Fused(_))
    }

    /// `g(x)`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.shifted(x);
        match &self.path {
            Path::Fused(branch) => branch.forward(x),
            Path::General(branch) => branch.forward(x),
        }
    }

    /// `g(x)` of some samples of the batch, by their numbers.
    pub fn forward_of(&self, x: Tensor<4>, samples: &[usize]) -> Tensor<4> {
        match &self.path {
            Path::Fused(_) => self.forward(x),
            Path::General(branch) => branch.of_samples(samples).forward(self.shifted(x)),
        }
    }

    /// `g(x)` and the derivatives at `x`.
    pub fn linearize(&self, x: Tensor<4>) -> (Tensor<4>, Linearization) {
        let x = self.shifted(x);
        match &self.path {
            Path::Fused(branch) => {
                let (g, slopes) = branch.linearize(x);
                (g, Linearization::Fused(slopes))
            }
            Path::General(branch) => {
                let (g, slopes) = branch.linearize(x);
                (g, Linearization::General(slopes))
            }
        }
    }

    /// `Jᵀ u` at the point of the linearization; anything of that shape once the monitor has stopped the work.
    ///
    /// # Panics
    /// If the linearization comes from the other path.
    pub fn vjp(&self, at: &Linearization, u: Tensor<4>) -> Tensor<4> {
        if self.monitor.is_stopped() {
            return u;
        }
        match (&self.path, at) {
            (Path::Fused(branch), Linearization::Fused(slopes)) => branch.vjp(slopes, u),
            (Path::General(branch), Linearization::General(slopes)) => branch.vjp(slopes, u),
            _ => panic!("a linearization belongs to the branch that made it"),
        }
    }

    /// `J v` at the point of the linearization, which must be [general](Self::general); anything of that shape once the
    /// monitor has stopped the work.
    ///
    /// # Panics
    /// If the linearization or the branch is fused.
    pub fn jvp(&self, at: &Linearization, v: Tensor<4>) -> Tensor<4> {
        if self.monitor.is_stopped() {
            return v;
        }
        match (&self.path, at) {
            (Path::General(branch), Linearization::General(slopes)) => branch.jvp(slopes, v),
            _ => panic!("the fused path has no products J v"),
        }
    }

    /// The same branch and linearization rounded to another type, for products alone; they must be [general](Self::general).
    ///
    /// # Panics
    /// If the linearization or the branch is fused.
    pub fn rounded(&self, at: &Linearization, dtype: FloatDType) -> (Branch<'_>, Linearization) {
        let (Path::General(branch), Linearization::General(slopes)) = (&self.path, at) else {
            panic!("the fused path computes in single precision only")
        };
        let path = Path::General(branch.rounded(dtype));
        (Branch { input_shift: None, path, monitor: self.monitor.clone() }, Linearization::General(slopes.rounded(dtype)))
    }

    /// `g(x)` and the value of the series from probes `v`, `[batch]`, where the path computes them at once.
    pub fn series(&self, x: Tensor<4>, v: Tensor<4>, terms: ValueTerms) -> Option<(Tensor<4>, Tensor<1>)> {
        match &self.path {
            Path::Fused(branch) => Some(branch.series(self.shifted(x), v, terms)),
            Path::General(_) => None,
        }
    }

    /// The [series](Self::series)' value, and the gradient of `⟨ȳ, g(x)⟩ + Σ_b λ_b ⟨w_b, J(x) v_b⟩` for inputs `x, v, ȳ`,
    /// with `w` from the same chain, where the path computes them at once.
    pub fn series_pullback(
        &self,
        [x, v, y_bar]: [Tensor<4>; 3],
        terms: &ChainWeights,
        lambda: Tensor<1>,
    ) -> Option<(Tensor<1>, Tensor<4>, BranchGradients)> {
        let Path::Fused(branch) = &self.path else { return None };
        let (value, x_bar, gradients) = branch.series_pullback([self.shifted(x), v, y_bar], terms, lambda);
        let gradients = self.with_shift(&x_bar, gradients);
        Some((value, x_bar, gradients))
    }

    /// The gradient of `⟨ȳ, g(x)⟩ + ⟨τ, J(x) v⟩` by `x` and by the parameters: the pullback through the primal and the
    /// tangent pass at once.
    pub fn pullback(&self, x: Tensor<4>, v: Tensor<4>, y_bar: Tensor<4>, tau: Tensor<4>) -> (Tensor<4>, BranchGradients) {
        let x = self.shifted(x);
        let (x_bar, gradients) = match &self.path {
            Path::Fused(branch) => branch.pullback(x, v, y_bar, tau),
            Path::General(branch) => branch.pullback(x, v, y_bar, tau),
        };
        let gradients = self.with_shift(&x_bar, gradients);
        (x_bar, gradients)
    }

    fn with_shift(&self, x_bar: &Tensor<4>, gradients: BranchGradients) -> BranchGradients {
        let shift = self.input_shift.as_ref().map(|_| x_bar.clone().sum_dims_squeeze(&[0, 2, 3]));
        BranchGradients { shift, ..gradients }
    }

    fn shifted(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.input_shift {
            Some(shift) => x + shift.clone(),
            None => x,
        }
    }
}

fn shift(parts: &BranchParts) -> Option<Tensor<4>> {
    parts.input_shift.clone().map(|shift| shift.reshape([1, -1, 1, 1]))
}
