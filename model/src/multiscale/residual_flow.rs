//! The multi-scale Residual Flow.

use super::classifier::Classifier;
use super::config::ResidualFlowConfig;
use super::padding_noise::PaddingNoise;
use crate::base::{Base, StandardNormal};
use crate::error::{ModelError, Result};
use crate::flow::{Flow, LayerId, LogDetContext, zeros_of};
use crate::flows::{FlowLayer, Sequential};
use crate::lipschitz::PowerIteration;
use crate::log_det::LogDetConfig;
use crate::monitor::Monitor;
use crate::nn::{ContractiveNet, Embedding};
use crate::numerics::FixedPoint;
use crate::numerics::NoiseKey;
use crate::numerics::finite::expect_finite;
use crate::numerics::shape::as_images;
use crate::numerics::tensor::first_broken_sample;
use burn::module::Module;
use burn::tensor::Tensor;

/// A density model of images: layers on several scales between images and a latent whose distribution is its [`Base`], by default
/// a standard normal one.
///
/// `ln p(x) = ln p(f(x)) + Σ ln|det ∂f_i|`. Latents are flat, `[batch, dimensions]`: first what each scale
/// factored out, then what the last scale leaves, channels first. Points are images of a single pixel.
///
/// A model with padding channels is a flow on images with noise beside their channels ([`ResidualFlow::pad`]): what
/// works on images, such as [`log_prob`](ResidualFlow::log_prob) and [`sample`](ResidualFlow::sample), adds and removes
/// it, the maps between images and latents have it in their inputs. Without padding channels there is no difference.
#[derive(Module, Debug)]
pub struct ResidualFlow {
    /// The layers of each scale, from the image's resolution down, with the squeeze that leads to the next at their end.
    pub(super) scales: Vec<Sequential>,
    /// What makes logits of the scales' outputs, if the model has classes.
    pub(super) classifier: Option<Classifier>,
    /// The distribution of latents.
    pub(super) base: Base,
    /// What makes features of what is known about samples, if the density is conditioned on that.
    pub(super) embedding: Option<Embedding>,
    /// What is known about each sample of the batch: the embedding's input, `[batch, …]`.
    #[module(skip)]
    pub(super) given: Option<Box<Tensor<2>>>,
    pub(super) image: [usize; 3],
    pub(super) padding_channels: usize,
    #[module(skip)]
    pub(super) padding: PaddingNoise,
    pub(super) padding_levels: u32,
    pub(super) factor_out: bool,
    pub(super) last_head_sees_factored: bool,
    #[module(skip)]
    pub(super) power_iteration: PowerIteration,
    #[module(skip)]
    pub(super) fixed_point: FixedPoint,
    #[module(skip)]
    pub(super) monitor: Monitor,
    /// The settings that the layers were built from; `None` if somebody has put them together.
    #[module(skip)]
    pub(super) config: Option<ResidualFlowConfig>,
}

/// `ln p(x)` in its parts, each `[batch]` in nats.
pub struct LogProb {
    /// `ln p(z)` by the model's [`Base`]; by default `ln N(z; 0, I)`.
    pub log_pz: Tensor<1>,
    /// `ln|det ∂z/∂x|`, estimated or exact.
    pub log_det: Tensor<1>,
    /// `ln q(u)` of the padding; 0 without padding.
    pub log_padding: Tensor<1>,
}

/// A model of a single scale, with default settings of power iteration and of the inverse.
impl From<Sequential> for ResidualFlow {
    fn from(layers: Sequential) -> Self {
        Self {
            image: layers.input_shape(),
            scales: vec![layers],
            classifier: None,
            base: Base::StandardNormal(StandardNormal {}),
            embedding: None,
            given: None,
            padding_channels: 0,
            padding: PaddingNoise::Uniform,
            padding_levels: 256,
            factor_out: false,
            last_head_sees_factored: false,
            power_iteration: PowerIteration::default(),
            fixed_point: FixedPoint::default(),
            monitor: Monitor::default(),
            config: None,
        }
    }
}

impl LogProb {
    /// Without padding.
    pub(super) fn new(log_pz: Tensor<1>, log_det: Tensor<1>) -> Self {
        Self { log_pz, log_padding: log_det.zeros_like(), log_det }
    }

    /// `ln p(x)`, `[batch]`, nats; with padding an unbiased estimate of a lower bound, `ln p(x, u) - ln q(u)`.
    pub fn total(&self) -> Tensor<1> {
        self.log_pz.clone() + self.log_det.clone() - self.log_padding.clone()
    }
}

