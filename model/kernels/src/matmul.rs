//! Products of row-major matrices on slices, on one thread.

use gemm::{Parallelism, gemm};

/// A number that matrices are made of.
pub trait Element: Copy + 'static {
    /// `0`
    const ZERO: Self;
    /// `1`
    const ONE: Self;
}

impl Element for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
}

impl Element for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
}

/// A matrix in a slice, or its transpose.
#[derive(Clone, Copy, Debug)]
pub struct MatrixView<'a, T> {
    values: &'a [T],
    shape: [usize; 2],
    strides: [usize; 2],
}

impl<'a, T: Element> MatrixView<'a, T> {
    /// A row-major matrix.
    ///
    /// # Panics
    /// If the shape is not that of the slice.
    pub fn new(values: &'a [T], [rows, columns]: [usize; 2]) -> Self {
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
pub fn matmul<T: Element>(a: MatrixView<T>, b: MatrixView<T>) -> Vec<T> {
    let ([m, k], [inner, n]) = (a.shape, b.shape);
    assert_eq!(k, inner, "the inner dimensions of a product are the same");
    let mut out = vec![T::ZERO; m * n];
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
            T::ZERO,
            T::ONE,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
    out
}
