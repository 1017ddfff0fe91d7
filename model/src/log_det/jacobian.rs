//! Log-determinants from whole Jacobians, in double precision.

use super::choices::GradientForm;
use super::determinant::Determinant;
use super::products::{Estimate, Products};
use crate::numerics::linear_algebra::Lu;
use crate::numerics::tensor::{from_vec, to_vec};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

/// Above this many dimensions the Jacobian of one sample takes more than 100 MB and hours to build.
pub(crate) const MAX_DIMENSIONS: usize = 5_000;

/// The Jacobian of every sample.
pub(super) struct Jacobians<'a> {
    /// `D × D` matrices, row-major, one sample after the other.
    matrices: Vec<f64>,
    dimensions: usize,
    shape: [usize; 4],
    device: &'a Device,
    determinant: Determinant,
}

/// What is wanted of one sample's Jacobian `J`: a number `ℓ`, and `M` with `∂ℓ = tr(M ∂J)`.
struct Sample {
    log_det: f64,
    adjoint: Vec<f64>,
}

impl<'a> Jacobians<'a> {
    /// Row by row: row `i` is `Jᵀ e_i`.
    pub fn new(products: &Products<'a>) -> Self {
        let &Products { shape, device, vjp, determinant, .. } = products;
        let batch = shape[0];
        let dimensions: usize = shape[1..].iter().product();
        let mut matrices = vec![0.0; batch * dimensions * dimensions];
        for row in 0..dimensions {
            let product = to_vec(vjp(basis(row, shape, device)));
            let rows = matrices.chunks_exact_mut(dimensions).skip(row).step_by(dimensions);
            for (row, values) in rows.zip(product.chunks_exact(dimensions)) {
                row.iter_mut().zip(values).for_each(|(element, &value)| *element = f64::from(value));
            }
        }
        Self { matrices, dimensions, shape, device, determinant }
    }

    /// `Jᵀ u`
    pub fn vjp(&self, u: Tensor<4>) -> Tensor<4> {
        self.product(u, |jacobian, u, out| {
            for (row, &factor) in jacobian.chunks_exact(u.len()).zip(u) {
                add(out, row, factor);
            }
        })
    }

    /// `J v`
    pub fn jvp(&self, v: Tensor<4>) -> Tensor<4> {
        self.product(v, |jacobian, v, out| {
            for (out, row) in out.iter_mut().zip(jacobian.chunks_exact(v.len())) {
                *out = row.iter().zip(v).map(|(a, b)| a * b).sum();
            }
        })
    }

    /// A product of every sample's Jacobian and vector; `times` adds it to zeros.
    fn product(&self, vectors: Tensor<4>, times: impl Fn(&[f64], &[f64], &mut [f64])) -> Tensor<4> {
        let vectors: Vec<f64> = to_vec(vectors).into_iter().map(f64::from).collect();
        let mut products = vec![0.0; vectors.len()];
        let n = self.dimensions;
        let samples = self.matrices.chunks_exact(n * n).zip(vectors.chunks_exact(n)).zip(products.chunks_exact_mut(n));
        samples.for_each(|((jacobian, vector), product)| times(jacobian, vector, product));
        from_vec(products.into_iter().map(|value| value as f32).collect(), self.shape, self.device)
    }

    /// `ln|det(I + J)|`, or of `(I - J)(I + J)⁻¹`; not finite where singular.
    pub fn log_det(self) -> Tensor<1> {
        let n = self.dimensions;
        let of = |sign: f64, jacobian: &[f64]| Lu::new(plus_identity(jacobian, sign, n), n).log_abs_det();
        let value = |jacobian: &[f64]| match self.determinant {
            Determinant::Sum => of(1.0, jacobian),
            Determinant::Cayley => of(-1.0, jacobian) - of(1.0, jacobian),
        };
        let values = self.samples().map(value).collect();
        self.vector(values)
    }

    /// With its gradient, `tr((I + J)⁻¹ ∂J)`, or `-tr(((I - J)⁻¹ + (I + J)⁻¹) ∂J)`.
    pub fn log_det_with_gradient(self) -> Estimate {
        let n = self.dimensions;
        let of = |sign: f64, jacobian: &[f64]| {
            let lu = Lu::new(plus_identity(jacobian, sign, n), n);
            (lu.log_abs_det(), lu.inverse())
        };
        let sample = |jacobian: &[f64]| match self.determinant {
            Determinant::Sum => {
                let (log_det, adjoint) = of(1.0, jacobian);
                Sample { log_det, adjoint }
            }
            Determinant::Cayley => {
                let ((above, mut adjoint), (below, other)) = (of(-1.0, jacobian), of(1.0, jacobian));
                adjoint.iter_mut().zip(other).for_each(|(a, b)| *a = -(*a + b));
                Sample { log_det: above - below, adjoint }
            }
        };
        let samples = self.samples().map(sample).collect();
        self.estimate(samples)
    }

    /// `Σ_k a_k c_k tr(Jᵏ)`.
    pub fn series(self, coefficients: &[f64]) -> Tensor<1> {
        let (n, determinant) = (self.dimensions, self.determinant);
        let values = self.samples().map(|jacobian| sample_series(jacobian, n, coefficients, None, determinant).log_det);
        self.vector(values.collect())
    }

