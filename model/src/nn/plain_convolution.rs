//! A convolution without constraints, for networks that need not be contractive.

use crate::gradients::Gradients;
use crate::numerics::convolution::{Convolution, Form};
use crate::numerics::randomness::uniform;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// `y = W ⋆ x + b` of stride 1 and the same size, with an odd kernel and zeros outside of the image.
///
/// Images are channels-last here, `[batch, height, width, channels]`.
#[derive(Module, Debug)]
pub struct PlainConvolution {
    /// `W`, `[out, in, k, k]`
    pub weight: Param<Tensor<4>>,
    /// `b`, `[out]`
    pub bias: Param<Tensor<1>>,
}

impl PlainConvolution {
    /// Weights and biases uniform in `±1/√(fan in)`.
    pub(crate) fn new([c_in, c_out]: [usize; 2], kernel: usize, rng: &mut impl Rng, device: &Device) -> Self {
        let limit = 1.0 / ((c_in * kernel * kernel) as f32).sqrt();
        Self {
            weight: Param::from_tensor(uniform([c_out, c_in, kernel, kernel], limit, rng, device)),
            bias: Param::from_tensor(uniform([c_out], limit, rng, device)),
        }
    }

    /// `W` as a matrix, unfolded on the narrow side.
    pub(crate) fn matrix(&self) -> Convolution {
        let weight = self.weight.val();
        let [c_out, c_in, ..] = weight.dims();
        Convolution::new(if c_in <= c_out { Form::Unfold } else { Form::Fold }, weight)
    }

    /// `y`
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.matrix().apply(x) + self.bias.val().reshape([1, 1, 1, -1])
    }

    /// `x̄` from `ȳ`; adds the gradients of `W` and `b`.
    pub(crate) fn backward(&self, x: Tensor<4>, y_bar: Tensor<4>, gradients: &mut Gradients) -> Tensor<4> {
        let matrix = self.matrix();
        gradients.add(&self.weight, matrix.weight_gradient(x, y_bar.clone()));
        gradients.add(&self.bias, y_bar.clone().sum_dims_squeeze(&[0, 1, 2]));
        matrix.apply_transposed(y_bar)
    }
}
