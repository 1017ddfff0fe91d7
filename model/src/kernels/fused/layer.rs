//! A layer's affine map, packed for both directions.

use crate::kernels::matrix::{Packed, multiples, padded};
use std::sync::OnceLock;

/// One affine map of the branch, from inputs to outputs of a pixel.
///
/// The first layer's inputs are unfolded neighbourhoods, taps by channels, the last one's outputs are such that are to be
/// folded; the others act on single pixels.
#[derive(Debug)]
pub(crate) struct FusedLayer {
    /// `[out, in, k, k]`, to be divided by `divisor`.
    pub(super) weight: Vec<f32>,
    divisor: f32,
    /// Where each input's and each output's elements stand in the weight: at the sum of both.
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
    /// Filled up with zeros to whole strips; of the last layer one a channel.
    pub(super) bias: Vec<f32>,
    forward: OnceLock<Packed>,
    backward: OnceLock<Packed>,
}

/// On which side a layer has its kernel's taps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TapSide {
    Inputs,
    Outputs,
}

impl FusedLayer {
    /// From a weight `[out, in, k, k]`, to be divided by a number.
    pub fn new(weight: Vec<f32>, [out, channels, k, _]: [usize; 4], divisor: f32, side: TapSide, mut bias: Vec<f32>) -> Self {
        let taps = k * k;
        let with_taps = |channels: Vec<usize>| (0..taps).flat_map(|tap| channels.iter().map(move |c| tap + c)).collect();
        let (mut inputs, mut outputs) = (multiples(channels, taps), multiples(out, channels * taps));
        match side {
            TapSide::Inputs => inputs = with_taps(inputs),
            TapSide::Outputs => outputs = with_taps(outputs),
        }
        bias.resize(padded(bias.len()), 0.0);
        Self { weight, divisor, inputs, outputs, bias, forward: OnceLock::new(), backward: OnceLock::new() }
    }

    pub(super) fn n_inputs(&self) -> usize {
        self.inputs.len()
    }

    pub(super) fn n_outputs(&self) -> usize {
        self.outputs.len()
    }

    /// The map from inputs to outputs.
    pub(super) fn forward(&self) -> &Packed {
        self.forward.get_or_init(|| Packed::gather(&self.weight, &self.outputs, &self.inputs, 1.0 / self.divisor))
    }

    /// Its transpose.
    pub(super) fn backward(&self) -> &Packed {
        self.backward.get_or_init(|| Packed::gather(&self.weight, &self.inputs, &self.outputs, 1.0 / self.divisor))
    }
}
