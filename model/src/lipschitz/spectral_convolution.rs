//! A convolution whose spectral norm is kept at or below a bound.

use super::power_iteration::{PowerIteration, SpectralNorm};
use super::spectral_map::SpectralMap;
use crate::branch::{Convolution, Form};
use crate::randomness::{gaussian, uniform};
use crate::tensor::to_vec;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// `Ŵ = W / max(1, σ / c)` with the spectral norm `σ` of `W`, a same-size convolution of stride 1 with odd kernels.
///
/// `W` is the linear map on images of the layer's real height and width (Gouk et al. 2018); for 1×1 kernels it is the
/// channel matrix. A singular vector persists between optimiser steps: the one on the side where the kernel's taps are
/// unfolded, which in residual blocks is the narrow side. The vector on the other side is its image, so that
/// `σ = ‖W v‖` or `σ = ‖Wᵀ u‖`. Both are constants in differentiation, but the gradient flows through `σ`
/// (Behrmann et al. 2019, section 2.1; Chen et al. 2019, appendix).
#[derive(Module, Debug)]
pub struct SpectralConvolution {
    /// `W`, `[out, in, k, k]`
    pub weight: Param<Tensor<4>>,
    /// `[out]`
    pub bias: Param<Tensor<1>>,
    /// The singular vector that is kept: channels, height and width flattened, or channels for 1×1 kernels.
    pub vector: Param<Tensor<1>>,
    /// The singular vector on the other side, where it is not the image of `vector`: in the research code's
    /// checkpoints. `σ = ⟨u, W v⟩` then, until the next update.
    pub opposite: Option<Param<Tensor<1>>>,
    height: usize,
    width: usize,
    bound: f64,
    #[module(skip)]
    form: Form,
}

/// Random weights are soon replaced: a rough estimate does.
const INITIAL: PowerIteration = PowerIteration { tol: 1e-2, max_iters: 200 };

/// What a [`SpectralConvolution`] is built for.
pub(crate) struct SpectralConvolutionConfig {
    pub channels_in: usize,
    pub channels_out: usize,
    pub kernel: usize,
    /// Height and width of the images.
    pub image: [usize; 2],
    pub form: Form,
    pub bound: f64,
}

impl SpectralConvolutionConfig {
    /// Weights and biases uniform in `±1/√(fan in)`.
    pub fn init(&self, rng: &mut impl Rng, device: &Device) -> SpectralConvolution {
        let &Self { channels_in, channels_out, kernel, image, form, bound } = self;
        let [height, width] = if kernel == 1 { [1, 1] } else { image };
        let limit = 1.0 / ((channels_in * kernel * kernel) as f32).sqrt();
        let channels = match form {
            Form::Unfold => channels_in,
            Form::Fold => channels_out,
        };
        let mut layer = SpectralConvolution {
            weight: Param::from_tensor(uniform([channels_out, channels_in, kernel, kernel], limit, rng, device)),
            bias: Param::from_tensor(uniform([channels_out], limit, rng, device)),
            vector: Param::from_tensor(gaussian([channels * height * width], rng, device)),
            opposite: None,
            height,
            width,
            bound,
            form,
        };
        layer.update(&INITIAL);
        layer
    }
}

impl SpectralConvolution {
    /// The bound `c`.
    pub fn bound(&self) -> f64 {
        self.bound
    }

    /// The estimate of `σ`, which is at most the spectral norm of the unconstrained map.
    pub fn sigma(&self) -> f32 {
        to_vec(self.sigma_tensor(&self.spectral_map()))[0]
    }

    /// The constrained layer's Lipschitz constant as estimated: `min(σ, c)`.
    pub fn lipschitz_estimate(&self) -> f32 {
        self.sigma().min(self.bound as f32)
    }

    /// Improves the singular vector by power iteration and returns `σ`.
    pub fn update(&mut self, settings: &PowerIteration) -> SpectralNorm {
        let map = self.spectral_map();
        let norm = settings.run(self.image(&self.vector), |x| map.gram(x));
        let vector = norm.vector.clone().permute([0, 3, 1, 2]).reshape([-1]);
        self.vector = Param::initialized(self.vector.id, vector);
        self.opposite = None;
        norm
    }

    /// `Ŵ`.
    pub(crate) fn constrained(&self) -> Convolution {
        let map = self.spectral_map();
        let factor = self.factor(self.sigma_tensor(&map));
        let weight = map.convolution.weight.clone() / factor.reshape([1, 1]);
        map.convolution.with_weight(weight)
    }

    /// From the gradient by `Ŵ` (as a matrix) the one by `W`:
    /// `W̄ = Ŵ̄ / f - [σ > c] ⟨Ŵ̄, W⟩ / (f² c) · ∂σ/∂W` with `f = max(1, σ/c)`.
    pub(crate) fn pull_constraint(&self, gradient: Tensor<2>) -> Tensor<4> {
        let map = self.spectral_map();
        let vector = self.image(&self.vector);
        let (sigma, sigma_gradient) = match &self.opposite {
            Some(opposite) => (self.sigma_tensor(&map), map.product_gradient(vector, self.image(opposite))),
            None => map.length_and_gradient(vector),
        };
        let factor = self.factor(sigma.clone()).reshape([1, 1]);
        let active = sigma.greater_elem(self.bound).float().reshape([1, 1]);
        let along = (gradient.clone() * map.convolution.weight.clone()).sum().reshape([1, 1]);
        let through_sigma = along * active / (factor.clone().square() * self.bound);
        map.convolution.weight_to_image(gradient / factor - sigma_gradient * through_sigma)
    }

    /// The unconstrained map.
    fn spectral_map(&self) -> SpectralMap {
        SpectralMap::new(self.form, self.weight.val(), [self.height, self.width])
    }

    fn sigma_tensor(&self, map: &SpectralMap) -> Tensor<1> {
        let vector = self.image(&self.vector);
        match &self.opposite {
            Some(opposite) => (map.apply(vector) * self.image(opposite)).sum(),
            None => map.length(vector),
        }
    }

    fn factor(&self, sigma: Tensor<1>) -> Tensor<1> {
        (sigma / self.bound).clamp_min(1.0)
    }

    /// Stored channels first, computed with channels last.
    fn image(&self, vector: &Param<Tensor<1>>) -> Tensor<4> {
        let vector = vector.val();
        let channels = vector.dims()[0] / (self.height * self.width);
        vector.reshape([1, channels, self.height, self.width]).permute([0, 2, 3, 1])
    }
}
