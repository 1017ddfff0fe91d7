//! Channels of noise beside those of the image.

use super::ResidualFlow;
use crate::error::Result;
use crate::tensor::from_vec;
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
    /// Noise `[batch, channels, height, width]` and its log-density, `[batch]`.
    fn sample(self, dims: [usize; 4], levels: u32, rng: &mut impl Rng, device: &Device) -> (Tensor<4>, Tensor<1>) {
        let size = dims.iter().product::<usize>();
        let per_image = (size / dims[0].max(1)) as f64;
        match self {
            PaddingNoise::Uniform => {
                let width = 1.0 / levels as f32;
                let noise = (0..size).map(|_| rng.random::<f32>() * width).collect();
                (from_vec(noise, dims, device), Tensor::full([dims[0]], per_image * f64::from(levels).ln(), device))
            }
            PaddingNoise::Gaussian => {
                let standard = StandardNormal.sample_iter(rng).filter(|n: &f32| n.abs() <= 4.0).take(size).collect();
                let standard: Tensor<4> = from_vec(standard, dims, device);
                let constant = -0.5 * (2.0 * std::f64::consts::PI).ln() - STD.ln() - LOG_MASS;
                let squares: Tensor<1> = standard.clone().square().sum_dims_squeeze(&[1, 2, 3]);
                (standard * STD + 0.5, squares * -0.5 + per_image * constant)
            }
        }
    }
}

impl ResidualFlow {
    /// Images `[batch, channels, height, width]` with random channels of padding, as [`encode`](Self::encode) reads
    /// them. A model without padding channels leaves images as they are.
    ///
    /// # Errors
    /// If the images have another shape.
    pub fn pad(&self, images: Tensor<4>, rng: &mut impl Rng) -> Result<Padded> {
        self.check("the image batch", &images, self.image)?;
        let [b, _, h, w] = images.dims();
        let device = images.device();
        if self.padding_channels == 0 {
            return Ok(Padded { input: images, log_density: Tensor::zeros([b], &device) });
        }
        let (noise, log_density) = self.padding.sample([b, self.padding_channels, h, w], self.padding_levels, rng, &device);
        Ok(Padded { input: Tensor::cat(vec![images, noise], 1), log_density })
    }

    /// The images in a batch with padding.
    pub fn unpad(&self, input: Tensor<4>) -> Tensor<4> {
        input.narrow(1, 0, self.image[0])
    }
}
