//! Numbers that go wrong, and the layer at which they do.

use super::error::{Fault, TrainingError};
use super::noise;
use super::samples::Samples;
use crate::error::NotFinite;
use crate::flow::LogDetContext;
use crate::gradients::Gradients;
use crate::log_det::LogDetConfig;
use crate::multiscale::ResidualFlow;
use crate::parameters::visit_parameters;
use burn::module::Module;
use burn::tensor::Tensor;

/// The step whose numbers are not finite.
pub(super) struct BrokenStep<'a> {
    /// The model it was to change.
    pub model: &'a ResidualFlow,
    /// What came out.
    pub gradients: &'a Gradients,
    /// The samples.
    pub micro_batches: &'a [Samples],
    /// The estimator.
    pub log_det: &'a LogDetConfig,
    /// Of the run.
    pub seed: u64,
    /// The step's number.
    pub step: u64,
    /// The number of the process that worked on the samples.
    pub process: usize,
}

impl BrokenStep<'_> {
    /// The first place where a number is not finite: forward through the layers with the step's images and noise, then
    /// backward through the layers' gradients.
    ///
    /// # Errors
    /// If the model cannot be evaluated.
    pub fn fault(&self) -> Result<Fault, TrainingError> {
        for (index, samples) in self.micro_batches.iter().enumerate() {
            let noise = noise::training(self.seed, self.step, index, self.process);
            let context = LogDetContext { config: self.log_det, noise };
            if let Some(NotFinite { what, layer, .. }) =
                samples.condition(self.model)?.first_not_finite(samples.x.clone(), &context)?
            {
                return Ok(Fault { what, layer });
            }
        }
        let norms = layer_norms(self.model, self.gradients);
        let broken = norms.into_iter().rev().find(|(_, norm)| !norm.is_finite());
        Ok(match broken {
            Some((layer, _)) => Fault { what: "the gradient", layer: Some(layer) },
            None => Fault { what: "the loss or the norm of the gradient", layer: None },
        })
    }
}

/// The norm of each layer's gradient, in forward order.
pub(super) fn layer_norms(model: &ResidualFlow, gradients: &Gradients) -> Vec<(String, f64)> {
    model.layer_ids().into_iter().zip(model.layers()).map(|(id, layer)| (id.path, gradients.norm(layer))).collect()
}

/// The first layer with a parameter or a persistent vector that is not finite.
pub(super) fn overflow(model: &ResidualFlow) -> Option<Fault> {
    if is_finite(model) {
        return None;
    }
    let broken = model.layer_ids().into_iter().zip(model.layers()).find(|(_, layer)| !is_finite(*layer));
    Some(Fault { what: "the update", layer: broken.map(|(id, _)| id.path) })
}

/// Whether all numbers of a module are; one number is read from the device.
fn is_finite(module: &impl Module) -> bool {
    // A 0 for every finite number, and a NaN for any other.
    let mut sum: Option<Tensor<1>> = None;
    visit_parameters(module, |_, parameter| {
        let zero = (parameter.flat() * 0.0).sum();
        sum = Some(match sum.take() {
            Some(sum) => sum + zero,
            None => zero,
        });
    });
    sum.is_none_or(|sum| sum.into_scalar::<f32>().is_finite())
}
