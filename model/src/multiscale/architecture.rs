//! The layers that a configuration asks for.

use super::classifier::Classifier;
use super::config::{BlockKind, ResidualFlowConfig};
use super::residual_flow::ResidualFlow;
use crate::error::Result;
use crate::flows::{
    ActNorm, Coupling, CouplingNetConfig, FlowLayer, ImplicitBlock, InvertibleLinear, Logit, MonotoneBlock, MovingBatchNorm,
    Normalize, ResidualBlock, Sequential, Split, Squeeze,
};
use crate::monitor::Monitor;
use crate::nn::{ContractiveNet, ContractiveNetConfig, Widths};
use burn::tensor::Device;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

impl ResidualFlowConfig {
    /// A model for images `[channels, height, width]` with random weights.
    ///
    /// ActNorm layers are the identity until [`ResidualFlow::initialize`].
    ///
    /// # Errors
    /// If the settings do not fit the images.
    pub fn init(&self, image: [usize; 3], rng: &mut impl Rng, device: &Device) -> Result<ResidualFlow> {
        self.init_monitored(image, rng, device, &Monitor::default())
    }

    /// [`init`](Self::init), followed by a monitor block by block, which the model then has.
    ///
    /// # Errors
    /// As [`init`](Self::init), and if it was stopped.
    pub fn init_monitored(
        &self,
        image: [usize; 3],
        rng: &mut impl Rng,
        device: &Device,
        monitor: &Monitor,
    ) -> Result<ResidualFlow> {
        self.build(image, true, rng, device, monitor)
    }

    /// A model whose weights are to be replaced by stored ones ([`ResidualFlow::with_state`]), which must name all of them: those
    /// of residual blocks are zero, and no power iteration is run.
    ///
    /// # Errors
    /// As [`init`](Self::init).
    pub fn init_for_state(&self, image: [usize; 3], device: &Device) -> Result<ResidualFlow> {
        self.build(image, false, &mut ChaCha8Rng::seed_from_u64(0), device, &Monitor::default())
    }

    fn build(
        &self,
        image: [usize; 3],
        is_random: bool,
        rng: &mut impl Rng,
        device: &Device,
        monitor: &Monitor,
    ) -> Result<ResidualFlow> {
        self.validate(image)?;
        let n_scales = self.scales(image);
        let mut shape = self.first_shape(image);
        let mut input = [image[0] + self.padding_channels, image[1], image[2]];
        let (mut scales, mut heads) = (Vec::with_capacity(n_scales), Vec::new());
        for index in 0..n_scales {
            let last = index + 1 == n_scales;
            let (rng, layers) = (&mut *rng, Vec::new());
            let mut builder = Builder { config: self, shape, layers, n_blocks: 0, is_random, rng, device, monitor };
            builder.scale(index, last)?;
            scales.push(Sequential::images(input, builder.layers)?);
            if !last {
                shape = self.next_shape(shape);
                input = shape;
            }
            // With factor-out, kept and factored half have as many channels.
            heads.push(shape[0]);
        }
        let classifier = (self.classes > 0).then(|| Classifier::new(&heads, self.classifier_channels, self.classes, rng, device));
        let dimensions = (image[0] + self.padding_channels) * image[1] * image[2];
        let mut model = ResidualFlow {
            scales,
            classifier,
            base: self.base.init(dimensions, rng, device),
            embedding: self.context.init(rng, device),
            given: None,
            image,
            padding_channels: self.padding_channels,
            padding: self.padding,
            padding_levels: self.padding_levels,
            factor_out: self.factor_out,
            last_head_sees_factored: self.last_head_sees_factored,
            power_iteration: self.power_iteration,
            fixed_point: self.fixed_point,
            monitor: Monitor::default(),
            config: Some(self.clone()),
        };
        if model.embedding.is_some() {
            model.condition_on(self.context.features);
        }
        model.set_monitor(monitor);
        Ok(model)
    }
}

/// Gathers the layers of one scale, on images of one shape.
struct Builder<'a, R> {
    config: &'a ResidualFlowConfig,
    shape: [usize; 3],
    layers: Vec<FlowLayer>,
    /// Blocks so far.
    n_blocks: usize,
    /// See [`ContractiveNetConfig::is_random`].
    is_random: bool,
    rng: &'a mut R,
    device: &'a Device,
    monitor: &'a Monitor,
}

/// What distinguishes the blocks of a scale.
#[derive(Clone)]
struct Block {
    dense: bool,
    hidden: Widths,
    preactivation: bool,
    split: Split,
}

