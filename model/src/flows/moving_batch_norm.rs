//! Moving batch normalisation as a layer of the flow.

use super::scope::Scope;
use crate::error::Result;
use crate::flow::{Flow, LayerId, LogDetContext, zeros_of};
use crate::gradients::Gradients;
use crate::log_det::LogDetDraw;
use crate::nn::MovingBatchNorm;
use crate::numerics::tensor::channel_means;
use crate::numerics::{FixedPoint, InversionReport};
use burn::tensor::Tensor;

/// As a layer, `z = x - m + β` has the log-determinant 0.
impl MovingBatchNorm {
    fn broadcast_shift(&self, dims: [usize; 4]) -> Tensor<4> {
        Scope::Pixel.broadcast(self.shift().unsqueeze(), dims)
    }

    /// Data to latent, `[batch, channels, height, width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let dims = x.dims();
        x + self.broadcast_shift(dims)
    }

    /// Latent to data.
    pub fn inverse(&self, z: Tensor<4>) -> Tensor<4> {
        let dims = z.dims();
        z - self.broadcast_shift(dims)
    }

    /// `x̄ = z̄`, and the gradient of the bias.
    pub(crate) fn backward(&self, z_bar: Tensor<4>, gradients: &mut Gradients) -> Tensor<4> {
        gradients.add(&self.bias, z_bar.clone().sum_dims_squeeze(&[0, 2, 3]));
        z_bar
    }
}

impl Flow for MovingBatchNorm {
    fn forward(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        Ok(MovingBatchNorm::forward(self, x))
    }

    fn forward_log_det(&self, x: Tensor<4>, _: &LogDetContext, _: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        let log_det = zeros_of(&x);
        Ok((self.forward(x), log_det))
    }

    fn inverse(&self, z: Tensor<4>, _: &FixedPoint, _: &LayerId, _: &mut InversionReport) -> Result<Tensor<4>> {
        Ok(MovingBatchNorm::inverse(self, z))
    }

    fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        _: Tensor<1>,
        _: Option<LogDetDraw>,
        gradients: &mut Gradients,
    ) -> Result<(Tensor<4>, Tensor<1>)> {
        let log_det = zeros_of(&x);
        Ok((MovingBatchNorm::backward(self, z_bar, gradients), log_det))
    }

    fn has_batch_norm(&self) -> bool {
        true
    }

    fn update_batch_norm(&mut self, x: Tensor<4>) {
        self.observe(channel_means(x));
    }
}
