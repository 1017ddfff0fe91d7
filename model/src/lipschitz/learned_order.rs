//! Norm orders that are trained: what they are made of, and the gradient of a layer's norm by them.

use super::norm_order::{CLOSEST_TO_ONE, NormOrder, NormPair};
use super::vector_norm::{aligned, norm};
use burn::module::Param;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a network's norm orders are trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NormLearning {
    /// They are fixed.
    #[default]
    Off,
    /// One order a layer: the domain of the layer and the codomain of the one before, around a circle.
    PerLayer,
    /// One order for all layers of a network.
    Shared,
}

impl NormLearning {
    /// How many orders a network with this number of layers trains.
    pub(crate) fn count(self, layers: usize) -> usize {
        match self {
            NormLearning::Off => 0,
            NormLearning::PerLayer => layers,
            NormLearning::Shared => 1,
        }
    }
}

/// `½ ln 3`: where `t = 0` is `p = 2`.
const OFFSET: f64 = 0.549_306_144_334_054_8;

/// `p = 3 + 2 tanh(-h(½ ln 3 - t))` with `h(x) = 0.3 x + 0.7 elu(x)`, between 1 and 5, and `∂p/∂t`.
///
/// (Chen et al. 2019, appendix; with the reference implementation's constants.)
pub(crate) fn order_of(t: f64) -> (NormOrder, f64) {
    let x = OFFSET - t;
    let (h, slope) = if x > 0.0 { (x, 1.0) } else { (0.3 * x + 0.7 * x.exp_m1(), 0.3 + 0.7 * x.exp()) };
    let squashed = (-h).tanh();
    let p = (3.0 + 2.0 * squashed).max(CLOSEST_TO_ONE);
    (NormOrder::new(p).unwrap_or(NormOrder::TWO), 2.0 * (1.0 - squashed * squashed) * slope)
}

/// A trained order's parameter `t`.
pub(crate) fn parameter(order: &Param<Tensor<1>>) -> f64 {
    f64::from(crate::numerics::tensor::to_vec(order.val())[0])
}

/// `∂σ/∂p` and `∂σ/∂q` of `σ = ‖Wᵀ u‖_{p*}` with `u` aligned with `W v` in the norm `q*`, where `W` and `v` are constant.
///
/// This is one step of the iteration from `v`; the norm's own gradient, which at a fixed point has the same value, would
/// have to be followed through the iteration. With `k = p*`, `w = Wᵀ u` and `u_i ∝ sign(z_i) |z_i|^{q-1}`:
///
/// ```text
/// ∂ ln‖w‖_k/∂k = (m_k - ln‖w‖_k) / k          m_k: mean of ln|w_i| with weights |w_i|ᵏ
/// ∂ ln|u_i|/∂q = ln|z_i| - ln‖z‖_q / q - (1 - 1/q) m_q
/// ```
pub(super) fn sigma_by_orders(
    pair: NormPair,
    v: &[f64],
    apply: impl Fn(&[f64]) -> Vec<f64>,
    apply_transposed: impl Fn(&[f64]) -> Vec<f64>,
) -> [f64; 2] {
    let (p, q) = (pair.domain, pair.codomain);
    let z = apply(v);
    let u = aligned(&z, q.dual());
    let w = apply_transposed(&u);
    let dual = p.dual();
    let length = norm(&w, dual);
    let by_dual = length * (mean_logarithm(&w, dual) - length.ln()) / dual.get();
    let by_p = -by_dual / (p.get() - 1.0).powi(2);

    let image = apply(&aligned(&w, p));
    let (length, mean) = (norm(&z, q).ln(), mean_logarithm(&z, q));
    let q = q.get();
    let slope = |z: f64| z.abs().ln() - length / q - (1.0 - 1.0 / q) * mean;
    let terms = z.iter().zip(&u).zip(&image).filter(|((z, _), _)| **z != 0.0);
    let by_q = terms.map(|((&z, &u), &image)| slope(z) * u * image).sum();
    [by_p, by_q]
}

/// The mean of `ln|x_i|` with weights `|x_i|ᵏ`.
fn mean_logarithm(x: &[f64], order: NormOrder) -> f64 {
    let largest = x.iter().fold(0f64, |max, value| max.max(value.abs()));
    let weighted = x.iter().filter(|value| **value != 0.0).map(|value| {
        let weight = (value.abs() / largest).powf(order.get());
        (weight, weight * value.abs().ln())
    });
    let (weights, logarithms) = weighted.fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d));
    logarithms / weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_the_euclidean_norm() {
        let (order, slope) = order_of(0.0);
        assert!((order.get() - 2.0).abs() < 1e-12 && slope > 0.0);
        assert!(order_of(-50.0).0.get() > 1.0 && order_of(50.0).0.get() <= 5.0);
    }

    #[test]
    fn slopes_are_those_of_finite_differences() {
        for t in [-2.0, -0.3, 0.0, 0.5493, 0.8, 3.0] {
            let step = 1e-5;
            let difference = (order_of(t + step).0.get() - order_of(t - step).0.get()) / (2.0 * step);
            assert!((order_of(t).1 - difference).abs() < 1e-4, "t = {t}: {} for {difference}", order_of(t).1);
        }
    }

    #[test]
    fn the_gradient_of_sigma_is_that_of_finite_differences() {
        let weight = [[0.7f64, -1.3, 0.4, 0.0], [0.2, 0.5, -0.9, 0.0], [1.1, 0.3, 0.8, 0.0]];
        let apply = |v: &[f64]| weight.iter().map(|row| row.iter().zip(v).map(|(a, b)| a * b).sum()).collect::<Vec<f64>>();
        let transposed = |u: &[f64]| (0..4).map(|i| weight.iter().zip(u).map(|(row, u)| row[i] * u).sum()).collect::<Vec<f64>>();
        let v = [0.5f64, -0.4, 0.6, 0.2];
        let sigma = |p: f64, q: f64| {
            let u = aligned(&apply(&v), NormOrder::new(q).unwrap().dual());
            norm(&transposed(&u), NormOrder::new(p).unwrap().dual())
        };
        for (p, q) in [(2.0, 2.0), (1.4, 3.0), (3.5, 1.6)] {
            let pair = NormPair { domain: NormOrder::new(p).unwrap(), codomain: NormOrder::new(q).unwrap() };
            let [by_p, by_q] = sigma_by_orders(pair, &v, apply, transposed);
            let step = 1e-3;
            let want_p = (sigma(p + step, q) - sigma(p - step, q)) / (2.0 * step);
            let want_q = (sigma(p, q + step) - sigma(p, q - step)) / (2.0 * step);
            assert!((by_p - want_p).abs() < 1e-3 * (1.0 + want_p.abs()), "{p} {q}: {by_p} for {want_p}");
            assert!((by_q - want_q).abs() < 1e-3 * (1.0 + want_q.abs()), "{p} {q}: {by_q} for {want_q}");
        }
    }
}
