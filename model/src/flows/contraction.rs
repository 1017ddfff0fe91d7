//! What layers ask of their contractive networks: log-determinants of them with gradients, and solutions of fixed-point equations.

use crate::error::{ModelError, NotFinite, Result};
use crate::flow::{LayerId, LogDetContext};
use crate::gradients::Gradients;
use crate::log_det::{
    Determinant, Estimate, FittedSurvival, LogDetConfig, LogDetDraw, MAX_DIMENSIONS, Method, Products, SeriesPrecision,
};
use crate::nn::{Branch, ContractiveNet, Linearization};
use crate::numerics::tensor::to_vec;
use crate::numerics::{FixedPoint, InversionReport, Solution};
use burn::tensor::{Device, FloatDType, Tensor};
use flow_kernels::ChainWeights;

/// What is solved for, in messages.
pub(super) const FORWARD: &str = "the forward pass";
pub(super) const INVERSE: &str = "the inverse";
pub(super) const BACKWARD: &str = "the backward pass";

/// `g(x)`
pub(super) fn branch(net: &ContractiveNet, x: Tensor<4>) -> Tensor<4> {
    let dims = x.dims();
    net.export(net.branch().forward(net.import(x)), dims)
}

/// Draws the randomness of a layer's log-determinants for inputs of these dimensions, which are of as many branches, from a roulette
/// that was fitted to them or from that of the settings.
///
/// # Errors
/// If a whole Jacobian is asked for that is too large to be built.
pub(super) fn draws<const BRANCHES: usize>(
    context: &LogDetContext,
    fitted: Option<&FittedSurvival>,
    dims: [usize; 4],
    id: &LayerId,
    device: &Device,
) -> Result<[LogDetDraw; BRANCHES]> {
    let dimensions: usize = dims[1..].iter().product();
    if context.config.needs_jacobian() && dimensions > MAX_DIMENSIONS {
        let reason = format!("it has {dimensions} dimensions, more than {MAX_DIMENSIONS}: use the series");
        return Err(ModelError::ExactLogDet { layer: id.path.clone(), reason });
    }
    let [batch, c, h, w] = dims;
    let mut stream = context.noise.stream(id.index as u64);
    Ok(context.config.draw_for(fitted, [BRANCHES * batch, c, h, w], &mut stream, device).split())
}

/// `g(x)`, and the log-determinant of it at `x`, `[batch]`, for `x` in the layer's layout.
///
/// # Errors
/// If the work was interrupted, or an exact log-determinant is not finite.
pub(super) fn value(
    net: &ContractiveNet,
    x: Tensor<4>,
    determinant: Determinant,
    draw: LogDetDraw,
    config: &LogDetConfig,
    id: &LayerId,
) -> Result<(Tensor<4>, Tensor<1>)> {
    let (dims, device) = (x.dims(), x.device());
    let draw = draw.map_probe(|probe| net.import(probe));
    let dimensions: usize = dims[1..].iter().product();
    let early_end = net.spectral_bound().and_then(|bound| config.early_end(bound, dimensions, determinant));
    let terms = draw.value_terms(config.n_exact_terms, early_end, determinant);

    let branch = match draw.precision() {
        SeriesPrecision::F32 => net.branch(),
        _ => net.general_branch(),
    };
    let input = net.import(x);
    // In fewer dimensions than there are terms, the whole Jacobian takes fewer products.
    if let Some(probe) = draw.probe()
        && terms.n_exact + terms.roulette.len() <= dimensions
        && let Some((g, log_det)) = branch.series(input.clone(), probe.clone(), terms)
    {
        return Ok((net.export(g, dims), log_det));
    }
    let shape = input.dims();
    let (g, at) = branch.linearize(input);
    let precision = draw.precision();
    let log_det = with_products(&branch, &at, (shape, &device), determinant, precision, |products| draw.log_det(terms, products));
    if net.monitor().is_stopped() {
        return Err(ModelError::Interrupted);
    }
    if config.method == Method::Exact
        && let Some(sample) = to_vec(log_det.clone()).iter().position(|value| !value.is_finite())
    {
        let reason = format!("the Jacobian of sample {sample} is singular or not finite");
        return Err(ModelError::ExactLogDet { layer: id.path.clone(), reason });
    }
    Ok((net.export(g, dims), log_det))
}

