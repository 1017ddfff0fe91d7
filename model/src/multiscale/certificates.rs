//! Certificates that residual blocks are invertible: the product of the bounds of their layers.

use super::residual_flow::ResidualFlow;
use crate::lipschitz::{ContractiveConvolution, LayerCertificate, NormPair};
use crate::nn::ContractiveNet;
use serde::Serialize;

/// What is certain about a residual block `x + g(x)`.
#[derive(Clone, Debug, Serialize)]
pub struct BlockCertificate {
    /// Its place in the model.
    pub path: String,
    /// Its affine layers.
    pub layers: Vec<LayerCertificate>,
    /// The product of the layers' estimates.
    pub estimate: f64,
    /// The product of the layers' bounds, at least `Lip(g)`: activations have Lipschitz constant 1 at the most.
    pub bound: f64,
}

/// How sharp bounds are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// As sharp as is possible in reasonable time.
    Sharp,
    /// Only sharp enough to see that a block's bound is below 1, if it is.
    Quick,
}

impl ResidualFlow {
    /// How many residual blocks there are.
    pub fn n_residual_blocks(&self) -> usize {
        self.residual_nets().count()
    }

    /// A certificate for every residual block, in forward order. Each counts as a layer that the model's
    /// [`Monitor`](crate::Monitor) sees passed; if that stops the work, bounds mean nothing.
    pub fn certificates(&self, effort: Effort) -> impl Iterator<Item = BlockCertificate> {
        self.residual_nets().map(move |(path, net)| net.certificate(path, effort))
    }

    fn residual_nets(&self) -> impl Iterator<Item = (String, &ContractiveNet)> {
        let layers = self.scales.iter().flat_map(|scale| &scale.layers);
        self.layer_ids().into_iter().zip(layers).filter_map(|(id, layer)| Some((id.path, layer.net()?)))
    }
}

impl ContractiveNet {
    fn certificate(&self, path: String, effort: Effort) -> BlockCertificate {
        let block = |sharp: bool| {
            let named = self.convolutions.iter().zip(self.norm_pairs()).enumerate();
            let certificate = |(index, (layer, pair)): (usize, (&ContractiveConvolution, NormPair))| {
                layer.certificate(pair, format!("{path}.net.convolutions.{index}"), sharp, self.monitor())
            };
            let layers: Vec<LayerCertificate> = named.map(certificate).collect();
            let rounding = 1.0 + layers.len() as f64 * f64::EPSILON;
            let estimate = layers.iter().map(|layer| layer.estimate).product();
            let bound = layers.iter().map(|layer| layer.bound).product::<f64>() * rounding;
            BlockCertificate { path: path.clone(), layers, estimate, bound }
        };
        let certificate = match effort {
            Effort::Sharp => block(true),
            Effort::Quick => Some(block(false)).filter(|block| block.bound < 1.0).unwrap_or_else(|| block(true)),
        };
        // Whether it is stopped is for the caller to ask.
        let _ = self.monitor().pass();
        certificate
    }
}
