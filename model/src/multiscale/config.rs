//! The architecture of a multi-scale Residual Flow.

use super::context_config::{ContextConfig, ContextKind};
use super::padding_noise::PaddingNoise;
use crate::base::{BaseConfig, BaseKind};
use crate::error::{ModelError, Result};
use crate::lipschitz::{NormLearning, NormOrder, PowerIteration};
use crate::nn::{ActivationKind, DenseLayersConfig, Widths};
use crate::numerics::FixedPoint;
use crate::numerics::limits::{MOST_BLOCKS, MOST_CHANNELS, real, require, whole};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Bounds that a layer's norm can be kept under; the largest is 1 to single precision.
const LIPSCHITZ_BOUNDS: RangeInclusive<f64> = 1e-3..=0.999_999;
/// Size of a kernel at most.
const MOST_KERNEL: usize = 255;
/// Layers of a block at most.
pub(super) const MOST_LAYERS: usize = 100;
/// Values of `α`, if the logit transform is not left out.
const LEAST_ALPHA: f64 = 1e-7;
/// The largest.
const MOST_ALPHA: f64 = 0.499;
/// Means, standard deviations and scales at most.
const MOST_INPUT: f64 = 1e6;
/// The least standard deviation of a channel.
const LEAST_STD: f64 = 1e-6;
/// The least scale of last layers.
const LEAST_SCALE: f64 = 1e-12;
/// Features in front of the dense layers of fully connected blocks.
const DENSENET_ENTRANCE: usize = 64;
/// Numbers in an image at most.
const MOST_ELEMENTS: usize = 1 << 30;

/// The invertible blocks that a model is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// Residual blocks `x + g(x)` with a contractive `g`.
    Residual,
    /// Monotone blocks `√2 w - x` with `w + g(w) = √2 x` and a contractive `g` (Ahn et al. 2022, Monotone Flows): steeper and flatter
    /// than residual ones, and solved by iteration in both directions.
    Monotone,
    /// Implicit blocks `z + g_z(z) = x + g_x(x)` with two contractive networks (Lu et al. 2021, Implicit Normalizing Flows), solved by
    /// iteration in both directions.
    Implicit,
    /// Affine coupling layers: the RealNVP baseline. Log-determinants are exact and cheap.
    Coupling,
}

