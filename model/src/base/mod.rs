//! Distributions of latents, which a flow maps data to.
//!
//! | file | `ln p(z)` |
//! | --- | --- |
//! | `standard_normal` | of independent standard normal coordinates: nothing is trained |
//! | `normal` | of a normal with a learned mean and standard deviation for each coordinate |
//! | `class_normals` | one such normal for each class |
//! | `mixture` | a mixture of such normals with learned weights |
//! | `student_t` | of independent coordinates with heavy tails, whose weights are learned |
//! | `config` | which of them a model has |
//!
//! A base is over whole latents `[batch, dimensions]`: what the scales factored out, then what the last scale leaves.

mod class_normals;
mod config;
mod mixture;
mod normal;
mod standard_normal;
mod student_t;

pub use class_normals::ClassNormals;
pub use config::{BaseConfig, BaseKind};
pub use mixture::Mixture;
pub use normal::Normal;
pub use standard_normal::StandardNormal;
pub use student_t::StudentT;

use crate::error::Result;
use crate::flow::collect_gradients;
use crate::gradients::Gradients;
use crate::numerics::limits::require;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// A distribution of latents.
#[derive(Module, Debug)]
#[non_exhaustive]
pub enum Base {
    /// See [`StandardNormal`].
    StandardNormal(StandardNormal),
    /// See [`Normal`].
    Normal(Normal),
    /// See [`ClassNormals`].
    ClassNormals(ClassNormals),
    /// See [`Mixture`].
    Mixture(Mixture),
    /// See [`StudentT`].
    StudentT(StudentT),
}

impl Base {
    /// `ln p(z)` of latents `[batch, dimensions]`: `[batch]`, nats.
    pub fn log_prob(&self, z: Tensor<2>) -> Tensor<1> {
        match self {
            Self::StandardNormal(base) => base.log_prob(z),
            Self::Normal(base) => base.log_prob(z),
            Self::ClassNormals(base) => base.log_prob(z),
            Self::Mixture(base) => base.log_prob(z),
            Self::StudentT(base) => base.log_prob(z),
        }
    }

    /// `n` latents `[n, dimensions]` at a temperature, which scales the distance of each latent from the mean of the normal that
    /// it is drawn from. With temperature 1 they have the density [`log_prob`](Self::log_prob).
    ///
    /// # Errors
    /// If the temperature is negative or not finite, or not 1 where it has no meaning ([`StudentT`]); if classes are given and are
    /// not as many.
    pub fn sample(
        &self,
        n: usize,
        dimensions: usize,
        temperature: f64,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Result<Tensor<2>> {
        let possible = temperature.is_finite() && temperature >= 0.0;
        require(possible, "temperature", "0 or a positive number", temperature)?;
        match self {
            Self::StandardNormal(base) => Ok(base.sample([n, dimensions], temperature, rng, device)),
            Self::Normal(base) => Ok(base.sample(n, temperature, rng)),
            Self::ClassNormals(base) => base.sample(n, temperature, rng),
            Self::Mixture(base) => Ok(base.sample(n, temperature, rng)),
            Self::StudentT(base) => base.sample(n, temperature, rng),
        }
    }

    /// The cotangent of `z` in `Σ_b w_b ln p(z_b)`, and `ln p(z)`; adds the parameters' gradients, where no formula is written out by
    /// automatic differentiation of [`log_prob`](Self::log_prob) alone.
    pub(crate) fn backward(&self, z: Tensor<2>, weight: Tensor<1>, gradients: &mut Gradients) -> (Tensor<2>, Tensor<1>) {
        match self {
            Self::StandardNormal(base) => return base.backward(z, weight),
            Self::Normal(base) => return base.backward(z, weight, gradients),
            _ => {}
        }
        let tracked = self.clone().train();
        let z = z.autodiff().require_grad();
        let log_prob = tracked.log_prob(z.clone());
        let value = log_prob.clone().inner();
        let mut all = (log_prob * weight.autodiff()).sum().backward();
        let z_bar = z.grad_remove(&mut all).unwrap_or_else(|| z.clone().inner().zeros_like());
        collect_gradients(&tracked, &mut all, gradients);
        (z_bar, value)
    }

    /// Has the base depend on this number of features of what is known about each sample, if it is a [`Normal`].
    pub(crate) fn condition_on(&mut self, features: usize) {
        if let Self::Normal(base) = self {
            base.condition_on(features);
        }
    }

    /// Takes the features of the samples of a batch, `[batch, features]`, or forgets them.
    pub(crate) fn set_embedding(&mut self, embedding: Option<&Tensor<2>>) {
        if let Self::Normal(base) = self {
            base.set_embedding(embedding);
        }
    }

    /// Without the classes that were given.
    pub(crate) fn without_classes(self) -> Self {
        match self {
            Self::ClassNormals(base) => Self::ClassNormals(base.not_given()),
            other => other,
        }
    }

    /// With the class of each sample of a batch, where the base has classes.
    pub(crate) fn given_classes(self, classes: &[u32]) -> Result<Self> {
        match self {
            Self::ClassNormals(base) => Ok(Self::ClassNormals(base.given(classes)?)),
            other => Ok(other),
        }
    }
}

/// `ln N(z; μ, diag(exp(2 s)))` of each row of `z`, with one mean and log-scale for all rows, `[1, dimensions]`, or one a row:
/// `-½ Σ_d ((z_d - μ_d) e^{-s_d})² - Σ_d s_d - (D/2) ln 2π`.
fn normal_log_prob(z: Tensor<2>, mean: Tensor<2>, log_scale: Tensor<2>) -> Tensor<1> {
    let standardized = (z - mean) * log_scale.clone().neg().exp();
    crate::numerics::standard_normal_log_prob(standardized) - log_scale.sum_dim(1).squeeze_dim(1)
}
