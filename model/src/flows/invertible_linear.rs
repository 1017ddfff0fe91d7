//! A square matrix on the channels of every pixel, or on all elements.

use super::scope::Scope;
use crate::error::{ModelError, NotFinite, Result};
use crate::flow::{Flow, LayerId, LogDetContext};
use crate::gradients::Gradients;
use crate::log_det::LogDetDraw;
use crate::numerics::linear_algebra::{Lu, cholesky, covariance};
use crate::numerics::tensor::{from_vec, to_vec};
use crate::numerics::{FixedPoint, InversionReport};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;
use rand::seq::SliceRandom;

/// `z = W x` on the channels of each pixel (an invertible 1×1 convolution), or on all elements of an image.
///
/// `log_det = H W ln|det W|`, or `ln|det W|`, from an LU decomposition in double precision, by which the inverse is
/// solved for as well. `W` starts as a random permutation, or [whitens](Self::whitening) the first data.
///
/// # Shapes
/// - `x`, `z`: `[batch, channels, height, width]`
///
/// # References
/// Kingma and Dhariwal (2018), Glow, section 3.2. <https://arxiv.org/abs/1807.03039>
#[derive(Module, Debug)]
pub struct InvertibleLinear {
    /// `W`, `[out, in]`
    pub weight: Param<Tensor<2>>,
    #[module(skip)]
    scope: Scope,
    /// Whether its initial value comes from data.
    #[module(skip)]
    whitens: bool,
}

/// The part of a channel's variance that is added to it before whitening, so that channels that follow from others do not divide by
/// zero.
const LEAST_VARIANCE: f64 = 1e-6;

impl InvertibleLinear {
    /// Acts on the channels of each pixel.
    pub fn per_pixel(channels: usize, rng: &mut impl Rng, device: &Device) -> Self {
        Self::permutation(channels, Scope::Pixel, rng, device)
    }

    /// Acts on all elements of an image `[channels, height, width]`.
    pub fn dense(shape: [usize; 3], rng: &mut impl Rng, device: &Device) -> Self {
        Self::permutation(shape.iter().product(), Scope::Image, rng, device)
    }

    fn permutation(size: usize, scope: Scope, rng: &mut impl Rng, device: &Device) -> Self {
        let mut columns: Vec<usize> = (0..size).collect();
        columns.shuffle(rng);
        let mut weight = vec![0.0; size * size];
        columns.iter().enumerate().for_each(|(row, column)| weight[row * size + column] = 1.0);
        Self { weight: Param::from_tensor(from_vec(weight, [size, size], device)), scope, whitens: false }
    }

    /// Acts on the channels of each pixel: the identity, until [`initialize`](Self::initialize).
    pub fn whitening(channels: usize, device: &Device) -> Self {
        let weight = Param::from_tensor(Tensor::eye(channels, device));
        Self { weight, scope: Scope::Pixel, whitens: true }
    }

    /// Sets a [whitening](Self::whitening) `W` so that the channels of this batch become uncorrelated with variance 1: the inverse
    /// of the Cholesky factor `L` of their covariance `L Lᵀ`, whose diagonal is multiplied by `1 + 1e-6`. Other matrices stay as they are.
    ///
    /// With a standard normal latent, this and [`ActNorm`](super::ActNorm) are the normal distribution of largest likelihood. A batch
    /// with fewer rows than channels, or with a constant channel, has no such covariance, and leaves the identity.
    pub fn initialize(&mut self, x: Tensor<4>) {
        if !self.whitens {
            return;
        }
        let rows = self.scope.rows(x);
        let ([n, size], device) = (rows.dims(), rows.device());
        let values: Vec<f64> = to_vec(rows).into_iter().map(f64::from).collect();
        // From the first row on, so that constants have no variance by rounding.
        let from_first: Vec<f64> = values.iter().zip(values[..size].iter().cycle()).map(|(value, first)| value - first).collect();
        let mut covariance = covariance(&from_first, size);
        (0..size).for_each(|i| covariance[i * size + i] *= 1.0 + LEAST_VARIANCE);
        let factor = cholesky(covariance, size).filter(|_| n > size);
        if let Some(factor) = factor {
            let inverse = Lu::new(factor, size).inverse().into_iter().map(|value| value as f32).collect();
            self.weight = Param::initialized(self.weight.id, from_vec(inverse, [size, size], &device));
        }
    }

