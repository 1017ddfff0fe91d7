//! A batch of samples on the device.

use super::error::TrainingError;
use crate::multiscale::{Context, ResidualFlow};
use burn::tensor::Tensor;

/// A batch on the device.
#[derive(Clone, Debug)]
pub struct Samples {
    /// `[batch, channels, height, width]`; points are `[batch, dimensions, 1, 1]`.
    pub x: Tensor<4>,
    /// The class of each sample, in sets with classes.
    pub labels: Option<Vec<u32>>,
}

impl Samples {
    /// How many.
    pub fn count(&self) -> usize {
        self.x.dims()[0]
    }

    /// So many of them, from this one on.
    pub fn narrow(&self, begin: usize, count: usize) -> Self {
        let labels = self.labels.as_ref().map(|labels| labels[begin..begin + count].to_vec());
        Self { x: self.x.clone().narrow(0, begin, count), labels }
    }

    /// The same with the class of each sample.
    pub fn with_labels(self, labels: Vec<u32>) -> Self {
        Self { labels: Some(labels), ..self }
    }

    /// What is known about them: their classes, if the set has some.
    pub fn context(&self) -> Option<Context> {
        self.labels.clone().map(Context::Classes)
    }

    /// The model of these samples, [given](ResidualFlow::given) what is known about them.
    ///
    /// # Errors
    /// If that does not fit the model.
    pub fn condition(&self, model: &ResidualFlow) -> Result<ResidualFlow, TrainingError> {
        match self.context() {
            Some(context) => Ok(model.given(&context)?),
            None => Ok(model.clone()),
        }
    }

    /// The classes.
    ///
    /// # Errors
    /// If the set has none.
    pub fn labels(&self) -> Result<&[u32], TrainingError> {
        self.labels.as_deref().ok_or(TrainingError::NoLabels)
    }
}

impl From<Tensor<4>> for Samples {
    /// Images without classes.
    fn from(x: Tensor<4>) -> Self {
        Self { x, labels: None }
    }
}

impl From<Tensor<2>> for Samples {
    /// Points `[batch, dimensions]`.
    fn from(points: Tensor<2>) -> Self {
        let [batch, dimensions] = points.dims();
        Self { x: points.reshape([batch, dimensions, 1, 1]), labels: None }
    }
}