/// What all scales leave.
pub(crate) struct ForwardOutput {
    pub latent: Tensor<2>,
    /// What the classifier's heads see; empty without a classifier.
    pub head_inputs: Vec<Tensor<4>>,
}

impl ResidualFlow {
    /// The settings that the model was built from; `None` of one that a program has put together of layers.
    pub fn config(&self) -> Option<&ResidualFlowConfig> {
        self.config.as_ref()
    }

    /// Shape of the images, `[channels, height, width]`.
    pub fn image_shape(&self) -> [usize; 3] {
        self.image
    }

    /// Number of dimensions of images, without padding: those that bits per dimension count.
    pub fn dimensions(&self) -> usize {
        self.image.iter().product()
    }

    /// Shape of images with their padding, `[channels, height, width]`.
    pub fn input_shape(&self) -> [usize; 3] {
        let [c, h, w] = self.image;
        [c + self.padding_channels, h, w]
    }

    /// Number of dimensions of latents: those of images with their padding.
    pub fn latent_dimensions(&self) -> usize {
        self.input_shape().iter().product()
    }

    /// `ln p(x)` of images in `[0, 1]`, `[batch, channels, height, width]`, or of points `[batch, dimensions]`: `[batch]`, nats.
    ///
    /// An unbiased estimate by the paper's estimator for evaluation ([`LogDetConfig::evaluation`]), the same at every call;
    /// [`log_prob_with`](Self::log_prob_with) takes other estimators and other randomness, and returns the parts.
    ///
    /// # Errors
    /// If the batch has another shape, weights have changed since the Lipschitz constraint was updated, or a density is not
    /// finite: names the sample.
    pub fn log_prob<const D: usize>(&self, x: Tensor<D>) -> Result<Tensor<1>> {
        let (config, noise) = (LogDetConfig::evaluation(), NoiseKey::new(0, [0, 0]));
        let total = self.log_prob_with(x, &LogDetContext { config: &config, noise })?.total();
        expect_finite("the log-density", &total, None)?;
        Ok(total)
    }

    /// `ln p(x)` in its parts, by the estimator of the context, of images in `[0, 1]`, `[batch, channels, height, width]`, or of
    /// points `[batch, dimensions]`.
    ///
    /// # Errors
    /// If the batch has another shape, weights have changed since the Lipschitz constraint was updated, an exact
    /// log-determinant cannot be computed, or the device does not compute in the estimator's precision.
    pub fn log_prob_with<const D: usize>(&self, x: Tensor<D>, context: &LogDetContext) -> Result<LogProb> {
        let padded = self.pad(self.as_images(x)?, &mut context.padding_stream())?;
        let (passed, log_det) = self.forward_log_det(padded.input, context)?;
        Ok(LogProb { log_padding: padded.log_density, ..LogProb::new(self.base.log_prob(passed.latent), log_det) })
    }

    /// [`log_prob_with`](Self::log_prob_with) and the logits `[batch, classes]`, in one pass.
    ///
    /// # Errors
    /// As [`log_prob_with`](Self::log_prob_with), or if the model has no classes.
    pub fn log_prob_and_logits(&self, x: Tensor<4>, context: &LogDetContext) -> Result<(LogProb, Tensor<2>)> {
        let classifier = self.expect_classifier()?;
        let padded = self.pad(x, &mut context.padding_stream())?;
        let (passed, log_det) = self.forward_log_det(padded.input, context)?;
        let log_prob = LogProb { log_padding: padded.log_density, ..LogProb::new(self.base.log_prob(passed.latent), log_det) };
        Ok((log_prob, classifier.logits(&passed.head_inputs)))
    }

    /// Logits `[batch, classes]` of padded images, without log-determinants.
    ///
    /// # Errors
    /// If the images have another shape, or the model has no classes.
    pub fn logits(&self, x: Tensor<4>) -> Result<Tensor<2>> {
        let classifier = self.expect_classifier()?;
        Ok(classifier.logits(&self.pass(x)?.head_inputs))
    }

    /// Padded images to latents `[batch, latent dimensions]`, all of them finite.
    ///
    /// # Errors
    /// If the images have another shape, or a number is not finite: names the sample and the layer.
    pub fn encode(&self, x: Tensor<4>) -> Result<Tensor<2>> {
        let latent = self.pass(x.clone())?.latent;
        if first_broken_sample(&latent).is_some() {
            self.check_forward(x)?;
        }
        Ok(latent)
    }

    /// Padded images to latents, with `ln|det ∂z/∂x|`, `[batch]`.
    ///
    /// # Errors
    /// As [`log_prob_with`](Self::log_prob_with).
    pub fn encode_log_det(&self, x: Tensor<4>, context: &LogDetContext) -> Result<(Tensor<2>, Tensor<1>)> {
        let (passed, log_det) = self.forward_log_det(x, context)?;
        Ok((passed.latent, log_det))
    }

