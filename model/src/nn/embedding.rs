//! What is known about samples as vectors of features.

use crate::gradients::Gradients;
use crate::numerics::randomness::{gaussian, uniform};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// Features of what is known about each sample, which all conditional layers share.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one a model")]
pub enum Embedding {
    /// Of classes.
    Classes(ClassEmbedding),
    /// Of vectors.
    Vectors(VectorEmbedding),
}

/// A learned vector for each class.
#[derive(Module, Debug)]
pub struct ClassEmbedding {
    /// `[classes, features]`
    pub table: Param<Tensor<2>>,
}

/// `W_2 tanh(W_1 (c - mean) / std + b_1) + b_2` of a vector `c`.
#[derive(Module, Debug)]
pub struct VectorEmbedding {
    /// Subtracted from each column, `[columns]`; not trained.
    pub mean: Param<Tensor<1>>,
    /// What each column is divided by, `[columns]`; not trained.
    pub std: Param<Tensor<1>>,
    /// `W_1`, `[columns, features]`
    pub weight_in: Param<Tensor<2>>,
    /// `b_1`
    pub bias_in: Param<Tensor<1>>,
    /// `W_2`, `[features, features]`
    pub weight_out: Param<Tensor<2>>,
    /// `b_2`
    pub bias_out: Param<Tensor<1>>,
}

impl ClassEmbedding {
    /// With standard normal vectors.
    pub(crate) fn random(classes: usize, features: usize, rng: &mut impl Rng, device: &Device) -> Self {
        Self { table: Param::from_tensor(gaussian([classes, features], rng, device)) }
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.table.lazy_shape()[0]
    }

    /// Of classes given as rows of the unit matrix, `[batch, classes]`.
    pub(crate) fn forward(&self, classes: Tensor<2>) -> Tensor<2> {
        classes.matmul(self.table.val())
    }

    pub(crate) fn backward(&self, classes: Tensor<2>, bar: Tensor<2>, gradients: &mut Gradients) {
        gradients.add(&self.table, classes.transpose().matmul(bar));
    }
}

impl VectorEmbedding {
    /// With random weights, and columns as they are.
    pub(crate) fn random(columns: usize, features: usize, rng: &mut impl Rng, device: &Device) -> Self {
        let mut weight = |inputs: usize| {
            let limit = (3.0 / inputs as f32).sqrt();
            Param::from_tensor(uniform([inputs, features], limit, rng, device))
        };
        let zeros = || Param::from_tensor(Tensor::zeros([features], device));
        Self {
            mean: Param::from_tensor(Tensor::zeros([columns], device)),
            std: Param::from_tensor(Tensor::ones([columns], device)),
            weight_in: weight(columns),
            bias_in: zeros(),
            weight_out: weight(features),
            bias_out: zeros(),
        }
    }

    /// How many columns vectors have.
    pub fn columns(&self) -> usize {
        self.mean.lazy_shape()[0]
    }

    fn standardized(&self, vectors: Tensor<2>) -> Tensor<2> {
        (vectors - self.mean.val().unsqueeze()) / self.std.val().unsqueeze()
    }

    fn hidden(&self, standardized: Tensor<2>) -> Tensor<2> {
        (standardized.matmul(self.weight_in.val()) + self.bias_in.val().unsqueeze()).tanh()
    }

    /// Of vectors `[batch, columns]`.
    pub(crate) fn forward(&self, vectors: Tensor<2>) -> Tensor<2> {
        self.hidden(self.standardized(vectors)).matmul(self.weight_out.val()) + self.bias_out.val().unsqueeze()
    }

    /// With `h = tanh(a)`: `h̄ = ē W_2ᵀ`, `ā = h̄ (1 - h²)`.
    pub(crate) fn backward(&self, vectors: Tensor<2>, bar: Tensor<2>, gradients: &mut Gradients) {
        let standardized = self.standardized(vectors);
        let hidden = self.hidden(standardized.clone());
        gradients.add(&self.weight_out, hidden.clone().transpose().matmul(bar.clone()));
        gradients.add(&self.bias_out, bar.clone().sum_dims_squeeze(&[0]));
        let before = bar.matmul(self.weight_out.val().transpose()) * (hidden.square().neg() + 1.0);
        gradients.add(&self.weight_in, standardized.transpose().matmul(before.clone()));
        gradients.add(&self.bias_in, before.sum_dims_squeeze(&[0]));
    }
}