/// The gradient of `⟨ḡ, g(x)⟩ + Σ_b ℓ̄_b ℓ_b` with the estimated log-determinants `ℓ`: adds those of the parameters, and returns that
/// by `x`, and `ℓ`.
///
/// The gradient of a log-determinant is that of `Σ ⟨w, J v⟩` by everything, over the estimate's pairs `(w, v)`: of each pair one
/// pullback through the primal and the tangent pass. The Neumann gradient has one pair, whose `w` comes from the same chain of
/// vector-Jacobian products as the value.
pub(super) fn pull(
    net: &ContractiveNet,
    x: Tensor<4>,
    g_bar: Tensor<4>,
    log_det_bar: Tensor<1>,
    determinant: Determinant,
    draw: LogDetDraw,
    gradients: &mut Gradients,
) -> (Tensor<4>, Tensor<1>) {
    let dims = x.dims();
    let branch = net.branch();
    let input = net.import(x);
    let draw = draw.map_probe(|probe| net.import(probe));
    let mut y_bar = net.import(g_bar);
    if let Some((probe, value, gradient)) = draw.chain(determinant) {
        let inputs = [input.clone(), probe, y_bar.clone()];
        let terms = ChainWeights { value: &value, gradient: &gradient };
        let lambda = log_det_bar.clone() * determinant.slope_weight(0);
        if let Some((log_det, bar, of_branch)) = branch.series_pullback(inputs, &terms, lambda) {
            net.add_gradients(of_branch, gradients);
            return (net.export(bar, dims), log_det);
        }
    }
    let needs_general = draw.needs_jvp() || draw.precision() != SeriesPrecision::F32;
    let general = needs_general.then(|| net.general_branch());
    let Estimate { log_det, pairs } = estimate(general.as_ref().unwrap_or(&branch), &input, determinant, &draw);
    let weight = log_det_bar.reshape([-1, 1, 1, 1]);
    let pullbacks = pairs.into_iter().map(|(w, v)| {
        let no_more = y_bar.zeros_like();
        branch.pullback(input.clone(), v, std::mem::replace(&mut y_bar, no_more), w * weight.clone())
    });
    let sum = pullbacks.reduce(|(bar, sum), (other, more)| (bar + other, sum.plus(more)));
    let (input_bar, of_branch) = sum.expect("an estimate has at least one pair");
    net.add_gradients(of_branch, gradients);
    (net.export(input_bar, dims), log_det)
}

/// The same of `⟨ḡ, g(x)⟩` alone.
pub(super) fn pull_value(net: &ContractiveNet, x: Tensor<4>, g_bar: Tensor<4>, gradients: &mut Gradients) -> Tensor<4> {
    let dims = x.dims();
    let input = net.import(x);
    let no_tangent = input.zeros_like();
    let (input_bar, of_branch) = net.branch().pullback(input, no_tangent.clone(), net.import(g_bar), no_tangent);
    net.add_gradients(of_branch, gradients);
    net.export(input_bar, dims)
}

/// What is known of an equation that a layer solves.
pub(super) struct Equation<'a> {
    /// In messages.
    pub what: &'static str,
    /// The layer's path, if it is known.
    pub layer: Option<&'a str>,
    pub solver: &'a FixedPoint,
}

