//! The base distribution and the units of likelihoods.

use burn::tensor::Tensor;

/// `ln N(z; 0, I)` of each sample, `[batch]`, nats.
pub fn standard_normal_log_prob(z: Tensor<2>) -> Tensor<1> {
    let dimensions = z.dims()[1];
    let squares: Tensor<1> = z.square().sum_dims_squeeze(&[1]);
    squares * -0.5 - 0.5 * (2.0 * std::f64::consts::PI).ln() * dimensions as f64
}

/// Bits per dimension of discrete data with `levels` values: `(-log_prob / D + ln levels) / ln 2`.
///
/// `log_prob` is the density (nats) of data dequantised to `[0, 1]^D`, that is divided by `levels`; a uniform density
/// has `log2(levels)` bits per dimension.
///
/// ```
/// let uniform = residual_flows::bits_per_dim(0.0, 192, 256);
/// assert_eq!(uniform, 8.0);
/// ```
pub fn bits_per_dim(log_prob: f64, dimensions: usize, levels: u32) -> f64 {
    (-log_prob / dimensions as f64 + f64::from(levels).ln()) / std::f64::consts::LN_2
}
