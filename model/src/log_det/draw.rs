//! An estimate with its randomness drawn: a pure function of the branch's products.

use super::jacobian::Jacobians;
use super::{GradientForm, series};
use burn::tensor::{Device, Tensor};

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
    },
    /// The power series with exact traces.
    ExactTrace {
        /// The terms' weights `c_1 … c_n`.
        coefficients: Vec<f64>,
        /// The estimate of the gradient.
        gradient: GradientForm,
    },
    /// `ln|det(I + J)|`, and its gradient `tr((I + J)⁻¹ ∂J)`.
    Exact,
}

/// Products with a branch's Jacobian at one input.
pub(crate) struct Products<'a> {
    /// Shape of the vectors.
    pub shape: [usize; 4],
    pub device: &'a Device,
    /// `Jᵀ u`
    pub vjp: &'a dyn Fn(Tensor<4>) -> Tensor<4>,
    /// `J v`; asked for by [`GradientForm::Basic`] only.
    pub jvp: &'a dyn Fn(Tensor<4>) -> Tensor<4>,
}

/// A log-determinant, and what its gradient is made of.
pub(crate) struct Estimate {
    /// Nats, `[batch]`.
    pub log_det: Tensor<1>,
    /// Pairs `(w, v)`, at least one, with `∂ℓ = Σ ∂⟨w, J v⟩` where the vectors are constant.
    pub pairs: Vec<(Tensor<4>, Tensor<4>)>,
}

impl LogDetDraw {
    /// The estimate of the paper's training: Hutchinson's traces, the Neumann gradient.
    pub fn neumann(probe: Tensor<4>, coefficients: Vec<f64>) -> Self {
        LogDetDraw::Hutchinson { probe, coefficients, gradient: GradientForm::Neumann }
    }

    /// The same with its probe in another layout.
    pub(crate) fn map_probe(self, layout: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Self {
        match self {
            LogDetDraw::Hutchinson { probe, coefficients, gradient } => {
                LogDetDraw::Hutchinson { probe: layout(probe), coefficients, gradient }
            }
            other => other,
        }
    }

    /// Whether the gradient needs products `J v`.
    pub(crate) fn needs_jvp(&self) -> bool {
        matches!(self, LogDetDraw::Hutchinson { gradient: GradientForm::Basic, .. })
    }

    /// The log-determinant alone, nats, `[batch]`. Not finite where an exact one's matrix is singular.
    pub(crate) fn log_det(&self, products: &Products) -> Tensor<1> {
        match self {
            LogDetDraw::Hutchinson { probe, coefficients, .. } => series::value(probe, coefficients, products),
            LogDetDraw::ExactTrace { coefficients, .. } => Jacobians::new(products).series(coefficients),
            LogDetDraw::Exact => Jacobians::new(products).log_det(),
        }
    }

    /// The log-determinant with its gradient's vectors.
    pub(crate) fn estimate(&self, products: &Products) -> Estimate {
        match self {
            LogDetDraw::Hutchinson { probe, coefficients, gradient } => match gradient {
                GradientForm::Neumann => series::neumann(probe, coefficients, products),
                GradientForm::Basic => series::basic(probe, coefficients, products),
            },
            LogDetDraw::ExactTrace { coefficients, gradient } => {
                Jacobians::new(products).series_with_gradient(coefficients, *gradient)
            }
            LogDetDraw::Exact => Jacobians::new(products).log_det_with_gradient(),
        }
    }
}
