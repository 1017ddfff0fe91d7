//! Certificates that blocks are invertible: that their branches are contractions, by the bounds of their layers.

use super::residual_flow::ResidualFlow;
use crate::lipschitz::{ContractiveConvolution, LayerCertificate, NormPair};
use crate::nn::ContractiveNet;
use serde::Serialize;

/// What is certain about the branch `g` of a block, which is invertible if all its branches have bounds below 1.
#[derive(Clone, Debug, Serialize)]
pub struct BlockCertificate {
    /// The place of its block in the model, and its own if the block has several.
    pub path: String,
    /// Its affine layers.
    pub layers: Vec<LayerCertificate>,
    /// What follows from the layers' estimates.
    pub estimate: f64,
    /// At least `Lip(g)`: the product of the layers' bounds and of the activations' Lipschitz constants, with the concatenations of
    /// dense layers.
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
    /// How many branches there are, which certificates are for.
    pub fn n_branches(&self) -> usize {
        self.nets().count()
    }

    /// A certificate for every branch, in forward order. Each counts as a layer that the model's
    /// [`Monitor`](crate::Monitor) sees passed; if that stops the work, bounds mean nothing.
    pub fn certificates(&self, effort: Effort) -> impl Iterator<Item = BlockCertificate> {
        let branches = self.layer_ids().into_iter().zip(self.layers()).flat_map(|(id, layer)| {
            let nets = layer.nets();
            let is_alone = nets.len() == 1;
            nets.into_iter().map(move |(field, net)| {
                let net_path = format!("{}.{field}", id.path);
                (if is_alone { id.path.clone() } else { net_path.clone() }, net_path, net)
            })
        });
        branches.map(move |(path, net_path, net)| net.certificate(path, &net_path, effort))
    }
}

impl ContractiveNet {
    fn certificate(&self, path: String, net_path: &str, effort: Effort) -> BlockCertificate {
        let block = |sharp: bool| {
            let named = self.convolutions.iter().zip(self.norm_pairs()).enumerate();
            let certificate = |(index, (layer, pair)): (usize, (&ContractiveConvolution, NormPair))| {
                layer.certificate(pair, format!("{net_path}.convolutions.{index}"), sharp, self.monitor())
            };
            let layers: Vec<LayerCertificate> = named.map(certificate).collect();
            // Of one operation for each layer, or of those of a dense one.
            let rounding = 1.0 + (layers.len() + 10 * self.concatenations().len()) as f64 * f64::EPSILON;
            let composed = |of: fn(&LayerCertificate) -> f64| self.composed(&layers.iter().map(of).collect::<Vec<_>>());
            let (estimate, bound) = (composed(|layer| layer.estimate), composed(|layer| layer.bound) * rounding);
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
