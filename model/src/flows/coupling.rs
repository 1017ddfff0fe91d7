//! Affine coupling.

use crate::error::Result;
use crate::flow::{Flow, LayerId, LogDetContext};
use crate::gradients::Gradients;
use crate::log_det::LogDetDraw;
use crate::nn::CouplingNet;
use crate::numerics::{FixedPoint, InversionReport};
use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Tensor, TensorData};
use rand::RngCore;

/// One part `a` of the input stays and decides how the other part `b` is scaled and shifted: with `(r, t) = net(a)`,
///
/// ```text
/// z_a = a        z_b = b ⊙ s + t        s = sigmoid(r + 2)
/// ```
///
/// `log_det = Σ ln s` over `z_b`. The inverse is `b = (z_b - t) / s`.
///
/// The parts are halves of the channels, or the fields of a checkerboard ([`Split`]); the network's first outputs are
/// `r`, the others `t`.
///
/// # Shapes
/// - `x`, `z`: `[batch, channels, height, width]`
///
/// # References
/// Dinh et al. (2017), Density estimation using Real NVP, section 3. <https://arxiv.org/abs/1605.08803>
#[derive(Module, Debug)]
pub struct Coupling {
    /// From `a` to `r` and `t`.
    pub net: CouplingNet,
    #[module(skip)]
    split: Split,
    swapped: bool,
}

/// Into which parts a [`Coupling`] splits its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// The first half of the channels stays; swapped, the second. Of an odd number, the middle one belongs to the
    /// second half.
    Channels,
    /// The pixels with even `row + column` stay; swapped, the others. The network sees and returns whole images, with
    /// zeros for the pixels that do not stay.
    Checkerboard,
}

impl Split {
    /// How many channels the network reads, and how many it returns.
    pub fn net_channels(self, channels: usize, swapped: bool) -> [usize; 2] {
        match self {
            Split::Channels => {
                let [first, second] = [channels / 2, channels - channels / 2];
                if swapped { [second, 2 * first] } else { [first, 2 * second] }
            }
            Split::Checkerboard => [channels, 2 * channels],
        }
    }
}

/// `ln s`, `s`, `1 - s` and `t`.
struct Affine {
    log_scale: Tensor<4>,
    scale: Tensor<4>,
    complement: Tensor<4>,
    shift: Tensor<4>,
}

impl Coupling {
    /// With a network of [`Split::net_channels`].
    pub fn new(net: CouplingNet, split: Split, swapped: bool) -> Self {
        Self { net, split, swapped }
    }

    /// The part that stays and the part that is moved.
    fn parts(&self, x: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        match self.split {
            Split::Channels => {
                let channels = x.dims()[1];
                let half = channels / 2;
                let (first, second) = (x.clone().narrow(1, 0, half), x.narrow(1, half, channels - half));
                if self.swapped { (second, first) } else { (first, second) }
            }
            Split::Checkerboard => (x.clone() * self.mask(&x, self.swapped), x.clone() * self.mask(&x, !self.swapped)),
        }
    }

    /// Undoes [`Self::parts`].
    fn join(&self, stays: Tensor<4>, moved: Tensor<4>) -> Tensor<4> {
        match (self.split, self.swapped) {
            (Split::Channels, false) => Tensor::cat(vec![stays, moved], 1),
            (Split::Channels, true) => Tensor::cat(vec![moved, stays], 1),
            (Split::Checkerboard, _) => {
                let mask = self.mask(&moved, !self.swapped);
                stays + moved * mask
            }
        }
    }

    /// 1 on the pixels with even `row + column`, or on those with odd, else 0.
    fn mask(&self, x: &Tensor<4>, odd: bool) -> Tensor<4> {
        let [_, _, h, w] = x.dims();
        let fields = (0..h * w).map(|pixel| f32::from(u8::from((pixel / w + pixel % w) % 2 == usize::from(odd))));
        Tensor::from_data(TensorData::new(fields.collect::<Vec<_>>(), [1, 1, h, w]), &x.device())
    }