impl Equation<'_> {
    /// The solution of `x + s g(x) = y` with `s = ±1`.
    ///
    /// # Errors
    /// If it was not found, or is not finite.
    pub fn solve(
        &self,
        net: &ContractiveNet,
        sign: f64,
        y: Tensor<4>,
        report: Option<&mut InversionReport>,
    ) -> Result<Tensor<4>> {
        self.solver.validate()?;
        let dims = y.dims();
        let branch = net.branch();
        let g = |x, open: &[usize]| {
            let value = branch.forward_of(x, open);
            if sign > 0.0 { value } else { value.neg() }
        };
        let solution = self.solver.solve_each(net.import(y), net.monitor(), g);
        if let Some(report) = report {
            report.branch_evaluations += solution.evaluations;
            if solution.iterations > report.most_iterations {
                report.most_iterations = solution.iterations;
                report.slowest_layer = self.layer.unwrap_or_default().to_string();
            }
        }
        Ok(net.export(self.checked(net, solution)?, dims))
    }

    /// The solution of `(I + Jᵀ) q = w̄` with the Jacobian `J` of the branch at `x`.
    ///
    /// It is solved for `w̄` with largest element 1 in every sample, so that its size does not matter.
    ///
    /// # Errors
    /// As [`solve`](Self::solve).
    pub fn solve_adjoint(&self, net: &ContractiveNet, x: Tensor<4>, w_bar: Tensor<4>) -> Result<Tensor<4>> {
        let dims = x.dims();
        let branch = net.branch();
        let (_, at) = branch.linearize(net.import(x));
        let w_bar = net.import(w_bar);
        let batch = dims[0];
        let largest = w_bar.clone().abs().reshape([batch as i32, -1]).max_dim(1).reshape([batch, 1, 1, 1]);
        let scale = largest.clone().mask_fill(largest.equal_elem(0.0), 1.0);
        let solution = self.solver.solve_together(w_bar / scale.clone(), net.monitor(), |q| branch.vjp(&at, q));
        Ok(net.export(self.checked(net, solution)? * scale, dims))
    }

    fn checked(&self, net: &ContractiveNet, solution: Solution) -> Result<Tensor<4>> {
        if net.monitor().is_stopped() {
            return Err(ModelError::Interrupted);
        }
        let layer = self.layer.map(String::from);
        if let Some(sample) = solution.not_finite {
            return Err(NotFinite { what: self.what, layer, sample: Some(sample) }.into());
        }
        if solution.failed > 0 {
            return Err(ModelError::NotConverged {
                what: self.what,
                layer,
                failed: solution.failed,
                batch: solution.x.dims()[0],
                residual: solution.residual,
                tol: self.solver.tol,
                iterations: solution.iterations,
            });
        }
        Ok(solution.x)
    }
}

/// What is computed of products with the Jacobian at `x`.
pub(super) fn measure<T>(
    net: &ContractiveNet,
    x: Tensor<4>,
    determinant: Determinant,
    compute: impl FnOnce(&Products) -> T,
) -> T {
    let device = x.device();
    let branch = net.branch();
    let input = net.import(x);
    let shape = input.dims();
    let (_, at) = branch.linearize(input);
    with_products(&branch, &at, (shape, &device), determinant, SeriesPrecision::F32, compute)
}

/// The log-determinant at `x`, with its gradient's vectors.
fn estimate(branch: &Branch, x: &Tensor<4>, determinant: Determinant, draw: &LogDetDraw) -> Estimate {
    let (_, at) = branch.linearize(x.clone());
    with_products(branch, &at, (x.dims(), &x.device()), determinant, draw.precision(), |products| draw.estimate(products))
}

/// Computes with the products of a linearized branch in this precision, on vectors in single precision.
fn with_products<T>(
    branch: &Branch,
    at: &Linearization,
    (shape, device): ([usize; 4], &Device),
    determinant: Determinant,
    precision: SeriesPrecision,
    compute: impl FnOnce(&Products) -> T,
) -> T {
    let Some(dtype) = precision.reduced() else {
        let (vjp, jvp) = (|u| branch.vjp(at, u), |v| branch.jvp(at, v));
        return compute(&Products { shape, device, determinant, vjp: &vjp, jvp: &jvp });
    };
    let (branch, at) = branch.rounded(at, dtype);
    let vjp = |u: Tensor<4>| branch.vjp(&at, u.cast(dtype)).cast(FloatDType::F32);
    let jvp = |v: Tensor<4>| branch.jvp(&at, v.cast(dtype)).cast(FloatDType::F32);
    compute(&Products { shape, device, determinant, vjp: &vjp, jvp: &jvp })
}