/// Architecture and numerical settings of a [`ResidualFlow`](crate::ResidualFlow).
///
/// The default is the paper's model of CIFAR-10.
///
/// # References
/// Chen et al. (2019), Residual Flows, appendix E. <https://arxiv.org/abs/1906.02735>
///
/// # Examples
/// ```
/// use residual_flows::ResidualFlowConfig;
///
/// let config = ResidualFlowConfig { blocks: vec![4, 4, 4], ..ResidualFlowConfig::cifar10() };
/// assert!(config.validate([3, 32, 32]).is_ok());
/// let error = config.validate([3, 31, 32]).unwrap_err();
/// assert!(error.to_string().contains("`blocks`"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResidualFlowConfig {
    /// What the blocks are.
    pub block: BlockKind,
    /// Blocks of each scale; the length of the list is the number of scales. More blocks make the density more flexible, and each
    /// takes its time. After every scale but the last, 2×2 pixels become 4 channels.
    #[schemars(inner(range(min = 0, max = MOST_BLOCKS)), extend("x-unit" = "blocks"))]
    pub blocks: Vec<usize>,
    /// Channels of the hidden layers in blocks: one number, or a list of one for each hidden layer.
    #[schemars(extend("minimum" = 1, "maximum" = MOST_CHANNELS, "x-unit" = "channels"))]
    pub hidden_channels: Widths,
    /// Kernel sizes of a block's convolutions: odd, and as many as there are layers, in fully connected blocks too.
    #[schemars(inner(range(min = 1, max = MOST_KERNEL)), extend("x-unit" = "pixels"))]
    pub kernels: Vec<usize>,
    /// The activation of all blocks.
    pub activation: ActivationKind,
    /// Whether an activation stands before each block's first layer too. Of few dimensions it is better left out: LipSwish has
    /// almost no slope where all coordinates are negative.
    pub preactivation: bool,
    /// Whether the model begins with the ActNorm that otherwise follows blocks, and its first block has no preactivation. As in the
    /// reference implementation, a model of a single scale keeps this preactivation unless blocks are implicit, and so do fully
    /// connected blocks.
    pub plain_first_block: bool,
    /// Whether all blocks are fully connected instead of convolutional.
    pub dense: bool,
    /// Whether ActNorm follows every block: with a scale for each channel, after fully connected blocks for each element.
    pub act_norm: bool,
    /// Whether ActNorm with a scale for each element follows every block (after the other, if there are both).
    pub dense_act_norm: bool,
    /// Whether moving batch normalisation, a layer of the flow, follows every block (and its ActNorm).
    pub flow_batch_norm: bool,
    /// Whether an invertible matrix stands before every block: an invertible 1×1 convolution, or one of all elements where blocks
    /// are fully connected.
    pub invertible_convolutions: bool,
    /// Whether the model begins with an invertible matrix on the channels that makes those of the first data uncorrelated, with
    /// variance 1. With it and `act_norm` a model of points starts as a fitted normal distribution. It helps where columns are
    /// correlated.
    pub whiten: bool,
    /// Whether coupling blocks of the first scale split pixels like a checkerboard instead of channels.
    pub checkerboard: bool,
    /// Fully connected blocks at the end of the last scale.
    #[schemars(range(min = 0, max = MOST_BLOCKS), extend("x-unit" = "blocks"))]
    pub dense_blocks: usize,
    /// The hidden width of the fully connected blocks.
    #[schemars(range(min = 1, max = MOST_CHANNELS), extend("x-unit" = "features"))]
    pub dense_hidden: usize,
    /// Dense layers of each block: `[η₁ x; η₂ φ(W x + b)]`, which each add channels to their input, in place of its hidden layers,
    /// with a last 1×1 convolution. 0: no such layers. `kernels` say their size by its first number; the rest of it,
    /// `hidden_channels`, `dense_hidden` and `preactivation` then have no effect.
    #[schemars(range(min = 0, max = MOST_LAYERS), extend("x-unit" = "layers"))]
    pub densenet_depth: usize,
    /// Channels that each dense layer adds, an even number where the activation makes two of each.
    #[schemars(range(min = 1, max = MOST_CHANNELS), extend("x-unit" = "channels"))]
    pub densenet_growth: usize,
    /// The same of fully connected blocks, whose dense layers follow an affine one to 64 features.
    #[schemars(range(min = 1, max = MOST_CHANNELS), extend("x-unit" = "features"))]
    pub fully_connected_growth: usize,
    /// Whether dense layers learn the weights `η₁`, `η₂` of their input and of what they add; else both are the same.
    pub learnable_concatenation: bool,
    /// `√(η₁² + η₂²)`, which bounds the Lipschitz constant of a dense layer.
    #[schemars(range(min = *LIPSCHITZ_BOUNDS.start(), max = *LIPSCHITZ_BOUNDS.end()))]
    pub concatenation_bound: f64,
    /// Whether half of the channels leave the flow after each scale, which makes large images several times cheaper. Else all go
    /// on.
    pub factor_out: bool,
    /// Whether 2×2 pixels become 4 channels once before anything else, for large images.
    pub squeeze_first: bool,
    /// The `α` of the logit transform `ln(y / (1-y))` with `y = α + (1-2α) x`, which images begin with; with 0 there is none, as
    /// points need it. Otherwise it is from 1e-7 on. Images with many black or white pixels take a small one, such as 1e-6.
    #[schemars(range(min = 0.0, max = MOST_ALPHA))]
    pub logit_alpha: f64,
    /// The mean of each channel, to be subtracted in place of the logit transform. Empty: no such transform.
    #[schemars(inner(range(min = -MOST_INPUT, max = MOST_INPUT)))]
    pub input_mean: Vec<f64>,
    /// The standard deviation of each channel, to divide by.
    #[schemars(inner(range(min = LEAST_STD, max = MOST_INPUT)))]
    pub input_std: Vec<f64>,
    /// Channels of noise that the model adds to images.
    #[schemars(range(min = 0, max = MOST_CHANNELS), extend("x-unit" = "channels"))]
    pub padding_channels: usize,
    /// The distribution of this noise.
    pub padding: PaddingNoise,
    /// `uniform` padding is as wide as the bin of one of this many levels.
    #[schemars(range(min = 1), extend("x-unit" = "levels"))]
    pub padding_levels: u32,
    /// The number of classes, at least 2. With 0 the model has no classifier.
    #[schemars(range(min = 0, max = MOST_CHANNELS), extend("x-unit" = "classes"))]
    pub classes: usize,
    /// Features that the classifier computes from each scale.
    #[schemars(range(min = 1, max = MOST_CHANNELS), extend("x-unit" = "features"))]
    pub classifier_channels: usize,
    /// Whether with `factor_out` the classifier sees for the last scale what the scale before factored out, again, as in the
    /// reference implementation. Else it sees the last scale's own output.
    pub last_head_sees_factored: bool,
    /// The bound `c` of every layer's induced norm. A bound nearer to 1 makes the blocks more flexible; the inverse and the series
    /// then take more iterations and terms.
    #[schemars(range(min = *LIPSCHITZ_BOUNDS.start(), max = *LIPSCHITZ_BOUNDS.end()))]
    pub lipschitz_bound: f64,
    /// Orders `p_0, …, p_n` of the norms between which the layers of a block are bounded, `‖W_i‖_{p_{i-1} → p_i} ≤ c`: one more
    /// than a block has layers, or one for all. Numbers of at least 1, and `inf`. Blocks are contractions if the last is at most
    /// the first.
    #[schemars(inner(range(min = 1.0)), extend("x-infinite" = true))]
    pub norm_orders: Vec<NormOrder>,
    /// Whether norm orders are trained instead, beginning with 2.
    pub learn_norm_orders: NormLearning,
    /// Whether blocks of convolutions have moving batch norms before the first activation and after every convolution.
    pub batch_norm: bool,
    /// The probability with which, in training, a channel is left out before each block's last layer. It helps where data are few.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub dropout: f64,
    /// What the random weights of each block's last layer are multiplied by at the start; 1e-3 starts near the identity.
    #[schemars(range(min = LEAST_SCALE, max = MOST_INPUT))]
    pub last_layer_scale: f64,
    /// When the power iterations after each optimiser step stop.
    pub power_iteration: PowerIteration,
    /// When the fixed-point iterations of the inverse stop.
    pub fixed_point: FixedPoint,
    /// When those stop by which monotone and implicit blocks are evaluated and differentiated.
    pub forward_fixed_point: FixedPoint,
    /// The distribution of latents, all scales' together.
    pub base: BaseConfig,
    /// What the density is conditioned on.
    pub context: ContextConfig,
}