    /// Floating-point operations in the matrix products of one pass through all residual branches: an evaluation, a
    /// vector-Jacobian product, or a tangent of a batch of this size. A training step with `n` terms of the series needs
    /// `n + 7` passes.
    pub fn pass_flops(&self, batch: usize) -> f64 {
        batch as f64 * self.layer_flops().into_iter().sum::<f64>()
    }

    /// [`pass_flops`](Self::pass_flops) of each layer for one image, in forward order; 0 for layers that have no branch.
    pub fn layer_flops(&self) -> Vec<f64> {
        let last = self.scales.len() - 1;
        let scales = self.scales.iter().enumerate().flat_map(|(index, scale)| {
            let [_, height, width] = scale.output_shape();
            // What leaves a scale that is not the last has been squeezed.
            let pixels = height * width * if index == last { 1 } else { 4 };
            scale.layers.iter().map(move |layer| layer.nets().into_iter().map(|(_, net)| net.pass_flops(pixels)).sum())
        });
        scales.collect()
    }

    /// Has all its computations followed by a monitor, which can stop them; likewise those of clones made from now on.
    pub fn set_monitor(&mut self, monitor: &Monitor) {
        self.monitor = monitor.clone();
        self.nets_mut().for_each(|net| net.set_monitor(monitor));
    }

    /// The contractive networks of all layers, in forward order.
    pub(super) fn nets(&self) -> impl Iterator<Item = &ContractiveNet> {
        self.layers().flat_map(|layer| layer.nets().into_iter().map(|(_, net)| net))
    }

    /// The same, to be changed.
    pub(super) fn nets_mut(&mut self) -> impl Iterator<Item = &mut ContractiveNet> {
        self.layers_mut().flat_map(|layer| layer.nets_mut().into_iter().map(|(_, net)| net))
    }

    /// The layers, in forward order.
    pub fn layers(&self) -> impl DoubleEndedIterator<Item = &FlowLayer> {
        self.scales.iter().flat_map(|scale| &scale.layers)
    }

    /// The layers, in forward order, to be changed. Their order and their shapes must stay: a layer may be changed, not replaced
    /// by one of another kind.
    pub fn layers_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut FlowLayer> {
        self.scales.iter_mut().flat_map(|scale| &mut scale.layers)
    }

    /// One layer, by its scale and its place there, to be changed but not replaced by one of another kind.
    pub fn layer_mut(&mut self, scale: usize, layer: usize) -> Option<&mut FlowLayer> {
        self.scales.get_mut(scale)?.layers.get_mut(layer)
    }

    /// The distribution of latents.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// The same model with another distribution of latents, which must have as many dimensions.
    pub fn with_base(self, base: Base) -> Self {
        Self { base, config: None, ..self }
    }

    /// The layers of each scale.
    pub fn scales(&self) -> &[Sequential] {
        &self.scales
    }

    /// What makes logits of the scales' outputs, if the model has classes.
    pub fn classifier(&self) -> Option<&Classifier> {
        self.classifier.as_ref()
    }

    /// Points or images without padding as images.
    pub(super) fn as_images<const D: usize>(&self, x: Tensor<D>) -> Result<Tensor<4>> {
        let with_padding = D == 4 && x.dims()[1..] == self.input_shape();
        as_images("the batch", x, if with_padding { self.input_shape() } else { self.image })
    }

    /// # Errors
    /// If parameters have been replaced since the Lipschitz constraint was updated: names the first such layer.
    pub(crate) fn check_constraint(&self) -> Result<()> {
        let is_stale = |layer: &FlowLayer| layer.nets().into_iter().any(|(_, net)| net.is_stale());
        match self.layers().zip(self.layer_ids()).find(|(layer, _)| is_stale(layer)) {
            Some((_, id)) => Err(ModelError::StaleConstraint { layer: id.path }),
            None => Ok(()),
        }
    }

    /// The settings of power iteration in training.
    pub fn power_iteration(&self) -> PowerIteration {
        self.power_iteration
    }

    /// Names of all layers in forward order.
    pub fn layer_ids(&self) -> Vec<LayerId> {
        let paths = self
            .scales
            .iter()
            .enumerate()
            .flat_map(|(scale, layers)| (0..layers.layers.len()).map(move |layer| format!("scales.{scale}.layers.{layer}")));
        paths.enumerate().map(|(index, path)| LayerId { index, path }).collect()
    }

