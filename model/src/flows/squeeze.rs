//! Space to depth.

use crate::error::{ModelError, Result};
use crate::flow::{Flow, LayerId, LogDetContext, zeros_of};
use crate::gradients::Gradients;
use crate::log_det::LogDetDraw;
use crate::numerics::{FixedPoint, InversionReport};
use burn::module::Module;
use burn::tensor::Tensor;

/// Turns every 2×2 block of pixels into channels: `z[4c + 2 dy + dx, y, x] = x[c, 2y + dy, 2x + dx]`.
///
/// ```text
/// one channel   1 2    four channels   1  2  3  4
///               3 4                    of one pixel
/// ```
///
/// A permutation: its log-determinant is 0.
///
/// # Shapes
/// - `x`: `[batch, channels, height, width]`, height and width even; `z`: `[batch, 4 channels, height/2, width/2]`
///
/// # References
/// Dinh et al. (2017), Density estimation using Real NVP, section 3.6. <https://arxiv.org/abs/1605.08803>
#[derive(Module, Debug, Default)]
pub struct Squeeze {}

impl Squeeze {
    /// Data to latent.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, h, w] = x.dims();
        x.reshape([b, c, h / 2, 2, w / 2, 2]).permute([0, 1, 3, 5, 2, 4]).reshape([b, 4 * c, h / 2, w / 2])
    }

    /// Latent to data.
    pub fn inverse(&self, z: Tensor<4>) -> Tensor<4> {
        let [b, c, h, w] = z.dims();
        z.reshape([b, c / 4, 2, 2, h, w]).permute([0, 1, 4, 2, 5, 3]).reshape([b, c / 4, 2 * h, 2 * w])
    }
}

impl Flow for Squeeze {
    fn output_shape(&self, [c, h, w]: [usize; 3]) -> Result<[usize; 3]> {
        if h % 2 == 0 && w % 2 == 0 {
            return Ok([4 * c, h / 2, w / 2]);
        }
        Err(ModelError::Shape { what: "the input of a squeeze", expected: "[channels, even, even]".into(), got: vec![c, h, w] })
    }

    fn forward(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        Ok(Squeeze::forward(self, x))
    }

    fn forward_log_det(&self, x: Tensor<4>, _: &LogDetContext, _: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        let log_det = zeros_of(&x);
        Ok((self.forward(x), log_det))
    }

    fn inverse(&self, z: Tensor<4>, _: &FixedPoint, _: &LayerId, _: &mut InversionReport) -> Result<Tensor<4>> {
        Ok(Squeeze::inverse(self, z))
    }

    fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        _: Tensor<1>,
        _: Option<LogDetDraw>,
        _: &mut Gradients,
    ) -> Result<(Tensor<4>, Tensor<1>)> {
        let log_det = zeros_of(&x);
        Ok((Squeeze::inverse(self, z_bar), log_det))
    }
}
