//! What is trained for, and its gradient layer by layer.

use super::residual_flow::{LogProb, ResidualFlow};
use crate::error::{ModelError, Result};
use crate::flow::{Flow, LayerId, LogDetContext};
use crate::flows::FlowLayer;
use crate::gradients::Gradients;
use crate::log_det::{LogDetDraw, Purpose};
use crate::numerics::parallel;
use crate::numerics::randomness::NoiseKey;
use burn::tensor::{Device, Tensor};

/// What is differentiated: `Σ_b (w_b ln p(z_b) + v_b ln|det ∂z_b/∂x_b|)`, a function of the logits, or their sum.
#[derive(Default)]
pub struct Objective<'a> {
    /// The density's share. Without it no log-determinant is computed.
    pub density: Option<DensityWeights>,
    /// The share of the logits: from them, `[batch, classes]`, to its derivative by them.
    pub logits: Option<&'a mut dyn FnMut(&Tensor<2>) -> Tensor<2>>,
    /// Told of every layer when its gradients are complete, from the last to the first, before the next one's are begun.
    pub layer_done: Option<LayerDone<'a>>,
}

/// What is done with a layer and all gradients so far.
pub type LayerDone<'a> = &'a mut dyn FnMut(&FlowLayer, &Gradients);

/// The weight of each sample in an [`Objective`], `[batch]`.
pub struct DensityWeights {
    /// `w`, of `ln p(z)`.
    pub log_pz: Tensor<1>,
    /// `v`, of the log-determinant; smaller than `w` while it is annealed.
    pub log_det: Tensor<1>,
}

impl Objective<'_> {
    /// `Σ_b w_b ln p(x_b)`.
    pub fn log_prob(weight: Tensor<1>) -> Self {
        Self { density: Some(DensityWeights { log_pz: weight.clone(), log_det: weight }), ..Self::default() }
    }
}

/// What a model says about a batch.
pub struct Outputs {
    /// Of every sample; `None` where the objective has no share of the density.
    pub log_prob: Option<LogProb>,
    /// `[batch, classes]`, where the model has a classifier and is asked for them.
    pub logits: Option<Tensor<2>>,
}

impl ResidualFlow {
    /// The gradients of an objective by all parameters, with the values from the same draws, for images in `[0, 1]`,
    /// `[batch, channels, height, width]`.
    ///
    /// Forward, only each layer's input is kept; backward, each layer recomputes what it needs.
    ///
    /// Like everything that training does, this does not ask whether the Lipschitz constraint is up to date: call
    /// [`update_lipschitz`](Self::update_lipschitz) after every change of weights.
    ///
    /// # Examples
    /// Steepest ascent of the mean log-density:
    /// ```
    /// use residual_flows::burn::module::{Module, ModuleMapper, Param};
    /// use residual_flows::burn::tensor::{Device, Tensor};
    /// use residual_flows::{Gradients, LogDetConfig, LogDetContext, NoiseKey, Objective, ResidualFlowConfig};
    ///
    /// struct Ascend(Gradients);
    /// impl ModuleMapper for Ascend {
    ///     fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
    ///         match self.0.get(&param) {
    ///             Some(gradient) => param.map(|value| value + gradient * 0.05),
    ///             None => param,
    ///         }
    ///     }
    /// }
    ///
    /// let device = Device::flex();
    /// let config = ResidualFlowConfig { blocks: vec![1], ..ResidualFlowConfig::toy() };
    /// let mut model = config.init([2, 1, 1], &mut NoiseKey::new(7, [0, 0]).stream(0), &device)?;
    /// let x = Tensor::<2>::from_floats([[2.0, 2.1], [1.9, 2.0], [2.1, 1.8]], &device);
    /// let before = model.log_prob(x.clone())?.mean().into_scalar::<f32>();
    /// for step in 0..10 {
    ///     let log_det = LogDetConfig::training();
    ///     let context = LogDetContext { config: &log_det, noise: NoiseKey::new(7, [1, step]) };
    ///     let mut gradients = Gradients::new();
    ///     let weight = Tensor::full([3], 1.0 / 3.0, &device);
    ///     model.gradients(x.clone(), Objective::log_prob(weight), &context, &mut gradients)?;
    ///     model = model.map(&mut Ascend(gradients));
    ///     model.update_lipschitz(&model.power_iteration());
    /// }
    /// assert!(model.log_prob(x)?.mean().into_scalar::<f32>() > before);
    /// # Ok::<(), residual_flows::ModelError>(())
    /// ```
    ///
    /// # Errors
    /// If the images have another shape, there are no logits where the objective needs them, the device does not compute
    /// in the estimator's precision, or the model's [`Monitor`](crate::Monitor) stops it.
    pub fn gradients<const D: usize>(
        &self,
        images: Tensor<D>,
        objective: Objective,
        context: &LogDetContext,
        gradients: &mut Gradients,
    ) -> Result<Outputs> {
        let device = images.device();
        context.config.validate()?;
        context.config.validate_device(&device)?;
        let padded = self.pad(self.as_images(images)?, &mut context.padding_stream())?;
        let (config, noise) = (context.config, context.noise);
        let fitted = if config.is_fitted() { self.roulettes_for(Purpose::Gradient) } else { Vec::new() };
        let draws = |id: &LayerId, shape| {
            let fitted = fitted.get(id.index).and_then(Option::as_ref);
            config.draw_for(fitted, shape, &mut noise.stream(id.index as u64), &device)
        };
        let mut outputs = self.gradients_with_draws(padded.input, objective, draws, gradients)?;
        if let Some(log_prob) = &mut outputs.log_prob {
            log_prob.log_padding = padded.log_density;
        }
        Ok(outputs)
    }

