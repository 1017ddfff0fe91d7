//! A batch of samples on the device.

use super::error::TrainingError;
use crate::multiscale::{Context, ResidualFlow};
use burn::tensor::Tensor;
use std::borrow::Cow;

/// A batch on the device.
#[derive(Clone, Debug)]
pub struct Samples {
    /// `[batch, channels, height, width]`; points are `[batch, dimensions, 1, 1]`.
    pub x: Tensor<4>,
    /// The class of each sample, in sets with classes.
    pub labels: Option<Vec<u32>>,
    /// Numbers that are known about each sample, `[batch, columns]`, in sets with such numbers.
    pub context: Option<Tensor<2>>,
}

impl Samples {
    /// How many.
    pub fn count(&self) -> usize {
        self.x.dims()[0]
    }

    /// This many of them, from this one on.
    pub fn narrow(&self, begin: usize, count: usize) -> Self {
        let labels = self.labels.as_ref().map(|labels| labels[begin..begin + count].to_vec());
        let context = self.context.clone().map(|context| context.narrow(0, begin, count));
        Self { x: self.x.clone().narrow(0, begin, count), labels, context }
    }

    /// The same with the class of each sample.
    pub fn with_labels(self, labels: Vec<u32>) -> Self {
        Self { labels: Some(labels), ..self }
    }

    /// The same with numbers that are known about each, `[batch, columns]`.
    pub fn with_context(self, context: Tensor<2>) -> Self {
        Self { context: Some(context), ..self }
    }

    /// What the model's density is conditioned on, of these samples; `None` if it is on nothing that is known.
    ///
    /// # Errors
    /// If the set lacks what the model needs.
    pub fn known(&self, model: &ResidualFlow) -> Result<Option<Context>, TrainingError> {
        if model.context_columns() > 0 {
            return self.context.clone().map(|context| Some(Context::Vectors(context))).ok_or(TrainingError::NoContext);
        }
        let classes = self.labels.clone().filter(|_| model.context_classes() > 0).map(Context::Classes);
        if classes.is_none() && model.is_conditional() { Err(TrainingError::NoLabels) } else { Ok(classes) }
    }

    /// The model of these samples, [given](ResidualFlow::given) what is known about them.
    ///
    /// # Errors
    /// If the set lacks what the model needs, or it does not fit.
    pub fn condition<'a>(&self, model: &'a ResidualFlow) -> Result<Cow<'a, ResidualFlow>, TrainingError> {
        Ok(model.given_if_known(self.known(model)?.as_ref())?)
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
        Self { x, labels: None, context: None }
    }
}

impl From<Tensor<2>> for Samples {
    /// Points `[batch, dimensions]`.
    fn from(points: Tensor<2>) -> Self {
        let [batch, dimensions] = points.dims();
        Self { x: points.reshape([batch, dimensions, 1, 1]), labels: None, context: None }
    }
}
