//! Moving batch normalisation as a layer of the flow.

use super::scope::Scope;
use crate::gradients::Gradients;
use crate::nn::MovingBatchNorm;
use burn::tensor::Tensor;

/// As a layer, `z = x - m + β` has the log-determinant 0.
impl MovingBatchNorm {
    fn broadcast_shift(&self, dims: [usize; 4]) -> Tensor<4> {
        Scope::Pixel.broadcast(self.shift(), dims)
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
