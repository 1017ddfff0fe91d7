//! The residual layer.

use crate::error::{ModelError, NotFinite, Result};
use crate::flow::{Flow, LayerId, LogDetContext};
use crate::gradients::Gradients;
use crate::log_det::{
    Estimate, FittedSurvival, LogDetConfig, LogDetDraw, MAX_DIMENSIONS, MeasuredSeries, Method, Products, Purpose,
    SeriesPrecision,
};
use crate::nn::{Branch, ContractiveNet, Linearization};
use crate::numerics::tensor::{from_vec, to_vec};
use crate::numerics::{FixedPoint, InversionReport};
use burn::module::{Module, Param};
use burn::tensor::{Device, FloatDType, Tensor};
use flow_kernels::ChainWeights;
use rand::{Rng, RngCore};

/// `z = x + g(x)` with a contractive network `g`.
///
/// `log_det = ln|det(I + ∂g/∂x)|`, estimated by an unbiased power series or computed from the whole Jacobian (see
/// [`crate::log_det`]). The inverse is a fixed-point iteration.
///
/// # Shapes
/// - `x`, `z`: `[batch, channels, height, width]`; the log-determinant: `[batch]`
///
/// # References
/// Behrmann et al. (2019), Invertible Residual Networks. <https://arxiv.org/abs/1811.00995>;
/// Chen et al. (2019), Residual Flows. <https://arxiv.org/abs/1906.02735>
///
/// # Examples
/// ```
/// use residual_flows::burn::tensor::{Device, Tensor};
/// use residual_flows::flows::ResidualBlock;
/// use residual_flows::{ContractiveNetConfig, NoiseKey};
///
/// let device = Device::flex();
/// let net = ContractiveNetConfig::new([3, 8, 8], 16).init(&mut NoiseKey::new(7, [0, 0]).stream(0), &device);
/// assert!(net.lipschitz_estimate() < 1.0);
/// let z = ResidualBlock::new(net).forward(Tensor::zeros([2, 3, 8, 8], &device));
/// assert_eq!(z.dims(), [2, 3, 8, 8]);
/// ```
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// `g`
    pub net: ContractiveNet,
    /// The numbers of the [roulettes](FittedSurvival) that were fitted to this layer's series, a row each: of values, of gradients.
    pub(crate) roulette: Option<Param<Tensor<2>>>,
}

impl ResidualBlock {
    /// With this network.
    pub fn new(net: ContractiveNet) -> Self {
        Self { net, roulette: None }
    }

    /// The roulette that was fitted for a purpose, if one was.
    pub(crate) fn roulette(&self, purpose: Purpose) -> Option<FittedSurvival> {
        let rows = self.roulette.as_ref()?.val();
        FittedSurvival::of_numbers(&to_vec(rows.narrow(0, usize::from(purpose == Purpose::Gradient), 1)))
    }

    /// Takes fitted roulettes of values and of gradients.
    pub(crate) fn set_roulettes(&mut self, fitted: &[FittedSurvival; 2]) {
        let numbers = fitted.each_ref().map(FittedSurvival::numbers);
        let shape = [fitted.len(), numbers[0].len()];
        let rows = from_vec(numbers.concat(), shape, &self.net.device());
        self.roulette = Some(match self.roulette.take() {
            Some(before) => Param::initialized(before.id, rows),
            None => Param::from_tensor(rows),
        });
    }

    /// The terms of the series at a batch, from two probes of every sample.
    pub(crate) fn measure_series(&self, x: Tensor<4>, config: &LogDetConfig, rng: &mut impl Rng) -> MeasuredSeries {
        let (dims, device) = (x.dims(), x.device());
        let probes = [(); 2].map(|()| self.net.import(config.probe.sample(dims, rng, &device)));
        let branch = self.net.branch();
        let input = self.net.import(x);
        let shape = input.dims();
        let (_, at) = branch.linearize(input);
        let measure = |products: &Products| MeasuredSeries::of(probes, config.n_exact_terms, products);
        with_products(&branch, &at, (shape, &device), SeriesPrecision::F32, measure)
    }

