//! From the unit interval to the real line.

use crate::error::Result;
use crate::flow::{Flow, LayerId, LogDetContext};
use crate::gradients::Gradients;
use crate::log_det::LogDetDraw;
use crate::numerics::{FixedPoint, InversionReport};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

/// `z = logit(s)` with `s = α + (1 - 2α) x`, elementwise.
///
/// `log_det = Σ ln(1 - 2α) - ln(s (1 - s))`. Valid for `x` in `[0, 1]`; `α > 0` keeps the ends finite.
///
/// # Shapes
/// - `x`, `z`: `[batch, channels, height, width]`
///
/// # References
/// Dinh et al. (2017), Density estimation using Real NVP, section 4.1. <https://arxiv.org/abs/1605.08803>
#[derive(Module, Debug)]
pub struct Logit {
    alpha: f64,
}

impl Logit {
    /// With this `α`, between 0 and ½.
    pub fn new(alpha: f64) -> Self {
        Self { alpha }
    }

    fn slope(&self) -> f64 {
        1.0 - 2.0 * self.alpha
    }

    fn shrink(&self, x: Tensor<4>) -> Tensor<4> {
        x * self.slope() + self.alpha
    }

    /// `1 - s`, without the cancellation near `s = 1`.
    fn complement(&self, x: Tensor<4>) -> Tensor<4> {
        (x.neg() + 1.0) * self.slope() + self.alpha
    }

    /// Data to latent.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.shrink(x.clone()).log() - self.complement(x).log()
    }

    /// `[batch]`, nats.
    pub fn log_det(&self, x: Tensor<4>) -> Tensor<1> {
        let log = self.shrink(x.clone()).log() + self.complement(x).log();
        (log.neg() + self.slope().ln()).sum_dims_squeeze(&[1, 2, 3])
    }

    /// Latent to data.
    pub fn inverse(&self, z: Tensor<4>) -> Tensor<4> {
        (sigmoid(z) - self.alpha) / self.slope()
    }

    /// `x̄ = (1 - 2α) / (s (1 - s)) · (z̄ + ℓ̄ (2s - 1))`.
    pub(crate) fn backward(&self, x: Tensor<4>, z_bar: Tensor<4>, log_det_bar: Tensor<1>) -> Tensor<4> {
        let (s, t) = (self.shrink(x.clone()), self.complement(x));
        let log_det_bar = log_det_bar.reshape([-1, 1, 1, 1]);
        (z_bar + (s.clone() - t.clone()) * log_det_bar) * self.slope() / (s * t)
    }
}

impl Flow for Logit {
    fn forward(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        Ok(Logit::forward(self, x))
    }

    fn forward_log_det(&self, x: Tensor<4>, _: &LogDetContext, _: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        Ok((self.forward(x.clone()), self.log_det(x)))
    }

    fn inverse(&self, z: Tensor<4>, _: &FixedPoint, _: &LayerId, _: &mut InversionReport) -> Result<Tensor<4>> {
        Ok(Logit::inverse(self, z))
    }

    fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        _: Option<LogDetDraw>,
        _: &mut Gradients,
    ) -> Result<(Tensor<4>, Tensor<1>)> {
        Ok((Logit::backward(self, x.clone(), z_bar, log_det_bar), self.log_det(x)))
    }
}
