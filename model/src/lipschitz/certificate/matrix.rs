//! A guaranteed upper bound of a matrix's largest singular value, rounding included.

use flow_kernels::{MatrixView, matmul};

/// Relative size of a rounding error in double precision.
const ROUNDING: f64 = f64::EPSILON / 2.0;
/// Squarings at the most: the bound is then within `n^(1/2^13)` of the norm, 0.1 % for `n` = 4096.
const MAX_SQUARINGS: usize = 12;

/// A real matrix, row-major.
pub(super) struct Matrix {
    pub rows: usize,
    pub columns: usize,
    pub values: Vec<f64>,
}

/// Higham's `γ_n = n u / (1 - n u)`, which bounds the relative error of a sum of `n` products in any order.
pub(super) fn gamma(n: usize) -> f64 {
    let error = n as f64 * ROUNDING;
    error / (1.0 - error)
}

/// At least `‖K‖₂`.
///
/// Gram iteration (Delattre et al. 2023): `λ_max(G)^(2^k) ≤ ‖G^(2^k)‖_F` for `G = K Kᵀ`, by repeated squaring. Every
/// product `X Y` is computed with an error of at most `γ_n ‖X‖_F ‖Y‖_F` (Higham 2002, section 3.5), which is added, so
/// that the result is a bound of the exact norm.
///
/// A bound that is at most `enough` is not made any sharper.
///
/// Cost: up to 13 products of matrices as large as `K`'s narrow side.
pub(super) fn norm_bound(k: &Matrix, enough: f64) -> f64 {
    let largest = k.values.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    if largest == 0.0 && k.values.iter().all(|x| *x == 0.0) {
        return 0.0;
    }
    // A power of two scales without rounding, so that squares neither overflow nor underflow, but for what is tiny.
    let scale = largest.log2().floor().exp2();
    let scaled = Matrix { values: k.values.iter().map(|x| x / scale).collect(), ..*k };
    let wide = k.rows.max(k.columns);
    let squares = scaled.values.iter().map(|x| x * x).sum::<f64>() * (1.0 + gamma(scaled.values.len()));
    let error = gamma(wide) * squares + scaled.values.len() as f64 * f64::MIN_POSITIVE;
    let enough = (enough / scale).powi(2) * (1.0 - 32.0 * ROUNDING) - error;
    let bound = (eigenvalue_bound(narrow_gram(&scaled), enough) + error).sqrt() * (1.0 + 8.0 * ROUNDING) * scale;
    if bound.is_nan() { f64::INFINITY } else { bound }
}

/// At least the spectral norm of a symmetric matrix.
///
/// With `G_i = s_i A_i` and `G_{i+1}` the computed `A_i²`: `‖G_i‖ ≤ s_i √(‖G_{i+1}‖ + e_i)`, where `e_i` bounds the
/// error of the product. Squares no more once the bound is at most `enough`.
fn eigenvalue_bound(mut g: Matrix, enough: f64) -> f64 {
    let n = g.rows;
    let mut levels: Vec<(f64, f64)> = Vec::new();
    let mut best = f64::INFINITY;
    loop {
        let norm = frobenius(&g);
        let unrolled = levels.iter().rev().fold(norm, |bound, (scale, error)| scale * (bound + error).sqrt());
        // Each level adds a few roundings, of which the next root halves what came before.
        let bound = unrolled * (1.0 + 16.0 * ROUNDING);
        if !bound.is_finite() {
            return f64::INFINITY;
        }
        let settled = bound > best * (1.0 - 1e-5);
        best = best.min(bound);
        if norm == 0.0 || settled || best <= enough || levels.len() == MAX_SQUARINGS {
            return best;
        }
        // A power of two scales without rounding, but for what underflows: less than the smallest normal number each.
        let scale = norm.log2().ceil().exp2();
        g.values.iter_mut().for_each(|x| *x /= scale);
        let relative = norm / scale;
        let error = gamma(n) * relative * relative + (n * n) as f64 * f64::MIN_POSITIVE;
        levels.push((scale, error * (1.0 + 8.0 * ROUNDING)));
        g = narrow_gram(&g);
    }
}