    fn affine(&self, stays: Tensor<4>) -> Affine {
        let out = self.net.forward(stays);
        let channels = out.dims()[1] / 2;
        let (raw, shift) = (out.clone().narrow(1, 0, channels) + 2.0, out.narrow(1, channels, channels));
        let complement = sigmoid(raw.clone().neg());
        // ln sigmoid(r) = min(r, 0) - ln(1 + exp(-|r|)), exact for large |r| as well.
        let log_scale = raw.clone().clamp_max(0.0) - (raw.clone().abs().neg().exp() + 1.0).log();
        Affine { log_scale, scale: sigmoid(raw), complement, shift }
    }

    /// `Σ ln s` over what is moved.
    fn sum(&self, log_scale: Tensor<4>) -> Tensor<1> {
        let log_scale = match self.split {
            Split::Channels => log_scale,
            Split::Checkerboard => log_scale.clone() * self.mask(&log_scale, !self.swapped),
        };
        log_scale.sum_dims_squeeze(&[1, 2, 3])
    }

    /// Data to latent.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.forward_log_det(x).0
    }

    /// Data to latent, and the log-determinant, `[batch]`, nats.
    pub fn forward_log_det(&self, x: Tensor<4>) -> (Tensor<4>, Tensor<1>) {
        let (stays, moved) = self.parts(x);
        let affine = self.affine(stays.clone());
        (self.join(stays, moved * affine.scale + affine.shift), self.sum(affine.log_scale))
    }

    /// Latent to data.
    pub fn inverse(&self, z: Tensor<4>) -> Tensor<4> {
        let (stays, moved) = self.parts(z);
        let affine = self.affine(stays.clone());
        self.join(stays, (moved - affine.shift) / affine.scale)
    }

    /// With `b̄' = z̄_b`: `b̄ = b̄' s`, `t̄ = b̄'`, `r̄ = (b̄' b s + ℓ̄) (1 - s)`, and `ā = z̄_a +` what `r̄` and `t̄` are pulled back to.
    /// Returns `x̄` and the log-determinant.
    pub(crate) fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        gradients: &mut Gradients,
    ) -> (Tensor<4>, Tensor<1>) {
        let (stays, moved) = self.parts(x);
        let (stays_bar, shift_bar) = self.parts(z_bar);
        let affine = self.affine(stays.clone());
        let moved_bar = shift_bar.clone() * affine.scale;
        let mut log_scale_bar = log_det_bar.reshape([-1, 1, 1, 1]).expand(moved_bar.dims());
        if self.split == Split::Checkerboard {
            log_scale_bar = log_scale_bar * self.mask(&moved_bar, !self.swapped);
        }
        let raw_bar = (moved_bar.clone() * moved + log_scale_bar) * affine.complement;
        let through_net = self.net.backward(stays, Tensor::cat(vec![raw_bar, shift_bar], 1), gradients);
        let stays_bar = stays_bar + self.parts_of_net(through_net);
        (self.join(stays_bar, moved_bar), self.sum(affine.log_scale))
    }

    /// The cotangent of what the network read: of the pixels that stay only.
    fn parts_of_net(&self, bar: Tensor<4>) -> Tensor<4> {
        match self.split {
            Split::Channels => bar,
            Split::Checkerboard => bar.clone() * self.mask(&bar, self.swapped),
        }
    }
}

impl Flow for Coupling {
    fn forward(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        Ok(Coupling::forward(self, x))
    }

    fn forward_log_det(&self, x: Tensor<4>, _: &LogDetContext, _: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        Ok(Coupling::forward_log_det(self, x))
    }

    fn inverse(&self, z: Tensor<4>, _: &FixedPoint, _: &LayerId, _: &mut InversionReport) -> Result<Tensor<4>> {
        Ok(Coupling::inverse(self, z))
    }

    fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        _: Option<LogDetDraw>,
        gradients: &mut Gradients,
    ) -> Result<(Tensor<4>, Tensor<1>)> {
        Ok(Coupling::backward(self, x, z_bar, log_det_bar, gradients))
    }

    fn condition_on(&mut self, features: usize) {
        self.net.condition_on(features);
    }

    fn set_embedding(&mut self, embedding: Option<&Tensor<2>>) {
        self.net.set_embedding(embedding);
    }

    fn draw_dropout(&mut self, batch: usize, mut rng: &mut dyn RngCore) {
        self.net.draw_dropout(batch, &mut rng);
    }

    fn clear_dropout(&mut self) {
        self.net.clear_dropout();
    }
}
