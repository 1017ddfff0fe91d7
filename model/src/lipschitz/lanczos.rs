//! The largest eigenvalue of a symmetric map, found in a subspace: singular values that lie so close to each other that
//! power iteration takes tens of thousands of products are told apart after hundreds.

use crate::numerics::linear_algebra::SymmetricEigen;

/// Dimensions of the subspace when it is cut back, and after it.
const FULL: usize = 32;
const KEPT: usize = 8;
/// Length of `A x - λ x` relative to `λ` at which `x` is an eigenvector.
const TOL: f64 = 1e-10;
/// Products with the map at the most.
const MAX_PRODUCTS: usize = 20_000;

/// An iteration that was given up.
#[derive(Debug)]
pub(crate) struct Unconverged {
    /// Iterations made.
    pub iterations: usize,
    /// What was still missing, relative to the result.
    pub change: f64,
}

/// A unit eigenvector `x` of the largest eigenvalue `λ ≥ 0` of a symmetric map `A` without negative eigenvalues.
///
/// Lanczos iteration with full orthogonalisation, restarted from the best eigenvectors of the subspace.
///
/// # Errors
/// If `A x - λ x` is still too long after many products.
///
/// # References
/// Wu and Simon (2000), Thick-restart Lanczos method for large symmetric eigenvalue problems.
/// <https://doi.org/10.1137/S0895479898334605>
pub(super) fn top_eigenvector(start: Vec<f64>, apply: impl Fn(&[f64]) -> Vec<f64>) -> Result<Vec<f64>, Unconverged> {
    let mut subspace = Subspace::default();
    let mut direction = start;
    let mut products = 0;
    loop {
        while subspace.basis.len() < FULL {
            // Nothing is left when the subspace contains all that the map makes of the start.
            let Some(unit) = subspace.orthogonal(direction) else { break };
            let image = apply(&unit);
            direction = image.clone();
            subspace.basis.push(unit);
            subspace.images.push(image);
            products += 1;
        }
        let best = subspace.restrict(KEPT);
        let residual = combination(&[1.0, -best], [&subspace.images[0], &subspace.basis[0]]);
        let error = length(&residual);
        if error <= TOL * best {
            return Ok(subspace.basis.swap_remove(0));
        }
        if !error.is_finite() || products >= MAX_PRODUCTS {
            return Err(Unconverged { iterations: products, change: error / best });
        }
        direction = residual;
    }
}

/// Orthonormal vectors, and what the map makes of them.
#[derive(Default)]
struct Subspace {
    basis: Vec<Vec<f64>>,
    images: Vec<Vec<f64>>,
}

impl Subspace {
    /// The part of a vector that is orthogonal to the subspace, as a unit vector; `None` if it is only rounding.
    fn orthogonal(&self, mut vector: Vec<f64>) -> Option<Vec<f64>> {
        let before = length(&vector);
        // What the first pass leaves by rounding is removed by the second.
        for _ in 0..2 {
            for unit in &self.basis {
                let along = dot(unit, &vector);
                vector.iter_mut().zip(unit).for_each(|(value, unit)| *value -= along * unit);
            }
        }
        let left = length(&vector);
        let is_new = left > 1e-14 * before || self.basis.is_empty();
        is_new.then(|| vector.into_iter().map(|value| value / left.max(f64::MIN_POSITIVE)).collect())
    }

    /// Becomes the span of its own best eigenvectors, cut to a number, best first; returns the largest eigenvalue.
    fn restrict(&mut self, n: usize) -> f64 {
        let m = self.basis.len();
        let mut matrix = vec![0.0; m * m];
        for row in 0..m {
            for column in 0..=row {
                let product = dot(&self.basis[row], &self.images[column]);
                matrix[row * m + column] = product;
                matrix[column * m + row] = product;
            }
        }
        let eigen = SymmetricEigen::new(matrix, m);
        let best = &eigen.vectors[..n.min(m)];
        for vectors in [&mut self.basis, &mut self.images] {
            *vectors = best.iter().map(|weights| combination(weights, vectors.iter())).collect();
        }
        eigen.values[0]
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn length(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// The sum of the vectors with these weights.
fn combination<'a>(weights: &[f64], vectors: impl IntoIterator<Item = &'a Vec<f64>>) -> Vec<f64> {
    let mut sum = Vec::new();
    for (weight, vector) in weights.iter().zip(vectors) {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += weight * value);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagonal(values: &[f64]) -> impl Fn(&[f64]) -> Vec<f64> {
        move |x| x.iter().zip(values).map(|(x, value)| x * value).collect()
    }

    #[test]
    fn close_eigenvalues_are_told_apart() {
        let mut values: Vec<f64> = (0..500).map(|i| f64::from(i) / 500.0).collect();
        values.extend([1.0, 1.00001]);
        // Little of the eigenvector is in the start.
        let start: Vec<f64> = (0..502).map(|i| if i == 501 { 1e-4 } else { 1.0 + f64::from(i).sin() }).collect();
        let x = top_eigenvector(start, diagonal(&values)).unwrap();
        assert!(x[501].abs() > 1.0 - 1e-6, "{}", x[501]);
        assert!((length(&x) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn small_maps_are_exhausted() {
        let x = top_eigenvector(vec![1.0, 1.0, 0.5], diagonal(&[3.0, 3.0, 1.0])).unwrap();
        assert!((x[0] - x[1]).abs() < 1e-9 && x[2].abs() < 1e-9, "{x:?}");
        assert_eq!(top_eigenvector(vec![1.0, 0.0], diagonal(&[0.0, 0.0])).unwrap(), [1.0, 0.0]);
    }

    #[test]
    fn what_does_not_converge_is_an_error() {
        let error = top_eigenvector(vec![1.0, 1.0], |_| vec![f64::NAN; 2]).unwrap_err();
        assert!(error.change.is_nan());
    }
}