    fn lu(&self) -> Lu {
        let weight = self.weight.val();
        let size = weight.dims()[0];
        Lu::new(to_vec(weight).into_iter().map(f64::from).collect(), size)
    }

    /// Whether it acts on all elements of an image, rather than on the channels of every pixel alike.
    pub fn is_dense(&self) -> bool {
        self.scope == Scope::Image
    }

    /// Whether it is a [whitening](Self::whitening).
    pub fn is_whitening(&self) -> bool {
        self.whitens
    }

    /// Data to latent.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let dims = x.dims();
        self.scope.images(self.scope.rows(x).matmul(self.weight.val().transpose()), dims)
    }

    /// Of a batch of these dimensions, `[batch]`, nats.
    ///
    /// # Errors
    /// If `W` is singular or not finite.
    pub fn log_det(&self, dims: [usize; 4], id: &LayerId) -> Result<Tensor<1>> {
        let log_det = self.lu().log_abs_det();
        if !log_det.is_finite() {
            let reason = "its matrix is singular or not finite".into();
            return Err(ModelError::ExactLogDet { layer: id.path.clone(), reason });
        }
        Ok(self.constant(log_det, dims))
    }

    fn constant(&self, log_det: f64, dims: [usize; 4]) -> Tensor<1> {
        Tensor::full([dims[0]], log_det * self.scope.repeats(dims), &self.weight.val().device())
    }

    /// Latent to data.
    ///
    /// # Errors
    /// If `W` is singular or not finite.
    pub fn inverse(&self, z: Tensor<4>, id: &LayerId) -> Result<Tensor<4>> {
        let (dims, device) = (z.dims(), z.device());
        let rows = self.scope.rows(z);
        let [n, size] = rows.dims();
        let columns: Vec<f64> = to_vec(rows.transpose()).into_iter().map(f64::from).collect();
        let lu = self.lu();
        if !lu.log_abs_det().is_finite() {
            return Err(NotFinite { what: "the inverse matrix", layer: Some(id.path.clone()), sample: None }.into());
        }
        let x = lu.solve(&columns, n).into_iter().map(|value| value as f32).collect();
        let x: Tensor<2> = from_vec(x, [size, n], &device);
        Ok(self.scope.images(x.transpose(), dims))
    }

    /// `x̄ = Wᵀ z̄` and `log_det`; the gradient of `W` is `Σ z̄ xᵀ + (Σ_b ℓ̄_b) H W · W⁻ᵀ`. Not finite for a singular `W`.
    pub(crate) fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        gradients: &mut Gradients,
    ) -> (Tensor<4>, Tensor<1>) {
        let (dims, device) = (x.dims(), x.device());
        let weight = self.weight.val();
        let lu = self.lu();
        let inverse = lu.inverse().into_iter().map(|value| value as f32).collect();
        let inverse: Tensor<2> = from_vec(inverse, weight.dims(), &device);
        let z_bar = self.scope.rows(z_bar);
        let through_log_det = inverse.transpose() * (log_det_bar.sum() * self.scope.repeats(dims)).reshape([1, 1]);
        gradients.add(&self.weight, z_bar.clone().transpose().matmul(self.scope.rows(x)) + through_log_det);
        (self.scope.images(z_bar.matmul(weight), dims), self.constant(lu.log_abs_det(), dims))
    }
}

impl Flow for InvertibleLinear {
    fn forward(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        Ok(InvertibleLinear::forward(self, x))
    }

    fn forward_log_det(&self, x: Tensor<4>, _: &LogDetContext, id: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        let log_det = self.log_det(x.dims(), id)?;
        Ok((self.forward(x), log_det))
    }

    fn inverse(&self, z: Tensor<4>, _: &FixedPoint, id: &LayerId, _: &mut InversionReport) -> Result<Tensor<4>> {
        InvertibleLinear::inverse(self, z, id)
    }

    fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        _: Option<LogDetDraw>,
        gradients: &mut Gradients,
    ) -> Result<(Tensor<4>, Tensor<1>)> {
        Ok(InvertibleLinear::backward(self, x, z_bar, log_det_bar, gradients))
    }

    fn initialize(&mut self, x: Tensor<4>) {
        InvertibleLinear::initialize(self, x);
    }
}
