//! How many numbers a model and its computations keep, before anything of it is built.

use super::config::{BlockKind, MOST_LAYERS, ResidualFlowConfig};
use crate::flows::Split;
use crate::lipschitz::{NormLearning, has_closed_form};
use crate::nn::{Widths, folds};

/// Counts of numbers; those of images are for one image, and grow in proportion to the batch. They are floating-point
/// numbers, in which no size overflows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Footprint {
    /// Parameters and persistent vectors.
    pub state: f64,
    /// The inputs of all layers, which a training step keeps for its backward pass.
    pub layer_inputs: f64,
    /// The input of the largest branch, the one whose numbers are the most.
    pub branch_input: f64,
    /// The inputs of its activations between layers, taken together.
    pub branch_hidden: f64,
    /// Whether the CPU's own kernels compute it, which keep fewer of these.
    pub fused: bool,
}

impl ResidualFlowConfig {
    /// What a model of images `[channels, height, width]` and its computations keep.
    pub fn footprint(&self, image: [usize; 3]) -> Footprint {
        let [c, h, w] = image.map(|side| side as f64);
        let channels = c + self.padding_channels as f64;
        let mut count = Count {
            config: self,
            channels,
            pixels: h * w,
            blocks: 0.0,
            footprint: Footprint { fused: true, ..Default::default() },
        };
        let n_scales = self.scales(image);
        let mut heads = 0.0;
        for scale in 0..n_scales {
            let last = scale + 1 == n_scales;
            let [height, width] = [image[1], image[2]].map(|side| side >> usize::from(self.squeeze_first));
            count.scale(scale, last, self.splits_pixels([1, height, width], scale));
            if self.factor_out && !last {
                count.channels /= 2.0;
            }
            heads += self.head_numbers(count.channels);
        }
        let mut footprint = count.footprint;
        if self.classes > 0 {
            footprint.state += heads + self.classes as f64;
        }
        footprint.state += self.base.n_parameters(channels * h * w, self.context.features() as f64) + self.context.n_numbers();
        footprint
    }

    /// How many blocks a model of images `[channels, height, width]` has.
    pub fn n_blocks(&self, image: [usize; 3]) -> usize {
        self.blocks.iter().take(self.scales(image)).sum::<usize>() + self.dense_blocks
    }

    /// The 3×3 convolution of a head with its bias, its ActNorm, and its part of the matrix that makes logits.
    fn head_numbers(&self, channels: f64) -> f64 {
        self.classifier_channels as f64 * (9.0 * channels + 1.0 + 2.0 + self.classes as f64)
    }

    /// Whether a layer's norm is found by iteration, from a vector that is kept.
    fn iterates(&self, layer: usize) -> bool {
        let order = |index: usize| self.norm_orders.get(index).or(self.norm_orders.first());
        let closed = order(layer).zip(order(layer + 1)).is_some_and(|(&p, &q)| has_closed_form(p, q));
        self.learn_norm_orders != NormLearning::Off || !closed
    }

    /// Whether the kernels of the CPU compute convolutional blocks, or fully connected ones.
    fn is_fused(&self, dense: bool) -> bool {
        let inner = self.kernels.get(1..self.kernels.len().saturating_sub(1)).unwrap_or_default();
        self.block != BlockKind::Coupling
            && self.densenet_depth == 0
            && self.kernels.len() >= 2
            && self.context.features() == 0
            && (dense || inner.iter().all(|&kernel| kernel == 1))
            && self.activation.has_kernel()
    }
}

/// The layers as they are built, counted instead.
struct Count<'a> {
    config: &'a ResidualFlowConfig,
    channels: f64,
    pixels: f64,
    /// Of the scale so far.
    blocks: f64,
    footprint: Footprint,
}

/// A block's network.
struct Net<'a> {
    dense: bool,
    hidden: &'a Widths,
    preactivation: bool,
    split: Split,
}

