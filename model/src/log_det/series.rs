//! The power series with Hutchinson's trace estimate: its value and its gradient's vectors from chains of products.

use super::products::{Estimate, Products};
use super::terms::{ValueTerms, sign, term_weight};
use crate::numerics::tensor::{from_vec, to_vec};
use burn::tensor::Tensor;
use flow_kernels::ChainSums;

/// `ℓ̂ = Σ_k (-1)^{k+1}/k · c_k ⟨u_k, v⟩` along the chain `u_0 = v, u_k = Jᵀ u_{k-1}`; `each(k, u_k)` sees it for
/// `k = 1 … n`.
fn chain(probe: &Tensor<4>, coefficients: &[f64], products: &Products, mut each: impl FnMut(usize, &Tensor<4>)) -> Tensor<1> {
    let mut u = probe.clone();
    let mut log_det = Tensor::zeros([probe.dims()[0]], products.device);
    for (index, &coefficient) in coefficients.iter().enumerate() {
        let k = index + 1;
        u = (products.vjp)(u);
        each(k, &u);
        let trace: Tensor<1> = (u.clone() * probe.clone()).sum_dims_squeeze(&[1, 2, 3]);
        log_det = log_det + trace * term_weight(k, coefficient);
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

/// The weights of the chain's terms for kernels that run it themselves: in the value, and in the Neumann gradient.
pub(super) fn weights(coefficients: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let terms = || coefficients.iter().enumerate().map(|(index, &coefficient)| (index + 1, coefficient));
    (terms().map(|(k, c)| term_weight(k, c)).collect(), terms().map(|(k, c)| sign(k) * c).collect())
}

/// With the Neumann gradient: one pair `(w, v)`, `w = Σ_{k≥0} (-1)ᵏ c_k u_k` with `c_0 = 1`.
pub(super) fn neumann(probe: &Tensor<4>, coefficients: &[f64], products: &Products) -> Estimate {
    let mut w = probe.clone();
    let log_det = chain(probe, coefficients, products, |k, u| {
        w = w.clone() + u.clone() * (sign(k) * coefficients[k - 1]);
    });
    Estimate { log_det, pairs: vec![(w, probe.clone())] }
}

/// With the gradient of the value. By the product rule `∂⟨v, Jᵏ v⟩ = Σ_{i+j=k-1} ⟨u_i, ∂J t_j⟩` with `t_j = Jʲ v`, so
/// there are `n` pairs `(w_j, t_j)`, `w_j = Σ_i a_{i+j+1} u_i`, where `a_k = (-1)^{k+1}/k · c_k`.
pub(super) fn derivative_of_value(probe: &Tensor<4>, coefficients: &[f64], products: &Products) -> Estimate {
    let mut u = vec![probe.clone()];
    let log_det = chain(probe, coefficients, products, |_, next| u.push(next.clone()));
    let a = |k: usize| term_weight(k, coefficients[k - 1]);
    let n = coefficients.len();
    if n == 0 {
        return Estimate { log_det, pairs: vec![(probe.zeros_like(), probe.clone())] };
    }
    let mut pairs = Vec::with_capacity(n);
    let mut t = probe.clone();
    for j in 0..n {
        let terms = (0..n - j).map(|i| u[i].clone() * a(i + j + 1));
        let w = terms.reduce(|sum, term| sum + term).expect("a term for each j < n");
        pairs.push((w, t.clone()));
        if j + 1 < n {
            t = (products.jvp)(t);
        }
    }
    Estimate { log_det, pairs }
}