impl<R: Rng> Builder<'_, R> {
    /// `[entrance] ([invertible matrix] block [ActNorm])… squeeze`, or dense blocks at the end of the last scale.
    fn scale(&mut self, index: usize, last: bool) -> Result<()> {
        let config = self.config;
        if index == 0 {
            self.entrance();
        }
        for number in 0..config.blocks[index] {
            if config.invertible_convolutions {
                self.invertible_matrix();
            }
            self.block(Block {
                dense: config.dense,
                hidden: config.hidden_channels.clone(),
                preactivation: config.preactivates(index, number, last),
                split: if config.splits_pixels(self.shape, index) { Split::Checkerboard } else { Split::Channels },
            })?;
            self.act_norms();
            if config.flow_batch_norm {
                self.layers.push(FlowLayer::MovingBatchNorm(MovingBatchNorm::new(self.shape[0], self.device)));
            }
        }
        if last {
            self.dense_end()?;
        } else {
            self.layers.push(FlowLayer::Squeeze(Squeeze {}));
        }
        Ok(())
    }

    /// What comes before the first block.
    fn entrance(&mut self) {
        let config = self.config;
        if config.squeeze_first {
            self.layers.push(FlowLayer::Squeeze(Squeeze {}));
        }
        if config.logit_alpha > 0.0 {
            self.layers.push(FlowLayer::Logit(Logit::new(config.logit_alpha)));
        }
        if !config.input_mean.is_empty() {
            // After a squeeze every channel of the image has become four in a row.
            let channels = self.shape[0] - config.padding_channels * if config.squeeze_first { 4 } else { 1 };
            let copies = channels / config.input_mean.len();
            let repeat = |values: &[f64]| values.iter().flat_map(|&value| std::iter::repeat_n(value, copies)).collect();
            self.layers.push(FlowLayer::Normalize(Normalize::new(repeat(&config.input_mean), repeat(&config.input_std))));
        }
        if config.whiten {
            self.layers.push(FlowLayer::InvertibleLinear(InvertibleLinear::whitening(self.shape[0], self.device)));
        }
        if config.plain_first_block {
            self.act_norms();
        }
    }

    /// The dense blocks that end the last scale.
    fn dense_end(&mut self) -> Result<()> {
        let config = self.config;
        for _ in 0..config.dense_blocks {
            let (hidden, preactivation) = (config.dense_hidden.into(), config.preactivation);
            self.block(Block { dense: true, hidden, preactivation, split: Split::Channels })?;
            if config.act_norm || config.dense_act_norm {
                self.layers.push(FlowLayer::ActNorm(ActNorm::per_element(self.shape, self.device)));
            }
        }
        Ok(())
    }

    /// The ActNorm layers that follow a block.
    fn act_norms(&mut self) {
        let per_element = || FlowLayer::ActNorm(ActNorm::per_element(self.shape, self.device));
        let of_block =
            if self.config.dense { per_element() } else { FlowLayer::ActNorm(ActNorm::per_channel(self.shape[0], self.device)) };
        let layers = [self.config.act_norm.then_some(of_block), self.config.dense_act_norm.then(per_element)];
        self.layers.extend(layers.into_iter().flatten());
    }

    fn invertible_matrix(&mut self) {
        self.layers.push(FlowLayer::InvertibleLinear(if self.config.dense {
            InvertibleLinear::dense(self.shape, self.rng, self.device)
        } else {
            InvertibleLinear::per_pixel(self.shape[0], self.rng, self.device)
        }));
    }

    fn block(&mut self, block: Block) -> Result<()> {
        let layer = match self.config.block {
            BlockKind::Residual => FlowLayer::Residual(ResidualBlock::new(self.net(block))),
            BlockKind::Monotone => FlowLayer::Monotone(MonotoneBlock::new(self.net(block), self.config.forward_fixed_point)),
            BlockKind::Implicit => {
                let [net_x, net_z] = [self.net(block.clone()), self.net(block)];
                FlowLayer::Implicit(ImplicitBlock::new(net_x, net_z, self.config.forward_fixed_point))
            }
            BlockKind::Coupling => self.coupling(block),
        };
        self.layers.push(layer);
        self.n_blocks += 1;
        self.monitor.pass()
    }

    fn net(&mut self, block: Block) -> ContractiveNet {
        let config = self.config;
        let net = ContractiveNetConfig {
            shape: self.shape,
            hidden: block.hidden,
            kernels: config.kernels.clone(),
            activation: config.activation,
            preactivation: block.preactivation,
            dense: block.dense,
            dense_layers: config.dense_layers(block.dense),
            bound: config.lipschitz_bound,
            norm_orders: config.norm_orders.clone(),
            learn_norm_orders: config.learn_norm_orders,
            batch_norm: config.batch_norm && !block.dense,
            dropout: config.dropout,
            last_layer_scale: config.last_layer_scale,
            is_random: self.is_random,
        };
        net.init(self.rng, self.device)
    }

    /// Every other block of a scale is swapped, beginning with the second.
    fn coupling(&mut self, block: Block) -> FlowLayer {
        let swapped = self.n_blocks % 2 == 1;
        let [c, h, w] = self.shape;
        let [channels, channels_out] = block.split.net_channels(c, swapped);
        let net = CouplingNetConfig {
            input: [channels, h, w],
            channels_out,
            hidden: block.hidden,
            kernels: self.config.kernels.clone(),
            activation: self.config.activation,
            preactivation: block.preactivation,
            dense: block.dense,
            dropout: self.config.dropout,
        };
        FlowLayer::Coupling(Coupling::new(net.init(self.rng, self.device), block.split, swapped))
    }
}