impl Count<'_> {
    fn elements(&self) -> f64 {
        self.channels * self.pixels
    }

    /// Adds `layers` layers with `numbers` parameters each.
    fn layers(&mut self, layers: f64, numbers: f64) {
        self.footprint.layer_inputs += layers * self.elements();
        self.footprint.state += layers * numbers;
    }

    fn squeeze(&mut self) {
        self.layers(1.0, 0.0);
        (self.channels, self.pixels) = (4.0 * self.channels, self.pixels / 4.0);
    }

    fn scale(&mut self, scale: usize, last: bool, splits_pixels: bool) {
        let config = self.config;
        if scale == 0 {
            self.entrance();
        }
        self.blocks = 0.0;
        let blocks = config.blocks[scale];
        let split = if splits_pixels { Split::Checkerboard } else { Split::Channels };
        // Only the first block may differ from those after it.
        for (first, n) in [(0, blocks.min(1)), (1, blocks.saturating_sub(1))] {
            let preactivation = config.preactivates(scale, first, last);
            self.nets(n as f64, &Net { dense: config.dense, hidden: &config.hidden_channels, preactivation, split });
        }
        let n = blocks as f64;
        if config.invertible_convolutions {
            let side = if config.dense { self.elements() } else { self.channels };
            self.layers(n, side * side);
        }
        self.act_norms(n);
        if config.flow_batch_norm {
            self.layers(n, 2.0 * self.channels);
        }
        if last { self.dense_end() } else { self.squeeze() }
    }

    fn entrance(&mut self) {
        let config = self.config;
        if config.squeeze_first {
            self.squeeze();
        }
        let transforms = f64::from(u8::from(config.logit_alpha > 0.0)) + f64::from(u8::from(!config.input_mean.is_empty()));
        self.layers(transforms, 0.0);
        if config.whiten {
            self.layers(1.0, self.channels * self.channels);
        }
        if config.plain_first_block {
            self.act_norms(1.0);
        }
    }

    fn act_norms(&mut self, n: f64) {
        let each = 2.0 * (1.0 + self.config.context.features() as f64);
        let [of_channels, of_elements] = [each * self.channels, each * self.elements()];
        if self.config.act_norm {
            self.layers(n, if self.config.dense { of_elements } else { of_channels });
        }
        if self.config.dense_act_norm {
            self.layers(n, of_elements);
        }
    }

    fn dense_end(&mut self) {
        let config = self.config;
        let n = config.dense_blocks as f64;
        let hidden = config.dense_hidden.into();
        let net = Net { dense: true, hidden: &hidden, preactivation: config.preactivation, split: Split::Channels };
        self.nets(n, &net);
        if config.act_norm || config.dense_act_norm {
            self.layers(n, 2.0 * (1.0 + config.context.features() as f64) * self.elements());
        }
    }

    /// Adds `n` blocks; coupling blocks are swapped in turn.
    fn nets(&mut self, n: f64, net: &Net) {
        if n == 0.0 {
            return;
        }
        let swapped_first = self.blocks % 2.0 == 1.0;
        let [first, second] = [(n / 2.0).ceil(), (n / 2.0).floor()];
        let numbers = |swapped: bool| self.net_numbers(net, swapped);
        let total = first * numbers(swapped_first) + second * numbers(!swapped_first);
        self.layers(n, total / n);
        self.blocks += n;
        let pixels = if net.dense { 1.0 } else { self.pixels };
        let affine = self.affine_layers(net, false);
        let outputs = affine.iter().rev().skip(1).map(|layer| layer.channels_out).sum::<f64>();
        let concatenated = affine.iter().rev().take(self.config.densenet_depth).map(|layer| layer.channels_in).sum::<f64>();
        let hidden = pixels * (outputs + concatenated);
        let input = self.elements();
        if input + hidden > self.footprint.branch_input + self.footprint.branch_hidden {
            (self.footprint.branch_input, self.footprint.branch_hidden) = (input, hidden);
            self.footprint.fused = self.config.is_fused(net.dense);
        }
    }

    /// Weights, biases and what else belongs to one block.
    fn net_numbers(&self, net: &Net, swapped: bool) -> f64 {
        let config = self.config;
        let coupling = config.block == BlockKind::Coupling;
        let affine = self.affine_layers(net, swapped);
        let n = affine.len();
        let normalizes = config.batch_norm && !coupling && !net.dense;
        let layer = |(index, layer): (usize, &Affine)| {
            let &Affine { channels_in, channels_out, kernel } = layer;
            let folds = folds(index + 1 == n, config.densenet_depth > 0, [channels_in, channels_out]);
            let kept = if folds { channels_out } else { channels_in };
            let of_vector = if kernel > 1.0 { kept * self.pixels } else { kept };
            let vector = if !coupling && config.iterates(index) { of_vector } else { 0.0 };
            let norms = if normalizes { 2.0 * channels_out } else { 0.0 };
            kernel * kernel * channels_in * channels_out + channels_out + vector + norms
        };
        let layers: f64 = affine.iter().enumerate().map(layer).sum();
        let before = f64::from(u8::from(net.preactivation));
        let norm_before =
            if normalizes { 2.0 * before * affine[0].channels_in / config.activation.widening() as f64 } else { 0.0 };
        let (activations, concatenations) = match config.densenet_depth {
            0 => ((n - 1) as f64 + before, 0.0),
            depth => (depth as f64, if config.learnable_concatenation { 2.0 * depth as f64 } else { 0.0 }),
        };
        let betas = if config.activation.has_beta() { activations } else { 0.0 };
        let orders = if coupling { 0.0 } else { config.learn_norm_orders.count(n) as f64 };
        let nets = if config.block == BlockKind::Implicit { 2.0 } else { 1.0 };
        let conditioner = config.context.features() as f64 * affine[0].channels_out;
        nets * (layers + norm_before + betas + concatenations + orders + conditioner)
    }

    /// The affine layers of one block.
    fn affine_layers(&self, net: &Net, swapped: bool) -> Vec<Affine> {
        let config = self.config;
        let pixels = if net.dense { self.pixels } else { 1.0 };
        let [channels_in, channels_out] = match (config.block, net.split) {
            (BlockKind::Residual | BlockKind::Monotone | BlockKind::Implicit, _) => [self.channels; 2],
            (BlockKind::Coupling, Split::Checkerboard) => [self.channels, 2.0 * self.channels],
            (BlockKind::Coupling, Split::Channels) => {
                let first = (self.channels / 2.0).floor();
                let second = self.channels - first;
                if swapped { [second, 2.0 * first] } else { [first, 2.0 * second] }
            }
        };
        let [channels_in, channels_out] = [channels_in * pixels, channels_out * pixels];
        let kernel = |index: usize| if net.dense { 1.0 } else { config.kernels[index] as f64 };
        let widening = config.activation.widening() as f64;
        if let Some(dense) = config.dense_layers(net.dense) {
            let first = dense.entrance.map_or(channels_in, |width| width as f64);
            let growth = dense.growth as f64;
            let entrance = dense.entrance.map(|_| Affine { channels_in, channels_out: first, kernel: 1.0 });
            let layer = |index: usize| Affine {
                channels_in: first + index as f64 * growth,
                channels_out: growth / widening,
                kernel: kernel(0),
            };
            let last = Affine { kernel: 1.0, channels_out, ..layer(dense.depth) };
            return entrance.into_iter().chain((0..dense.depth.min(MOST_LAYERS)).map(layer)).chain([last]).collect();
        }
        let before = if net.preactivation { widening } else { 1.0 };
        let last = config.kernels.len() - 1;
        let layer = |index: usize| Affine {
            channels_in: if index == 0 { before * channels_in } else { net.hidden.get(index - 1) as f64 },
            channels_out: if index == last { channels_out } else { net.hidden.get(index) as f64 / widening },
            kernel: kernel(index),
        };
        (0..=last).map(layer).collect()
    }
}

