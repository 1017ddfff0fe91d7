//! A layer's affine map, packed for both directions.

use crate::InstructionSet;
use crate::im2col::Taps;
use crate::microkernel::{STRIP, Tile};
use crate::packing::{Packed, multiples, padded};
use crate::padded_images::Cell;
use crate::values::SharedValues;
use crate::winograd::{Filters, POSITIONS};
use std::sync::OnceLock;

/// One affine map of the branch, from inputs to outputs of a pixel.
///
/// The first layer's inputs are unfolded neighbourhoods, taps by channels, the last one's outputs are such that are to be
/// folded; the others act on single pixels.
#[derive(Debug)]
pub struct FusedLayer {
    /// `[out, in, k, k]`, to be divided by `divisor`.
    pub(super) weight: SharedValues,
    divisor: f32,
    /// Weight offsets of each input and each output; an element is at their sum.
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
    /// Padded with zeros to whole strips; the last layer has one a channel.
    pub(super) bias: Vec<f32>,
    kernel: usize,
    pub(super) side: TapSide,
    /// The map for pixels and the map for quads.
    forward: [OnceLock<Map>; 2],
    backward: [OnceLock<Map>; 2],
}

/// On which side a layer has its kernel's taps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapSide {
    /// On the inputs, which are unfolded.
    Inputs,
    /// On the outputs, which are folded.
    Outputs,
}

impl FusedLayer {
    /// From a weight `[out, in, k, k]`, to be divided by a number.
    pub fn new(weight: SharedValues, [out, channels, k, _]: [usize; 4], divisor: f32, side: TapSide, mut bias: Vec<f32>) -> Self {
        let taps = k * k;
        let with_taps = |channels: Vec<usize>| (0..taps).flat_map(|tap| channels.iter().map(move |c| tap + c)).collect();
        let (mut inputs, mut outputs) = (multiples(channels, taps), multiples(out, channels * taps));
        match side {
            TapSide::Inputs => inputs = with_taps(inputs),
            TapSide::Outputs => outputs = with_taps(outputs),
        }
        bias.resize(padded(bias.len()), 0.0);
        let maps = || [(); 2].map(|()| OnceLock::new());
        Self { weight, divisor, inputs, outputs, bias, kernel: k, side, forward: maps(), backward: maps() }
    }

    pub(super) fn n_inputs(&self) -> usize {
        self.inputs.len()
    }

    pub(super) fn n_outputs(&self) -> usize {
        self.outputs.len()
    }

    /// Whether it can be computed by quads: a 3×3 kernel whose channels fill strips.
    pub(super) fn takes_quads(&self) -> bool {
        let [narrow, wide] = self.channels();
        self.kernel == 3 && narrow.len().is_multiple_of(STRIP) && wide.len().is_multiple_of(STRIP)
    }

    /// Weight offsets (tap side, other side); an element is at their sum.
    pub(super) fn features(&self) -> [&[usize]; 2] {
        match self.side {
            TapSide::Inputs => [&self.inputs, &self.outputs],
            TapSide::Outputs => [&self.outputs, &self.inputs],
        }
    }

    /// Weight offsets of whole kernels (tap side, other side); a kernel begins at their sum.
    pub(super) fn channels(&self) -> [&[usize]; 2] {
        let [taps, other] = self.features();
        [&taps[..taps.len() / (self.kernel * self.kernel)], other]
    }

    /// The taps that unfold what is on their side: the layer's own, or those of its transpose.
    pub(super) fn taps(&self) -> Taps {
        match self.side {
            TapSide::Inputs => Taps::Forward,
            TapSide::Outputs => Taps::Mirrored,
        }
    }

    /// Whether it is computed by quads on a layout of such cells.
    pub(super) fn is_by_quads(&self, cell: Cell) -> bool {
        cell == Cell::Quad && self.kernel > 1
    }

    /// Rows of a panel of pixels that hold its inputs.
    pub(super) fn input_rows(&self, cell: Cell) -> usize {
        self.rows(cell, TapSide::Inputs, self.n_inputs())
    }

    /// Rows of a panel of pixels that hold its outputs.
    pub(super) fn output_rows(&self, cell: Cell) -> usize {
        self.rows(cell, TapSide::Outputs, self.n_outputs())
    }

    fn rows(&self, cell: Cell, side: TapSide, features: usize) -> usize {
        match self.is_by_quads(cell) && side == self.side {
            true => self.channels()[0].len() * POSITIONS / cell.pixels(),
            false => padded(features),
        }
    }

    /// The map from inputs to outputs.
    pub(super) fn forward(&self, cell: Cell) -> &Map {
        self.forward[cell as usize].get_or_init(|| self.map(cell, TapSide::Inputs))
    }

    /// Its transpose.
    pub(super) fn backward(&self, cell: Cell) -> &Map {
        self.backward[cell as usize].get_or_init(|| self.map(cell, TapSide::Outputs))
    }

    fn map(&self, cell: Cell, from: TapSide) -> Map {
        let (scale, mirrored) = (1.0 / self.divisor, self.taps() == Taps::Mirrored);
        if !self.is_by_quads(cell) {
            let (rows, columns) = match from {
                TapSide::Inputs => (&self.outputs, &self.inputs),
                TapSide::Outputs => (&self.inputs, &self.outputs),
            };
            return Map::Pixels(Packed::gather(&self.weight, rows, columns, scale).with_quarters());
        }
        let [narrow, wide] = self.channels();
        match from == self.side {
            true => Map::Widen(Filters::gather(&self.weight, wide, narrow, mirrored, scale)),
            false => Map::Narrow(Filters::gather(&self.weight, narrow, wide, mirrored, scale)),
        }
    }
}

/// A layer's linear map in one direction, between panels.
#[derive(Debug)]
pub(super) enum Map {
    Pixels(Packed),
    /// From patches around quads.
    Widen(Filters),
    /// To such patches.
    Narrow(Filters),
}

impl Map {
    /// The product, then the epilogue on each tile while it is in the cache, but on patches.
    pub fn product(
        &self,
        set: InstructionSet,
        input: &[f32],
        out: &mut [f32],
        pixels: usize,
        epilogue: impl FnMut(Tile, &mut [f32]),
    ) {
        match self {
            Map::Pixels(matrix) => matrix.product(set, input, out, pixels, epilogue),
            Map::Widen(filters) => filters.widen(set, input, out, epilogue),
            Map::Narrow(filters) => filters.narrow(set, input, out),
        }
    }
}
