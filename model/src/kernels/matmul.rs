//! Products of row-major matrices on slices, on one thread.

use gemm::{Parallelism, gemm};

/// A matrix in a slice, or its transpose.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    values: &'a [f32],
    shape: [usize; 2],
    strides: [usize; 2],
}

impl<'a> View<'a> {
    /// A row-major matrix.
    ///
    /// # Panics
    /// If the shape is not that of the slice.
    pub fn new(values: &'a [f32], [rows, columns]: [usize; 2]) -> Self {
        assert_eq!(values.len(), rows * columns, "a matrix has as many values as its shape says");
        Self { values, shape: [rows, columns], strides: [columns, 1] }
    }

    /// Its transpose.
    pub fn transposed(self) -> Self {
        let ([rows, columns], [down, along]) = (self.shape, self.strides);
        Self { shape: [columns, rows], strides: [along, down], ..self }
    }
}

/// `a · b`, row-major.
///
/// # Panics
/// If the inner dimensions differ.
pub(super) fn matmul(a: View, b: View) -> Vec<f32> {
    let ([m, k], [inner, n]) = (a.shape, b.shape);
    assert_eq!(k, inner, "the inner dimensions of a product are the same");
    let mut out = vec![0.0; m * n];
    let [a_strides, b_strides] = [a, b].map(|x| x.strides.map(|stride| stride as isize));
    // SAFETY: `out` has `m * n` elements, and a view's strides address the elements of its slice.
    unsafe {
        gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.values.as_ptr(),
            a_strides[1],
            a_strides[0],
            b.values.as_ptr(),
            b_strides[1],
            b_strides[0],
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
    out
}