impl Default for ResidualFlowConfig {
    fn default() -> Self {
        Self {
            block: BlockKind::Residual,
            blocks: vec![16, 16, 16],
            hidden_channels: 512.into(),
            kernels: vec![3, 1, 3],
            activation: ActivationKind::LipSwish,
            preactivation: true,
            plain_first_block: true,
            dense: false,
            act_norm: true,
            dense_act_norm: false,
            flow_batch_norm: false,
            invertible_convolutions: false,
            whiten: false,
            checkerboard: true,
            dense_blocks: 4,
            dense_hidden: 128,
            densenet_depth: 0,
            densenet_growth: 172,
            fully_connected_growth: 32,
            learnable_concatenation: true,
            concatenation_bound: 0.98,
            factor_out: false,
            squeeze_first: false,
            logit_alpha: 0.05,
            input_mean: Vec::new(),
            input_std: Vec::new(),
            padding_channels: 0,
            padding: PaddingNoise::Uniform,
            padding_levels: 256,
            classes: 0,
            classifier_channels: 256,
            last_head_sees_factored: false,
            lipschitz_bound: 0.98,
            norm_orders: vec![NormOrder::TWO],
            learn_norm_orders: NormLearning::Off,
            batch_norm: false,
            dropout: 0.0,
            last_layer_scale: 1.0,
            power_iteration: PowerIteration::default(),
            fixed_point: FixedPoint::default(),
            forward_fixed_point: FixedPoint::FORWARD,
            base: BaseConfig::default(),
            context: ContextConfig::default(),
        }
    }
}

