//! A normal distribution with a learned mean and standard deviation for each coordinate.

use super::normal_log_prob;
use crate::gradients::Gradients;
use crate::nn::Conditioner;
use crate::numerics::gaussian;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// `ln p(z) = Σ_d ln N(z_d; μ_d, σ_d²)`, `σ = exp(log_scale)`. Samples at temperature `T` are `μ + T σ ε`. In a conditional model both
/// depend on what is known about a sample.
#[derive(Module, Debug)]
pub struct Normal {
    /// `μ`, `[dimensions]`
    pub mean: Param<Tensor<1>>,
    /// `ln σ`, `[dimensions]`
    pub log_scale: Param<Tensor<1>>,
    /// From features of what is known about each sample to what is added to both, `[features, 2 · dimensions]`.
    conditioner: Option<Conditioner>,
}

impl Normal {
    /// The standard normal distribution, to be trained.
    pub fn standard(dimensions: usize, device: &Device) -> Self {
        let zeros = || Param::from_tensor(Tensor::zeros([dimensions], device));
        Self { mean: zeros(), log_scale: zeros(), conditioner: None }
    }

    pub(super) fn condition_on(&mut self, features: usize) {
        let dimensions = self.mean.lazy_shape()[0];
        self.conditioner = Some(Conditioner::new(features, 2 * dimensions, &self.mean.lazy_device()));
    }

    pub(super) fn set_embedding(&mut self, embedding: Option<&Tensor<2>>) {
        if let Some(conditioner) = &mut self.conditioner {
            conditioner.set_embedding(embedding);
        }
    }

    /// Mean and log-scale of all samples, `[1, dimensions]`, or of each one.
    fn of_samples(&self) -> [Tensor<2>; 2] {
        let (mean, log_scale): (Tensor<2>, Tensor<2>) = (self.mean.val().unsqueeze(), self.log_scale.val().unsqueeze());
        let dimensions = mean.dims()[1];
        match self.conditioner.as_ref().and_then(Conditioner::outputs) {
            Some(more) => [mean + more.clone().narrow(1, 0, dimensions), log_scale + more.narrow(1, dimensions, dimensions)],
            None => [mean, log_scale],
        }
    }

    pub(super) fn log_prob(&self, z: Tensor<2>) -> Tensor<1> {
        let [mean, log_scale] = self.of_samples();
        normal_log_prob(z, mean, log_scale)
    }

    /// With `s = (z - μ)/σ`: `z̄ = -w s/σ`, `μ̄ = -z̄`, and `w (s² - 1)` by the log-scale.
    pub(super) fn backward(&self, z: Tensor<2>, weight: Tensor<1>, gradients: &mut Gradients) -> (Tensor<2>, Tensor<1>) {
        let log_prob = self.log_prob(z.clone());
        let [mean, log_scale] = self.of_samples();
        let inverse = log_scale.neg().exp();
        let standardized = (z - mean) * inverse.clone();
        let weight: Tensor<2> = weight.reshape([-1, 1]);
        let by_mean = standardized.clone() * inverse * weight.clone();
        let by_scale = (standardized.square() - 1.0) * weight;
        gradients.add(&self.mean, by_mean.clone().sum_dims_squeeze(&[0]));
        gradients.add(&self.log_scale, by_scale.clone().sum_dims_squeeze(&[0]));
        if let Some(conditioner) = &self.conditioner {
            conditioner.backward(Tensor::cat(vec![by_mean.clone(), by_scale], 1), gradients);
        }
        (by_mean.neg(), log_prob)
    }

    pub(super) fn sample(&self, n: usize, temperature: f64, rng: &mut impl Rng) -> Tensor<2> {
        let [mean, log_scale] = self.of_samples();
        let noise = gaussian([n, mean.dims()[1]], rng, &mean.device()) * temperature;
        noise * log_scale.exp() + mean
    }
}
