//! What a dense layer puts beside its input, and with which weights.

use super::activation::softplus;
use crate::gradients::Gradients;
use crate::numerics::tensor::to_doubles;
use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};

/// `[η₁ x; η₂ φ(W x + b)]` of a dense layer, with `η_i = c e_i / √(e₁² + e₂²)` and `e_i = softplus(K_i) + 0.1`; where the
/// weights are not learned, `η₁ = η₂ = c/√2`.
///
/// Since `η₁² + η₂² = c²`, the layer's Lipschitz constant is `√(η₁² + η₂² L²) ≤ c` if `φ(W x + b)` has one of `L ≤ 1`.
///
/// # References
/// Perugachi-Diaz, Tomczak, Bhulai (2021), Invertible DenseNets with Concatenated LipSwish, section 3.
/// <https://arxiv.org/abs/2102.02694>
#[derive(Module, Debug)]
pub struct Concatenation {
    /// `K₁`, `[1]`, if it is learned.
    pub(crate) k1: Option<Param<Tensor<1>>>,
    /// `K₂`, `[1]`, if it is learned.
    pub(crate) k2: Option<Param<Tensor<1>>>,
    bound: f64,
}

/// Where `K` starts.
const INITIAL: f32 = 1.0;
/// What is added to the softplus, so that neither part vanishes.
const LEAST: f64 = 0.1;

impl Concatenation {
    /// With equal weights, and `c`.
    pub(crate) fn new(bound: f64, learnable: bool, device: &Device) -> Self {
        let initial = || learnable.then(|| Param::from_tensor(Tensor::from_floats([INITIAL], device)));
        Self { k1: initial(), k2: initial(), bound }
    }

    /// `K₁` and `K₂`, each `[1]`, if they are learned.
    pub fn weights(&self) -> Option<[&Param<Tensor<1>>; 2]> {
        self.k1.as_ref().zip(self.k2.as_ref()).map(|(k1, k2)| [k1, k2])
    }

    /// Sets both weights back to where they start.
    pub(crate) fn reset(&mut self) {
        let initial = |k: Param<Tensor<1>>| k.map(|k| k.ones_like() * INITIAL);
        (self.k1, self.k2) = (self.k1.take().map(initial), self.k2.take().map(initial));
    }

    /// `η₁` and `η₂`, each `[1]`.
    pub(crate) fn factors(&self, device: &Device) -> [Tensor<1>; 2] {
        let Some(weights) = self.weights() else {
            return [(); 2].map(|()| Tensor::full([1], self.bound / 2f64.sqrt(), device));
        };
        let e = weights.map(|k| softplus(k.val()) + LEAST);
        let length = length(&e);
        e.map(|e| e * self.bound / length.clone())
    }

    /// Adds the gradients by `K₁` and `K₂` from those by `η₁` and `η₂`: `∂η_i/∂e_j = c (δ_ij/n - e_i e_j/n³)`,
    /// `n = √(e₁² + e₂²)`.
    pub(crate) fn add_gradients(&self, by_factors: [Tensor<1>; 2], gradients: &mut Gradients) {
        let Some(weights) = self.weights() else { return };
        let e = weights.map(|k| softplus(k.val()) + LEAST);
        let length = length(&e);
        let [first, second] = &by_factors;
        let along = (first.clone() * e[0].clone() + second.clone() * e[1].clone()) / length.clone().square();
        for ((k, e), by_factor) in weights.into_iter().zip(e).zip(by_factors) {
            let by_e = (by_factor - e * along.clone()) * self.bound / length.clone();
            gradients.add(k, by_e * sigmoid(k.val()));
        }
    }

    /// The dense layer's Lipschitz constant where its new part has this one.
    pub(crate) fn lipschitz(&self, of_new_part: f64) -> f64 {
        let Some(weights) = self.weights() else { return self.bound * ((1.0 + of_new_part * of_new_part) / 2.0).sqrt() };
        let [e1, e2] = weights.map(|k| to_doubles(k.val())[0].exp().ln_1p() + LEAST);
        self.bound * e1.hypot(e2 * of_new_part) / e1.hypot(e2)
    }

    /// The same whatever the weights are.
    pub(crate) fn largest_lipschitz(&self, of_new_part: f64) -> f64 {
        match self.weights() {
            Some(_) => self.bound * of_new_part.max(1.0),
            None => self.lipschitz(of_new_part),
        }
    }
}

/// `√(e₁² + e₂²)`
fn length([first, second]: &[Tensor<1>; 2]) -> Tensor<1> {
    (first.clone().square() + second.clone().square()).sqrt()
}