    /// Data to latent.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let g = self.net.branch().forward(self.net.import(x.clone()));
        let dims = x.dims();
        x + self.net.export(g, dims)
    }

    /// Data to latent, with the log-determinant by the method that the context asks for.
    fn estimate_log_det(&self, x: Tensor<4>, context: &LogDetContext, id: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        let (dims, device) = (x.dims(), x.device());
        self.check_size(context.config, dims, id)?;
        let config = context.config;
        let fitted = if config.is_fitted() { self.roulette(Purpose::Value) } else { None };
        let draw = config.draw_for(fitted.as_ref(), dims, &mut context.noise.stream(id.index as u64), &device);
        let draw = draw.map_probe(|probe| self.net.import(probe));
        let dimensions: usize = dims[1..].iter().product();
        let early_end = self.net.spectral_bound().and_then(|bound| config.early_end(bound, dimensions));
        let terms = draw.value_terms(config.n_exact_terms, early_end);

        let branch = match draw.precision() {
            SeriesPrecision::F32 => self.net.branch(),
            _ => self.net.general_branch(),
        };
        let input = self.net.import(x.clone());
        // In fewer dimensions than there are terms, the whole Jacobian takes fewer products.
        if let Some(probe) = draw.probe()
            && terms.n_exact + terms.roulette.len() <= dimensions
            && let Some((g, log_det)) = branch.series(input.clone(), probe.clone(), terms)
        {
            return Ok((x + self.net.export(g, dims), log_det));
        }
        let shape = input.dims();
        let (g, at) = branch.linearize(input);
        let log_det = with_products(&branch, &at, (shape, &device), draw.precision(), |products| draw.log_det(terms, products));
        if self.net.monitor().is_stopped() {
            return Err(ModelError::Interrupted);
        }
        if config.method == Method::Exact
            && let Some(sample) = to_vec(log_det.clone()).iter().position(|value| !value.is_finite())
        {
            let reason = format!("the Jacobian of sample {sample} is singular or not finite");
            return Err(ModelError::ExactLogDet { layer: id.path.clone(), reason });
        }
        Ok((x + self.net.export(g, dims), log_det))
    }

    /// A whole Jacobian must be of a size that can be built.
    fn check_size(&self, config: &LogDetConfig, dims: [usize; 4], id: &LayerId) -> Result<()> {
        let dimensions: usize = dims[1..].iter().product();
        if !config.needs_jacobian() || dimensions <= MAX_DIMENSIONS {
            return Ok(());
        }
        let reason = format!("it has {dimensions} dimensions, more than {MAX_DIMENSIONS}: use the series");
        Err(ModelError::ExactLogDet { layer: id.path.clone(), reason })
    }

    /// Latent to data.
    ///
    /// # Errors
    /// If the fixed-point iteration does not converge, or a number is not finite.
    fn solve(&self, z: Tensor<4>, solver: &FixedPoint, id: &LayerId, report: &mut InversionReport) -> Result<Tensor<4>> {
        solver.validate()?;
        let dims = z.dims();
        let branch = self.net.branch();
        let solution = solver.solve(self.net.import(z), self.net.monitor(), |x| branch.forward(x));
        if self.net.monitor().is_stopped() {
            return Err(ModelError::Interrupted);
        }
        report.branch_evaluations += solution.evaluations;
        if solution.iterations > report.most_iterations {
            report.most_iterations = solution.iterations;
            report.slowest_layer.clone_from(&id.path);
        }
        if let Some(sample) = solution.not_finite {
            return Err(NotFinite { what: "the inverse", layer: Some(id.path.clone()), sample: Some(sample) }.into());
        }
        if solution.failed > 0 {
            return Err(ModelError::Inversion {
                layer: id.path.clone(),
                failed: solution.failed,
                batch: dims[0],
                residual: solution.residual,
                tol: solver.tol,
                iterations: solution.iterations,
            });
        }
        Ok(self.net.export(solution.x, dims))
    }

    /// The cotangent of `x` and the estimated log-determinant.
    ///
    /// The gradient of `⟨z̄, x + g(x)⟩ + Σ_b ℓ̄_b Σ ⟨w_b, (J v)_b⟩` by everything, over the estimate's pairs `(w, v)`: of
    /// each pair one pullback through the primal and the tangent pass. The Neumann gradient has one pair, whose `w` comes
    /// from the same chain of vector-Jacobian products as the value.
    fn backward_with(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        draw: LogDetDraw,
        gradients: &mut Gradients,
    ) -> (Tensor<4>, Tensor<1>) {
        let dims = x.dims();
        let branch = self.net.branch();
        let input = self.net.import(x);
        let draw = draw.map_probe(|probe| self.net.import(probe));
        if let Some((probe, value, gradient)) = draw.chain() {
            let inputs = [input.clone(), probe, self.net.import(z_bar.clone())];
            let terms = ChainWeights { value: &value, gradient: &gradient };
            if let Some((log_det, bar, of_branch)) = branch.series_pullback(inputs, &terms, log_det_bar.clone()) {
                self.net.add_gradients(of_branch, gradients);
                return (z_bar + self.net.export(bar, dims), log_det);
            }
        }
        let needs_general = draw.needs_jvp() || draw.precision() != SeriesPrecision::F32;
        let general = needs_general.then(|| self.net.general_branch());
        let Estimate { log_det, pairs } = estimate(general.as_ref().unwrap_or(&branch), &input, &draw);
        let weight = log_det_bar.reshape([-1, 1, 1, 1]);
        let mut y_bar = self.net.import(z_bar.clone());
        let pullbacks = pairs.into_iter().map(|(w, v)| {
            let no_more = y_bar.zeros_like();
            branch.pullback(input.clone(), v, std::mem::replace(&mut y_bar, no_more), w * weight.clone())
        });
        let sum = pullbacks.reduce(|(bar, sum), (other, more)| (bar + other, sum.plus(more)));
        let (input_bar, of_branch) = sum.expect("an estimate has at least one pair");
        self.net.add_gradients(of_branch, gradients);
        (z_bar + self.net.export(input_bar, dims), log_det)
    }

    /// The cotangent of `x` alone, without any log-determinant.
    fn pull(&self, x: Tensor<4>, z_bar: Tensor<4>, gradients: &mut Gradients) -> Tensor<4> {
        let dims = x.dims();
        let input = self.net.import(x);
        let no_tangent = input.zeros_like();
        let bar = self.net.import(z_bar.clone());
        let (input_bar, of_branch) = self.net.branch().pullback(input, no_tangent.clone(), bar, no_tangent);
        self.net.add_gradients(of_branch, gradients);
        z_bar + self.net.export(input_bar, dims)
    }
}

