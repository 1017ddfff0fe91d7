//! The residual layer.

use super::contraction::{self, Equation};
use crate::error::{ModelError, Result};
use crate::flow::{Flow, LayerId, LogDetContext};
use crate::gradients::Gradients;
use crate::log_det::{Determinant, FittedSurvival, LogDetConfig, LogDetDraw, MeasuredSeries, Products, Purpose};
use crate::nn::ContractiveNet;
use crate::numerics::tensor::{from_vec, to_vec};
use crate::numerics::{FixedPoint, InversionReport};
use burn::module::{Module, Param};
use burn::tensor::Tensor;
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
        let measure = |products: &Products| MeasuredSeries::of(probes, config.n_exact_terms, products);
        contraction::measure(&self.net, x, Determinant::Sum, measure)
    }

    /// Data to latent.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        x.clone() + contraction::branch(&self.net, x)
    }
}

impl Flow for ResidualBlock {
    fn forward(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        Ok(ResidualBlock::forward(self, x))
    }

    fn forward_log_det(&self, x: Tensor<4>, context: &LogDetContext, id: &LayerId) -> Result<(Tensor<4>, Tensor<1>)> {
        let fitted = if context.config.is_fitted() { self.roulette(Purpose::Value) } else { None };
        let [draw] = contraction::draws(context, fitted.as_ref(), x.dims(), id, &x.device())?;
        let (g, log_det) = contraction::value(&self.net, x.clone(), Determinant::Sum, draw, context.config, id)?;
        Ok((x + g, log_det))
    }

    fn inverse(&self, z: Tensor<4>, solver: &FixedPoint, id: &LayerId, report: &mut InversionReport) -> Result<Tensor<4>> {
        let equation = Equation { what: contraction::INVERSE, layer: Some(&id.path), solver };
        equation.solve(&self.net, 1.0, z, Some(report))
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
        let (bar, log_det) = contraction::pull(&self.net, x, z_bar.clone(), log_det_bar, Determinant::Sum, draw, gradients);
        Ok((z_bar + bar, log_det))
    }

    fn pullback(&self, x: Tensor<4>, z_bar: Tensor<4>, gradients: &mut Gradients) -> Result<Tensor<4>> {
        Ok(z_bar.clone() + contraction::pull_value(&self.net, x, z_bar, gradients))
    }

    fn nets(&self) -> Vec<(&'static str, &ContractiveNet)> {
        vec![("net", &self.net)]
    }

    fn nets_mut(&mut self) -> Vec<(&'static str, &mut ContractiveNet)> {
        vec![("net", &mut self.net)]
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