/// At least the Frobenius norm.
fn frobenius(g: &Matrix) -> f64 {
    let sum = g.values.iter().map(|x| x * x).sum::<f64>();
    sum.sqrt() * (1.0 + gamma(g.values.len() + 2))
}

/// `K Kᵀ` or `Kᵀ K`, whichever is smaller, exactly symmetric.
fn narrow_gram(k: &Matrix) -> Matrix {
    let (rows, columns) = (k.rows, k.columns);
    let k = MatrixView::new(&k.values, [rows, columns]);
    if rows <= columns { gram(k, rows) } else { gram(k.transposed(), columns) }
}

/// `K Kᵀ`, exactly symmetric.
pub(super) fn row_gram(k: &Matrix) -> Matrix {
    gram(MatrixView::new(&k.values, [k.rows, k.columns]), k.rows)
}

/// `V Vᵀ`, exactly symmetric, for `n` vectors that are the rows of `V`.
fn gram(vectors: MatrixView<f64>, n: usize) -> Matrix {
    let mut values = matmul(vectors, vectors.transposed());
    for row in 0..n {
        for column in 0..row {
            values[row * n + column] = values[column * n + row];
        }
    }
    Matrix { rows: n, columns: n, values }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_norms_are_bounded_closely() {
        let diagonal = |values: &[f64]| {
            let n = values.len();
            let mut matrix = Matrix { rows: n, columns: n, values: vec![0.0; n * n] };
            values.iter().enumerate().for_each(|(i, value)| matrix.values[i * n + i] = *value);
            matrix
        };
        for values in [&[3.0, 1.0][..], &[0.5; 20], &[1e-200, 1e-201], &[1e150, 7.0], &[2.0, 1.9999, 1.999]] {
            let (bound, norm) = (norm_bound(&diagonal(values), 0.0), values[0]);
            assert!(bound >= norm && bound <= norm * 1.002, "{values:?}: {bound}");
        }
        assert_eq!(norm_bound(&diagonal(&[0.0, 0.0]), 0.0), 0.0);
        // u vᵀ with |u|² = 14, |v|² = 30.
        let rank_one = Matrix { rows: 3, columns: 4, values: (1..4).flat_map(|u| (1..5).map(move |v| (u * v) as f64)).collect() };
        let bound = norm_bound(&rank_one, 0.0);
        assert!(bound >= 420f64.sqrt() && bound < 420f64.sqrt() * (1.0 + 1e-9), "{bound}");
    }

    #[test]
    fn what_is_enough_ends_the_work_and_stays_a_bound() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i * i % 31) - 15.0).collect();
        let matrix = Matrix { rows: 20, columns: 20, values };
        let sharp = norm_bound(&matrix, 0.0);
        assert_eq!(norm_bound(&matrix, 0.999 * sharp), sharp, "not enough");
        for factor in [1.0, 1.01, 1.2, 4.0] {
            let bound = norm_bound(&matrix, factor * sharp);
            assert!(bound >= sharp && bound <= factor * sharp * (1.0 + 1e-12), "{factor}: {bound} {sharp}");
        }
        assert!(norm_bound(&matrix, f64::INFINITY) > 1.05 * sharp, "one product");
    }

    #[test]
    fn infinite_and_undefined_values_have_no_bound() {
        let bound = |value| norm_bound(&Matrix { rows: 1, columns: 2, values: vec![1.0, value] }, 0.0);
        for value in [f64::NAN, f64::INFINITY] {
            assert!(bound(value).is_infinite(), "{value}");
        }
        // Its square is not a number of this type.
        assert!((1e300..1.001e300).contains(&bound(1e300)));
    }
}
