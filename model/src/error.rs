//! What can go wrong when a flow is built or evaluated.

use std::fmt;
use thiserror::Error;

/// Errors of this crate. Shapes and settings are checked before work starts; numbers are checked after it.
#[derive(Debug, Error)]
#[non_exhaustive]
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
    /// A fixed-point iteration that did not reach its tolerance.
    #[error(
        "{what}{} did not converge: {failed} of {batch} samples still move by up to {residual:.2e} \
         (tolerance {tol:.1e}) after {iterations} iterations; update the Lipschitz constraint, raise `max_iters`, or loosen `tol`",
        of_layer(layer.as_deref())
    )]
    NotConverged {
        /// What was solved for: the inverse, or the forward or backward pass of a layer that solves an equation in it.
        what: &'static str,
        /// The layer's path in the model, if it is known.
        layer: Option<String>,
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
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
    /// A Jacobian that is singular, or too large to be built.
    #[error("the exact log-determinant of layer `{layer}` cannot be computed: {reason}")]
    ExactLogDet {
        /// The layer's path in the model.
        layer: String,
        /// Why.
        reason: String,
    },
    /// A layer that estimates its log-determinant was to be differentiated without a draw of the estimator's randomness.
    #[error("the gradient of a residual layer's log-determinant needs a draw of its estimator, and there is none")]
    NoDraw,
    /// A conditional density is asked for without what it is conditioned on.
    #[error("the model is conditional, and nothing is known about the samples: give it their context by `given`")]
    NoContext,
    /// A model whose weights have changed since its Lipschitz constraint was updated.
    #[error(
        "the weights of layer `{layer}` have changed since its Lipschitz constraint was updated: call `update_lipschitz` after \
         every change of weights, or `with_converged_constraint` before a model is evaluated"
    )]
    StaleConstraint {
        /// The first such layer's path in the model.
        layer: String,
    },
    /// A computation that was stopped: see [`Monitor`](crate::Monitor).
    #[error("the computation was interrupted")]
    Interrupted,
}

/// Where numbers cease to be finite.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct NotFinite {
    /// The quantity.
    pub what: &'static str,
    /// The layer's path in the model; `None` for what enters the first layer.
    pub layer: Option<String>,
    /// The first sample of the batch for which it is not; `None` where it does not depend on samples.
    pub sample: Option<usize>,
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(sample) = self.sample {
            write!(f, "sample {sample}: ")?;
        }
        write!(f, "{}{} is not finite", self.what, of_layer(self.layer.as_deref()))
    }
}

/// A layer in messages, if it is known.
fn of_layer(layer: Option<&str>) -> String {
    layer.map_or_else(String::new, |layer| format!(" of layer `{layer}`"))
}

impl ModelError {
    /// The error of a layer, named if it is not yet.
    pub(crate) fn in_layer(mut self, path: &str) -> Self {
        if let Self::NotConverged { layer, .. } | Self::NotFinite(NotFinite { layer, .. }) = &mut self {
            layer.get_or_insert_with(|| path.into());
        }
        self
    }

    /// The error of a batch whose samples are numbered from `first` on.
    pub fn in_batch_from(mut self, first: usize) -> Self {
        if let Self::NotFinite(NotFinite { sample: Some(sample), .. }) = &mut self {
            *sample += first;
        }
        self
    }
}

/// Result with this crate's error.
pub type Result<T> = std::result::Result<T, ModelError>;
