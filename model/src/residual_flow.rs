//! The multi-scale Residual Flow.

use crate::config::ResidualFlowConfig;
use crate::distribution::standard_normal_log_prob;
use crate::error::{ModelError, Result};
use crate::fixed_point::{FixedPoint, InversionReport};
use crate::flows::{ActNorm, FlowLayer, LayerId, LogDetContext, Logit, ResidualBlock, Squeeze};
use crate::gradients::Gradients;
use crate::lipschitz::PowerIteration;
use crate::log_det::LogDetDraw;
use crate::net::{ContractiveNet, ContractiveNetConfig};
use crate::randomness::{NoiseKey, gaussian};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// A density model of images: layers on several scales between images and a standard normal latent.
///
/// `ln p(x) = ln N(f(x); 0, I) + Σ ln|det ∂f_i|`. Latents are flat, `[batch, dimensions]`: first what each scale
/// factored out, then what the last scale leaves, channels first.
#[derive(Module, Debug)]
pub struct ResidualFlow {
    /// The scales, from the image's resolution down.
    pub scales: Vec<Scale>,
    image: [usize; 3],
    factor_out: bool,
    #[module(skip)]
    power_iteration: PowerIteration,
    #[module(skip)]
    fixed_point: FixedPoint,
}

/// The layers of one scale, with the squeeze that leads to the next at their end.
#[derive(Module, Debug)]
pub struct Scale {
    /// In forward order.
    pub layers: Vec<FlowLayer>,
    /// Shape of what leaves the layers, `[channels, height, width]`.
    output: [usize; 3],
}

/// `ln p(x)` in its two parts, each `[batch]` in nats.
pub struct LogProb {
    /// `ln N(z; 0, I)`
    pub log_pz: Tensor<1>,
    /// `ln|det ∂z/∂x|`, estimated or exact.
    pub log_det: Tensor<1>,
}

impl LogProb {
    /// `ln p(x)`, `[batch]`, nats.
    pub fn total(&self) -> Tensor<1> {
        self.log_pz.clone() + self.log_det.clone()
    }
}

impl ResidualFlowConfig {
    /// A model for images `[channels, height, width]` with random weights.
    ///
    /// ActNorm layers are the identity until [`ResidualFlow::initialize`].
    ///
    /// # Errors
    /// If the settings do not fit the images.
    pub fn init(&self, image: [usize; 3], rng: &mut impl Rng, device: &Device) -> Result<ResidualFlow> {
        self.validate(image)?;
        let n_scales = self.scales(image);
        let mut shape = self.first_shape(image);
        let mut scales = Vec::with_capacity(n_scales);
        for index in 0..n_scales {
            let last = index + 1 == n_scales;
            let mut layers = if index == 0 { self.entrance(shape, device) } else { Vec::new() };
            for block in 0..self.blocks[index] {
                let preactivation = self.preactivation && (index, block) != (0, 0);
                layers.push(self.block(shape, preactivation).residual(rng, device));
                if self.act_norm {
                    layers.push(FlowLayer::ActNorm(ActNorm::per_channel(shape[0], device)));
                }
            }
            let [c, h, w] = shape;
            let output = if last { shape } else { [4 * c, h / 2, w / 2] };
            if last {
                for _ in 0..self.dense_blocks {
                    layers.push(self.dense_block(shape).residual(rng, device));
                    if self.act_norm {
                        layers.push(FlowLayer::ActNorm(ActNorm::per_element(shape, device)));
                    }
                }
            } else {
                layers.push(FlowLayer::Squeeze(Squeeze {}));
            }
            scales.push(Scale { layers, output });
            shape = self.next_shape(shape);
        }
        Ok(ResidualFlow {
            scales,
            image,
            factor_out: self.factor_out,
            power_iteration: self.power_iteration,
            fixed_point: self.fixed_point,
        })
    }

    /// What comes before the first block.
    fn entrance(&self, shape: [usize; 3], device: &Device) -> Vec<FlowLayer> {
        let squeeze = self.squeeze_first.then(|| FlowLayer::Squeeze(Squeeze {}));
        let logit = (self.logit_alpha > 0.0).then(|| FlowLayer::Logit(Logit::new(self.logit_alpha)));
        let act_norm = self.act_norm.then(|| FlowLayer::ActNorm(ActNorm::per_channel(shape[0], device)));
        [squeeze, logit, act_norm].into_iter().flatten().collect()
    }

