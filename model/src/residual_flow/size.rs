//! How large a model will be, before anything of it is built.

use crate::config::{BlockKind, ResidualFlowConfig};
use crate::lipschitz::{NormLearning, has_closed_form};
use crate::widths::Widths;

impl ResidualFlowConfig {
    /// How many numbers the networks in a model of images `[channels, height, width]` hold: weights, and vectors of power
    /// iteration. Biases, matrices and the like are not counted.
    ///
    /// Whoever reads settings from a file that may be damaged compares this with what the file can hold.
    pub fn n_numbers(&self, image: [usize; 3]) -> f64 {
        let n_scales = self.scales(image);
        let mut shape = self.first_shape(image);
        let mut numbers = 0.0;
        for (scale, &blocks) in self.blocks.iter().take(n_scales).enumerate() {
            let last = scale + 1 == n_scales;
            numbers += blocks as f64 * self.block_numbers(shape, self.dense, &self.hidden_channels);
            if last {
                numbers += self.dense_blocks as f64 * self.block_numbers(shape, true, &self.dense_hidden.into());
            } else {
                shape = self.next_shape(shape);
            }
            if self.classes > 0 {
                // The 3×3 convolution of a head, and its part of the matrix that makes logits.
                numbers += self.classifier_channels as f64 * (9.0 * shape[0] as f64 + self.classes as f64);
            }
        }
        numbers
    }

    fn block_numbers(&self, [channels, height, width]: [usize; 3], dense: bool, hidden: &Widths) -> f64 {
        let coupling = self.block == BlockKind::Coupling;
        let pixels = height as f64 * width as f64;
        let all = if dense { channels as f64 * pixels } else { channels as f64 };
        // A half decides over the other, in the best case.
        let outer = if coupling { (all / 2.0).floor() } else { all };
        let n = self.kernels.len();
        let layer = |(index, &kernel): (usize, &usize)| {
            let c_in = if index == 0 { outer } else { hidden.get(index - 1) as f64 };
            let c_out = if index + 1 == n { outer } else { hidden.get(index) as f64 };
            let kernel = if dense { 1.0 } else { kernel as f64 };
            let kept = if index + 1 == n { c_out } else { c_in };
            let iterates = !coupling && self.iterates(index);
            let vector = if iterates && kernel > 1.0 { kept * pixels } else { 0.0 };
            kernel * kernel * c_in * c_out + vector
        };
        self.kernels.iter().enumerate().map(layer).sum()
    }

    /// Whether a layer's norm is found by iteration, from a vector that is kept.
    fn iterates(&self, layer: usize) -> bool {
        let order = |index: usize| self.norm_orders.get(index).or(self.norm_orders.first());
        let closed = order(layer).zip(order(layer + 1)).is_some_and(|(&p, &q)| has_closed_form(p, q));
        self.learn_norm_orders != NormLearning::Off || !closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::randomness::NoiseKey;
    use crate::state::named_tensors;
    use burn::tensor::Device;

    /// Most of a model is counted, and nothing that it has not.
    #[test]
    fn models_have_what_was_counted() {
        let small = ResidualFlowConfig { blocks: vec![2, 1], hidden_channels: 20.into(), dense_hidden: 9, ..Default::default() };
        let cases = [
            small.clone(),
            ResidualFlowConfig { factor_out: true, squeeze_first: true, classes: 10, classifier_channels: 30, ..small.clone() },
            ResidualFlowConfig { block: BlockKind::Coupling, checkerboard: false, ..small.clone() },
            ResidualFlowConfig { dense: true, norm_orders: vec![crate::NormOrder::INFINITY], ..small.clone() },
            ResidualFlowConfig { learn_norm_orders: NormLearning::PerLayer, kernels: vec![3, 3], ..small },
        ];
        for config in cases {
            let image = [2, 16, 16];
            let model = config.init(image, &mut NoiseKey::new(0, [0, 0]).stream(0), &Device::flex()).unwrap();
            let held: usize = named_tensors(&model).iter().map(|tensor| tensor.values.len()).sum();
            let counted = config.n_numbers(image);
            assert!(counted <= held as f64 && counted > 0.5 * held as f64, "{counted} of {held} in {config:?}");
        }
    }
}
