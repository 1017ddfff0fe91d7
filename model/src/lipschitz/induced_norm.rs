//! The induced norm of a map from one vector that persists, the narrow one.

use super::converged_norm::maximizer;
use super::lanczos::Unconverged;
use super::norm_order::NormPair;
use super::power_iteration::{NormEstimate, PowerIteration, normalized};
use super::spectral_map::SpectralMap;
use super::vector_norm::{aligned, norm, scaled};
use crate::numerics::convolution::Form;
use crate::numerics::randomness::{NoiseKey, gaussian};
use crate::numerics::tensor::{from_vec, to_vec};
use burn::tensor::Tensor;

/// `‖A‖_{r→s}` of a [`SpectralMap`]'s `A`, bounded from below by `‖A x‖_s` at the kept vector `x` with `‖x‖_r = 1`.
///
/// The best `x` is a fixed point of Boyd's iteration: `y` aligned with `A x`, then `x` aligned with `Aᵀ y`, where a
/// vector aligned with `z` is the unit vector of the largest product with `z`. Between spectral norms this is power
/// iteration, and runs on the map's own kernels. `‖A x‖_s` never decreases, but for other norms it may stop at a local
/// maximum: random starts make that less likely.
///
/// Boyd (1974), The power method for ℓᵖ norms. <https://doi.org/10.1016/0024-3795(74)90029-9>
pub(super) struct InducedNorm {
    pub map: SpectralMap,
    /// `r` and `s`.
    pair: NormPair,
    /// The vector that is kept.
    pub vector: Tensor<4>,
}

impl InducedNorm {
    /// Of the unconstrained map `W`, where `pair` is for `W` and not for its transpose.
    pub fn new(map: SpectralMap, pair: NormPair, vector: Tensor<4>) -> Self {
        let pair = match map.convolution.form {
            Form::Unfold => pair,
            Form::Fold => pair.transposed(),
        };
        Self { map, pair, vector }
    }

    pub fn is_spectral(&self) -> bool {
        self.pair == NormPair::SPECTRAL
    }

    /// A better vector, with the norm's estimate.
    pub fn improved(&self, settings: &PowerIteration) -> (Tensor<4>, NormEstimate) {
        let run = |start| settings.run(self.scaled(start), |z| self.aligned(z), |x| self.step(x));
        let (dims, device) = (self.vector.dims(), self.vector.device());
        let mut best = run(self.vector.clone());
        let starts = if self.is_spectral() { 0 } else { settings.random_starts };
        for start in 0..starts {
            // The same ones each time: what is computed from a model depends on nothing else.
            let random = gaussian(dims, &mut NoiseKey::new(start as u64, [0, 0]).stream(0), &device);
            let (vector, estimate) = run(random);
            let iterations = best.1.iterations + estimate.iterations;
            if estimate.sigma > best.1.sigma {
                best = (vector, estimate);
            }
            best.1.iterations = iterations;
        }
        best
    }

    /// The vector after `iterations` iterations, with the norm's estimate and its relative change in the last of them, `[2]`. For
    /// spectral norms the host waits for nothing.
    pub fn advanced(&self, iterations: usize) -> (Tensor<4>, Tensor<1>) {
        let mut vector = self.scaled(self.vector.clone());
        let (mut next, mut sigma) = self.step(vector.clone());
        let mut before = sigma.clone();
        for _ in 0..iterations {
            vector = self.aligned(next);
            before = sigma;
            (next, sigma) = self.step(vector.clone());
        }
        let change = (sigma.clone() - before).abs() / sigma.clone().clamp_min(f32::MIN_POSITIVE);
        (vector, Tensor::cat(vec![sigma, change], 0))
    }

    /// The best vector in double precision, where single precision cannot tell.
    ///
    /// # Errors
    /// If it is not found.
    pub fn converged(&self) -> Result<Tensor<4>, Unconverged> {
        maximizer(&self.map, self.pair, self.vector.clone())
    }

    /// `x / ‖x‖_r`.
    fn scaled(&self, x: Tensor<4>) -> Tensor<4> {
        if self.is_spectral() { normalized(x) } else { through_values(x, |x| scaled(x, self.pair.domain)) }
    }

    /// The `x` with `‖x‖_r = 1` that is aligned with `z`.
    fn aligned(&self, z: Tensor<4>) -> Tensor<4> {
        if self.is_spectral() { normalized(z) } else { through_values(z, |z| aligned(z, self.pair.domain)) }
    }

    /// `‖A x‖_s` at the kept vector, `[1]`.
    pub fn length(&self) -> Tensor<1> {
        let x = self.vector.clone();
        if self.is_spectral() { self.map.length(x) } else { self.image_and_length(x).1 }
    }

    /// One iteration but for [`aligned`](Self::aligned): `Aᵀ y` with the `y` aligned with `A x`, and `‖A x‖_s`.
    fn step(&self, x: Tensor<4>) -> (Tensor<4>, Tensor<1>) {
        if self.is_spectral() {
            return self.map.gram(x);
        }
        let (image, length) = self.image_and_length(x);
        (self.map.apply_transposed(self.opposite_of_image(image)), length)
    }

    /// The vector on the other side: the `y` aligned with `A x`.
    pub fn opposite(&self) -> Tensor<4> {
        self.opposite_of_image(self.map.apply(self.vector.clone()))
    }

    /// `‖A x‖_s` at the kept vector and its gradient by the weight, `[out, in, k, k]`.
    pub fn length_and_gradient(&self) -> (Tensor<1>, Tensor<4>) {
        let x = self.vector.clone();
        if self.is_spectral() {
            return self.map.length_and_gradient(x);
        }
        let (image, length) = self.image_and_length(x.clone());
        (length, self.map.product_gradient(x, self.opposite_of_image(image)))
    }

    /// From the gradient by `W / max(1, σ/c)` with the length `σ` the one by `W`, where the map has a kernel for it.
    pub fn pull_bound(&self, bound: f64, gradient: &Tensor<4>) -> Option<Tensor<4>> {
        if self.is_spectral() { self.map.pull_bound(&self.vector, bound, gradient) } else { None }
    }

    fn image_and_length(&self, x: Tensor<4>) -> (Tensor<4>, Tensor<1>) {
        let image = self.map.apply(x);
        let length = norm(&to_vec(image.clone()), self.pair.codomain) as f32;
        let device = image.device();
        (image, from_vec(vec![length], [1], &device))
    }

    fn opposite_of_image(&self, image: Tensor<4>) -> Tensor<4> {
        through_values(image, |image| aligned(image, self.pair.codomain.dual()))
    }
}

/// A function of the elements as one vector.
fn through_values(x: Tensor<4>, f: impl Fn(&[f32]) -> Vec<f64>) -> Tensor<4> {
    let (dims, device) = (x.dims(), x.device());
    from_vec(f(&to_vec(x)).into_iter().map(|value| value as f32).collect(), dims, &device)
}
