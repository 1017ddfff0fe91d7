//! The noise of padding channels, and its density.

use crate::numerics::tensor::from_vec;
use burn::tensor::{Device, Tensor};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which noise pads the images; its density `q(u)` is part of the bound `ln p(x) ≥ E[ln p(x, u) - ln q(u)]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaddingNoise {
    /// Uniform in `[0, 1/levels)`: like the dequantisation noise of a black channel.
    Uniform,
    /// Normal with mean ½ and standard deviation ⅛, cut to `[0, 1]` (four standard deviations), where input transforms
    /// are defined.
    Gaussian,
}

const STD: f64 = 0.125;
/// `ln P(|N(0, 1)| ≤ 4)`
const LOG_MASS: f64 = -6.334448476e-5;

impl PaddingNoise {
    /// Noise `[batch, channels, height, width]`.
    pub(super) fn sample(self, dims: [usize; 4], levels: u32, rng: &mut impl Rng, device: &Device) -> Tensor<4> {
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
    pub(super) fn log_density(self, noise: Tensor<4>, levels: u32) -> Tensor<1> {
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
