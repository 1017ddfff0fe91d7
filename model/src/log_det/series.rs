//! The power series with Hutchinson's trace estimate: its value and its gradient's vectors from chains of products.

use super::determinant::Determinant;
use super::products::{Estimate, Products};
use super::terms::ValueTerms;
use crate::numerics::tensor::{from_vec, to_vec};
use burn::tensor::Tensor;
use flow_kernels::ChainSums;

/// `ℓ̂ = Σ_k a_k c_k ⟨u_k, v⟩` along the chain `u_0 = v, u_k = A u_{k-1}` of products with `A = Jᵀ` or `J`; `each(k, u_k)` sees it
/// for `k = 1 … n`.
fn chain(
    probe: &Tensor<4>,
    coefficients: &[f64],
    products: &Products,
    product: &dyn Fn(Tensor<4>) -> Tensor<4>,
    mut each: impl FnMut(usize, &Tensor<4>),
) -> Tensor<1> {
    let mut u = probe.clone();
    let mut log_det = Tensor::zeros([probe.dims()[0]], products.device);
    for (index, &coefficient) in coefficients.iter().enumerate() {
        let k = index + 1;
        u = product(u);
        each(k, &u);
        let weight = products.determinant.weight(k);
        if weight != 0.0 {
            let trace: Tensor<1> = (u.clone() * probe.clone()).sum_dims_squeeze(&[1, 2, 3]);
            log_det = log_det + trace * (weight * coefficient);
        }
    }
    log_det
}

/// The value alone, with as many terms as the samples need.
pub(super) fn value(probe: &Tensor<4>, terms: ValueTerms, products: &Products) -> Tensor<1> {
    let dot = |a: &Tensor<4>, b: &Tensor<4>| -> Tensor<1> { (a.clone() * b.clone()).sum_dims_squeeze(&[1, 2, 3]) };
    let doubles = |values: Tensor<1>| to_vec(values).into_iter().map(f64::from).collect::<Vec<f64>>();
    let mut sums = terms.begin(&doubles(dot(probe, probe)));
    let n = probe.dims()[0];
    let mut u = probe.clone();
    while !sums.is_done() {
        u = (products.vjp)(u);
        // Read together.
        let numbers = doubles(Tensor::cat(vec![dot(&u, probe), dot(&u, &u)], 0));
        let (dots, squares) = numbers.split_at(n);
        sums.add(dots, squares);
    }
    from_vec(sums.values().into_iter().map(|value| value as f32).collect(), [n], products.device)
}

/// The weights of the chain's terms for kernels that run it themselves: in the value, and in the Neumann gradient, there
/// relative to the weight of `u_0`.
pub(super) fn weights(coefficients: &[f64], determinant: Determinant) -> (Vec<f64>, Vec<f64>) {
    let terms = || coefficients.iter().enumerate().map(|(index, &coefficient)| (index + 1, coefficient));
    let of_value = terms().map(|(k, c)| determinant.weight(k) * c).collect();
    let first = determinant.slope_weight(0);
    (of_value, terms().map(|(k, c)| determinant.slope_weight(k) / first * c).collect())
}

/// With the Neumann gradient: one pair `(w, v)`, `w = Σ_{k≥0} s_k c_k u_k` with `c_0 = 1` and the weights `s_k` of
/// `tr(Jᵏ ∂J)`, such as `(-1)ᵏ`.
pub(super) fn neumann(probe: &Tensor<4>, coefficients: &[f64], products: &Products) -> Estimate {
    let (log_det, w) = powers(probe, coefficients, products, products.vjp);
    Estimate { log_det, pairs: vec![(w, probe.clone())] }
}

/// The same with the powers on the other side: one pair `(v, w)`, `w = Σ_{k≥0} s_k c_k Jᵏ v`.
pub(super) fn neumann_forward(probe: &Tensor<4>, coefficients: &[f64], products: &Products) -> Estimate {
    let (log_det, w) = powers(probe, coefficients, products, products.jvp);
    Estimate { log_det, pairs: vec![(probe.clone(), w)] }
}

/// The value along a chain, and `Σ_{k≥0} s_k c_k u_k`.
fn powers(
    probe: &Tensor<4>,
    coefficients: &[f64],
    products: &Products,
    product: &dyn Fn(Tensor<4>) -> Tensor<4>,
) -> (Tensor<1>, Tensor<4>) {
    let weight = |k| products.determinant.slope_weight(k);
    let mut w = probe.clone() * weight(0);
    let log_det = chain(probe, coefficients, products, product, |k, u| {
        if weight(k) != 0.0 {
            w = w.clone() + u.clone() * (weight(k) * coefficients[k - 1]);
        }
    });
    (log_det, w)
}

/// With the gradient of the value. By the product rule `∂⟨v, Jᵏ v⟩ = Σ_{i+j=k-1} ⟨u_i, ∂J t_j⟩` with `t_j = Jʲ v`, so
/// there are `n` pairs `(w_j, t_j)`, `w_j = Σ_i b_{i+j+1} u_i`, where `b_k = a_k c_k`.
pub(super) fn derivative_of_value(probe: &Tensor<4>, coefficients: &[f64], products: &Products) -> Estimate {
    let mut u = vec![probe.clone()];
    let b = |k: usize| products.determinant.weight(k) * coefficients[k - 1];
    // What comes after the last term that weighs anything is not computed.
    let n = (1..=coefficients.len()).rev().find(|&k| b(k) != 0.0).unwrap_or(0);
    let log_det = chain(probe, &coefficients[..n], products, products.vjp, |_, next| u.push(next.clone()));
    if n == 0 {
        return Estimate { log_det, pairs: vec![(probe.zeros_like(), probe.clone())] };
    }
    let mut pairs = Vec::with_capacity(n);
    let mut t = probe.clone();
    for j in 0..n {
        let terms = (0..n - j).filter(|i| b(i + j + 1) != 0.0).map(|i| u[i].clone() * b(i + j + 1));
        let w = terms.reduce(|sum, term| sum + term).unwrap_or_else(|| probe.zeros_like());
        pairs.push((w, t.clone()));
        if j + 1 < n {
            t = (products.jvp)(t);
        }
    }
    Estimate { log_det, pairs }
}
