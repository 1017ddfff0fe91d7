//! Classification from the latents of all scales.

use crate::flows::ActNorm;
use crate::gradients::Gradients;
use crate::nn::PlainConvolution;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// `logits = W [f_1, …, f_S] + b` with features `f_s = mean over pixels of relu(actnorm(conv3x3(h_s)))` of the output
/// `h_s` of every scale.
///
/// # References
/// Chen et al. (2019), Residual Flows, section 5.3 and appendix. <https://arxiv.org/abs/1906.02735>
#[derive(Module, Debug)]
pub struct Classifier {
    /// One for each scale.
    pub heads: Vec<Head>,
    /// `W` and `b`, as a 1×1 convolution on a single pixel.
    pub output: PlainConvolution,
}

/// What turns the output of one scale into features.
#[derive(Module, Debug)]
pub struct Head {
    /// 3×3
    pub convolution: PlainConvolution,
    /// Identity until its data-dependent initialisation.
    pub act_norm: ActNorm,
}

impl Classifier {
    /// For scales with these numbers of output channels, with random weights.
    pub(crate) fn new(channels: &[usize], width: usize, classes: usize, rng: &mut impl Rng, device: &Device) -> Self {
        let mut head = |&c: &usize| Head {
            convolution: PlainConvolution::new([c, width], 3, rng, device),
            act_norm: ActNorm::per_channel(width, device),
        };
        let heads = channels.iter().map(&mut head).collect();
        Self { heads, output: PlainConvolution::new([width * channels.len(), classes], 1, rng, device) }
    }

    /// Logits `[batch, classes]` from the outputs of the scales, each `[batch, channels, height, width]`.
    pub(crate) fn logits(&self, inputs: &[Tensor<4>]) -> Tensor<2> {
        let logits = self.output.forward(self.features(inputs));
        let [b, _, _, classes] = logits.dims();
        logits.reshape([b, classes])
    }

    /// The features of all heads, as images of one pixel with channels last.
    fn features(&self, inputs: &[Tensor<4>]) -> Tensor<4> {
        Tensor::cat(self.heads.iter().zip(inputs).map(|(head, x)| head.features(x.clone())).collect(), 3)
    }

    /// The cotangents of the inputs from that of the logits; adds the parameters' gradients.
    pub(crate) fn backward(&self, inputs: &[Tensor<4>], logits_bar: Tensor<2>, gradients: &mut Gradients) -> Vec<Tensor<4>> {
        let [b, classes] = logits_bar.dims();
        let bar = self.output.backward(self.features(inputs), logits_bar.reshape([b, 1, 1, classes]), gradients);
        let width = bar.dims()[3] / self.heads.len();
        let of_head = |(index, (head, x)): (usize, (&Head, &Tensor<4>))| {
            head.backward(x.clone(), bar.clone().narrow(3, index * width, width), gradients)
        };
        self.heads.iter().zip(inputs).enumerate().map(of_head).collect()
    }

    /// Initialises the heads' ActNorm from the outputs of the scales.
    pub(crate) fn initialize(&mut self, inputs: &[Tensor<4>]) {
        for (head, x) in self.heads.iter_mut().zip(inputs) {
            head.act_norm.initialize(head.convolved(x.clone()));
        }
    }
}

impl Head {
    /// `[batch, width, height, width]`
    fn convolved(&self, x: Tensor<4>) -> Tensor<4> {
        self.convolution.forward(x.permute([0, 2, 3, 1])).permute([0, 3, 1, 2])
    }

    /// `[batch, 1, 1, width]`
    fn features(&self, x: Tensor<4>) -> Tensor<4> {
        let h = self.act_norm.forward(self.convolved(x)).clamp_min(0.0);
        h.mean_dims(&[2, 3]).permute([0, 2, 3, 1])
    }

    fn backward(&self, x: Tensor<4>, features_bar: Tensor<4>, gradients: &mut Gradients) -> Tensor<4> {
        let convolved = self.convolved(x.clone());
        let [b, _, h, w] = convolved.dims();
        let positive = self.act_norm.forward(convolved.clone()).greater_elem(0.0).float();
        let bar = features_bar.permute([0, 3, 1, 2]) * positive / (h * w) as f64;
        let no_log_det = Tensor::zeros([b], &bar.device());
        let bar = self.act_norm.backward(convolved, bar, no_log_det, gradients);
        self.convolution.backward(x.permute([0, 2, 3, 1]), bar.permute([0, 2, 3, 1]), gradients).permute([0, 3, 1, 2])
    }
}
