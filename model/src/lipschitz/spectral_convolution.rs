//! A convolution whose spectral norm is kept at or below a bound.

use super::power_iteration::{PowerIteration, SpectralNorm, normalized};
use crate::branch::{Convolution, Form};
use crate::randomness::{gaussian, uniform};
use crate::tensor::to_vec;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// `Ŵ = W / max(1, σ / c)` with `σ = ⟨u, W v⟩`, a same-size convolution of stride 1 with odd kernels.
///
/// `W` is the linear map on images of the layer's real height and width (Gouk et al. 2018); for 1×1 kernels it is the
/// channel matrix. `u` and `v` persist between optimiser steps and are constants in differentiation, but the gradient
/// flows through `σ` (Behrmann et al. 2019, section 2.1; Chen et al. 2019, appendix).
#[derive(Module, Debug)]
pub struct SpectralConvolution {
    /// `W`, `[out, in, k, k]`
    pub weight: Param<Tensor<4>>,
    /// `[out]`
    pub bias: Param<Tensor<1>>,
    /// Left singular vector, `[out · height · width]`, or `[out]` for 1×1 kernels.
    pub u: Param<Tensor<1>>,
    /// Right singular vector, `[in · height · width]`, or `[in]` for 1×1 kernels.
    pub v: Param<Tensor<1>>,
    height: usize,
    width: usize,
    bound: f64,
    #[module(skip)]
    form: Form,
}

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
    /// Weights and biases uniform in `±1/√(fan in)`, singular vectors converged.
    pub fn init(&self, rng: &mut impl Rng, device: &Device) -> SpectralConvolution {
        let &Self { channels_in, channels_out, kernel, image, form, bound } = self;
        let [height, width] = if kernel == 1 { [1, 1] } else { image };
        let limit = 1.0 / ((channels_in * kernel * kernel) as f32).sqrt();
        let mut layer = SpectralConvolution {
            weight: Param::from_tensor(uniform([channels_out, channels_in, kernel, kernel], limit, rng, device)),
            bias: Param::from_tensor(uniform([channels_out], limit, rng, device)),
            u: Param::from_tensor(gaussian([channels_out * height * width], rng, device)),
            v: Param::from_tensor(gaussian([channels_in * height * width], rng, device)),
            height,
            width,
            bound,
            form,
        };
        let (u, v) = (normalized(layer.u_image()), normalized(layer.v_image()));
        layer.set_vectors(u, v);
        layer.update(&PowerIteration::default());
        layer
    }
}

impl SpectralConvolution {
    /// The bound `c`.
    pub fn bound(&self) -> f64 {
        self.bound
    }

    /// `σ = ⟨u, W v⟩`, which is at most the spectral norm of the unconstrained map.
    pub fn sigma(&self) -> f32 {
        to_vec(self.sigma_tensor(&self.raw()))[0]
    }

    /// The constrained layer's Lipschitz constant as estimated: `min(σ, c)`.
    pub fn lipschitz_estimate(&self) -> f32 {
        self.sigma().min(self.bound as f32)
    }

    /// Improves `u` and `v` by power iteration and returns `σ`.
    pub fn update(&mut self, settings: &PowerIteration) -> SpectralNorm {
        let raw = self.raw();
        let norm = settings.run(self.v_image(), |x| raw.apply(x), |y| raw.apply_transposed(y));
        self.set_vectors(norm.u.clone(), norm.v.clone());
        norm
    }

    /// `Ŵ`.
    pub(crate) fn constrained(&self) -> Convolution {
        let raw = self.raw();
        let factor = self.factor(self.sigma_tensor(&raw));
        let weight = raw.weight.clone() / factor.reshape([1, 1]);
        raw.with_weight(weight)
    }

    /// From the gradient by `Ŵ` (as a matrix) the one by `W`:
    /// `W̄ = Ŵ̄ / f - [σ > c] ⟨Ŵ̄, W⟩ / (f² c) · ∂σ/∂W` with `f = max(1, σ/c)`.
    pub(crate) fn pull_constraint(&self, gradient: Tensor<2>) -> Tensor<4> {
        let raw = self.raw();
        let sigma = self.sigma_tensor(&raw);
        let factor = self.factor(sigma.clone()).reshape([1, 1]);
        let active = sigma.greater_elem(self.bound).float().reshape([1, 1]);
        let sigma_gradient = raw.weight_gradient(self.v_image(), self.u_image());
        let along = (gradient.clone() * raw.weight.clone()).sum().reshape([1, 1]);
        let through_sigma = along * active / (factor.clone().square() * self.bound);
        raw.weight_to_image(gradient / factor - sigma_gradient * through_sigma)
    }

    /// The unconstrained convolution.
    fn raw(&self) -> Convolution {
        Convolution::new(self.form, self.weight.val())
    }

    fn sigma_tensor(&self, raw: &Convolution) -> Tensor<1> {
        (raw.apply(self.v_image()) * self.u_image()).sum()
    }

    fn factor(&self, sigma: Tensor<1>) -> Tensor<1> {
        (sigma / self.bound).clamp_min(1.0)
    }

    fn u_image(&self) -> Tensor<4> {
        self.image(self.u.val())
    }

    fn v_image(&self) -> Tensor<4> {
        self.image(self.v.val())
    }

    /// Stored channels first, computed with channels last.
    fn image(&self, vector: Tensor<1>) -> Tensor<4> {
        let channels = vector.dims()[0] / (self.height * self.width);
        vector.reshape([1, channels, self.height, self.width]).permute([0, 2, 3, 1])
    }

    fn set_vectors(&mut self, u: Tensor<4>, v: Tensor<4>) {
        let flat = |image: Tensor<4>| image.permute([0, 3, 1, 2]).reshape([-1]);
        self.u = Param::initialized(self.u.id, flat(u));
        self.v = Param::initialized(self.v.id, flat(v));
    }
}
