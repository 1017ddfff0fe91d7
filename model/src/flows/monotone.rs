//! The Cayley transform of a contraction.

use super::contraction::{self, Equation};
use crate::error::{ModelError, Result};
use crate::flow::{Flow, LayerId, LogDetContext};
use crate::gradients::Gradients;
use crate::log_det::{Determinant, LogDetDraw};
use crate::nn::ContractiveNet;
use crate::numerics::{FixedPoint, InversionReport};
use burn::module::Module;
use burn::tensor::Tensor;
use std::f64::consts::SQRT_2;

/// `z = √2 w - x` where `w + g(w) = √2 x`, with a contractive network `g`: the monotone operator `(I - g)(I + g)⁻¹`.
///
/// The inverse is `x = √2 w - z` where `w - g(w) = √2 z`, with the same `w`. With `J = ∂g/∂w` and `L = Lip(g) < 1`,
/// `log_det = ln|det(I - J)| - ln|det(I + J)| = -2 Σ_{k odd} tr(Jᵏ)/k`, and both directions have Lipschitz constants up to
/// `(1 + L)/(1 - L)`, where a residual layer's are at most 2 and `1/(1 - L)`.
///
/// Both directions solve by iteration. The gradient by `x` of an objective whose gradient by `w` is `w̄` follows from
/// `(I + Jᵀ) q = w̄`, which is solved likewise.
///
/// # Shapes
/// - `x`, `z`: `[batch, channels, height, width]`; the log-determinant: `[batch]`
///
/// # References
/// Ahn, Kim, Hong, Kim (2022), Invertible Monotone Operators for Normalizing Flows. <https://arxiv.org/abs/2210.08176>
///
/// # Examples
/// ```
/// use residual_flows::burn::tensor::{Device, Tensor};
/// use residual_flows::flows::MonotoneBlock;
/// use residual_flows::{ContractiveNetConfig, FixedPoint, Flow, NoiseKey};
///
/// let device = Device::flex();
/// let net = ContractiveNetConfig::points(2, 16).init(&mut NoiseKey::new(7, [0, 0]).stream(0), &device);
/// let z = MonotoneBlock::new(net, FixedPoint::FORWARD).forward(Tensor::ones([3, 2, 1, 1], &device))?;
/// assert_eq!(z.dims(), [3, 2, 1, 1]);
/// # Ok::<(), residual_flows::ModelError>(())
/// ```
#[derive(Module, Debug)]
pub struct MonotoneBlock {
    /// `g`
    pub net: ContractiveNet,
    #[module(skip)]
    solver: FixedPoint,
}

impl MonotoneBlock {
    /// With this network, and the settings of what the forward and the backward pass solve.
    pub fn new(net: ContractiveNet, solver: FixedPoint) -> Self {
        Self { net, solver }
    }

    /// `w`
    fn resolve(&self, x: Tensor<4>, layer: Option<&str>) -> Result<Tensor<4>> {
        let equation = Equation { what: contraction::FORWARD, layer, solver: &self.solver };
        equation.solve(&self.net, 1.0, x * SQRT_2, None)
    }

    /// `x̄` from `z̄` and the log-determinant's part of `w̄`; adds the gradients of `g`.
    fn pull(&self, w: Tensor<4>, z_bar: Tensor<4>, more: Option<Tensor<4>>, gradients: &mut Gradients) -> Result<Tensor<4>> {
        let w_bar = z_bar.clone() * SQRT_2;
        let w_bar = match more {
            Some(more) => w_bar + more,
            None => w_bar,
        };
        let equation = Equation { what: contraction::BACKWARD, layer: None, solver: &self.solver };
        let q = equation.solve_adjoint(&self.net, w.clone(), w_bar)?;
        contraction::pull_value(&self.net, w, q.clone().neg(), gradients);
        Ok(q * SQRT_2 - z_bar)
    }
}

impl Flow for MonotoneBlock {
    fn forward(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        Ok(self.resolve(x.clone(), None)? * SQRT_2 - x)
    }

    fn forward_log_det(&self, x: Tensor<4>, context: &LogDetContext, id: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        let [draw] = contraction::draws(context, None, x.dims(), id, &x.device())?;
        let w = self.resolve(x.clone(), Some(&id.path))?;
        let (_, log_det) = contraction::value(&self.net, w.clone(), Determinant::Cayley, draw, context.config, id)?;
        Ok((w * SQRT_2 - x, log_det))
    }

    fn inverse(&self, z: Tensor<4>, solver: &FixedPoint, id: &LayerId, report: &mut InversionReport) -> Result<Tensor<4>> {
        let equation = Equation { what: contraction::INVERSE, layer: Some(&id.path), solver };
        let w = equation.solve(&self.net, -1.0, z.clone() * SQRT_2, Some(report))?;
        Ok(w * SQRT_2 - z)
    }

    fn probes(&self) -> usize {
        1
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
        let w = self.resolve(x, None)?;
        let no_bar = w.zeros_like();
        let (bar, log_det) = contraction::pull(&self.net, w.clone(), no_bar, log_det_bar, Determinant::Cayley, draw, gradients);
        Ok((self.pull(w, z_bar, Some(bar), gradients)?, log_det))
    }

    fn pullback(&self, x: Tensor<4>, z_bar: Tensor<4>, gradients: &mut Gradients) -> Result<Tensor<4>> {
        let w = self.resolve(x, None)?;
        self.pull(w, z_bar, None, gradients)
    }

    fn nets(&self) -> Vec<(&'static str, &ContractiveNet)> {
        vec![("net", &self.net)]
    }

    fn nets_mut(&mut self) -> Vec<(&'static str, &mut ContractiveNet)> {
        vec![("net", &mut self.net)]
    }
}