    /// Runs all layers forward without log-determinants.
    pub(super) fn pass(&self, x: Tensor<4>) -> Result<ForwardOutput> {
        self.check_input(&x)?;
        self.check_context(x.dims()[0])?;
        self.check_constraint()?;
        self.forward_scales(x, |layer, x, _| layer.forward(x))
    }

    fn forward_log_det(&self, x: Tensor<4>, context: &LogDetContext) -> Result<(ForwardOutput, Tensor<1>)> {
        self.check_input(&x)?;
        self.check_context(x.dims()[0])?;
        self.check_constraint()?;
        context.config.validate()?;
        context.config.validate_device(&x.device())?;
        let mut total = zeros_of(&x);
        let passed = self.forward_scales(x, |layer, x, id| {
            let (z, log_det) = layer.forward_log_det(x, context, &id)?;
            total = total.clone() + log_det;
            Ok(z)
        })?;
        Ok((passed, total))
    }

    /// Runs all layers forward, splitting where a scale factors out.
    pub(crate) fn forward_scales(
        &self,
        x: Tensor<4>,
        mut step: impl FnMut(&FlowLayer, Tensor<4>, LayerId) -> Result<Tensor<4>>,
    ) -> Result<ForwardOutput> {
        let mut ids = self.layer_ids().into_iter();
        let (mut parts, mut head_inputs) = (Vec::new(), Vec::<Tensor<4>>::new());
        let mut x = x;
        for (index, scale) in self.scales.iter().enumerate() {
            for (layer, id) in scale.layers.iter().zip(&mut ids) {
                let path = id.path.clone();
                x = step(layer, x, id).map_err(|error| error.in_layer(&path))?;
                self.monitor.pass()?;
            }
            let mut head_input = x.clone();
            if self.factors_out_after(index) {
                let (kept, factored) = halves(x);
                parts.push(factored.clone().flatten::<2>(1, 3));
                (x, head_input) = (kept, factored);
            } else if self.last_head_sees_factored(index) {
                head_input = head_inputs.last().expect("a scale before the last").clone();
            }
            if self.classifier.is_some() {
                head_inputs.push(head_input);
            }
        }
        parts.push(x.flatten::<2>(1, 3));
        Ok(ForwardOutput { latent: Tensor::cat(parts, 1), head_inputs })
    }

    /// A latent, or its cotangent, as the parts of the scales that contribute one.
    pub(super) fn split_latent(&self, z: Tensor<2>) -> Vec<Tensor<4>> {
        let batch = z.dims()[0];
        let last = self.scales.len() - 1;
        let mut start = 0;
        let mut parts = Vec::new();
        for (index, scale) in self.scales.iter().enumerate() {
            let [c, h, w] = scale.output_shape();
            let channels = match (index == last, self.factor_out) {
                (true, _) => c,
                (false, true) => c / 2,
                (false, false) => continue,
            };
            let size = channels * h * w;
            parts.push(z.clone().slice([0..batch, start..start + size]).reshape([batch, channels, h, w]));
            start += size;
        }
        parts
    }

    /// Whether half of this scale's output leaves the flow.
    pub(super) fn factors_out_after(&self, scale: usize) -> bool {
        self.factor_out && scale + 1 < self.scales.len()
    }

    /// Whether this is the last scale, and its head sees what the scale before factored out.
    pub(super) fn last_head_sees_factored(&self, scale: usize) -> bool {
        self.classifier.is_some()
            && self.factor_out
            && self.last_head_sees_factored
            && scale > 0
            && scale + 1 == self.scales.len()
    }

    pub(super) fn expect_classifier(&self) -> Result<&Classifier> {
        let error = || ModelError::Config { key: "classes", expected: "at least 2, to have logits".into(), got: "0".into() };
        self.classifier.as_ref().ok_or_else(error)
    }

    pub(crate) fn check_input(&self, x: &Tensor<4>) -> Result<()> {
        self.check(
            if self.padding_channels == 0 { "the image batch" } else { "the batch of padded images" },
            x,
            self.input_shape(),
        )
    }

    pub(super) fn check(&self, what: &'static str, x: &Tensor<4>, shape: [usize; 3]) -> Result<()> {
        let dims = x.dims();
        if dims[1..] == shape {
            return Ok(());
        }
        let [c, h, w] = shape;
        Err(ModelError::Shape { what, expected: format!("[batch, {c}, {h}, {w}]"), got: dims.to_vec() })
    }
}

/// The first and the second half of the channels: what stays in the flow and what is factored out.
pub(super) fn halves(x: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    let channels = x.dims()[1];
    (x.clone().narrow(1, 0, channels / 2), x.narrow(1, channels / 2, channels - channels / 2))
}
