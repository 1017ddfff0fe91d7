//! What a layer makes of what is known about each sample.

use crate::gradients::Gradients;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// Numbers for each sample, linear in the embedding `e` of what is known about it: `e W`. There is no bound on `W`: where they are
/// added to a hidden layer, the network's Lipschitz constant in `x` stays as it is.
///
/// `W` is zero at the start, so that nothing depends on the context until training finds that it should.
#[derive(Module, Debug)]
pub struct Conditioner {
    /// `W`, `[features, outputs]`
    pub weight: Param<Tensor<2>>,
    /// `e` of the samples of a batch, `[batch, features]`.
    #[module(skip)]
    embedding: Option<Box<Tensor<2>>>,
}

impl Conditioner {
    /// From this number of features to this number of outputs.
    pub(crate) fn new(features: usize, outputs: usize, device: &Device) -> Self {
        Self { weight: Param::from_tensor(Tensor::zeros([features, outputs], device)), embedding: None }
    }

    /// Takes the embedding of a batch, or forgets it.
    pub(crate) fn set_embedding(&mut self, embedding: Option<&Tensor<2>>) {
        self.embedding = embedding.cloned().map(Box::new);
    }

    /// `e W`, `[batch, outputs]`; `None` where nothing is known.
    pub(crate) fn outputs(&self) -> Option<Tensor<2>> {
        self.embedding.as_deref().map(|embedding| embedding.clone().matmul(self.weight.val()))
    }

    /// From the cotangent of the outputs: adds the gradient of `W`, `eᵀ b̄`, and the cotangent of the embedding, `b̄ Wᵀ`.
    pub(crate) fn backward(&self, bar: Tensor<2>, gradients: &mut Gradients) {
        let Some(embedding) = self.embedding.as_deref() else { return };
        gradients.add(&self.weight, embedding.clone().transpose().matmul(bar.clone()));
        gradients.add_embedding(bar.matmul(self.weight.val().transpose()));
    }
}
