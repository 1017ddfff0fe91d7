//! What the layers of a model cost, for progress within a pass.

use residual_flows::ResidualFlow;
use std::sync::Arc;

/// What the layers of a pass through a model cost, in the order in which they are computed; in any unit.
#[derive(Clone)]
pub struct Costs(Arc<[f64]>);

impl Costs {
    /// Of these layers.
    pub fn new(costs: Vec<f64>) -> Self {
        // Layers that cost next to nothing are passed as well.
        let least = 1e-6 + costs.iter().sum::<f64>() * 1e-4;
        Self(costs.into_iter().map(|cost| cost + least).collect())
    }

    /// Of a pass forward, with log-determinants or without.
    pub fn forward(model: &ResidualFlow) -> Self {
        Self::new(model.layer_flops())
    }

    /// Of a pass backward.
    pub fn backward(model: &ResidualFlow) -> Self {
        Self::new(model.layer_flops().into_iter().rev().collect())
    }

    /// Of a pass forward and one backward, where a block's inverse takes as many evaluations as is usual.
    pub fn there_and_back(model: &ResidualFlow) -> Self {
        const EVALUATIONS: f64 = 10.0;
        let forward = model.layer_flops();
        Self::new(forward.iter().copied().chain(forward.iter().rev().map(|cost| EVALUATIONS * cost)).collect())
    }

    /// Of a gradient whose log-determinants take this many products: forward, then backward.
    pub fn gradient(model: &ResidualFlow, products: f64) -> Self {
        let forward = model.layer_flops();
        // A pullback is six passes.
        let backward = forward.iter().rev().map(|cost| (products + 6.0) * cost);
        Self::new(forward.iter().copied().chain(backward).collect())
    }

    /// Of this many layers that cost the same.
    pub fn equal(layers: usize) -> Self {
        Self::new(vec![1.0; layers])
    }

    /// Layers of a pass.
    pub fn n_layers(&self) -> usize {
        self.0.len()
    }

    /// The cost of the first `layers` layers as a part of all.
    pub fn before(&self, layers: usize) -> f64 {
        self.0[..layers].iter().sum::<f64>() / self.0.iter().sum::<f64>()
    }
}
