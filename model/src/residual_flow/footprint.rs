//! How many numbers a model's computations keep, from its shapes.

use super::ResidualFlow;
use crate::flows::FlowLayer;
use burn::module::Module;

/// Counts of numbers; those of images are for one image, and grow in proportion to the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Parameters and persistent vectors.
    pub state: usize,
    /// The inputs of all layers, which a training step keeps for its backward pass.
    pub layer_inputs: usize,
    /// The input of the largest residual branch, the one whose numbers are the most.
    pub branch_input: usize,
    /// The inputs of its activations between layers, taken together.
    pub branch_hidden: usize,
    /// Whether the CPU's own kernels compute it, which keep fewer of these.
    pub fused: bool,
}

impl ResidualFlow {
    /// What its computations keep.
    pub fn footprint(&self) -> Footprint {
        let mut footprint =
            Footprint { state: self.num_params(), layer_inputs: 0, branch_input: 0, branch_hidden: 0, fused: true };
        let [mut channels, h, w] = self.input_shape();
        let mut pixels = h * w;
        for (index, scale) in self.scales.iter().enumerate() {
            for layer in &scale.layers {
                let input = channels * pixels;
                footprint.layer_inputs += input;
                match layer {
                    FlowLayer::Squeeze(_) => (channels, pixels) = (4 * channels, pixels / 4),
                    FlowLayer::Residual(block) => {
                        footprint.include(input, block.net.hidden_numbers(pixels), || block.net.branch().is_fused());
                    }
                    FlowLayer::Coupling(coupling) => footprint.include(input, coupling.net.hidden_numbers(pixels), || false),
                    _ => {}
                }
            }
            if self.factors_out_after(index) {
                channels /= 2;
            }
        }
        footprint
    }
}

impl Footprint {
    fn include(&mut self, input: usize, hidden: usize, is_fused: impl FnOnce() -> bool) {
        if input + hidden > self.branch_input + self.branch_hidden {
            (self.branch_input, self.branch_hidden, self.fused) = (input, hidden, is_fused());
        }
    }
}
