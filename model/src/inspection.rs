//! A look at what passes through each layer, for finding the one that breaks and for measuring estimators.

use crate::error::Result;
use crate::flows::LogDetContext;
use crate::residual_flow::ResidualFlow;
use crate::tensor::to_vec;
use burn::tensor::Tensor;

/// What leaves a layer.
pub struct LayerOutput {
    /// Its place in the model.
    pub path: String,
    /// Whether every element of its output is finite.
    pub finite: bool,
    /// `ln|det ∂z/∂x|` of every sample, nats; estimated where the context says so.
    pub log_det: Vec<f32>,
}

impl ResidualFlow {
    /// What leaves each layer, in forward order.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn layer_outputs(&self, x: Tensor<4>, context: &LogDetContext) -> Result<Vec<LayerOutput>> {
        let x = self.pad(x, &mut context.padding_stream())?.input;
        self.check_input(&x)?;
        let mut outputs = Vec::new();
        self.forward_scales(x, |layer, x, id| {
            let (z, log_det) = layer.forward_log_det(x, context, &id)?;
            let finite = to_vec(z.clone()).iter().all(|value| value.is_finite());
            outputs.push(LayerOutput { path: id.path, finite, log_det: to_vec(log_det) });
            Ok(z)
        })?;
        Ok(outputs)
    }
}
