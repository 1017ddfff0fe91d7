//! Fixed standardisation of the data's channels.

use crate::error::Result;
use crate::flow::{Flow, LayerId, LogDetContext};
use crate::gradients::Gradients;
use crate::log_det::LogDetDraw;
use crate::numerics::{FixedPoint, InversionReport};
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

/// `z_c = (x_c - mean_c) / std_c` for the first channels; any others stay as they are.
///
/// `log_det = -H W Σ_c ln std_c`.
///
/// # Shapes
/// - `x`, `z`: `[batch, channels, height, width]`
#[derive(Module, Debug)]
pub struct Normalize {
    #[module(skip)]
    mean: Vec<f64>,
    #[module(skip)]
    std: Vec<f64>,
}

impl Normalize {
    /// With the mean and the (positive) standard deviation of each of the first channels.
    pub fn new(mean: Vec<f64>, std: Vec<f64>) -> Self {
        Self { mean, std }
    }

    /// The values and then `rest` up to the number of channels, in a shape that broadcasts over `x`.
    fn per_channel(values: &[f64], rest: f64, x: &Tensor<4>) -> Tensor<4> {
        let channels = x.dims()[1];
        let values = values.iter().copied().chain(std::iter::repeat(rest)).take(channels);
        let values: Vec<f32> = values.map(|value| value as f32).collect();
        Tensor::from_data(TensorData::new(values, [1, channels, 1, 1]), &x.device())
    }

    /// Data to latent.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (mean, std) = (Self::per_channel(&self.mean, 0.0, &x), Self::per_channel(&self.std, 1.0, &x));
        (x - mean) / std
    }

    /// `[batch]`, nats.
    pub fn log_det(&self, x: &Tensor<4>) -> Tensor<1> {
        let [b, _, h, w] = x.dims();
        let of_pixel: f64 = self.std.iter().map(|std| -std.ln()).sum();
        Tensor::full([b], of_pixel * (h * w) as f64, &x.device())
    }

    /// Latent to data.
    pub fn inverse(&self, z: Tensor<4>) -> Tensor<4> {
        let (mean, std) = (Self::per_channel(&self.mean, 0.0, &z), Self::per_channel(&self.std, 1.0, &z));
        z * std + mean
    }

    /// `x̄ = z̄ / std`.
    pub(crate) fn backward(&self, z_bar: Tensor<4>) -> Tensor<4> {
        let std = Self::per_channel(&self.std, 1.0, &z_bar);
        z_bar / std
    }
}

impl Flow for Normalize {
    fn forward(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        Ok(Normalize::forward(self, x))
    }

    fn forward_log_det(&self, x: Tensor<4>, _: &LogDetContext, _: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        Ok((self.forward(x.clone()), self.log_det(&x)))
    }

    fn inverse(&self, z: Tensor<4>, _: &FixedPoint, _: &LayerId, _: &mut InversionReport) -> Result<Tensor<4>> {
        Ok(Normalize::inverse(self, z))
    }

    fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        _: Tensor<1>,
        _: Option<LogDetDraw>,
        _: &mut Gradients,
    ) -> Result<(Tensor<4>, Tensor<1>)> {
        Ok((Normalize::backward(self, z_bar), self.log_det(&x)))
    }
}
