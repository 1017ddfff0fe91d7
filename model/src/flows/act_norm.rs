//! Activation normalisation.

use super::scope::Scope;
use crate::error::Result;
use crate::flow::{Flow, LayerId, LogDetContext};
use crate::gradients::Gradients;
use crate::log_det::LogDetDraw;
use crate::numerics::{FixedPoint, InversionReport};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// Variance floor at the data-dependent initialisation.
const MIN_VARIANCE: f64 = 0.2;

/// `z = (x + bias) · exp(log_scale)`, with a bias and a scale for each channel, or for each element.
///
/// `log_det = H W Σ_c log_scale_c`, or `Σ log_scale` with a scale for each element.
///
/// # Shapes
/// - `x`, `z`: `[batch, channels, height, width]`
///
/// # References
/// Kingma and Dhariwal (2018), Glow, section 3.1. <https://arxiv.org/abs/1807.03039>
///
/// # Examples
/// ```
/// use residual_flows::burn::tensor::{Device, Tensor};
/// use residual_flows::flows::ActNorm;
///
/// let device = Device::flex();
/// let x = Tensor::<2>::from_floats([[1.0], [3.0], [5.0]], &device).reshape([3, 1, 1, 1]);
/// let mut layer = ActNorm::per_channel(1, &device);
/// layer.initialize(x.clone());
/// let z = layer.forward(x).try_into_vec_as::<f32>().unwrap();
/// assert!((z[0] + 1.0).abs() < 1e-6 && (z[2] - 1.0).abs() < 1e-6);
/// ```
#[derive(Module, Debug)]
pub struct ActNorm {
    /// `[channels]` or `[channels · height · width]`
    pub bias: Param<Tensor<1>>,
    /// As `bias`.
    pub log_scale: Param<Tensor<1>>,
    #[module(skip)]
    scope: Scope,
}

impl ActNorm {
    /// The identity, with one bias and scale a channel.
    pub fn per_channel(channels: usize, device: &Device) -> Self {
        Self::identity(channels, Scope::Pixel, device)
    }

    /// The identity, with one bias and scale an element of an image `[channels, height, width]`.
    pub fn per_element(shape: [usize; 3], device: &Device) -> Self {
        Self::identity(shape.iter().product(), Scope::Image, device)
    }

    fn identity(size: usize, scope: Scope, device: &Device) -> Self {
        let zeros = || Param::from_tensor(Tensor::zeros([size], device));
        Self { bias: zeros(), log_scale: zeros(), scope }
    }

    /// Sets bias and scale so that this batch is mapped to mean 0 and variance 1 (variances are at least 0.2).
    ///
    /// A batch of a single value per channel has variance 0.
    pub fn initialize(&mut self, x: Tensor<4>) {
        let rows = self.scope.rows(x);
        let n = rows.dims()[0];
        let mean = rows.clone().mean_dim(0);
        let squares = (rows - mean.clone()).square().sum_dim(0);
        let variance = squares / (n.max(2) - 1) as f64;
        let size = self.bias.val().dims()[0];
        self.bias = Param::initialized(self.bias.id, mean.neg().reshape([size]));
        let log_scale = variance.clamp_min(MIN_VARIANCE).log() * -0.5;
        self.log_scale = Param::initialized(self.log_scale.id, log_scale.reshape([size]));
    }

    /// Whether it acts on all elements of an image, rather than on the channels of every pixel alike.
    pub fn is_dense(&self) -> bool {
        self.scope == Scope::Image
    }

    /// Data to latent.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let dims = x.dims();
        (x + self.scope.broadcast(self.bias.val(), dims)) * self.scope.broadcast(self.log_scale.val().exp(), dims)
    }

    /// Of a batch of these dimensions, `[batch]`, nats.
    pub fn log_det(&self, dims: [usize; 4]) -> Tensor<1> {
        (self.log_scale.val().sum() * self.scope.repeats(dims)).expand([dims[0]])
    }

    /// Latent to data.
    pub fn inverse(&self, z: Tensor<4>) -> Tensor<4> {
        let dims = z.dims();
        z * self.scope.broadcast(self.log_scale.val().neg().exp(), dims) - self.scope.broadcast(self.bias.val(), dims)
    }

    /// `x̄ = z̄ exp(log_scale)`, and the gradients of bias and scale.
    pub(crate) fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        gradients: &mut Gradients,
    ) -> Tensor<4> {
        let dims = x.dims();
        let x_bar = z_bar * self.scope.broadcast(self.log_scale.val().exp(), dims);
        gradients.add(&self.bias, self.scope.sums(x_bar.clone()));
        // ⟨z̄, z⟩ = ⟨x̄, x + bias⟩
        let by_scale = self.scope.sums((x + self.scope.broadcast(self.bias.val(), dims)) * x_bar.clone());
        gradients.add(&self.log_scale, by_scale + log_det_bar.sum() * self.scope.repeats(dims));
        x_bar
    }
}

impl Flow for ActNorm {
    fn forward(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        Ok(ActNorm::forward(self, x))
    }

    fn forward_log_det(&self, x: Tensor<4>, _: &LogDetContext, _: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        let log_det = self.log_det(x.dims());
        Ok((self.forward(x), log_det))
    }

    fn inverse(&self, z: Tensor<4>, _: &FixedPoint, _: &LayerId, _: &mut InversionReport) -> Result<Tensor<4>> {
        Ok(ActNorm::inverse(self, z))
    }

    fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        _: Option<LogDetDraw>,
        gradients: &mut Gradients,
    ) -> Result<(Tensor<4>, Tensor<1>)> {
        let log_det = self.log_det(x.dims());
        Ok((ActNorm::backward(self, x, z_bar, log_det_bar, gradients), log_det))
    }

    fn initialize(&mut self, x: Tensor<4>) {
        ActNorm::initialize(self, x);
    }
}
