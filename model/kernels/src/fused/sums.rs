//! Sums over pixels of the parameters' gradients.

use super::{FusedLayer, FusedNet, TapSide};
use crate::InstructionSet;
use crate::elementwise::{LANES, lane_sum};
use crate::im2col::Taps;
use crate::microkernel::PANEL;
use crate::outer_sum::OuterSum;
use crate::packing::padded;
use crate::padded_images::Cell;
use crate::transpose::{transpose, transposed_len};
use crate::winograd::FilterSum;
use crate::workspace::Buffer;

/// See the [module](self).
pub(super) struct Sums {
    pub weights: Vec<WeightSum>,
    /// The hidden layers' sums, `[output, LANES]`, to be summed over lanes.
    pub biases: Vec<Vec<f32>>,
    pub betas: Vec<f64>,
}

impl Sums {
    pub fn new(net: &FusedNet, cell: Cell) -> Self {
        let last = net.activations.len();
        Self {
            weights: net.layers.iter().map(|layer| WeightSum::new(layer, cell)).collect(),
            biases: (0..last).map(|l| vec![0.0; padded(net.width(l)) * LANES]).collect(),
            betas: vec![0.0; last],
        }
    }

    /// The sum of all.
    pub fn merged(parts: Vec<Self>) -> Self {
        let mut parts = parts.into_iter();
        let mut total = parts.next().expect("a batch has at least one part");
        for part in parts {
            total.weights.iter_mut().zip(&part.weights).for_each(|(sum, other)| sum.merge(other));
            for (sum, other) in total.biases.iter_mut().flatten().zip(part.biases.iter().flatten()) {
                *sum += other;
            }
            total.betas.iter_mut().zip(&part.betas).for_each(|(sum, other)| *sum += other);
        }
        total
    }

    /// The gradient of a hidden layer's bias.
    pub fn bias(&self, layer: usize, outputs: usize) -> Vec<f32> {
        self.biases[layer].as_chunks::<LANES>().0[..outputs].iter().map(|lanes| lane_sum(*lanes)).collect()
    }
}

/// The gradient of a layer's weight.
pub(super) struct WeightSum {
    /// The side of the layer's taps.
    side: TapSide,
    sum: Sum,
}

enum Sum {
    /// `[feature, (tap, channel)]`
    Pixels(OuterSum),
    Quads(FilterSum),
}

impl WeightSum {
    fn new(layer: &FusedLayer, cell: Cell) -> Self {
        let sum = if layer.is_by_quads(cell) {
            let [narrow, wide] = layer.channels().map(<[_]>::len);
            Sum::Quads(FilterSum::new(narrow, wide))
        } else {
            let [taps, other] = layer.features().map(<[_]>::len);
            Sum::Pixels(OuterSum::new(other, taps))
        };
        Self { side: layer.side, sum }
    }

    /// Adds panels of the layer's inputs times cotangents of its outputs.
    pub fn add(&mut self, set: InstructionSet, input: &[f32], cotangent: &[f32], pixels: usize) {
        let (taps, other) = match self.side {
            TapSide::Inputs => (input, cotangent),
            TapSide::Outputs => (cotangent, input),
        };
        let exchanged = |features: usize, panels: &[f32]| {
            let mut exchanged = Buffer::recycled(transposed_len(features, pixels.div_ceil(PANEL)));
            transpose(set, features, panels, &mut exchanged, pixels);
            exchanged
        };
        match &mut self.sum {
            Sum::Pixels(sum) => sum.add(set, other, &exchanged(sum.columns(), taps), pixels),
            Sum::Quads(sum) => sum.add(set, taps, &exchanged(sum.wide(), other)),
        }
    }

    fn merge(&mut self, other: &Self) {
        match (&mut self.sum, &other.sum) {
            (Sum::Pixels(sum), Sum::Pixels(other)) => sum.merge(other),
            (Sum::Quads(sum), Sum::Quads(other)) => sum.merge(other),
            _ => unreachable!("sums of one batch are of one kind"),
        }
    }

    /// The gradient in the layout of the layer's weight.
    pub fn weight(&self, layer: &FusedLayer) -> Vec<f32> {
        let mut weight = vec![0.0; layer.weight.len()];
        match &self.sum {
            Sum::Pixels(sum) => {
                let [taps, other] = layer.features();
                sum.scatter(&mut weight, other, taps);
            }
            Sum::Quads(sum) => {
                let [narrow, wide] = layer.channels();
                sum.scatter(&mut weight, narrow, wide, layer.taps() == Taps::Mirrored);
            }
        }
        weight
    }
}
