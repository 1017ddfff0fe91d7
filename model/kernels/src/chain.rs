//! What is made of a chain of vector-Jacobian products `u_0 = v`, `u_k = Jᵀ u_{k-1}`.

/// The weights of a chain whose length is known: `ℓ = Σ_k value_k ⟨u_k, v⟩` and `w = v + Σ_k gradient_k u_k`, `k ≥ 1`.
#[derive(Clone, Copy, Debug)]
pub struct ChainWeights<'a> {
    /// The weights of the terms in the value, from the first product on.
    pub value: &'a [f64],
    /// The weights of the terms in `w`, from the first product on.
    pub gradient: &'a [f64],
}

/// Sums over chains whose length depends on their terms: one number for each image of a batch.
pub trait ChainSums {
    /// Whether no image needs another product.
    fn is_done(&self) -> bool;
    /// Takes in the next term of each image, from its `⟨u_k, v⟩` and `‖u_k‖²`.
    fn add(&mut self, dots: &[f64], squares: &[f64]);
    /// The sum of each image.
    fn values(&self) -> Vec<f64>;
}

/// Begins sums for images with these `‖v‖²`.
pub type BeginSums<'a> = dyn Fn(&[f64]) -> Box<dyn ChainSums + 'a> + Sync + 'a;
