//! A mixture of normal distributions.

use super::normal_log_prob;
use crate::numerics::gaussian;
use crate::numerics::tensor::to_vec;
use burn::module::{Module, Param};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::Rng;

/// `ln p(z) = ln Σ_k w_k Π_d N(z_d; μ_kd, σ_kd²)` with `w = softmax(logits)`. Samples at temperature `T` are `μ_k + T σ_k ε` with a
/// component `k` drawn by the weights, whatever the temperature.
#[derive(Module, Debug)]
pub struct Mixture {
    /// `[components]`
    pub logits: Param<Tensor<1>>,
    /// `μ`, `[components, dimensions]`
    pub mean: Param<Tensor<2>>,
    /// `ln σ`, `[components, dimensions]`
    pub log_scale: Param<Tensor<2>>,
}

impl Mixture {
    /// Components of equal weight and standard deviation 1, with means from `N(0, I/D)`: about 1 away from the origin in every
    /// number of dimensions `D`, so that training can tell them apart.
    pub fn random(components: usize, dimensions: usize, rng: &mut impl Rng, device: &Device) -> Self {
        let mean = gaussian([components, dimensions], rng, device) / (dimensions as f64).sqrt();
        Self {
            logits: Param::from_tensor(Tensor::zeros([components], device)),
            mean: Param::from_tensor(mean),
            log_scale: Param::from_tensor(Tensor::zeros([components, dimensions], device)),
        }
    }

    pub(super) fn log_prob(&self, z: Tensor<2>) -> Tensor<1> {
        let (mean, log_scale) = (self.mean.val(), self.log_scale.val());
        let of_component = |k: usize| {
            let [mean, log_scale] = [&mean, &log_scale].map(|rows| rows.clone().narrow(0, k, 1));
            normal_log_prob(z.clone(), mean, log_scale)
        };
        let densities: Tensor<2> = Tensor::stack((0..mean.dims()[0]).map(of_component).collect(), 1);
        log_sum_exp(densities + log_softmax(self.logits.val(), 0).unsqueeze())
    }

    pub(super) fn sample(&self, n: usize, temperature: f64, rng: &mut impl Rng) -> Tensor<2> {
        let (mean, scale) = (self.mean.val(), self.log_scale.val().exp());
        let device = mean.device();
        let weights: Vec<f64> = to_vec(log_softmax(self.logits.val(), 0)).into_iter().map(|log| f64::from(log).exp()).collect();
        let total: f64 = weights.iter().sum();
        let component = |_| {
            let mut left = rng.random::<f64>() * total;
            let reached = weights.iter().position(|weight| {
                left -= weight;
                left < 0.0
            });
            // Rounding may leave nothing: the last component ends the interval.
            reached.unwrap_or(weights.len() - 1) as i32
        };
        let rows: Vec<i32> = (0..n).map(component).collect();
        let rows: Tensor<1, Int> = Tensor::from_data(TensorData::new(rows, [n]), &device);
        let noise = gaussian([n, mean.dims()[1]], rng, &device) * temperature;
        noise * scale.select(0, rows.clone()) + mean.select(0, rows)
    }
}

/// `ln Σ_k exp(x_k)` of each row. Where all of a row is `-∞`, or some of it not a number, so is the result.
pub(super) fn log_sum_exp(rows: Tensor<2>) -> Tensor<1> {
    // A constant that the result does not depend on, but its rounding; finite, so that `-∞ - max` is no NaN.
    let max = rows.clone().detach().max_dim(1).clamp_min(f64::from(f32::MIN));
    let sum = (rows - max.clone()).exp().sum_dim(1).log();
    (sum + max).squeeze_dim(1)
}
