//! The contractive network `g` of a residual block: constrained convolutions with activations before and between them.

use crate::activation::{Activation, ActivationKind};
use crate::branch::{Branch, BranchGradients, BranchParts, Form};
use crate::gradients::Gradients;
use crate::lipschitz::{PowerIteration, SpectralConvolution, SpectralConvolutionConfig};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// `g = W_n φ(… φ(W_1 φ₀(x) + b_1) …) + b_n` with `Lip(g) ≤ cⁿ < 1`.
///
/// A dense network is one on images of a single pixel whose channels are all of the input's elements.
#[derive(Module, Debug)]
pub struct ContractiveNet {
    /// The affine layers.
    pub convolutions: Vec<SpectralConvolution>,
    /// The activation before the first layer, if there is one, then those between layers.
    pub activations: Vec<Activation>,
    preactivation: bool,
    dense: bool,
}

/// What a [`ContractiveNet`] is built for.
#[derive(Clone, Debug)]
pub struct ContractiveNetConfig {
    /// Channels, height and width of the input, which are those of the output.
    pub shape: [usize; 3],
    /// Channels of the hidden layers.
    pub hidden: usize,
    /// Kernel sizes, one a layer; a dense network has as many layers as this is long.
    pub kernels: Vec<usize>,
    /// See [`ActivationKind`].
    pub activation: ActivationKind,
    /// Whether an activation stands before the first layer as well.
    pub preactivation: bool,
    /// Whether layers connect all elements of the input instead of neighbouring pixels.
    pub dense: bool,
    /// The bound `c` of every layer's spectral norm.
    pub bound: f64,
}

impl ContractiveNetConfig {
    /// A network with random weights.
    pub fn init(&self, rng: &mut impl Rng, device: &Device) -> ContractiveNet {
        let [c, h, w] = self.shape;
        let (channels, image) = if self.dense { (c * h * w, [1, 1]) } else { (c, [h, w]) };
        let last = self.kernels.len() - 1;
        let convolution = |(index, &kernel): (usize, &usize)| SpectralConvolutionConfig {
            channels_in: if index == 0 { channels } else { self.hidden },
            channels_out: if index == last { channels } else { self.hidden },
            kernel: if self.dense { 1 } else { kernel },
            image,
            form: if index == last { Form::Fold } else { Form::Unfold },
            bound: self.bound,
        };
        let convolutions = self.kernels.iter().enumerate().map(|layer| convolution(layer).init(rng, device)).collect();
        let n_activations = last + usize::from(self.preactivation);
        ContractiveNet {
            convolutions,
            activations: (0..n_activations).map(|_| Activation::new(self.activation, device)).collect(),
            preactivation: self.preactivation,
            dense: self.dense,
        }
    }
}