impl ResidualFlowConfig {
    /// Checks the settings, and that images of this shape (`[channels, height, width]`) fit them.
    ///
    /// # Errors
    /// Names the setting, what it is and what it could be.
    pub fn validate(&self, image: [usize; 3]) -> Result<()> {
        self.validate_sizes()?;
        real("lipschitz_bound", self.lipschitz_bound, LIPSCHITZ_BOUNDS)?;
        let orders = self.norm_orders.len();
        let expected = format!("one order, or {}, one more than there are kernels", self.kernels.len() + 1);
        require(orders == 1 || orders == self.kernels.len() + 1, "norm_orders", &expected, format!("{orders} orders"))?;
        require((0.0..1.0).contains(&self.dropout), "dropout", "at least 0 and less than 1", self.dropout)?;
        real("last_layer_scale", self.last_layer_scale, LEAST_SCALE..=MOST_INPUT)?;
        let alpha = self.logit_alpha;
        let possible = alpha == 0.0 || (LEAST_ALPHA..=MOST_ALPHA).contains(&alpha);
        require(possible, "logit_alpha", &format!("0, or a number from {LEAST_ALPHA:?} to {MOST_ALPHA}"), alpha)?;
        self.fixed_point.validate()?;
        self.forward_fixed_point.validate()?;
        self.power_iteration.validate()?;
        self.base.validate()?;
        self.context.validate()?;
        let (of_base, of_context) = (self.base.classes, self.context.classes);
        let with_classes = self.base.kind == BaseKind::ClassNormals && self.context.kind == ContextKind::Classes;
        let expected = format!("{of_context}, as `context.classes`");
        require(!with_classes || of_base == of_context, "base.classes", &expected, of_base)?;
        require(self.classes != 1, "classes", "0 or at least 2", self.classes)?;
        let elements = image.iter().try_fold(1usize, |n, &side| n.checked_mul(side)).filter(|n| (1..=MOST_ELEMENTS).contains(n));
        if elements.is_none() {
            let expected = format!("[channels, height, width], all positive, with a product of at most {MOST_ELEMENTS}");
            return Err(ModelError::Shape { what: "the image", expected, got: image.to_vec() });
        }

        self.validate_input(image)?;
        self.validate_coupling(image)?;
        self.validate_solved_blocks()?;
        self.validate_densenet()?;
        self.validate_pairs_of_channels(image)?;

        let [_, height, width] = image;
        let squeezes = self.scales(image) - 1 + usize::from(self.squeeze_first);
        let divisor = 1 << squeezes;
        let fits = height >= divisor && width >= divisor && height % divisor == 0 && width % divisor == 0;
        let expected = format!("so few scales that height and width ({height}x{width}) are divisible by {divisor}");
        require(fits, "blocks", &expected, format!("{:?}", self.blocks))
    }

    /// Checks all numbers of channels, layers and blocks.
    fn validate_sizes(&self) -> Result<()> {
        let blocks = !self.blocks.is_empty() && self.blocks.iter().all(|&blocks| blocks <= MOST_BLOCKS);
        let expected = format!("at least one scale, each of at most {MOST_BLOCKS} blocks");
        require(blocks, "blocks", &expected, format!("{:?}", self.blocks))?;
        whole("dense_blocks", self.dense_blocks, 0..=MOST_BLOCKS)?;
        whole("dense_hidden", self.dense_hidden, 1..=MOST_CHANNELS)?;
        let odd = self.kernels.iter().all(|&kernel| kernel % 2 == 1 && kernel <= MOST_KERNEL);
        let expected = format!("1 to {MOST_LAYERS} odd sizes of at most {MOST_KERNEL}");
        require(odd && (1..=MOST_LAYERS).contains(&self.kernels.len()), "kernels", &expected, format!("{:?}", self.kernels))?;
        let hidden_layers = self.kernels.len() - 1;
        let expected =
            format!("a number from 1 to {MOST_CHANNELS}, or a list of {hidden_layers}, one less than there are kernels");
        let fit = self.hidden_channels.fit(hidden_layers, |width| (1..=MOST_CHANNELS).contains(&width));
        require(fit, "hidden_channels", &expected, &self.hidden_channels)?;
        whole("densenet_depth", self.densenet_depth, 0..=MOST_LAYERS)?;
        whole("densenet_growth", self.densenet_growth, 1..=MOST_CHANNELS)?;
        whole("fully_connected_growth", self.fully_connected_growth, 1..=MOST_CHANNELS)?;
        real("concatenation_bound", self.concatenation_bound, LIPSCHITZ_BOUNDS)?;
        whole("padding_channels", self.padding_channels, 0..=MOST_CHANNELS)?;
        whole("padding_levels", self.padding_levels as usize, 1..=u32::MAX as usize)?;
        whole("classes", self.classes, 0..=MOST_CHANNELS)?;
        whole("classifier_channels", self.classifier_channels, 1..=MOST_CHANNELS)
    }

