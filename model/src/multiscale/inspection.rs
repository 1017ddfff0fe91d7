//! A look at what passes through each layer, for finding the one that breaks and for measuring estimators.

use super::residual_flow::ResidualFlow;
use crate::error::{NotFinite, Result};
use crate::flow::{Flow, LogDetContext};
use crate::numerics::finite::expect_finite;
use crate::numerics::tensor::{first_broken_sample, first_not_finite, to_vec};
use burn::tensor::Tensor;

/// What leaves a layer.
pub struct LayerOutput {
    /// Its place in the model.
    pub path: String,
    /// The first sample whose output has an element that is not finite.
    pub broken_sample: Option<usize>,
    /// `ln|det ∂z/∂x|` of every sample, nats; estimated where the context says so.
    pub log_det: Vec<f32>,
}

impl ResidualFlow {
    /// What leaves each layer, in forward order. A look, for finding faults: it does not refuse a model whose weights have changed
    /// since the Lipschitz constraint was updated.
    ///
    /// # Errors
    /// As [`log_prob_with`](Self::log_prob_with).
    pub fn layer_outputs(&self, x: Tensor<4>, context: &LogDetContext) -> Result<Vec<LayerOutput>> {
        let x = self.pad(x, &mut context.padding_stream())?.input;
        self.check_input(&x)?;
        self.check_context(x.dims()[0])?;
        let mut outputs = Vec::new();
        self.forward_scales(x, |layer, x, id| {
            let (z, log_det) = layer.forward_log_det(x, context, &id)?;
            outputs.push(LayerOutput { path: id.path, broken_sample: first_broken_sample(&z), log_det: to_vec(log_det) });
            Ok(z)
        })?;
        Ok(outputs)
    }

    /// The first layer, in forward order, whose output or log-determinant is not finite for some of these images, and the
    /// first such sample; `None` if all is finite.
    ///
    /// # Errors
    /// As [`log_prob_with`](Self::log_prob_with).
    pub fn first_not_finite(&self, x: Tensor<4>, context: &LogDetContext) -> Result<Option<NotFinite>> {
        let of_layer = |LayerOutput { path, broken_sample, log_det }: LayerOutput| {
            let of = |what| move |sample| (what, sample);
            let broken = broken_sample.map(of("the output"));
            let (what, sample) = broken.or_else(|| first_not_finite(&log_det, 1).map(of("the log-determinant")))?;
            Some(NotFinite { what, layer: Some(path), sample: Some(sample) })
        };
        Ok(self.layer_outputs(x, context)?.into_iter().find_map(of_layer))
    }

    /// Checks that padded images and what leaves every layer are finite.
    ///
    /// # Errors
    /// Names the first layer where they are not, and the sample.
    pub(crate) fn check_forward(&self, x: Tensor<4>) -> Result<()> {
        expect_finite("the input", &x, None)?;
        self.forward_scales(x, |layer, x, id| {
            let z = layer.forward(x)?;
            expect_finite("the output", &z, Some(&id.path))?;
            Ok(z)
        })?;
        Ok(())
    }
}
