//! Sums over pixels of the parameters' gradients.

use super::{FusedLayer, FusedNet};
use crate::kernels::matrix::{OuterSum, padded};

/// See the [module](self).
pub(super) struct Sums {
    /// `[outputs, inputs]`, but of the last layer, which has fewer outputs than inputs, `[inputs, outputs]`.
    pub weights: Vec<OuterSum>,
    pub biases: Vec<Vec<f32>>,
    pub betas: Vec<f64>,
}

impl Sums {
    pub fn new(net: &FusedNet) -> Self {
        let last = net.activations.len();
        let sum = |(l, layer): (usize, &FusedLayer)| match l == last {
            true => OuterSum::new(layer.n_inputs(), layer.n_outputs()),
            false => OuterSum::new(layer.n_outputs(), layer.n_inputs()),
        };
        Self {
            weights: net.layers.iter().enumerate().map(sum).collect(),
            biases: (0..last).map(|l| vec![0.0; padded(net.width(l))]).collect(),
            betas: vec![0.0; last],
        }
    }

    /// The sum of all.
    pub fn merged(parts: Vec<Self>) -> Self {
        let mut parts = parts.into_iter();
        let mut total = parts.next().expect("a batch has at least one part");
        for part in parts {
            total.weights.iter_mut().zip(&part.weights).for_each(|(sum, other)| sum.merge(other));
            for (sum, other) in total.biases.iter_mut().flatten().zip(part.biases.iter().flatten()) {
                *sum += other;
            }
            total.betas.iter_mut().zip(&part.betas).for_each(|(sum, other)| *sum += other);
        }
        total
    }
}
