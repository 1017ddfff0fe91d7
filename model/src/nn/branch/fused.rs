//! The CPU kernels behind tensors: narrow tensors cross over, hidden activations never exist as tensors.

use super::{BranchGradients, BranchParts, Joint};
use crate::log_det::ValueTerms;
use crate::nn::activation::Activation;
use crate::numerics::convolution::{Convolution, Form};
use crate::numerics::tensor::{from_vec, values};
use burn::tensor::{Device, Tensor};
use flow_kernels::{
    BatchShape, ChainWeights, FusedGradients, FusedLayer, FusedNet, InstructionSet, Linearized, SharedValues, TapSide,
};
use rayon::prelude::*;

/// See the [module](super) for what it computes.
pub(crate) struct FusedBranch {
    net: FusedNet,
    weight_shapes: Vec<[usize; 4]>,
    has_betas: Vec<bool>,
    device: Device,
}

impl FusedBranch {
    /// `None` where the kernels do not apply: another device, a larger kernel inside, fewer than two convolutions, an
    /// activation that they do not know, concatenations, dropout.
    pub fn new(parts: &BranchParts) -> Option<Self> {
        let device = parts.biases.first()?.device();
        let (first, last) = (parts.convolutions.first()?, parts.convolutions.last()?);
        let inner = parts.convolutions.get(1..parts.convolutions.len() - 1)?;
        if device != Device::flex() || parts.convolutions.len() < 2 || inner.iter().any(|c| c.kernel() != 1) {
            return None;
        }
        if parts.last_mask.is_some() || parts.sample_bias.is_some() {
            return None;
        }
        let layer = |(convolution, bias): (&Convolution, &Tensor<1>)| {
            let shape = convolution.weight.dims();
            let divisor = convolution.divisor.clone().map_or(1.0, |divisor| divisor.into_scalar());
            let side = match convolution.form {
                Form::Unfold => TapSide::Inputs,
                Form::Fold => TapSide::Outputs,
            };
            FusedLayer::new(
                SharedValues::new(values(convolution.weight.clone())),
                shape,
                divisor,
                side,
                values(bias.clone()).to_vec(),
            )
        };
        let between = parts.joints.iter().map(|joint| match joint {
            Some(Joint { activation, concatenation: None }) => Some(*activation),
            _ => None,
        });
        let between: Vec<&Activation> = between.collect::<Option<_>>()?;
        let all_activations = || parts.preactivation.iter().chain(&between);
        let net = FusedNet {
            set: InstructionSet::best(),
            channels: parts.biases.last()?.dims()[0],
            preactivation: match parts.preactivation {
                Some(activation) => Some(activation.kernel()?),
                None => None,
            },
            layers: parts.convolutions.par_iter().zip(&parts.biases).map(layer).collect(),
            activations: between.iter().map(|a| a.kernel()).collect::<Option<_>>()?,
            first_kernel: first.kernel(),
            last_kernel: last.kernel(),
            interrupt: Box::new(parts.monitor.clone()),
        };
        Some(Self {
            net,
            weight_shapes: parts.convolutions.iter().map(|c| c.weight.dims()).collect(),
            has_betas: all_activations().map(|a| a.beta.is_some()).collect(),
            device,
        })
    }

    /// The same on another instruction set.
    #[cfg(test)]
    pub fn on(mut self, set: InstructionSet) -> Self {
        self.net.set = set;
        self
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let dims = x.dims();
        from_vec(self.net.forward(shape(dims), &values(x)), dims, &self.device)
    }

    pub fn linearize(&self, x: Tensor<4>) -> (Tensor<4>, Linearized) {
        let dims = x.dims();
        let (g, at) = self.net.linearize(shape(dims), &values(x));
        (from_vec(g, dims, &self.device), at)
    }

    pub fn vjp(&self, at: &Linearized, u: Tensor<4>) -> Tensor<4> {
        let dims = u.dims();
        from_vec(self.net.vjp(shape(dims), at, &values(u)), dims, &self.device)
    }

    pub fn series(&self, x: Tensor<4>, v: Tensor<4>, terms: ValueTerms) -> (Tensor<4>, Tensor<1>) {
        let dims = x.dims();
        let (g, log_det) = self.net.series(shape(dims), &values(x), &values(v), &|squares| Box::new(terms.begin(squares)));
        (from_vec(g, dims, &self.device), from_vec(log_det, [dims[0]], &self.device))
    }

    pub fn pullback(&self, x: Tensor<4>, v: Tensor<4>, y_bar: Tensor<4>, tau: Tensor<4>) -> (Tensor<4>, BranchGradients) {
        let dims = x.dims();
        let [x, v, y_bar, tau] = [x, v, y_bar, tau].map(values);
        self.tensors(dims, self.net.pullback(shape(dims), &x, &v, &y_bar, &tau))
    }

    pub fn series_pullback(
        &self,
        inputs: [Tensor<4>; 3],
        weights: &ChainWeights,
        lambda: Tensor<1>,
    ) -> (Tensor<1>, Tensor<4>, BranchGradients) {
        let dims = inputs[0].dims();
        let [x, v, y_bar] = inputs.map(values);
        let (log_det, gradients) = self.net.series_pullback(shape(dims), [&x, &v, &y_bar], weights, &values(lambda));
        let (x_bar, gradients) = self.tensors(dims, gradients);
        (from_vec(log_det, [dims[0]], &self.device), x_bar, gradients)
    }

    fn tensors(&self, dims: [usize; 4], gradients: FusedGradients) -> (Tensor<4>, BranchGradients) {
        let device = &self.device;
        let FusedGradients { input, weights, biases, betas } = gradients;
        let betas = betas.into_iter().zip(&self.has_betas).filter(|(_, has)| **has);
        let bias = |values: Vec<f32>| {
            let length = values.len();
            from_vec(values, [length], device)
        };
        let gradients = BranchGradients {
            weights: weights.into_iter().zip(&self.weight_shapes).map(|(w, shape)| from_vec(w, *shape, device)).collect(),
            biases: biases.into_iter().map(bias).collect(),
            betas: betas.map(|(beta, _)| from_vec(vec![beta as f32], [1], device)).collect(),
            concatenations: Vec::new(),
            shift: None,
            sample_bias: None,
        };
        (from_vec(input, dims, device), gradients)
    }
}

fn shape([batch, _, height, width]: [usize; 4]) -> BatchShape {
    BatchShape { batch, height, width }
}
