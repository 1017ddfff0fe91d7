//! Small square matrices in double precision.

/// `P A = L U`, by elimination with partial pivoting. Matrices are row-major.
pub(crate) struct Lu {
    n: usize,
    /// `U` on and above the diagonal, `L` without its unit diagonal below.
    factors: Vec<f64>,
    /// Row `i` of `P A` is this row of `A`.
    rows: Vec<usize>,
}

impl Lu {
    /// Decomposes an `n×n` matrix.
    pub fn new(mut a: Vec<f64>, n: usize) -> Self {
        let mut rows: Vec<usize> = (0..n).collect();
        for column in 0..n {
            let pivot = (column..n).max_by(|&i, &j| a[i * n + column].abs().total_cmp(&a[j * n + column].abs()));
            let pivot = pivot.unwrap_or(column);
            if pivot != column {
                rows.swap(pivot, column);
                for j in 0..n {
                    a.swap(pivot * n + j, column * n + j);
                }
            }
            let (above, below) = a.split_at_mut((column + 1) * n);
            let head = &above[column * n + column..];
            if head[0] == 0.0 {
                continue;
            }
            for row in below.chunks_exact_mut(n) {
                let row = &mut row[column..];
                let factor = row[0] / head[0];
                row[0] = factor;
                for (value, head) in row[1..].iter_mut().zip(&head[1..]) {
                    *value -= factor * head;
                }
            }
        }
        Self { n, factors: a, rows }
    }

    /// `ln|det A|`; `-∞` for a singular matrix.
    pub fn log_abs_det(&self) -> f64 {
        (0..self.n).map(|i| self.factors[i * self.n + i].abs().ln()).sum()
    }

    /// `X` with `A X = B`, for `B` of shape `[n, columns]`; not finite for a singular `A`.
    pub fn solve(&self, b: &[f64], columns: usize) -> Vec<f64> {
        let n = self.n;
        let mut x: Vec<f64> = self.rows.iter().flat_map(|&row| &b[row * columns..(row + 1) * columns]).copied().collect();
        for i in 1..n {
            let (done, rest) = x.split_at_mut(i * columns);
            for (known, factor) in done.chunks_exact(columns).zip(&self.factors[i * n..]) {
                subtract(&mut rest[..columns], *factor, known);
            }
        }
        for i in (0..n).rev() {
            let (open, done) = x.split_at_mut((i + 1) * columns);
            let row = &mut open[i * columns..];
            for (known, factor) in done.chunks_exact(columns).zip(&self.factors[i * n + i + 1..]) {
                subtract(row, *factor, known);
            }
            row.iter_mut().for_each(|value| *value /= self.factors[i * n + i]);
        }
        x
    }

    /// `A⁻¹`; not finite for a singular `A`.
    pub fn inverse(&self) -> Vec<f64> {
        let mut identity = vec![0.0; self.n * self.n];
        identity.iter_mut().step_by(self.n + 1).for_each(|value| *value = 1.0);
        self.solve(&identity, self.n)
    }
}

/// The covariance of rows of `n` numbers, `n×n`: `Σ (x - x̄)(x - x̄)ᵀ / rows`.
pub fn covariance(rows: &[f64], n: usize) -> Vec<f64> {
    let count = (rows.len() / n) as f64;
    let mut mean = vec![0.0; n];
    rows.chunks_exact(n).for_each(|row| mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x / count));
    let mut sum = vec![0.0; n * n];
    for row in rows.chunks_exact(n) {
        let centred: Vec<f64> = row.iter().zip(&mean).map(|(x, mean)| x - mean).collect();
        for (sums, x) in sum.chunks_exact_mut(n).zip(&centred) {
            sums.iter_mut().zip(&centred).for_each(|(sum, y)| *sum += x * y / count);
        }
    }
    sum
}

/// The lower triangular `L` with `L Lᵀ = A`; `None` if the symmetric `A` is not positive definite.
pub(crate) fn cholesky(mut a: Vec<f64>, n: usize) -> Option<Vec<f64>> {
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
            let rest = a[i * n + j] - known;
            if i == j && !(rest > 0.0 && rest.is_finite()) {
                return None;
            }
            a[i * n + j] = if i == j { rest.sqrt() } else { rest / a[j * n + j] };
        }
        a[i * n + i + 1..(i + 1) * n].fill(0.0);
    }
    Some(a)
}

/// Eigenvalues of a symmetric matrix, largest first, and their unit eigenvectors.
pub struct SymmetricEigen {
    /// Eigenvalues.
    pub values: Vec<f64>,
    /// The eigenvector of each.
    pub vectors: Vec<Vec<f64>>,
}