    /// Checks what blocks that solve equations do without.
    fn validate_solved_blocks(&self) -> Result<()> {
        if !matches!(self.block, BlockKind::Monotone | BlockKind::Implicit) {
            return Ok(());
        }
        require(!self.batch_norm, "batch_norm", "false in monotone and implicit blocks", "true")?;
        require(self.dropout == 0.0, "dropout", "0 in monotone and implicit blocks", self.dropout)
    }

    /// Checks what dense layers do without.
    fn validate_densenet(&self) -> Result<()> {
        if self.densenet_depth == 0 {
            return Ok(());
        }
        require(self.block != BlockKind::Coupling, "densenet_depth", "0 in coupling blocks", self.densenet_depth)?;
        let spectral = self.norm_orders == [NormOrder::TWO] && self.learn_norm_orders == NormLearning::Off;
        let got = format!("{:?}", self.norm_orders.iter().map(|order| order.get()).collect::<Vec<_>>());
        require(spectral, "norm_orders", "[2], not learned, with dense layers", got)?;
        require(!self.batch_norm, "batch_norm", "false with dense layers", "true")?;
        require(self.dropout == 0.0, "dropout", "0 with dense layers", self.dropout)
    }

    /// Checks that activations which need even numbers of channels get them.
    fn validate_pairs_of_channels(&self, image: [usize; 3]) -> Result<()> {
        let [pairs, widens] = [self.activation.pairs_channels(), self.activation.widening() > 1];
        if !pairs && !widens {
            return Ok(());
        }
        let even = |n: usize| n.is_multiple_of(2);
        let error = |key, got| {
            let why = if pairs { "takes in pairs" } else { "makes two of each" };
            let expected = format!("even numbers of channels, which activation = {} {why}", self.activation.name());
            Err(ModelError::Config { key, expected, got })
        };
        if self.densenet_depth > 0 {
            let growths = [self.densenet_growth, self.fully_connected_growth];
            let [growth, fully_connected] = growths;
            let got = format!("{growth}, fully_connected_growth = {fully_connected}");
            return if growths.into_iter().all(even) { Ok(()) } else { error("densenet_growth", got) };
        }
        if !self.hidden_channels.fit(self.kernels.len() - 1, even) || !even(self.dense_hidden) {
            return error("hidden_channels", format!("{}, dense_hidden = {}", self.hidden_channels, self.dense_hidden));
        }
        if !pairs {
            return Ok(());
        }
        let mut shape = self.first_shape(image);
        for scale in 0..self.scales(image) {
            let last = scale + 1 == self.scales(image);
            // Only the first block differs from those after it.
            let activated = (0..self.blocks[scale].min(2)).any(|block| self.preactivates(scale, block, last));
            let channels = if self.dense { shape.iter().product() } else { shape[0] };
            if activated && !even(channels) {
                return error("preactivation", format!("true, with {channels} channels on scale {scale}"));
            }
            shape = self.next_shape(shape);
        }
        Ok(())
    }

