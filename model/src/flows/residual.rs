//! The residual layer.

use super::{LayerId, LogDetContext};
use crate::error::{ModelError, Result};
use crate::fixed_point::{FixedPoint, InversionReport};
use crate::gradients::Gradients;
use crate::log_det::{LogDetConfig, Method, SeriesDraw, exact_log_det, series::series};
use crate::net::ContractiveNet;
use burn::module::Module;
use burn::tensor::Tensor;

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
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// `g`
    pub net: ContractiveNet,
}

impl ResidualBlock {
    /// With this network.
    pub fn new(net: ContractiveNet) -> Self {
        Self { net }
    }

    /// Data to latent.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let g = self.net.branch().forward(self.net.import(x.clone()));
        let dims = x.dims();
        x + self.net.export(g, dims)
    }

    /// Data to latent, with the log-determinant by the method that the context asks for.
    pub(crate) fn forward_log_det(&self, x: Tensor<4>, context: &LogDetContext, id: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        let (dims, device) = (x.dims(), x.device());
        let branch = self.net.branch();
        let input = self.net.import(x.clone());
        let shape = input.dims();
        let (g, at) = branch.linearize(input);
        let log_det = match context.config.method {
            Method::Exact => exact_log_det(&id.path, shape, &device, |u| branch.vjp(&at, u))?,
            Method::Series => {
                let n_exact_terms = context.config.exact_terms_for(self.net.lipschitz_estimate());
                let config = LogDetConfig { n_exact_terms, ..context.config.clone() };
                let mut draw = config.draw(dims, &mut context.noise.stream(id.index as u64), &device);
                draw.probe = self.net.import(draw.probe);
                series(&draw, |u| branch.vjp(&at, u)).log_det
            }
        };
        Ok((x + self.net.export(g, dims), log_det))
    }

    /// Latent to data.
    ///
    /// # Errors
    /// If the fixed-point iteration does not converge.
    pub(crate) fn inverse(
        &self,
        z: Tensor<4>,
        solver: &FixedPoint,
        id: &LayerId,
        report: &mut InversionReport,
    ) -> Result<Tensor<4>> {
        let dims = z.dims();
        let branch = self.net.branch();
        let solution = solver.solve(self.net.import(z), |x| branch.forward(x));
        report.branch_evaluations += solution.evaluations;
        if solution.iterations > report.most_iterations {
            report.most_iterations = solution.iterations;
            report.slowest_layer.clone_from(&id.path);
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
    /// One chain of vector-Jacobian products gives the estimate and the vector `w` of the Neumann series; the gradient
    /// of `⟨z̄, x + g(x)⟩ + Σ_b ℓ̄_b ⟨w_b, (J v)_b⟩` by everything is one pullback through the primal and the tangent pass.
    pub(crate) fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        draw: &SeriesDraw,
        gradients: &mut Gradients,
    ) -> (Tensor<4>, Tensor<1>) {
        let dims = x.dims();
        let branch = self.net.branch();
        let input = self.net.import(x);
        let draw = SeriesDraw { probe: self.net.import(draw.probe.clone()), ..draw.clone() };
        let estimate = {
            let (_, at) = branch.linearize(input.clone());
            series(&draw, |u| branch.vjp(&at, u))
        };
        let tau = estimate.neumann * log_det_bar.reshape([-1, 1, 1, 1]);
        let (input_bar, of_branch) = branch.pullback(input, draw.probe, self.net.import(z_bar.clone()), tau);
        self.net.add_gradients(of_branch, gradients);
        (z_bar + self.net.export(input_bar, dims), estimate.log_det)
    }
}
