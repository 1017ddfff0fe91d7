//! Numbers that go wrong, and the layer at which they do.

use crate::noise;
use crate::objective::Samples;
use anyhow::Result;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use residual_flows::{Gradients, LogDetConfig, LogDetContext, ResidualFlow};
use std::fmt;

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

/// The step whose numbers are not finite.
pub struct BrokenStep<'a> {
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
}

impl BrokenStep<'_> {
    /// The first place where a number is not finite: forward through the layers with the step's images and noise, then
    /// backward through the layers' gradients.
    ///
    /// # Errors
    /// If the model cannot be evaluated.
    pub fn fault(&self) -> Result<Fault> {
        for (index, samples) in self.micro_batches.iter().enumerate() {
            let context = LogDetContext { config: self.log_det, noise: noise::training(self.seed, self.step, index) };
            for output in self.model.layer_outputs(samples.x.clone(), &context)? {
                let log_det_is_finite = output.log_det.iter().all(|value| value.is_finite());
                let what = match (output.finite, log_det_is_finite) {
                    (false, _) => "the output",
                    (_, false) => "the log-determinant",
                    _ => continue,
                };
                return Ok(Fault { what, layer: Some(output.path) });
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
pub fn layer_norms(model: &ResidualFlow, gradients: &Gradients) -> Vec<(String, f64)> {
    let layers = model.scales.iter().flat_map(|scale| &scale.layers);
    model.layer_ids().into_iter().zip(layers).map(|(id, layer)| (id.path, gradients.norm(layer))).collect()
}

/// The first layer with a parameter or a persistent vector that is not finite.
pub fn overflow(model: &ResidualFlow) -> Option<Fault> {
    let mut sum = Zeros { sum: 0.0 };
    model.visit(&mut sum);
    if sum.sum.is_finite() {
        return None;
    }
    let layers = model.scales.iter().flat_map(|scale| &scale.layers);
    let broken = model.layer_ids().into_iter().zip(layers).find(|(_, layer)| {
        let mut sum = Zeros { sum: 0.0 };
        layer.visit(&mut sum);
        !sum.sum.is_finite()
    });
    Some(Fault { what: "the update", layer: broken.map(|(id, _)| id.path) })
}

/// Adds 0 for every finite number of a module, and NaN for any other.
struct Zeros {
    sum: f32,
}

impl ModuleVisitor for Zeros {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.sum += (param.val() * 0.0).sum().into_scalar::<f32>();
    }
}
