//! The log-determinant from the whole Jacobian.

use crate::error::{ModelError, Result};
use crate::tensor::{from_vec, to_vec};
use burn::tensor::{Device, Tensor};

/// Above this many dimensions the Jacobian of one sample takes more than 100 MB and hours to build.
const MAX_DIMENSIONS: usize = 5_000;

/// `ln|det(I + J)|` of every sample, `[batch]` in nats, from one vector-Jacobian product a dimension and an LU
/// decomposition in double precision.
///
/// # Errors
/// If there are more than 5,000 dimensions, or `I + J` is singular or not finite.
pub(crate) fn exact_log_det(
    layer: &str,
    shape: [usize; 4],
    device: &Device,
    vjp: impl Fn(Tensor<4>) -> Tensor<4>,
) -> Result<Tensor<1>> {
    let error = |reason: String| ModelError::ExactLogDet { layer: layer.into(), reason };
    let batch = shape[0];
    let dimensions: usize = shape[1..].iter().product();
    if dimensions > MAX_DIMENSIONS {
        return Err(error(format!("it has {dimensions} dimensions, more than {MAX_DIMENSIONS}: use the series")));
    }
    let mut matrices = vec![vec![0f64; dimensions * dimensions]; batch];
    for row in 0..dimensions {
        let mut basis = vec![0.0; batch * dimensions];
        for sample in basis.chunks_exact_mut(dimensions) {
            sample[row] = 1.0;
        }
        let products = to_vec(vjp(from_vec(basis, shape, device)));
        for (matrix, product) in matrices.iter_mut().zip(products.chunks_exact(dimensions)) {
            for (column, value) in product.iter().enumerate() {
                matrix[row * dimensions + column] = f64::from(*value) + f64::from(u8::from(row == column));
            }
        }
    }
    let log_dets = matrices.into_iter().map(|matrix| log_abs_det(matrix, dimensions));
    let values: Vec<f32> = log_dets.map(|value| value as f32).collect();
    if let Some(sample) = values.iter().position(|value| !value.is_finite()) {
        return Err(error(format!("the Jacobian of sample {sample} is singular or not finite")));
    }
    Ok(from_vec(values, [batch], device))
}

/// `ln|det A|` by LU decomposition with partial pivoting; `-∞` for a singular matrix.
fn log_abs_det(mut a: Vec<f64>, n: usize) -> f64 {
    let mut log_det = 0.0;
    for column in 0..n {
        let pivot = (column..n).max_by(|&i, &j| a[i * n + column].abs().total_cmp(&a[j * n + column].abs()));
        let pivot = pivot.unwrap_or(column);
        if pivot != column {
            for j in 0..n {
                a.swap(pivot * n + j, column * n + j);
            }
        }
        let (above, below) = a.split_at_mut((column + 1) * n);
        let head = &above[column * n + column..];
        log_det += head[0].abs().ln();
        for row in below.chunks_exact_mut(n) {
            let row = &mut row[column..];
            let factor = row[0] / head[0];
            for (value, pivot) in row.iter_mut().zip(head) {
                *value -= factor * pivot;
            }
        }
    }
    log_det
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn determinants_of_known_matrices() {
        // Needs a row exchange; determinant -(2·3 - 1·5)·4 = -4.
        let a = vec![0.0, 0.0, 4.0, 2.0, 1.0, 7.0, 5.0, 3.0, 9.0];
        assert!((log_abs_det(a, 3) - 4f64.ln()).abs() < 1e-14);
        assert_eq!(log_abs_det(vec![1.0, 2.0, 2.0, 4.0], 2), f64::NEG_INFINITY);
    }
}
