//! Activation normalisation.

use super::scope::Scope;
use crate::error::Result;
use crate::flow::{Flow, LayerId, LogDetContext};
use crate::gradients::Gradients;
use crate::log_det::LogDetDraw;
use crate::nn::Conditioner;
use crate::numerics::{FixedPoint, InversionReport};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// Variance floor at the data-dependent initialisation.
const MIN_VARIANCE: f64 = 0.2;

/// `z = (x + bias) · exp(log_scale)`, with a bias and a scale for each channel, or for each element. Both may depend on what is known
/// about a sample.
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
    /// From features of what is known about each sample to what is added to its bias and log-scale, `[features, 2 · size]`, if the
    /// layer depends on them.
    pub(crate) conditioner: Option<Conditioner>,
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
        Self { bias: zeros(), log_scale: zeros(), conditioner: None, scope }
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

    /// Bias and log-scale of all samples, `[1, size]`, or of each one, `[batch, size]`.
    fn of_samples(&self) -> [Tensor<2>; 2] {
        let all: [Tensor<2>; 2] = [self.bias.val().unsqueeze(), self.log_scale.val().unsqueeze()];
        let Some(more) = self.conditioner.as_ref().and_then(Conditioner::outputs) else { return all };
        let [bias, log_scale] = all;
        let size = bias.dims()[1];
        [bias + more.clone().narrow(1, 0, size), log_scale + more.narrow(1, size, size)]
    }

    /// Data to latent.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (dims, [bias, log_scale]) = (x.dims(), self.of_samples());
        (x + self.scope.broadcast(bias, dims)) * self.scope.broadcast(log_scale.exp(), dims)
    }

    /// Of a batch of these dimensions, `[batch]`, nats.
    pub fn log_det(&self, dims: [usize; 4]) -> Tensor<1> {
        let sum = match self.conditioner.as_ref().and_then(Conditioner::outputs) {
            Some(_) => self.of_samples()[1].clone().sum_dim(1).squeeze_dim(1),
            None => self.log_scale.val().sum(),
        };
        (sum * self.scope.repeats(dims)).expand([dims[0]])
    }

    /// Latent to data.
    pub fn inverse(&self, z: Tensor<4>) -> Tensor<4> {
        let (dims, [bias, log_scale]) = (z.dims(), self.of_samples());
        z * self.scope.broadcast(log_scale.neg().exp(), dims) - self.scope.broadcast(bias, dims)
    }

    /// `x̄ = z̄ exp(log_scale)`, and the gradients of bias and scale.
    pub(crate) fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        gradients: &mut Gradients,
    ) -> Tensor<4> {
        let (dims, [bias, log_scale]) = (x.dims(), self.of_samples());
        let x_bar = z_bar * self.scope.broadcast(log_scale.exp(), dims);
        // ⟨z̄, z⟩ = ⟨x̄, x + bias⟩
        let scaled = (x + self.scope.broadcast(bias, dims)) * x_bar.clone();
        if let Some(conditioner) = &self.conditioner {
            let by_bias = self.scope.sums_of_samples(x_bar.clone());
            let of_log_det = log_det_bar.clone().reshape([-1, 1]) * self.scope.repeats(dims);
            let by_scale = self.scope.sums_of_samples(scaled.clone()) + of_log_det;
            conditioner.backward(Tensor::cat(vec![by_bias, by_scale], 1), gradients);
        }
        gradients.add(&self.bias, self.scope.sums(x_bar.clone()));
        let by_scale = self.scope.sums(scaled);
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

    fn condition_on(&mut self, features: usize) {
        let size = self.bias.val().dims()[0];
        self.conditioner = Some(Conditioner::new(features, 2 * size, &self.bias.device()));
    }

    fn set_embedding(&mut self, embedding: Option<&Tensor<2>>) {
        if let Some(conditioner) = &mut self.conditioner {
            conditioner.set_embedding(embedding);
        }
    }
}
