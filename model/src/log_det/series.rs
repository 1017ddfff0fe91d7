//! The truncated and reweighted power series, its value and its gradient's vectors from one chain of products.

use super::SeriesDraw;
use burn::tensor::Tensor;

/// What one chain `u_0 = v, u_k = Jᵀ u_{k-1}` yields.
pub(crate) struct Series {
    /// `ℓ̂ = Σ_k (-1)^{k+1}/k · c_k ⟨u_k, v⟩`, nats, `[batch]`.
    pub log_det: Tensor<1>,
    /// `w = Σ_{k≥0} (-1)^k c_k u_k` with `c_0 = 1`: `∂ℓ = E[∂⟨w, J v⟩]` with `w` held constant.
    pub neumann: Tensor<4>,
}

/// Runs the chain for one draw.
///
/// `vjp` multiplies by `Jᵀ`; the probe must be in the layout it works on.
pub(crate) fn series(draw: &SeriesDraw, vjp: impl Fn(Tensor<4>) -> Tensor<4>) -> Series {
    let v = &draw.probe;
    let mut u = v.clone();
    let mut neumann = v.clone();
    let mut log_det = Tensor::zeros([v.dims()[0]], &v.device());
    for (index, coefficient) in draw.coefficients.iter().enumerate() {
        let k = (index + 1) as f64;
        let sign = if index % 2 == 0 { 1.0 } else { -1.0 };
        u = vjp(u);
        let trace: Tensor<1> = (u.clone() * v.clone()).sum_dims_squeeze(&[1, 2, 3]);
        log_det = log_det + trace * (sign * coefficient / k);
        neumann = neumann - u.clone() * (sign * coefficient);
    }
    Series { log_det, neumann }
}
