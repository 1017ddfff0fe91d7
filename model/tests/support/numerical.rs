//! Determinants by finite differences and elimination, independent of the crate's.

use super::values;
use burn::tensor::{Tensor, TensorData};

/// `x` with one number added to element `index` of every sample.
fn nudged(x: &Tensor<4>, index: usize, by: f32) -> Tensor<4> {
    let dims = x.dims();
    let size = dims[1..].iter().product::<usize>();
    let mut numbers = values(x.clone());
    numbers.iter_mut().skip(index).step_by(size).for_each(|value| *value += by);
    Tensor::from_data(TensorData::new(numbers, dims), &x.device())
}

/// `ln|det A|` by Gaussian elimination.
fn log_abs_det(mut a: Vec<Vec<f64>>) -> f64 {
    let n = a.len();
    let mut sum = 0.0;
    for i in 0..n {
        let pivot = (i..n).max_by(|&p, &q| a[p][i].abs().total_cmp(&a[q][i].abs())).unwrap();
        a.swap(i, pivot);
        sum += a[i][i].abs().ln();
        for j in i + 1..n {
            let factor = a[j][i] / a[i][i];
            let head = a[i].clone();
            a[j].iter_mut().zip(&head).for_each(|(value, head)| *value -= factor * head);
        }
    }
    sum
}

/// `ln|det ∂f/∂x|` of every sample by central differences; `f` returns the values of a batch, sample by sample.
pub fn numerical_log_dets(x: &Tensor<4>, step: f32, f: impl Fn(Tensor<4>) -> Vec<f32>) -> Vec<f64> {
    let dims = x.dims();
    let size = dims[1..].iter().product::<usize>();
    // By columns: the transpose has the same determinant.
    let mut jacobians = vec![Vec::new(); dims[0]];
    for column in 0..size {
        let slopes = f(nudged(x, column, step)).into_iter().zip(f(nudged(x, column, -step)));
        let slopes: Vec<f64> = slopes.map(|(up, down)| f64::from(up - down) / f64::from(2.0 * step)).collect();
        jacobians.iter_mut().zip(slopes.chunks_exact(size)).for_each(|(jacobian, slopes)| jacobian.push(slopes.to_vec()));
    }
    jacobians.into_iter().map(log_abs_det).collect()
}