    fn block(&self, shape: [usize; 3], preactivation: bool) -> ContractiveNetConfig {
        ContractiveNetConfig {
            shape,
            hidden: self.hidden_channels.clone(),
            kernels: self.kernels.clone(),
            activation: self.activation,
            preactivation,
            dense: false,
            bound: self.lipschitz_bound,
            norm_orders: self.norm_orders.clone(),
            learn_norm_orders: self.learn_norm_orders,
            batch_norm: self.batch_norm,
            dropout: self.dropout,
            last_layer_scale: self.last_layer_scale,
        }
    }

    fn dense_block(&self, shape: [usize; 3]) -> ContractiveNetConfig {
        ContractiveNetConfig {
            hidden: self.dense_hidden.into(),
            dense: true,
            batch_norm: false,
            ..self.block(shape, self.preactivation)
        }
    }
}

impl ContractiveNetConfig {
    fn residual(&self, rng: &mut impl Rng, device: &Device) -> FlowLayer {
        FlowLayer::Residual(ResidualBlock::new(self.init(rng, device)))
    }
}

impl ResidualFlow {
    /// Shape of the images, `[channels, height, width]`.
    pub fn image_shape(&self) -> [usize; 3] {
        self.image
    }

    /// Number of dimensions of images and latents.
    pub fn dimensions(&self) -> usize {
        self.image.iter().product()
    }

    /// `ln p(x)` of images in `[0, 1]`, `[batch, channels, height, width]`.
    ///
    /// # Errors
    /// If the images have another shape, or an exact log-determinant cannot be computed.
    pub fn log_prob(&self, x: Tensor<4>, context: &LogDetContext) -> Result<LogProb> {
        let (z, log_det) = self.encode_log_det(x, context)?;
        Ok(LogProb { log_pz: standard_normal_log_prob(z), log_det })
    }

    /// Images to latents `[batch, dimensions]`.
    ///
    /// # Errors
    /// If the images have another shape.
    pub fn encode(&self, x: Tensor<4>) -> Result<Tensor<2>> {
        self.check_images(&x)?;
        let no_log_det = |layer: &FlowLayer, x: Tensor<4>, _: LayerId| Ok(layer.forward(x));
        self.forward_scales(x, no_log_det)
    }