    /// [`Self::gradients`] of padded images, with the randomness of every residual layer from `draw(layer, shape)`: from the last
    /// layer to the first, on the CPU each while the one after it is computed.
    ///
    /// # Errors
    /// If the images have another shape, or there are no logits where the objective needs them.
    pub fn gradients_with_draws(
        &self,
        x: Tensor<4>,
        objective: Objective,
        mut draw: impl FnMut(&LayerId, [usize; 4]) -> LogDetDraw + Send,
        gradients: &mut Gradients,
    ) -> Result<Outputs> {
        self.check_input(&x)?;
        self.check_context(x.dims()[0])?;
        let Objective { density, logits: logits_bar, mut layer_done } = objective;
        let device = x.device();
        let mut tape: Vec<(Tensor<4>, String)> = Vec::new();
        let mut to_draw: Vec<(LayerId, [usize; 4])> = Vec::new();
        let passed = self.forward_scales(x, |layer, x, id| {
            let ([batch, c, h, w], path) = (x.dims(), id.path.clone());
            if density.is_some() && layer.probes() > 0 {
                to_draw.push((id, [layer.probes() * batch, c, h, w]));
            }
            tape.push((x.clone(), path));
            layer.forward(x)
        })?;
        let mut next_draw = move || to_draw.pop().map(|(id, dims)| draw(&id, dims));
        let mut drawn = next_draw();
        let z = passed.latent;
        let (mut head_bars, logits) = self.heads_backward(&passed.head_inputs, logits_bar, gradients)?;
        drop(passed.head_inputs);
        let (z_bar, log_pz) = match &density {
            Some(weights) => {
                let (z_bar, log_pz) = self.base.backward(z.clone(), weights.log_pz.clone(), gradients);
                (z_bar, Some(log_pz))
            }
            None => (z.zeros_like(), None),
        };
        let mut parts = self.split_latent(z_bar);
        let mut x_bar = parts.pop().expect("the last scale leaves a part");
        let mut log_det = Tensor::zeros([z.dims()[0]], &z.device());
        for (index, scale) in self.scales.iter().enumerate().rev() {
            x_bar = self.join_output(index, x_bar, &mut parts, &mut head_bars);
            for layer in scale.layers.iter().rev() {
                let (input, path) = tape.pop().expect("one input a layer");
                let located = |error: ModelError| error.in_layer(&path);
                match &density {
                    None => x_bar = layer.pullback(input, x_bar, gradients).map_err(located)?,
                    Some(weights) => {
                        let weight = weights.log_det.clone();
                        let draw = if layer.probes() > 0 { drawn.take() } else { None };
                        let backward = || layer.backward(input, x_bar, weight, draw, gradients);
                        // A residual layer leaves nothing drawn: the next one's noise is drawn meanwhile.
                        let (of_layer, next) = match drawn {
                            Some(_) => (backward(), drawn),
                            None => parallel::join(&device, backward, &mut next_draw),
                        };
                        let (bar, of_layer) = of_layer.map_err(located)?;
                        (x_bar, log_det, drawn) = (bar, log_det + of_layer, next);
                    }
                }
                self.monitor.pass()?;
                if let Some(layer_done) = &mut layer_done {
                    layer_done(layer, gradients);
                }
            }
        }
        self.embedding_backward(gradients);
        let log_prob = log_pz.map(|log_pz| LogProb::new(log_pz, log_det));
        Ok(Outputs { log_prob, logits })
    }

