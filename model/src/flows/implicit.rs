//! The implicit layer: the roots of an equation between two contractions.

use super::contraction::{self, Equation};
use crate::error::{ModelError, Result};
use crate::flow::{Flow, LayerId, LogDetContext};
use crate::gradients::Gradients;
use crate::log_det::{Determinant, LogDetDraw};
use crate::nn::ContractiveNet;
use crate::numerics::{FixedPoint, InversionReport};
use burn::module::Module;
use burn::tensor::Tensor;

/// `z` where `z + g_z(z) = x + g_x(x)`, with two contractive networks: `(I + g_z)⁻¹ (I + g_x)`.
///
/// The inverse solves the same equation for `x`. With the Jacobians `J_x = ∂g_x/∂x` and `J_z = ∂g_z/∂z`,
/// `log_det = ln|det(I + J_x)| - ln|det(I + J_z)|`, each estimated with a probe of its own and the same number of terms. The layer's
/// Lipschitz constant is at most `(1 + L_x)/(1 - L_z)`, its inverse's `(1 + L_z)/(1 - L_x)`.
///
/// Both directions solve by iteration. The gradient by `x` of an objective whose gradient by `z` is `z̄` follows from
/// `(I + J_zᵀ) q = z̄`, which is solved likewise.
///
/// # Shapes
/// - `x`, `z`: `[batch, channels, height, width]`; the log-determinant: `[batch]`
///
/// # References
/// Lu, Chen, Li, Wang, Zhu (2021), Implicit Normalizing Flows. <https://arxiv.org/abs/2103.09527>
///
/// # Examples
/// ```
/// use residual_flows::burn::tensor::{Device, Tensor};
/// use residual_flows::flows::ImplicitBlock;
/// use residual_flows::{ContractiveNetConfig, FixedPoint, Flow, NoiseKey};
///
/// let device = Device::flex();
/// let mut rng = NoiseKey::new(7, [0, 0]).stream(0);
/// let [net_x, net_z] = [(); 2].map(|()| ContractiveNetConfig::points(2, 16).init(&mut rng, &device));
/// let z = ImplicitBlock::new(net_x, net_z, FixedPoint::FORWARD).forward(Tensor::ones([3, 2, 1, 1], &device))?;
/// assert_eq!(z.dims(), [3, 2, 1, 1]);
/// # Ok::<(), residual_flows::ModelError>(())
/// ```
#[derive(Module, Debug)]
pub struct ImplicitBlock {
    /// `g_x`
    pub net_x: ContractiveNet,
    /// `g_z`
    pub net_z: ContractiveNet,
    #[module(skip)]
    solver: FixedPoint,
}

impl ImplicitBlock {
    /// With these networks, and the settings of what the forward and the backward pass solve.
    pub fn new(net_x: ContractiveNet, net_z: ContractiveNet, solver: FixedPoint) -> Self {
        Self { net_x, net_z, solver }
    }

    /// `z`, from `x + g_x(x)`.
    fn resolve(&self, sum: Tensor<4>, layer: Option<&str>) -> Result<Tensor<4>> {
        let equation = Equation { what: contraction::FORWARD, layer, solver: &self.solver };
        equation.solve(&self.net_z, 1.0, sum, None)
    }

    /// `q` with `(I + J_zᵀ) q = z̄`; adds the gradients of `g_z`.
    fn pull_root(&self, z: Tensor<4>, z_bar: Tensor<4>, gradients: &mut Gradients) -> Result<Tensor<4>> {
        let equation = Equation { what: contraction::BACKWARD, layer: None, solver: &self.solver };
        let q = equation.solve_adjoint(&self.net_z, z.clone(), z_bar)?;
        contraction::pull_value(&self.net_z, z, q.clone().neg(), gradients);
        Ok(q)
    }
}

impl Flow for ImplicitBlock {
    fn forward(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        self.resolve(x.clone() + contraction::branch(&self.net_x, x), None)
    }

    fn forward_log_det(&self, x: Tensor<4>, context: &LogDetContext, id: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        let [draw_x, draw_z] = contraction::draws(context, None, x.dims(), id, &x.device())?;
        let (config, sum) = (context.config, Determinant::Sum);
        let (g, log_det_x) = contraction::value(&self.net_x, x.clone(), sum, draw_x, config, id)?;
        let z = self.resolve(x + g, Some(&id.path))?;
        let (_, log_det_z) = contraction::value(&self.net_z, z.clone(), sum, draw_z, config, id)?;
        Ok((z, log_det_x - log_det_z))
    }

    fn inverse(&self, z: Tensor<4>, solver: &FixedPoint, id: &LayerId, report: &mut InversionReport) -> Result<Tensor<4>> {
        let equation = Equation { what: contraction::INVERSE, layer: Some(&id.path), solver };
        equation.solve(&self.net_x, 1.0, z.clone() + contraction::branch(&self.net_z, z), Some(report))
    }

    fn probes(&self) -> usize {
        2
    }

    fn backward(
        &self,
        x: Tensor<4>,
        z_bar: Tensor<4>,
        log_det_bar: Tensor<1>,
        draw: Option<LogDetDraw>,
        gradients: &mut Gradients,
    ) -> Result<(Tensor<4>, Tensor<1>)> {
        let [draw_x, draw_z] = draw.ok_or(ModelError::NoDraw)?.split();
        let z = Flow::forward(self, x.clone())?;
        let (no_bar, sum) = (z.zeros_like(), Determinant::Sum);
        let (bar, log_det_z) =
            contraction::pull(&self.net_z, z.clone(), no_bar, log_det_bar.clone().neg(), sum, draw_z, gradients);
        let q = self.pull_root(z, z_bar + bar, gradients)?;
        let (bar, log_det_x) = contraction::pull(&self.net_x, x, q.clone(), log_det_bar, sum, draw_x, gradients);
        Ok((q + bar, log_det_x - log_det_z))
    }

    fn pullback(&self, x: Tensor<4>, z_bar: Tensor<4>, gradients: &mut Gradients) -> Result<Tensor<4>> {
        let z = Flow::forward(self, x.clone())?;
        let q = self.pull_root(z, z_bar, gradients)?;
        Ok(q.clone() + contraction::pull_value(&self.net_x, x, q, gradients))
    }

    fn nets(&self) -> Vec<(&'static str, &ContractiveNet)> {
        vec![("net_x", &self.net_x), ("net_z", &self.net_z)]
    }

    fn nets_mut(&mut self) -> Vec<(&'static str, &mut ContractiveNet)> {
        vec![("net_x", &mut self.net_x), ("net_z", &mut self.net_z)]
    }
}
