//! What can go wrong when a flow is built or evaluated.

use thiserror::Error;

/// Errors of this crate. Shapes and settings are checked before work starts; numbers are checked after it.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A setting of the architecture or of an estimator that makes no sense.
    #[error("model setting `{key}` is {got}: expected {expected}")]
    Config {
        /// The configuration key, as written in a TOML file.
        key: &'static str,
        /// What would be accepted.
        expected: String,
        /// What was found.
        got: String,
    },
    /// An input whose shape does not fit the model.
    #[error("{what} has shape {got:?}: expected {expected}")]
    Shape {
        /// The tensor that was passed in.
        what: &'static str,
        /// The shape that fits, with names for free dimensions.
        expected: String,
        /// The shape that came.
        got: Vec<usize>,
    },
    /// A fixed-point inversion that did not reach its tolerance.
    #[error(
        "the inverse of layer `{layer}` did not converge: {failed} of {batch} samples still move by up to {residual:.2e} \
         (tolerance {tol:.1e}) after {iterations} iterations; update the Lipschitz constraint, raise `max_iters`, or loosen `tol`"
    )]
    Inversion {
        /// The layer's path in the model.
        layer: String,
        /// Samples that did not converge.
        failed: usize,
        /// Samples in the batch.
        batch: usize,
        /// Largest change of any element in the last iteration.
        residual: f32,
        /// The tolerance asked for.
        tol: f32,
        /// Iterations made.
        iterations: usize,
    },
    /// An induced norm whose iteration did not reach its tolerance.
    #[error(
        "the norm of layer `{layer}` did not converge: after {iterations} iterations it is still off by {change:.1e} of itself; \
         `update_lipschitz` estimates it"
    )]
    Norm {
        /// The layer's path in the model.
        layer: String,
        /// Iterations made.
        iterations: usize,
        /// The relative error that was left.
        change: f64,
    },
    /// A number that is not finite where one is needed.
    #[error("{what} of layer `{layer}` is not finite")]
    NotFinite {
        /// The quantity.
        what: &'static str,
        /// The layer's path in the model.
        layer: String,
    },
    /// A Jacobian that is singular, or too large to be built.
    #[error("the exact log-determinant of layer `{layer}` cannot be computed: {reason}")]
    ExactLogDet {
        /// The layer's path in the model.
        layer: String,
        /// Why.
        reason: String,
    },
}

/// Result with this crate's error.
pub type Result<T> = std::result::Result<T, ModelError>;