    /// The logits and the cotangents of what the heads see, if there is an objective for them.
    fn heads_backward(
        &self,
        inputs: &[Tensor<4>],
        logits_bar: Option<&mut dyn FnMut(&Tensor<2>) -> Tensor<2>>,
        gradients: &mut Gradients,
    ) -> Result<(Vec<Tensor<4>>, Option<Tensor<2>>)> {
        let Some(logits_bar) = logits_bar else { return Ok((Vec::new(), None)) };
        let classifier = self.expect_classifier()?;
        let logits = classifier.logits(inputs);
        let bars = classifier.backward(inputs, logits_bar(&logits), gradients);
        Ok((bars, Some(logits)))
    }

    /// The cotangent of a scale's whole output: of what goes on, what is factored out, and what its head sees. Takes the
    /// last of `parts` and `head_bars` that belong to it.
    fn join_output(
        &self,
        scale: usize,
        kept_bar: Tensor<4>,
        parts: &mut Vec<Tensor<4>>,
        head_bars: &mut Vec<Tensor<4>>,
    ) -> Tensor<4> {
        let head_bar = head_bars.pop();
        if self.factors_out_after(scale) {
            let factored_bar = parts.pop().expect("one part a scale");
            let factored_bar = match head_bar {
                Some(bar) => factored_bar + bar,
                None => factored_bar,
            };
            return Tensor::cat(vec![kept_bar, factored_bar], 1);
        }
        match head_bar {
            Some(bar) if self.last_head_sees_factored(scale) => {
                let before = head_bars.pop().expect("a head of the scale before");
                head_bars.push(before + bar);
                kept_bar
            }
            Some(bar) => kept_bar + bar,
            None => kept_bar,
        }
    }

    /// The gradients of `Σ_b weight_b · ln p(x_b)` of padded images: [`Self::gradients_with_draws`] for the density alone.
    ///
    /// # Errors
    /// If the images have another shape.
    pub fn log_prob_gradients(
        &self,
        x: Tensor<4>,
        weight: Tensor<1>,
        draw: impl FnMut(&LayerId, [usize; 4]) -> LogDetDraw + Send,
        gradients: &mut Gradients,
    ) -> Result<LogProb> {
        let outputs = self.gradients_with_draws(x, Objective::log_prob(weight), draw, gradients)?;
        Ok(outputs.log_prob.expect("the objective is the density"))
    }

    /// A noise source for [`Self::gradients_with_draws`] from an estimator's settings and a seed.
    pub fn seeded_draws<'a>(
        config: &'a crate::LogDetConfig,
        noise: NoiseKey,
        device: &'a Device,
    ) -> impl FnMut(&LayerId, [usize; 4]) -> LogDetDraw + Send + 'a {
        move |id, shape| config.draw(shape, &mut noise.stream(id.index as u64), device)
    }
}
