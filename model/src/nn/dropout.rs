//! Dropout of what a network's last layer reads.

use crate::numerics::tensor::from_vec;
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// Channel dropout: each channel is left out with the same probability `p`, and kept channels are scaled by `1/(1-p)`. No channel
/// is left out before a mask is drawn, or after it has been cleared.
///
/// # References
/// Srivastava et al. (2014), Dropout. <https://jmlr.org/papers/v15/srivastava14a.html>
#[derive(Clone, Debug)]
pub(crate) struct Dropout {
    probability: f64,
    /// Each channel's factor while a training step is made, `[batch, 1, 1, channels]`.
    mask: Option<Box<Tensor<4>>>,
}

impl Dropout {
    /// With the probability that a channel is left out; 0 for no dropout.
    pub fn new(probability: f64) -> Self {
        Self { probability, mask: None }
    }

    /// Draws which of `channels` channels the next training step leaves out.
    pub fn draw(&mut self, batch: usize, channels: usize, rng: &mut impl Rng, device: &Device) {
        if self.probability == 0.0 {
            return;
        }
        let kept = (1.0 / (1.0 - self.probability)) as f32;
        let factors = (0..batch * channels).map(|_| if rng.random_bool(self.probability) { 0.0 } else { kept });
        self.mask = Some(Box::new(from_vec(factors.collect(), [batch, 1, 1, channels], device)));
    }

    /// Takes all channels in again.
    pub fn clear(&mut self) {
        self.mask = None;
    }

    /// The factors, if there are any.
    pub fn mask(&self) -> Option<Tensor<4>> {
        self.mask.as_deref().cloned()
    }
}
