//! Channels of noise beside those of the image.

use super::residual_flow::ResidualFlow;
use crate::error::Result;
use crate::numerics::tensor::from_vec;
use burn::tensor::{Device, Tensor};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// Which noise pads the images; its density `q(u)` is part of the bound `ln p(x) ≥ E[ln p(x, u) - ln q(u)]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaddingNoise {
    /// Uniform in `[0, 1/levels)`: like the dequantisation noise of a black channel.
    Uniform,
    /// Normal with mean ½ and standard deviation ⅛, cut to `[0, 1]` (four standard deviations), where input transforms
    /// are defined.
    Gaussian,
}

/// Images with their padding.
pub struct Padded {
    /// `[batch, channels + padding channels, height, width]`
    pub input: Tensor<4>,
    /// `ln q(u)` of the padding of each image, `[batch]`, nats.
    pub log_density: Tensor<1>,
}

const STD: f64 = 0.125;
/// `ln P(|N(0, 1)| ≤ 4)`
const LOG_MASS: f64 = -6.334448476e-5;

impl PaddingNoise {
    /// Noise `[batch, channels, height, width]`.
    fn sample(self, dims: [usize; 4], levels: u32, rng: &mut impl Rng, device: &Device) -> Tensor<4> {
        let size = dims.iter().product::<usize>();
        match self {
            PaddingNoise::Uniform => {
                let width = 1.0 / levels as f32;
                from_vec((0..size).map(|_| rng.random::<f32>() * width).collect(), dims, device)
            }
            PaddingNoise::Gaussian => {
                let standard = StandardNormal.sample_iter(rng).filter(|n: &f32| n.abs() <= 4.0).take(size).collect();
                from_vec::<4>(standard, dims, device) * STD + 0.5
            }
        }
    }

    /// The log-density of such noise, `[batch]`, nats.
    fn log_density(self, noise: Tensor<4>, levels: u32) -> Tensor<1> {
        let [batch, c, h, w] = noise.dims();
        let per_image = (c * h * w) as f64;
        match self {
            PaddingNoise::Uniform => Tensor::full([batch], per_image * f64::from(levels).ln(), &noise.device()),
            PaddingNoise::Gaussian => {
                let constant = -0.5 * (2.0 * std::f64::consts::PI).ln() - STD.ln() - LOG_MASS;
                let squares: Tensor<1> = ((noise - 0.5) / STD).square().sum_dims_squeeze(&[1, 2, 3]);
                squares * -0.5 + per_image * constant
            }
        }
    }
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