    /// With its gradient, `tr(M ∂J)`: `M = Σ_{k≥0} s_k c_k Jᵏ` (`c_0 = 1`) of the Neumann series, or
    /// `M = Σ_{k≥0} s_k c_{k+1} Jᵏ`, the derivative of the value, with the weights `s_k` of `tr(Jᵏ ∂J)`.
    pub fn series_with_gradient(self, coefficients: &[f64], gradient: GradientForm) -> Estimate {
        let (n, determinant) = (self.dimensions, self.determinant);
        let samples = self.samples().map(|jacobian| sample_series(jacobian, n, coefficients, Some(gradient), determinant));
        let samples = samples.collect();
        self.estimate(samples)
    }

    fn samples(&self) -> impl IndexedParallelIterator<Item = &[f64]> {
        self.matrices.par_chunks_exact(self.dimensions * self.dimensions)
    }

    fn vector(&self, values: Vec<f64>) -> Tensor<1> {
        let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
        from_vec(values, [self.shape[0]], self.device)
    }

    /// `tr(M ∂J) = Σ_i ⟨Mᵀ e_i, ∂J e_i⟩`: a pair for each dimension, with row `i` of `M`.
    fn estimate(&self, samples: Vec<Sample>) -> Estimate {
        let n = self.dimensions;
        let row = |i: usize| samples.iter().flat_map(move |sample| &sample.adjoint[i * n..(i + 1) * n]);
        let pair = |i: usize| {
            let values = row(i).map(|&value| value as f32).collect();
            (from_vec(values, self.shape, self.device), basis(i, self.shape, self.device))
        };
        let pairs = (0..n).map(pair).collect();
        Estimate { log_det: self.vector(samples.iter().map(|sample| sample.log_det).collect()), pairs }
    }
}

/// The unit vector of a dimension, in every sample.
fn basis(dimension: usize, shape: [usize; 4], device: &Device) -> Tensor<4> {
    let dimensions: usize = shape[1..].iter().product();
    let mut values = vec![0.0; shape[0] * dimensions];
    values.iter_mut().skip(dimension).step_by(dimensions).for_each(|value| *value = 1.0);
    from_vec(values, shape, device)
}

/// The series of one sample; without a form of gradient the adjoint stays zero.
fn sample_series(
    jacobian: &[f64],
    n: usize,
    coefficients: &[f64],
    gradient: Option<GradientForm>,
    determinant: Determinant,
) -> Sample {
    let mut power = plus_identity(&vec![0.0; n * n], 1.0, n);
    let mut sample = Sample { log_det: 0.0, adjoint: vec![0.0; n * n] };
    let is_neumann = matches!(gradient, Some(GradientForm::Neumann | GradientForm::NeumannForward));
    if is_neumann {
        add(&mut sample.adjoint, &power, determinant.slope_weight(0));
    }
    for (index, &coefficient) in coefficients.iter().enumerate() {
        let k = index + 1;
        if gradient == Some(GradientForm::DerivativeOfValue) {
            add(&mut sample.adjoint, &power, determinant.slope_weight(index) * coefficient);
        }
        power = multiply(&power, jacobian, n);
        sample.log_det += determinant.weight(k) * coefficient * power.iter().step_by(n + 1).sum::<f64>();
        if is_neumann {
            add(&mut sample.adjoint, &power, determinant.slope_weight(k) * coefficient);
        }
    }
    sample
}

/// `I + sign · A`
fn plus_identity(matrix: &[f64], sign: f64, n: usize) -> Vec<f64> {
    let mut sum: Vec<f64> = matrix.iter().map(|value| sign * value).collect();
    sum.iter_mut().step_by(n + 1).for_each(|diagonal| *diagonal += 1.0);
    sum
}

fn multiply(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
    let mut product = vec![0.0; n * n];
    for (row, a_row) in product.chunks_exact_mut(n).zip(a.chunks_exact(n)) {
        for (&factor, b_row) in a_row.iter().zip(b.chunks_exact(n)) {
            add(row, b_row, factor);
        }
    }
    product
}

/// `sum ← sum + factor · other`
fn add(sum: &mut [f64], other: &[f64], factor: f64) {
    sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += factor * other);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_of_a_small_matrix_is_the_logarithm() {
        let jacobian = [0.3, -0.2, 0.1, 0.25];
        let [plus, minus] = [1.0, -1.0].map(|sign| Lu::new(plus_identity(&jacobian, sign, 2), 2));
        let cayley: Vec<f64> = plus.inverse().iter().zip(minus.inverse()).map(|(a, b)| -a - b).collect();
        let exact = [
            (Determinant::Sum, plus.log_abs_det(), plus.inverse()),
            (Determinant::Cayley, minus.log_abs_det() - plus.log_abs_det(), cayley),
        ];
        for (determinant, log_det, adjoint) in exact {
            for gradient in [GradientForm::Neumann, GradientForm::DerivativeOfValue] {
                let sample = sample_series(&jacobian, 2, &[1.0; 61], Some(gradient), determinant);
                assert!((sample.log_det - log_det).abs() < 1e-14);
                assert!(sample.adjoint.iter().zip(&adjoint).all(|(a, b)| (a - b).abs() < 1e-14), "{determinant:?} {gradient:?}");
            }
        }
    }
}