impl Flow for ResidualBlock {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ResidualBlock::forward(self, x)
    }

    fn forward_log_det(&self, x: Tensor<4>, context: &LogDetContext, id: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        self.estimate_log_det(x, context, id)
    }

    fn inverse(&self, z: Tensor<4>, solver: &FixedPoint, id: &LayerId, report: &mut InversionReport) -> Result<Tensor<4>> {
        self.solve(z, solver, id, report)
    }

    fn draws(&self) -> bool {
        true
    }

    fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        draw: Option<LogDetDraw>,
        gradients: &mut Gradients,
    ) -> Result<(Tensor<4>, Tensor<1>)> {
        let draw = draw.ok_or(ModelError::NoDraw)?;
        Ok(self.backward_with(x, z_bar, log_det_bar, draw, gradients))
    }

    fn pullback(&self, x: Tensor<4>, z_bar: Tensor<4>, gradients: &mut Gradients) -> Result<Tensor<4>> {
        Ok(self.pull(x, z_bar, gradients))
    }

    fn net(&self) -> Option<&ContractiveNet> {
        Some(&self.net)
    }

    fn net_mut(&mut self) -> Option<&mut ContractiveNet> {
        Some(&mut self.net)
    }

    fn draw_dropout(&mut self, batch: usize, mut rng: &mut dyn RngCore) {
        self.net.draw_dropout(batch, &mut rng);
    }

    fn clear_dropout(&mut self) {
        self.net.clear_dropout();
    }

    fn has_batch_norm(&self) -> bool {
        !self.net.batch_norms.is_empty()
    }

    fn update_batch_norm(&mut self, x: Tensor<4>) {
        self.net.update_batch_norm(x);
    }
}

/// The log-determinant of `I + ∂g/∂x` at `x`, with its gradient's vectors.
fn estimate(branch: &Branch, x: &Tensor<4>, draw: &LogDetDraw) -> Estimate {
    let (_, at) = branch.linearize(x.clone());
    with_products(branch, &at, (x.dims(), &x.device()), draw.precision(), |products| draw.estimate(products))
}

/// Computes with the products of a linearized branch in this precision, on vectors in single precision.
fn with_products<T>(
    branch: &Branch,
    at: &Linearization,
    (shape, device): ([usize; 4], &Device),
    precision: SeriesPrecision,
    compute: impl FnOnce(&Products) -> T,
) -> T {
    let Some(dtype) = precision.reduced() else {
        let (vjp, jvp) = (|u| branch.vjp(at, u), |v| branch.jvp(at, v));
        return compute(&Products { shape, device, vjp: &vjp, jvp: &jvp });
    };
    let (branch, at) = branch.rounded(at, dtype);
    let vjp = |u: Tensor<4>| branch.vjp(&at, u.cast(dtype)).cast(FloatDType::F32);
    let jvp = |v: Tensor<4>| branch.jvp(&at, v.cast(dtype)).cast(FloatDType::F32);
    compute(&Products { shape, device, vjp: &vjp, jvp: &jvp })
}