/// A convolution.
struct Affine {
    channels_in: f64,
    channels_out: f64,
    kernel: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flows::FlowLayer;
    use crate::nn::ActivationKind;
    use crate::numerics::randomness::NoiseKey;
    use crate::{BaseConfig, BaseKind, ContextConfig, ContextKind, ResidualFlow};
    use burn::module::Module;
    use burn::tensor::Device;

    /// The same of a model that has been built.
    fn measured(model: &ResidualFlow) -> Footprint {
        let mut footprint = Footprint { state: model.num_params() as f64, fused: true, ..Default::default() };
        let [mut channels, h, w] = model.input_shape();
        let mut pixels = h * w;
        for (index, scale) in model.scales.iter().enumerate() {
            for layer in &scale.layers {
                let input = channels * pixels;
                footprint.layer_inputs += input as f64;
                let (hidden, fused) = match layer {
                    FlowLayer::Squeeze(_) => {
                        (channels, pixels) = (4 * channels, pixels / 4);
                        continue;
                    }
                    FlowLayer::Coupling(coupling) => (coupling.net.n_hidden_values(pixels), false),
                    layer => match layer.nets().pop() {
                        Some((_, net)) => (net.n_hidden_values(pixels), net.branch().is_fused()),
                        None => continue,
                    },
                };
                if (input + hidden) as f64 > footprint.branch_input + footprint.branch_hidden {
                    (footprint.branch_input, footprint.branch_hidden) = (input as f64, hidden as f64);
                    // What is known about samples has a bias for each, which the kernels do not know.
                    footprint.fused = fused && !model.is_conditional();
                }
            }
            if model.factors_out_after(index) {
                channels /= 2;
            }
        }
        footprint
    }

