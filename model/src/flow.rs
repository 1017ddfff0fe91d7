//! What a layer of a flow is, and what it is given.

use crate::error::Result;
use crate::gradients::Gradients;
use crate::log_det::{LogDetConfig, LogDetDraw};
use crate::nn::ContractiveNet;
use crate::numerics::{FixedPoint, InversionReport, NoiseKey};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use rand::{Rng, RngCore};

/// An invertible layer `z = f(x)` with its log-determinant: forward is data to latent.
///
/// The layers of this crate implement `Flow<4>`, on images `[batch, channels, height, width]`. A layer of your own implements
/// `Flow<4>`, or `Flow<2>` on points `[batch, dimensions]`, and stands among ours as [`FlowLayer::custom`](crate::FlowLayer::custom).
/// It is a Burn module, and needs three methods: [`forward`](Self::forward), [`forward_log_det`](Self::forward_log_det) and
/// [`inverse`](Self::inverse). Its gradients then come from Burn's automatic differentiation; a layer that knows its own implements
/// [`backward`](Self::backward). [`testing::check_layer`](crate::testing::check_layer) finds out whether the methods fit each other.
///
/// # Shapes
/// - `x`, `z`: `[batch, channels, height, width]`, or `[batch, dimensions]`
/// - log-determinants: `[batch]`, `ln|det ∂z/∂x|` in nats
///
/// # Examples
/// ```
/// use residual_flows::burn::module::{Module, Param};
/// use residual_flows::burn::tensor::{Device, Tensor};
/// use residual_flows::{FixedPoint, Flow, FlowLayer, InversionReport, LayerId, LogDetContext, Result, Sequential};
///
/// /// `z = x exp(s)` with a scale for each dimension.
/// #[derive(Module, Debug)]
/// struct Scale {
///     log_scale: Param<Tensor<1>>,
/// }
///
/// impl Flow<2> for Scale {
///     fn forward(&self, x: Tensor<2>) -> Result<Tensor<2>> {
///         Ok(x * self.log_scale.val().exp().unsqueeze())
///     }
///     fn forward_log_det(&self, x: Tensor<2>, _: &LogDetContext, _: &LayerId) -> Result<(Tensor<2>, Tensor<1>)> {
///         let log_det = self.log_scale.val().sum().expand([x.dims()[0]]);
///         Ok((self.forward(x)?, log_det))
///     }
///     fn inverse(&self, z: Tensor<2>, _: &FixedPoint, _: &LayerId, _: &mut InversionReport) -> Result<Tensor<2>> {
///         Ok(z * self.log_scale.val().neg().exp().unsqueeze())
///     }
/// }
///
/// let device = Device::flex();
/// let scale = Scale { log_scale: Param::from_tensor(Tensor::from_floats([0.5, -0.5], &device)) };
/// let flow = Sequential::points(2, vec![FlowLayer::custom(scale)])?;
/// let x = Tensor::<2>::ones([3, 2], &device);
/// let z = flow.forward(x.clone())?;
/// let back = flow.inverse(z)?;
/// assert!((back - x).abs().max().into_scalar::<f32>() < 1e-6);
/// # Ok::<(), residual_flows::ModelError>(())
/// ```
pub trait Flow<const D: usize = 4>: Module + Sync + 'static {
    /// Shape `[channels, height, width]` of what the layer makes of inputs of this shape; by default the same. Points have the
    /// shape `[dimensions, 1, 1]`.
    ///
    /// # Errors
    /// If inputs of this shape do not fit the layer.
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3]> {
        Ok(input)
    }

    /// `z = f(x)`.
    ///
    /// # Errors
    /// If the layer solves an equation by iteration that does not converge.
    fn forward(&self, x: Tensor<D>) -> Result<Tensor<D>>;

    /// `z = f(x)` and `ln|det ∂z/∂x|`, `[batch]`, nats.
    ///
    /// The context says how a log-determinant without a closed form is to be estimated, and with what randomness; `id` is the
    /// layer's place in the model, for its random stream and for messages. Most layers need neither.
    ///
    /// # Errors
    /// If the log-determinant cannot be computed.
    fn forward_log_det(&self, x: Tensor<D>, context: &LogDetContext, id: &LayerId) -> Result<(Tensor<D>, Tensor<1>)>;

    /// `x = f⁻¹(z)`. A layer that inverts by iteration does so by the solver, and adds what it took to the report.
    ///
    /// # Errors
    /// If an iteration does not converge, or a number is not finite.
    fn inverse(&self, z: Tensor<D>, solver: &FixedPoint, id: &LayerId, report: &mut InversionReport) -> Result<Tensor<D>>;

    /// How many probes of each sample [`backward`](Self::backward) needs in its draw of an estimator's randomness, one after the
    /// other along the batch: one for each branch whose log-determinant is estimated. 0, and by default, no draw at all.
    fn probes(&self) -> usize {
        0
    }

    /// The backward pass at input `x`: from the cotangents of `z` and of the log-determinant (`[batch]`) to the cotangent of `x`.
    /// Adds the parameters' gradients, and returns the log-determinant too.
    ///
    /// By default this is Burn's automatic differentiation of [`forward_log_det`](Self::forward_log_det), for layers whose
    /// log-determinant is no estimate.
    ///
    /// # Errors
    /// As [`forward_log_det`](Self::forward_log_det), or if the layer has [probes](Self::probes) and there is no draw.
    fn backward(
        &self,
        x: Tensor<D>,
        z_bar: Tensor<D>,
        log_det_bar: Tensor<1>,
        draw: Option<LogDetDraw>,
        gradients: &mut Gradients,
    ) -> Result<(Tensor<D>, Tensor<1>)> {
        let _ = draw;
        differentiated(self, x, z_bar, log_det_bar, gradients)
    }

    /// [`backward`](Self::backward) for an objective without the log-determinant.
    ///
    /// # Errors
    /// As [`backward`](Self::backward).
    fn pullback(&self, x: Tensor<D>, z_bar: Tensor<D>, gradients: &mut Gradients) -> Result<Tensor<D>> {
        let no_weight = zeros_of(&x);
        Ok(self.backward(x, z_bar, no_weight, None, gradients)?.0)
    }

    /// Sets data-dependent initial values from a batch; by default there are none.
    fn initialize(&mut self, x: Tensor<D>) {
        let _ = x;
    }

    /// The networks whose Lipschitz constants are kept below 1, each with the name of the field that holds it: models update their
    /// constraints. By default there are none.
    fn nets(&self) -> Vec<(&'static str, &ContractiveNet)> {
        Vec::new()
    }

    /// The same, to be changed.
    fn nets_mut(&mut self) -> Vec<(&'static str, &mut ContractiveNet)> {
        Vec::new()
    }

    /// Has the layer depend on this number of features of what is known about each sample; by default its [networks](Self::nets) do.
    fn condition_on(&mut self, features: usize) {
        self.nets_mut().into_iter().for_each(|(_, net)| net.condition_on(features));
    }

    /// Takes the features of the samples of a batch, `[batch, features]`, to which all that follows belongs, or forgets them.
    fn set_embedding(&mut self, embedding: Option<&Tensor<2>>) {
        self.nets_mut().into_iter().for_each(|(_, net)| net.set_embedding(embedding));
    }

    /// Draws the channels that the layer leaves out in the next training step, until [`clear_dropout`](Self::clear_dropout).
    fn draw_dropout(&mut self, batch: usize, rng: &mut dyn RngCore) {
        let _ = (batch, rng);
    }

    /// Ends dropout.
    fn clear_dropout(&mut self) {}

    /// Whether [`update_batch_norm`](Self::update_batch_norm) changes anything.
    fn has_batch_norm(&self) -> bool {
        false
    }

    /// Moves the running means of the layer's batch norms towards those of a batch of its inputs.
    fn update_batch_norm(&mut self, x: Tensor<D>) {
        let _ = x;
    }
}

