//! The log-determinant of a residual layer, `ln|det(I + J)| = Σ_{k≥1} (-1)^{k+1}/k · tr(Jᵏ)`: exactly, or by an
//! estimate of the power series, which is unbiased unless it is truncated.
//!
//! | | choices |
//! | --- | --- |
//! | infinite sum ([`Method`]) | Russian roulette with weights that keep it unbiased ([`TermDistribution`]), truncated, exact |
//! | trace ([`Trace`]) | Hutchinson, `tr(A) = E[vᵀ A v]` ([`Probe`]), or exact |
//! | gradient ([`GradientForm`]) | Neumann series, or the derivative of the value |
//!
//! Other layers have other functions of a Jacobian, with other weights of the same traces.
//!
//! Value and gradient come from the same products. Every gradient has the form `∂ℓ = Σ_i ∂⟨w_i, J v_i⟩` with constant
//! vectors, and each term of it is one pullback through the branch.
//!
//! Chen et al. (2019), Residual Flows, sections 3.1 and 3.2. <https://arxiv.org/abs/1906.02735>

mod choices;
mod config;
mod determinant;
mod draw;
mod fitted;
mod hutchinson;
mod jacobian;
mod measured;
mod optimal;
mod precision;
mod products;
mod russian_roulette;
mod series;
mod terms;

pub use choices::{GradientForm, Method, Trace};
pub use config::LogDetConfig;
pub(crate) use determinant::Determinant;
pub use draw::LogDetDraw;
pub use fitted::FittedSurvival;
pub(crate) use fitted::Purpose;
pub use hutchinson::Probe;
pub(crate) use jacobian::MAX_DIMENSIONS;
pub(crate) use measured::{MeasuredSeries, NUMBERS, fit_gradient, fit_values};
pub use precision::SeriesPrecision;
pub(crate) use products::{Estimate, Products};
pub use russian_roulette::{GEOMETRIC_PROBABILITIES, POISSON_RATES, TermDistribution};
pub(crate) use terms::ValueTerms;
