//! An estimate with its randomness drawn: a pure function of the branch's products.

use super::choices::GradientForm;
use super::determinant::Determinant;
use super::jacobian::Jacobians;
use super::precision::SeriesPrecision;
use super::products::{Estimate, Products};
use super::series;
use super::terms::ValueTerms;
use burn::tensor::Tensor;

/// How one layer's log-determinant is computed, and the randomness of it.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time, and only while a layer is computed")]
pub enum LogDetDraw {
    /// The power series with Hutchinson's trace estimate.
    Hutchinson {
        /// `v`, of the input's shape.
        probe: Tensor<4>,
        /// The terms' weights `c_1 … c_n`.
        coefficients: Vec<f64>,
        /// The estimate of the gradient.
        gradient: GradientForm,
        /// The precision of the products.
        precision: SeriesPrecision,
    },
    /// The power series with exact traces.
    ExactTrace {
        /// The terms' weights `c_1 … c_n`.
        coefficients: Vec<f64>,
        /// The estimate of the gradient.
        gradient: GradientForm,
    },
    /// From the whole Jacobian, such as `ln|det(I + J)|` with its gradient `tr((I + J)⁻¹ ∂J)`.
    Exact,
}

impl LogDetDraw {
    /// The estimate of the paper's training: Hutchinson's traces, the Neumann gradient.
    pub fn neumann(probe: Tensor<4>, coefficients: Vec<f64>) -> Self {
        let (gradient, precision) = (GradientForm::Neumann, SeriesPrecision::F32);
        LogDetDraw::Hutchinson { probe, coefficients, gradient, precision }
    }

    /// The terms of the value, of which the first `n_exact` are exact.
    pub(crate) fn value_terms(&self, n_exact: usize, early_end: Option<f64>, determinant: Determinant) -> ValueTerms<'_> {
        let roulette = match self {
            LogDetDraw::Hutchinson { coefficients, .. } => &coefficients[n_exact..],
            _ => &[],
        };
        ValueTerms { n_exact, roulette, early_end, determinant }
    }

    /// As many draws as there are probes of each sample, one after the other along the batch, with the same number of terms.
    pub(crate) fn split<const N: usize>(self) -> [Self; N] {
        std::array::from_fn(|index| match &self {
            LogDetDraw::Hutchinson { probe, coefficients, gradient, precision } => {
                let batch = probe.dims()[0] / N;
                let (probe, coefficients) = (probe.clone().narrow(0, index * batch, batch), coefficients.clone());
                LogDetDraw::Hutchinson { probe, coefficients, gradient: *gradient, precision: *precision }
            }
            other => other.clone(),
        })
    }

    /// The probe of a series in single precision.
    pub(crate) fn probe(&self) -> Option<&Tensor<4>> {
        match self {
            LogDetDraw::Hutchinson { probe, precision: SeriesPrecision::F32, .. } => Some(probe),
            _ => None,
        }
    }

    /// Where it is one chain of products from one probe in single precision: the probe, and the terms' weights in the value and,
    /// relative to the probe's own, in the gradient.
    pub(crate) fn chain(&self, determinant: Determinant) -> Option<(Tensor<4>, Vec<f64>, Vec<f64>)> {
        match self {
            LogDetDraw::Hutchinson { probe, coefficients, gradient: GradientForm::Neumann, precision: SeriesPrecision::F32 } => {
                let (value, gradient) = series::weights(coefficients, determinant);
                Some((probe.clone(), value, gradient))
            }
            _ => None,
        }
    }

    /// The same with its probe in another layout.
    pub(crate) fn map_probe(self, layout: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Self {
        match self {
            LogDetDraw::Hutchinson { probe, coefficients, gradient, precision } => {
                LogDetDraw::Hutchinson { probe: layout(probe), coefficients, gradient, precision }
            }
            other => other,
        }
    }

    /// The precision of the products.
    pub(crate) fn precision(&self) -> SeriesPrecision {
        match self {
            LogDetDraw::Hutchinson { precision, .. } => *precision,
            _ => SeriesPrecision::F32,
        }
    }

    /// Whether the gradient needs products `J v`.
    pub(crate) fn needs_jvp(&self) -> bool {
        let LogDetDraw::Hutchinson { gradient, .. } = self else { return false };
        matches!(gradient, GradientForm::DerivativeOfValue | GradientForm::NeumannForward)
    }

    /// The log-determinant alone, nats, `[batch]`; of Hutchinson's series with these terms. Not finite where an exact one's
    /// matrix is singular.
    pub(crate) fn log_det(&self, terms: ValueTerms, products: &Products) -> Tensor<1> {
        match self {
            LogDetDraw::Hutchinson { probe, coefficients, .. } => {
                with_fewest_passes(products, coefficients.len(), |products| series::value(probe, terms, products))
            }
            LogDetDraw::ExactTrace { coefficients, .. } => Jacobians::new(products).series(coefficients),
            LogDetDraw::Exact => Jacobians::new(products).log_det(),
        }
    }

    /// The log-determinant with its gradient's vectors.
    pub(crate) fn estimate(&self, products: &Products) -> Estimate {
        match self {
            LogDetDraw::Hutchinson { probe, coefficients, gradient, .. } => {
                let form = match gradient {
                    GradientForm::Neumann => series::neumann,
                    GradientForm::NeumannForward => series::neumann_forward,
                    GradientForm::DerivativeOfValue => series::derivative_of_value,
                };
                with_fewest_passes(products, coefficients.len(), |products| form(probe, coefficients, products))
            }
            LogDetDraw::ExactTrace { coefficients, gradient } => {
                Jacobians::new(products).series_with_gradient(coefficients, *gradient)
            }
            LogDetDraw::Exact => Jacobians::new(products).log_det_with_gradient(),
        }
    }
}