impl SymmetricEigen {
    /// Of an `n×n` matrix, by Jacobi's rotations.
    pub fn new(mut a: Vec<f64>, n: usize) -> Self {
        /// Each squares what is left beside the diagonal, once that is small.
        const MAX_SWEEPS: usize = 30;
        let mut vectors: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
        for _ in 0..MAX_SWEEPS {
            let mut rotated = false;
            for p in 0..n {
                for q in p + 1..n {
                    let (app, aqq, apq) = (a[p * n + p], a[q * n + q], a[p * n + q]);
                    if apq.abs() <= f64::EPSILON * (app.abs() * aqq.abs()).sqrt() {
                        continue;
                    }
                    rotated = true;
                    let (cos, sin) = rotation(app, aqq, apq);
                    for k in 0..n {
                        (a[k * n + p], a[k * n + q]) = turn(a[k * n + p], a[k * n + q], cos, sin);
                    }
                    for k in 0..n {
                        (a[p * n + k], a[q * n + k]) = turn(a[p * n + k], a[q * n + k], cos, sin);
                    }
                    let (before, from_q) = vectors.split_at_mut(q);
                    for (x, y) in before[p].iter_mut().zip(&mut from_q[0]) {
                        (*x, *y) = turn(*x, *y, cos, sin);
                    }
                }
            }
            if !rotated {
                break;
            }
        }
        let mut pairs: Vec<(f64, Vec<f64>)> = vectors.into_iter().enumerate().map(|(i, v)| (a[i * n + i], v)).collect();
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (values, vectors) = pairs.into_iter().unzip();
        Self { values, vectors }
    }
}

/// Cosine and sine of the smaller angle by which the pair `(p, q)` is turned so that `a_pq` vanishes.
fn rotation(app: f64, aqq: f64, apq: f64) -> (f64, f64) {
    let slope = (aqq - app) / (2.0 * apq);
    let tan = 1f64.copysign(slope) / (slope.abs() + slope.hypot(1.0));
    let cos = 1.0 / tan.hypot(1.0);
    (cos, tan * cos)
}

fn turn(x: f64, y: f64, cos: f64, sin: f64) -> (f64, f64) {
    (cos * x - sin * y, sin * x + cos * y)
}

fn subtract(row: &mut [f64], factor: f64, other: &[f64]) {
    row.iter_mut().zip(other).for_each(|(value, other)| *value -= factor * other);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn determinants_of_known_matrices() {
        // Needs a row exchange; determinant -(2·3 - 1·5)·4 = -4.
        let a = vec![0.0, 0.0, 4.0, 2.0, 1.0, 7.0, 5.0, 3.0, 9.0];
        assert!((Lu::new(a, 3).log_abs_det() - 4f64.ln()).abs() < 1e-14);
        assert_eq!(Lu::new(vec![1.0, 2.0, 2.0, 4.0], 2).log_abs_det(), f64::NEG_INFINITY);
        assert_eq!(Lu::new(vec![0.0, 1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 5.0, 7.0], 3).log_abs_det(), f64::NEG_INFINITY);
    }

    #[test]
    fn eigenvectors_are_orthonormal_and_stay_in_their_direction() {
        let n = 6;
        let a: Vec<f64> = (0..n * n).map(|i| ((i / n + 1) * (i % n + 1)) as f64).map(|x| (x * 1.7).sin()).collect();
        let eigen = SymmetricEigen::new(a.clone(), n);
        assert!(eigen.values.is_sorted_by(|a, b| a >= b), "{:?}", eigen.values);
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        for (i, (value, x)) in eigen.values.iter().zip(&eigen.vectors).enumerate() {
            for (row, x_i) in a.chunks_exact(n).zip(x) {
                assert!((dot(row, x) - value * x_i).abs() < 1e-12);
            }
            for (j, y) in eigen.vectors.iter().enumerate() {
                assert!((dot(x, y) - f64::from(u8::from(i == j))).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn solutions_solve() {
        let a = vec![0.0, 0.0, 4.0, 2.0, 1.0, 7.0, 5.0, 3.0, 9.0];
        let lu = Lu::new(a.clone(), 3);
        let b = [1.0, -2.0, 3.0, 0.5, 0.0, 8.0];
        let x = lu.solve(&b, 2);
        for (i, row) in a.chunks_exact(3).enumerate() {
            for column in 0..2 {
                let product: f64 = row.iter().enumerate().map(|(j, value)| value * x[j * 2 + column]).sum();
                assert!((product - b[i * 2 + column]).abs() < 1e-13);
            }
        }
        assert!(Lu::new(vec![1.0, 2.0, 2.0, 4.0], 2).inverse().iter().any(|value| !value.is_finite()));
    }
}