impl ContractiveNet {
    /// The network with its weights constrained, for one or many evaluations at these weights.
    pub(crate) fn branch(&self) -> Branch<'_> {
        Branch::new(self.parts())
    }

    /// The same on the path in tensor operations, which has products `J v` as well.
    pub(crate) fn general_branch(&self) -> Branch<'_> {
        Branch::general(self.parts())
    }

    fn parts(&self) -> BranchParts<'_> {
        let (before, between) = self.activations.split_at(usize::from(self.preactivation));
        BranchParts {
            convolutions: self.convolutions.iter().map(SpectralConvolution::constrained).collect(),
            biases: self.convolutions.iter().map(|c| c.bias.val()).collect(),
            preactivation: before.first(),
            activations: between.iter().collect(),
        }
    }

    /// `[batch, channels, height, width]` in the layout of branches.
    pub(crate) fn import(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, h, w] = x.dims();
        if self.dense { x.reshape([b, 1, 1, c * h * w]) } else { x.permute([0, 2, 3, 1]) }
    }

    /// Back from the layout of branches to `[batch, channels, height, width]`.
    pub(crate) fn export(&self, x: Tensor<4>, dims: [usize; 4]) -> Tensor<4> {
        if self.dense { x.reshape(dims) } else { x.permute([0, 3, 1, 2]) }
    }

    /// Adds a branch's gradients to the parameters', through the constraint.
    pub(crate) fn add_gradients(&self, of_branch: BranchGradients, gradients: &mut Gradients) {
        for ((layer, weight), bias) in self.convolutions.iter().zip(of_branch.weights).zip(of_branch.biases) {
            gradients.add(&layer.weight, layer.pull_constraint(weight));
            gradients.add(&layer.bias, bias);
        }
        let betas = self.activations.iter().filter_map(|a| a.beta.as_ref());
        for (beta, gradient) in betas.zip(of_branch.betas) {
            gradients.add(beta, gradient);
        }
    }

    /// Floating-point operations in the matrix products of one evaluation on an image of so many pixels.
    pub(crate) fn pass_flops(&self, pixels: usize) -> f64 {
        let pixels = if self.dense { 1 } else { pixels };
        let weights = self.convolutions.iter().map(|layer| layer.weight.val().shape().num_elements());
        2.0 * (pixels * weights.sum::<usize>()) as f64
    }

    /// The product of the layers' Lipschitz estimates, an estimate of `Lip(g)`.
    pub fn lipschitz_estimate(&self) -> f64 {
        self.convolutions.iter().map(|layer| f64::from(layer.lipschitz_estimate())).product()
    }

    /// Updates the singular vectors of every layer; returns the product of the layers' Lipschitz estimates, an
    /// estimate of `Lip(g)`.
    pub fn update_lipschitz(&mut self, settings: &PowerIteration) -> f32 {
        self.convolutions.iter_mut().map(|layer| layer.update(settings).sigma.min(layer.bound() as f32)).product()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::randomness::{NoiseKey, gaussian};
    use crate::tensor::to_vec;

    fn assert_close<const D: usize>(what: &str, a: Tensor<D>, b: Tensor<D>) {
        assert_eq!(a.dims(), b.dims(), "{what}");
        let (a, b) = (to_vec(a), to_vec(b));
        let scale = b.iter().fold(1e-3f32, |max, value| max.max(value.abs()));
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 2e-5 * scale, "{what}: {a} {b}");
        }
    }

    /// The fused kernels and the tensor operations are two implementations of the same formulas.
    #[test]
    fn both_paths_agree() {
        let device = Device::flex();
        let mut rng = NoiseKey::new(21, [0, 0]).stream(0);
        let cases: [(&[usize], _, _, [usize; 4]); 5] = [
            (&[3, 1, 3], ActivationKind::LipSwish, true, [3, 4, 6, 5]),
            (&[3, 1, 3], ActivationKind::Elu, false, [2, 1, 17, 9]),
            (&[5, 1, 1, 3], ActivationKind::LipSwish, false, [2, 3, 4, 4]),
            (&[1, 3], ActivationKind::Elu, true, [1, 2, 3, 3]),
            // More pixels than one block of rows, and a last block that is not full.
            (&[3, 1, 3], ActivationKind::LipSwish, true, [5, 2, 31, 29]),
        ];
        for (kernels, activation, preactivation, dims) in cases {
            let [_, c, h, w] = dims;
            let config = ContractiveNetConfig {
                shape: [c, h, w],
                hidden: 20,
                kernels: kernels.to_vec(),
                activation,
                preactivation,
                dense: false,
                bound: 0.9,
            };
            let net = config.init(&mut rng, &device);
            let (fused, general) = (net.branch(), net.general_branch());
            assert!(matches!(fused, Branch::Fused(_)) && matches!(general, Branch::General(_)));
            let mut random = || net.import(gaussian(dims, &mut rng, &device));
            let (x, u, v, y_bar) = (random(), random(), random(), random());
            assert_close("forward", fused.forward(x.clone()), general.forward(x.clone()));
            let ((g, at), (g_too, at_too)) = (fused.linearize(x.clone()), general.linearize(x.clone()));
            assert_close("g", g, g_too);
            assert_close("vjp", fused.vjp(&at, u.clone()), general.vjp(&at_too, u.clone()));
            let (x_bar, ours) = fused.pullback(x.clone(), v.clone(), y_bar.clone(), u.clone());
            let (x_bar_too, theirs) = general.pullback(x, v, y_bar, u);
            assert_close("input", x_bar, x_bar_too);
            for (a, b) in ours.weights.into_iter().zip(theirs.weights) {
                assert_close("weight", a, b);
            }
            for (a, b) in ours.biases.into_iter().zip(theirs.biases) {
                assert_close("bias", a, b);
            }
            assert_eq!(ours.betas.len(), theirs.betas.len());
            for (a, b) in ours.betas.into_iter().zip(theirs.betas) {
                assert_close("beta", a, b);
            }
        }
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let device = Device::flex();
        let config = ContractiveNetConfig {
            shape: [2, 24, 24],
            hidden: 32,
            kernels: vec![3, 1, 3],
            activation: ActivationKind::LipSwish,
            preactivation: true,
            dense: false,
            bound: 0.9,
        };
        let net = config.init(&mut NoiseKey::new(1, [0, 0]).stream(0), &device);
        let x = net.import(gaussian([4, 2, 24, 24], &mut NoiseKey::new(2, [0, 0]).stream(0), &device));
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
            pool.install(|| {
                let (input, gradients) = net.branch().pullback(x.clone(), x.clone(), x.clone(), x.clone());
                let weights: Vec<Vec<f32>> = gradients.weights.into_iter().map(to_vec).collect();
                (to_vec(input), weights)
            })
        };
        assert!(run(1) == run(3));
    }
}
