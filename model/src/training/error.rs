//! What can go wrong in training.

use crate::error::ModelError;
use crate::optim::OptimizerStateError;
use burn::tensor::Tensor;
use std::error::Error;
use std::fmt;
use thiserror::Error;

/// Errors of training.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// Of the model, such as samples of another shape.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An optimiser's memory that does not fit.
    #[error(transparent)]
    Optimizer(#[from] OptimizerStateError),
    /// Classes are to be learned of data without classes.
    #[error("the task needs classes, but the data have none")]
    NoLabels,
    /// A density is to be learned that is conditioned on numbers which the data lack.
    #[error("the model is conditioned on numbers of which the data have none: set data.context_columns, or model.context")]
    NoContext,
    /// There is not one label for each sample.
    #[error("{labels} labels for {samples} images")]
    LabelCount {
        /// How many labels there are.
        labels: usize,
        /// How many samples there are.
        samples: usize,
    },
    /// A label that is no class of the model.
    #[error("an image has class {label}, but the model has {classes} classes, from 0: set model.classes")]
    Label {
        /// The label.
        label: usize,
        /// How many classes the model has.
        classes: usize,
    },
    /// A result that the device does not give.
    #[error("cannot read {what} from the device: {reason}")]
    Device {
        /// The result.
        what: &'static str,
        /// What the device says.
        reason: String,
    },
    /// A process that trains with this one is lost.
    #[error(transparent)]
    Group(GroupError),
    /// Training data that cannot be read.
    #[error(transparent)]
    Data(Box<dyn Error + Send + Sync>),
    /// Training data of which nothing can be learned.
    #[error("{what}: expected {expected}, got {got}")]
    Unusable {
        /// The data.
        what: &'static str,
        /// What would do.
        expected: String,
        /// What there is.
        got: String,
    },
    /// Training that has broken down.
    #[error("{steps} steps in a row were skipped, in the last one {fault}; lower the learning rate, or begin with other weights")]
    Diverged {
        /// How many.
        steps: u64,
        /// Why the last one was.
        fault: Fault,
    },
    /// A loss of the validation data that is not finite.
    #[error(
        "the validation loss after {steps} steps is {loss}: the model is numerically broken, or a sample is beyond what it can represent"
    )]
    Validation {
        /// Steps made.
        steps: u64,
        /// The loss.
        loss: f64,
    },
}

/// Why a step was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is not finite.
    pub what: &'static str,
    /// Of which layer; `None`: of the whole model.
    pub layer: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.layer {
            Some(layer) => write!(f, "{} of layer `{layer}` is not finite", self.what),
            None => write!(f, "{} is not finite", self.what),
        }
    }
}

/// Why a sum over processes was not made.
pub type GroupError = Box<dyn Error + Send + Sync>;

impl TrainingError {
    /// The values of a tensor, row-major.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn read<const D: usize>(what: &'static str, tensor: Tensor<D>) -> Result<Vec<f32>, Self> {
        tensor.try_into_vec_as::<f32>().map_err(|error| Self::Device { what, reason: format!("{error:?}") })
    }
}
