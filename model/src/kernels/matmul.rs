//! Row-major matrix products on slices, one thread each: the caller spreads blocks of rows over threads.

use gemm::{Parallelism, gemm};

/// How the right-hand matrix is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rhs {
    /// As `[k, n]`.
    Plain,
    /// As `[n, k]`.
    Transposed,
}

/// `out[m, n] = a[m, k] · b`.
pub(super) fn matmul(m: usize, n: usize, k: usize, out: &mut [f32], a: &[f32], b: &[f32], layout: Rhs) {
    assert!(out.len() >= m * n && a.len() >= m * k && b.len() >= k * n, "matrix slices are too short");
    let (b_col, b_row) = match layout {
        Rhs::Plain => (1, n as isize),
        Rhs::Transposed => (k as isize, 1),
    };
    // SAFETY: the strides address `m*n`, `m*k` and `k*n` elements, which the assertion above found in the slices.
    unsafe {
        gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.as_ptr(),
            1,
            k as isize,
            b.as_ptr(),
            b_col,
            b_row,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// `out[m, n] += a[rows, m]ᵀ · b[rows, n]`.
pub(super) fn add_transposed_matmul(m: usize, n: usize, rows: usize, out: &mut [f32], a: &[f32], b: &[f32]) {
    assert!(out.len() >= m * n && a.len() >= rows * m && b.len() >= rows * n, "matrix slices are too short");
    // SAFETY: as in `matmul`; `a` is read with its strides swapped.
    unsafe {
        gemm(
            m,
            n,
            rows,
            out.as_mut_ptr(),
            1,
            n as isize,
            true,
            a.as_ptr(),
            m as isize,
            1,
            b.as_ptr(),
            1,
            n as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