/// How residual layers get their log-determinants in one evaluation.
pub struct LogDetContext<'a> {
    /// The estimator.
    pub config: &'a LogDetConfig,
    /// Where its randomness comes from; each layer uses the stream of its own number, padding the last of all.
    pub noise: NoiseKey,
}

impl LogDetContext<'_> {
    /// The random stream of the noise beside images ([`ResidualFlow::pad`](crate::ResidualFlow::pad)).
    pub fn padding_stream(&self) -> impl Rng {
        self.noise.stream(u64::MAX)
    }
}

/// A layer's place in the model, for its random stream and for messages.
#[derive(Clone, Debug)]
pub struct LayerId {
    /// Position in the order of forward evaluation.
    pub index: usize,
    /// Path such as `scales.0.layers.3`.
    pub path: String,
}

impl LayerId {
    /// The place of the only layer there is, for layers outside of models.
    pub fn alone() -> Self {
        Self { index: 0, path: "layer".into() }
    }
}

/// The gradient of `⟨z̄, f(x)⟩ + Σ_b ℓ̄_b ln|det ∂z_b/∂x_b|` by Burn's automatic differentiation: adds those of the parameters,
/// and returns `x̄` and the log-determinant.
fn differentiated<const D: usize, L: Flow<D>>(
    layer: &L,
    x: Tensor<D>,
    z_bar: Tensor<D>,
    log_det_bar: Tensor<1>,
    gradients: &mut Gradients,
) -> Result<(Tensor<D>, Tensor<1>)> {
    let tracked = layer.clone().train();
    let x = x.autodiff().require_grad();
    let (config, noise) = (LogDetConfig::exact(), NoiseKey::new(0, [0, 0]));
    let context = LogDetContext { config: &config, noise };
    let (z, log_det) = tracked.forward_log_det(x.clone(), &context, &LayerId::alone())?;
    let value = log_det.clone().inner();
    let objective = (z * z_bar.autodiff()).sum() + (log_det.autodiff() * log_det_bar.autodiff()).sum();
    let mut all = objective.backward();
    let x_bar = x.grad_remove(&mut all).unwrap_or_else(|| x.clone().inner().zeros_like());
    collect_gradients(&tracked, &mut all, gradients);
    Ok((x_bar, value))
}

/// Adds the gradients that automatic differentiation has found for a module's parameters.
pub(crate) fn collect_gradients(tracked: &impl Module, all: &mut burn::tensor::Gradients, gradients: &mut Gradients) {
    tracked.visit(&mut Collect { all, gradients });
}

struct Collect<'a> {
    all: &'a mut burn::tensor::Gradients,
    gradients: &'a mut Gradients,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad_remove(self.all) {
            self.gradients.add(param, gradient);
        }
    }
}

/// A zero for each sample of a batch, `[batch]`: the log-determinant of what keeps volumes, and where sums of them begin.
pub(crate) fn zeros_of<const D: usize>(x: &Tensor<D>) -> Tensor<1> {
    Tensor::zeros([x.dims()[0]], &x.device())
}