    #[test]
    fn models_have_what_was_counted() {
        let small = ResidualFlowConfig { blocks: vec![2, 1], hidden_channels: 20.into(), dense_hidden: 9, ..Default::default() };
        let coupling = ResidualFlowConfig { block: BlockKind::Coupling, activation: ActivationKind::Relu, ..small.clone() };
        let base = |kind| BaseConfig { kind, components: 3, classes: 4, ..Default::default() };
        let densenet = ResidualFlowConfig {
            densenet_depth: 3,
            densenet_growth: 6,
            fully_connected_growth: 4,
            activation: ActivationKind::CLipSwish,
            ..small.clone()
        };
        let context = |kind| ContextConfig { kind, classes: 3, columns: 2, features: 5 };
        let cases = [
            small.clone(),
            ResidualFlowConfig { factor_out: true, squeeze_first: true, classes: 10, classifier_channels: 30, ..small.clone() },
            ResidualFlowConfig { classes: 3, classifier_channels: 5, preactivation: false, ..small.clone() },
            ResidualFlowConfig { padding_channels: 3, dense_act_norm: true, flow_batch_norm: true, ..small.clone() },
            ResidualFlowConfig { checkerboard: false, blocks: vec![3, 2], ..coupling.clone() },
            ResidualFlowConfig { blocks: vec![3, 2], padding_channels: 1, plain_first_block: false, ..coupling.clone() },
            ResidualFlowConfig { dense: true, norm_orders: vec![crate::NormOrder::INFINITY], ..small.clone() },
            ResidualFlowConfig { whiten: true, squeeze_first: true, blocks: vec![2], ..small.clone() },
            ResidualFlowConfig { dense: true, invertible_convolutions: true, act_norm: false, ..small.clone() },
            ResidualFlowConfig {
                invertible_convolutions: true,
                batch_norm: true,
                input_mean: vec![0.5; 2],
                input_std: vec![1.0; 2],
                logit_alpha: 0.0,
                ..small.clone()
            },
            ResidualFlowConfig { learn_norm_orders: NormLearning::PerLayer, kernels: vec![3, 3], ..small.clone() },
            ResidualFlowConfig { base: base(BaseKind::Mixture), padding_channels: 1, ..small.clone() },
            ResidualFlowConfig { base: base(BaseKind::ClassNormals), factor_out: true, ..small.clone() },
            ResidualFlowConfig { base: base(BaseKind::StudentT), ..small.clone() },
            ResidualFlowConfig { base: base(BaseKind::Normal), context: context(ContextKind::Classes), ..small.clone() },
            ResidualFlowConfig { context: context(ContextKind::Vectors), dense_act_norm: true, ..small.clone() },
            ResidualFlowConfig { context: context(ContextKind::Vectors), ..coupling },
            ResidualFlowConfig {
                learn_norm_orders: NormLearning::Shared,
                kernels: vec![3, 3, 3],
                blocks: vec![0, 1],
                ..small.clone()
            },
            ResidualFlowConfig {
                hidden_channels: vec![4, 30].into(),
                kernels: vec![5, 1, 3],
                activation: ActivationKind::Tanh,
                ..small.clone()
            },
            densenet.clone(),
            ResidualFlowConfig { block: BlockKind::Monotone, ..densenet.clone() },
            ResidualFlowConfig { block: BlockKind::Implicit, activation: ActivationKind::Sin, ..small.clone() },
            ResidualFlowConfig {
                activation: ActivationKind::LipSwish,
                learnable_concatenation: false,
                dense: true,
                ..densenet.clone()
            },
            ResidualFlowConfig { densenet_depth: 0, dense_hidden: 10, batch_norm: true, ..densenet },
        ];
        for config in cases {
            let image = [2, 16, 16];
            let model = config.init(image, &mut NoiseKey::new(0, [0, 0]).stream(0), &Device::flex()).unwrap();
            assert_eq!(config.footprint(image), measured(&model), "{config:?}");
        }
    }

    #[test]
    fn no_size_overflows() {
        let huge = usize::MAX;
        let config = ResidualFlowConfig {
            blocks: vec![huge; 3],
            hidden_channels: huge.into(),
            kernels: vec![huge; 3],
            dense_blocks: huge,
            dense_hidden: huge,
            padding_channels: huge,
            classes: huge,
            classifier_channels: huge,
            preactivation: false,
            ..Default::default()
        };
        let footprint = config.footprint([1, 64, 64]);
        assert!(footprint.state.is_finite() && footprint.state > 1e60, "{footprint:?}");
        assert!(config.validate([1, 64, 64]).is_err());
    }
}