    /// Images to latents, with `ln|det ∂z/∂x|`, `[batch]`.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn encode_log_det(&self, x: Tensor<4>, context: &LogDetContext) -> Result<(Tensor<2>, Tensor<1>)> {
        self.check_images(&x)?;
        let mut total = Tensor::zeros([x.dims()[0]], &x.device());
        let z = self.forward_scales(x, |layer, x, id| {
            let (z, log_det) = layer.forward_log_det(x, context, &id)?;
            total = total.clone() + log_det;
            Ok(z)
        })?;
        Ok((z, total))
    }

    /// Latents `[batch, dimensions]` to images.
    ///
    /// # Errors
    /// If the latents have another number of dimensions, or the inverse of a layer does not converge.
    pub fn decode(&self, z: Tensor<2>) -> Result<Tensor<4>> {
        Ok(self.decode_with_report(z)?.0)
    }

    /// Latents to images, with what the inversion took.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn decode_with_report(&self, z: Tensor<2>) -> Result<(Tensor<4>, InversionReport)> {
        let mut report = InversionReport::default();
        let [batch, dimensions] = z.dims();
        if dimensions != self.dimensions() {
            let expected = format!("[batch, {}]", self.dimensions());
            return Err(ModelError::Shape { what: "the latent", expected, got: vec![batch, dimensions] });
        }
        let mut parts = self.split_latent(z);
        let mut ids = self.layer_ids();
        let mut x = parts.pop().expect("the last scale leaves a part");
        for (index, scale) in self.scales.iter().enumerate().rev() {
            if self.factor_out && index + 1 < self.scales.len() {
                x = Tensor::cat(vec![x, parts.pop().expect("one part a scale")], 1);
            } else {
                let [c, h, w] = scale.output;
                x = x.reshape([batch, c, h, w]);
            }
            for layer in scale.layers.iter().rev() {
                let id = ids.pop().expect("one id a layer");
                x = layer.inverse(x, &self.fixed_point, &id, &mut report)?;
            }
        }
        Ok((x, report))
    }

    /// `n` images from latents of standard deviation `temperature`.
    ///
    /// # Errors
    /// If the inverse of a layer does not converge.
    pub fn sample(&self, n: usize, temperature: f64, rng: &mut impl Rng, device: &Device) -> Result<Tensor<4>> {
        self.decode(gaussian([n, self.dimensions()], rng, device) * temperature)
    }

    /// The gradients of `Σ_b weight_b · ln p(x_b)` by all parameters, with `ln p(x)` estimated from the same draws.
    ///
    /// Forward, only each layer's input is kept; backward, each layer recomputes what it needs. `draw(layer, shape)`
    /// gives the estimator's randomness for a residual layer.
    ///
    /// # Errors
    /// If the images have another shape.
    pub fn log_prob_gradients(
        &self,
        x: Tensor<4>,
        weight: Tensor<1>,
        mut draw: impl FnMut(&LayerId, [usize; 4]) -> LogDetDraw,
        gradients: &mut Gradients,
    ) -> Result<LogProb> {
        self.check_images(&x)?;
        let mut tape: Vec<(LayerId, Tensor<4>)> = Vec::new();
        let z = self.forward_scales(x, |layer, x, id| {
            tape.push((id, x.clone()));
            Ok(layer.forward(x))
        })?;
        // ∂/∂z ln N(z; 0, I) = -z
        let z_bar = z.clone().neg() * weight.clone().reshape([-1, 1]);
        let mut parts = self.split_latent(z_bar);
        let mut x_bar = parts.pop().expect("the last scale leaves a part");
        let mut log_det = Tensor::zeros(weight.dims(), &weight.device());
        for (index, scale) in self.scales.iter().enumerate().rev() {
            if index + 1 < self.scales.len() && self.factor_out {
                x_bar = Tensor::cat(vec![x_bar, parts.pop().expect("one part a scale")], 1);
            }
            for layer in scale.layers.iter().rev() {
                let (id, input) = tape.pop().expect("one input a layer");
                let mut draw = |shape| draw(&id, shape);
                let (bar, of_layer) = layer.backward(input, x_bar, weight.clone(), &mut draw, gradients);
                (x_bar, log_det) = (bar, log_det + of_layer);
            }
        }
        Ok(LogProb { log_pz: standard_normal_log_prob(z), log_det })
    }

    /// Initialises ActNorm from a batch of images, layer by layer.
    ///
    /// # Errors
    /// If the images have another shape.
    pub fn initialize(&mut self, x: Tensor<4>) -> Result<()> {
        self.check_images(&x)?;
        let mut x = x;
        let n_scales = self.scales.len();
        for (index, scale) in self.scales.iter_mut().enumerate() {
            for layer in &mut scale.layers {
                layer.initialize(x.clone());
                x = layer.forward(x);
            }
            if self.factor_out && index + 1 < n_scales {
                x = halves(x).0;
            }
        }
        Ok(())
    }

    /// Updates the Lipschitz constraint of every layer; returns the largest estimate of a branch's Lipschitz constant.
    ///
    /// To be called whenever weights have changed, with the model's own settings ([`Self::power_iteration`]) in
    /// training and [`PowerIteration::CONVERGED`] before evaluation or sampling.
    pub fn update_lipschitz(&mut self, settings: &PowerIteration) -> f32 {
        let layers = self.scales.iter_mut().flat_map(|scale| &mut scale.layers);
        layers.filter_map(|layer| layer.update_lipschitz(settings)).fold(0.0, f32::max)
    }

    /// Adds `weight · ∂σ̄/∂t` to the gradients, with the mean `σ̄` of all norms whose orders are learned, for the parameters
    /// `t` of those orders. The loss itself has no gradient by them.
    ///
    /// Descending it looks for the orders in which layers are smallest, so that the constraint costs least (Chen et al. 2019,
    /// appendix).
    pub fn add_norm_order_gradients(&self, weight: f64, gradients: &mut Gradients) {
        let layers = || self.scales.iter().flat_map(|scale| &scale.layers);
        let learned: usize = layers().filter_map(FlowLayer::net).map(ContractiveNet::learned_layers).sum();
        layers().for_each(|layer| layer.add_norm_order_gradients(weight / learned as f64, gradients));
    }

    /// Draws dropout's masks for a batch of this size; they hold until [`clear_dropout`](Self::clear_dropout).
    ///
    /// All passes of a training step see the same masks.
    pub fn draw_dropout(&mut self, batch: usize, noise: NoiseKey) {
        const AFTER_ALL_LAYERS: u64 = 1 << 32;
        let nets = self.scales.iter_mut().flat_map(|scale| &mut scale.layers).map(FlowLayer::net_mut).enumerate();
        for (index, net) in nets {
            if let Some(net) = net {
                net.draw_dropout(batch, &mut noise.stream(AFTER_ALL_LAYERS + index as u64));
            }
        }
    }

    /// Ends dropout: the model is as in evaluation again.
    pub fn clear_dropout(&mut self) {
        self.scales
            .iter_mut()
            .flat_map(|scale| &mut scale.layers)
            .filter_map(FlowLayer::net_mut)
            .for_each(|net| net.clear_dropout());
    }

    /// Moves the means of all moving batch norms towards those of a batch of images, each found at the means as they are.
    ///
    /// To be called once for each batch that is trained on. Costs a forward pass, and nothing in models without batch norm.
    ///
    /// # Errors
    /// If the images have another shape.
    pub fn update_batch_norm(&mut self, x: Tensor<4>) -> Result<()> {
        self.check_images(&x)?;
        if !self.scales.iter().flat_map(|scale| &scale.layers).any(FlowLayer::has_batch_norm) {
            return Ok(());
        }
        let mut x = x;
        let n_scales = self.scales.len();
        for (index, scale) in self.scales.iter_mut().enumerate() {
            for layer in &mut scale.layers {
                let z = layer.forward(x.clone());
                layer.update_batch_norm(x);
                x = z;
            }
            if self.factor_out && index + 1 < n_scales {
                x = halves(x).0;
            }
        }
        Ok(())
    }

    /// Floating-point operations in the matrix products of one pass through all residual branches: an evaluation, a
    /// vector-Jacobian product, or a tangent of a batch of this size. A training step with `n` terms of the series needs
    /// `n + 7` passes.
    pub fn pass_flops(&self, batch: usize) -> f64 {
        let last = self.scales.len() - 1;
        let of_scale = |(index, scale): (usize, &Scale)| -> f64 {
            // What leaves a scale that is not the last has been squeezed.
            let pixels = scale.output[1] * scale.output[2] * if index == last { 1 } else { 4 };
            let layers = scale.layers.iter();
            layers.map(|layer| if let FlowLayer::Residual(block) = layer { block.net.pass_flops(pixels) } else { 0.0 }).sum()
        };
        batch as f64 * self.scales.iter().enumerate().map(of_scale).sum::<f64>()
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

    /// A noise source for [`Self::log_prob_gradients`] from an estimator's settings and a seed.
    pub fn seeded_draws<'a>(
        config: &'a crate::LogDetConfig,
        noise: NoiseKey,
        device: &'a Device,
    ) -> impl FnMut(&LayerId, [usize; 4]) -> LogDetDraw + 'a {
        move |id, shape| config.draw(shape, &mut noise.stream(id.index as u64), device)
    }

    /// Runs all layers forward, splitting where a scale factors out; returns the latent.
    fn forward_scales(
        &self,
        x: Tensor<4>,
        mut step: impl FnMut(&FlowLayer, Tensor<4>, LayerId) -> Result<Tensor<4>>,
    ) -> Result<Tensor<2>> {
        let mut ids = self.layer_ids().into_iter();
        let mut parts = Vec::new();
        let mut x = x;
        for (index, scale) in self.scales.iter().enumerate() {
            for (layer, id) in scale.layers.iter().zip(&mut ids) {
                x = step(layer, x, id)?;
            }
            if self.factor_out && index + 1 < self.scales.len() {
                let (kept, factored) = halves(x);
                parts.push(factored.flatten::<2>(1, 3));
                x = kept;
            }
        }
        parts.push(x.flatten::<2>(1, 3));
        Ok(Tensor::cat(parts, 1))
    }

    /// A latent, or its cotangent, as the parts of the scales that contribute one.
    fn split_latent(&self, z: Tensor<2>) -> Vec<Tensor<4>> {
        let batch = z.dims()[0];
        let last = self.scales.len() - 1;
        let mut start = 0;
        let mut parts = Vec::new();
        for (index, scale) in self.scales.iter().enumerate() {
            let [c, h, w] = scale.output;
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

    fn check_images(&self, x: &Tensor<4>) -> Result<()> {
        let dims = x.dims();
        if dims[1..] == self.image {
            return Ok(());
        }
        let [c, h, w] = self.image;
        Err(ModelError::Shape { what: "the image batch", expected: format!("[batch, {c}, {h}, {w}]"), got: dims.to_vec() })
    }
}

/// The first and the second half of the channels: what stays in the flow and what is factored out.
fn halves(x: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    let channels = x.dims()[1];
    (x.clone().narrow(1, 0, channels / 2), x.narrow(1, channels / 2, channels - channels / 2))
}