    fn validate_input(&self, [channels, ..]: [usize; 3]) -> Result<()> {
        let (mean, std) = (&self.input_mean, &self.input_std);
        if mean.is_empty() && std.is_empty() {
            return Ok(());
        }
        let alpha = self.logit_alpha;
        require(alpha == 0.0, "logit_alpha", "0 beside `input_mean`: there is one transform of the input", alpha)?;
        // One for each channel that a squeeze makes is possible too.
        let fits = mean.len() == channels || self.squeeze_first && mean.len() == 4 * channels;
        let fits = fits && mean.iter().all(|mean| mean.abs() <= MOST_INPUT);
        let expected = format!("one number of at most 1e6 for each of {channels} channels");
        require(fits, "input_mean", &expected, format!("{mean:?}"))?;
        let positive = std.len() == mean.len() && std.iter().all(|std| (LEAST_STD..=MOST_INPUT).contains(std));
        require(positive, "input_std", "as many positive numbers, from 1e-6 to 1e6, as `input_mean` has", format!("{std:?}"))
    }

    /// Every coupling block needs two parts.
    fn validate_coupling(&self, image: [usize; 3]) -> Result<()> {
        if self.block != BlockKind::Coupling {
            return Ok(());
        }
        let [channels, height, width] = self.first_shape(image);
        let checkerboard = self.splits_pixels([channels, height, width], 0);
        let last_is_dense = self.scales(image) == 1 && self.dense_blocks > 0;
        let fits = channels >= 2 || checkerboard && !last_is_dense;
        require(fits, "block", "\"residual\" for images of one channel", "\"coupling\"")?;
        let single = !self.activation.pairs_channels() && self.activation.widening() == 1;
        require(single, "activation", "one that keeps channels apart in coupling blocks", self.activation.name())?;
        require(!self.batch_norm, "batch_norm", "false with coupling blocks (`flow_batch_norm` fits them)", "true")
    }

    /// Whether a block (of those before the dense end) has an activation before its first layer. The plain first block
    /// has none, where a squeeze ends its scale: the reference implementation's rule, but for implicit blocks.
    pub(crate) fn preactivates(&self, scale: usize, block: usize, last_scale: bool) -> bool {
        let plain = self.plain_first_block && (scale, block) == (0, 0) && !self.dense;
        let plain = plain && (!last_scale || self.block == BlockKind::Implicit);
        self.preactivation && !plain && self.densenet_depth == 0
    }

    /// The dense layers of a block, if it has such.
    pub(crate) fn dense_layers(&self, fully_connected: bool) -> Option<DenseLayersConfig> {
        (self.densenet_depth > 0).then(|| DenseLayersConfig {
            depth: self.densenet_depth,
            growth: if fully_connected { self.fully_connected_growth } else { self.densenet_growth },
            entrance: fully_connected.then_some(DENSENET_ENTRANCE),
            bound: self.concatenation_bound,
            learnable: self.learnable_concatenation,
        })
    }

    /// Whether convolutional coupling blocks of this scale split pixels instead of channels.
    pub(crate) fn splits_pixels(&self, [_, height, width]: [usize; 3], scale: usize) -> bool {
        self.checkerboard && !self.dense && scale == 0 && height * width > 1
    }

    /// Number of scales for images `[channels, height, width]`: no more than leave at least 4 pixels a side.
    pub fn scales(&self, [_, height, width]: [usize; 3]) -> usize {
        let side = height.min(width) >> usize::from(self.squeeze_first);
        let possible = (0..usize::BITS as usize).take_while(|halvings| side >> halvings >= 4).count();
        self.blocks.len().min(possible.max(1))
    }

    /// The shape of images with their padding on the first scale.
    pub(crate) fn first_shape(&self, [c, h, w]: [usize; 3]) -> [usize; 3] {
        let c = c + self.padding_channels;
        if self.squeeze_first { [4 * c, h / 2, w / 2] } else { [c, h, w] }
    }

    /// The shape on the next scale, after a squeeze and, if there is one, the factor-out.
    pub(crate) fn next_shape(&self, [c, h, w]: [usize; 3]) -> [usize; 3] {
        let channels = if self.factor_out { 2 * c } else { 4 * c };
        [channels, h / 2, w / 2]
    }
}
