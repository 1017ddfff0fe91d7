//! Channels of noise beside those of the image.

use super::residual_flow::ResidualFlow;
use crate::error::Result;
use burn::tensor::Tensor;
use rand::Rng;

/// Images with their padding.
pub struct Padded {
    /// `[batch, channels + padding channels, height, width]`
    pub input: Tensor<4>,
    /// `ln q(u)` of the padding of each image, `[batch]`, nats.
    pub log_density: Tensor<1>,
}

impl ResidualFlow {
    /// Images `[batch, channels, height, width]` with random channels of padding, as [`encode`](Self::encode) reads
    /// them. Images that have their padding already keep it, and a model without padding channels leaves them as they are.
    ///
    /// # Errors
    /// If the images have another shape.
    pub fn pad(&self, images: Tensor<4>, rng: &mut impl Rng) -> Result<Padded> {
        let (channels, device) = (self.padding_channels, images.device());
        let [b, c, h, w] = images.dims();
        let input = if channels > 0 && c == self.image[0] + channels {
            self.check("the batch of padded images", &images, self.input_shape())?;
            images
        } else {
            self.check("the image batch", &images, self.image)?;
            let noise = (channels > 0).then(|| self.padding.sample([b, channels, h, w], self.padding_levels, rng, &device));
            Tensor::cat(std::iter::once(images).chain(noise).collect(), 1)
        };
        let log_density = match channels {
            0 => Tensor::zeros([b], &device),
            _ => self.padding.log_density(input.clone().narrow(1, self.image[0], channels), self.padding_levels),
        };
        Ok(Padded { input, log_density })
    }

    /// The images in a batch with padding.
    pub fn unpad(&self, input: Tensor<4>) -> Tensor<4> {
        input.narrow(1, 0, self.image[0])
    }
}