/// Computes with products that take as few passes through the branch as a chain of `n_terms` terms needs: one for each
/// term, or one for each dimension where those are fewer. The products, and so the results, are the same.
fn with_fewest_passes<T>(products: &Products, n_terms: usize, compute: impl FnOnce(&Products) -> T) -> T {
    let dimensions: usize = products.shape[1..].iter().product();
    if n_terms <= dimensions {
        return compute(products);
    }
    let jacobians = Jacobians::new(products);
    let (vjp, jvp) = (|u| jacobians.vjp(u), |v| jacobians.jvp(v));
    compute(&Products { vjp: &vjp, jvp: &jvp, ..*products })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numerics::tensor::{from_vec, to_vec};
    use burn::tensor::Device;
    use std::cell::Cell;

    /// Of two samples with two dimensions and different Jacobians.
    const JACOBIANS: [[f32; 4]; 2] = [[0.3, -0.2, 0.1, 0.25], [-0.5, 0.4, 0.2, 0.1]];
    const SHAPE: [usize; 4] = [2, 2, 1, 1];

    fn vectors(values: Vec<f32>) -> Tensor<4> {
        from_vec(values, SHAPE, &Device::flex())
    }

    fn product(u: Tensor<4>, transposed: bool) -> Tensor<4> {
        let of_sample = |([a, b, c, d], u): (&[f32; 4], &[f32])| {
            let (b, c) = if transposed { (c, b) } else { (b, c) };
            [a * u[0] + b * u[1], c * u[0] + d * u[1]]
        };
        vectors(JACOBIANS.iter().zip(to_vec(u).chunks(2)).flat_map(of_sample).collect())
    }

    /// What is computed from the products, and how many of them it took.
    fn counted<T>(compute: impl FnOnce(&Products) -> T) -> (T, usize) {
        let passes = Cell::new(0);
        let count = |u, transposed| {
            passes.set(passes.get() + 1);
            product(u, transposed)
        };
        let (vjp, jvp) = (|u| count(u, true), |v| count(v, false));
        let (device, determinant) = (&Device::flex(), Determinant::Sum);
        let result = compute(&Products { shape: SHAPE, device, determinant, vjp: &vjp, jvp: &jvp });
        (result, passes.get())
    }

    fn numbers(Estimate { log_det, pairs }: Estimate) -> Vec<f32> {
        let vectors = pairs.into_iter().flat_map(|(w, v)| [to_vec(w), to_vec(v)]).flatten();
        to_vec(log_det).into_iter().chain(vectors).collect()
    }

    #[test]
    fn long_series_are_the_same_from_one_product_for_each_dimension() {
        let probe = vectors(vec![1.0, -0.5, 0.25, 2.0]);
        for n_terms in [0, 1, 2, 3, 7] {
            let coefficients: Vec<f64> = (0..n_terms).map(|k| 1.0 + f64::from(k)).collect();
            for gradient in [GradientForm::Neumann, GradientForm::NeumannForward, GradientForm::DerivativeOfValue] {
                let (expected, _) = counted(|products| {
                    numbers(match gradient {
                        GradientForm::Neumann => series::neumann(&probe, &coefficients, products),
                        GradientForm::NeumannForward => series::neumann_forward(&probe, &coefficients, products),
                        GradientForm::DerivativeOfValue => series::derivative_of_value(&probe, &coefficients, products),
                    })
                });
                let precision = SeriesPrecision::F32;
                let (probe, weights) = (probe.clone(), coefficients.clone());
                let draw = LogDetDraw::Hutchinson { probe, coefficients: weights, gradient, precision };
                let (got, _) = counted(|products| numbers(draw.estimate(products)));
                let terms = draw.value_terms(0, None, Determinant::Sum);
                let (value, passes) = counted(|products| to_vec(draw.log_det(terms, products)));
                assert_eq!(passes, coefficients.len().min(2));
                assert!(value.iter().zip(&got).all(|(a, b)| (a - b).abs() < 1e-5 * (1.0 + b.abs())));
                assert_eq!(got.len(), expected.len());
                let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5 * (1.0 + b.abs());
                assert!(got.iter().zip(&expected).all(close), "{n_terms} {gradient:?}: {got:?} {expected:?}");
            }
        }
    }
}
