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
