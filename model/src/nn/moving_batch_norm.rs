//! Batch normalisation by a moving mean, without variance.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// `y = x - m + β` for each channel, with a learned `β` and the moving mean `m` of `x` over batches and pixels.
///
/// `m` is a constant in training as in evaluation: a training step shifts by the mean that it found, and moves it
/// afterwards, by [`ResidualFlow::update_batch_norm`](crate::ResidualFlow::update_batch_norm).
#[derive(Module, Debug)]
pub struct MovingBatchNorm {
    /// `β`, `[channels]`
    pub bias: Param<Tensor<1>>,
    /// `m`, `[channels]`
    pub running_mean: Param<Tensor<1>>,
}

/// What a new batch counts in the moving mean.
const WEIGHT_OF_A_BATCH: f64 = 0.1;

impl MovingBatchNorm {
    /// The identity on images with this number of channels.
    pub fn new(channels: usize, device: &Device) -> Self {
        let zeros = || Param::from_tensor(Tensor::zeros([channels], device));
        Self { bias: zeros(), running_mean: zeros() }
    }

    /// `β - m`, what is added to each channel.
    pub(crate) fn shift(&self) -> Tensor<1> {
        self.bias.val() - self.running_mean.val()
    }

    /// Moves the mean towards the mean of `x` over a batch: `m ← m + (mean - m)/10`.
    pub(crate) fn observe(&mut self, mean: Tensor<1>) {
        let before = self.running_mean.val();
        let after = before.clone() + (mean - before) * WEIGHT_OF_A_BATCH;
        self.running_mean = Param::initialized(self.running_mean.id, after);
    }
}
