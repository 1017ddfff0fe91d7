//! Russian roulettes fitted to a model's own series.

use super::residual_flow::ResidualFlow;
use crate::error::Result;
use crate::flow::Flow;
use crate::flows::FlowLayer;
use crate::log_det::{FittedSurvival, LogDetConfig, MeasuredSeries, NUMBERS, Purpose, fit_gradient, fit_values};
use crate::numerics::NoiseKey;
use burn::tensor::Tensor;

impl ResidualFlow {
    /// Fits the roulette of every residual layer to the terms of its series at a batch of padded images, for estimates with
    /// [`TermDistribution::Fitted`](crate::log_det::TermDistribution::Fitted): of values, and of gradients. Estimates are unbiased
    /// whatever it was fitted to. What was found is part of the model's state.
    ///
    /// It takes about 40 products with each layer's Jacobian; a few dozen samples are enough.
    ///
    /// # Errors
    /// If the images have another shape, or the model's [`Monitor`](crate::Monitor) stops it.
    pub fn fit_roulettes(&mut self, x: Tensor<4>, config: &LogDetConfig, noise: NoiseKey) -> Result<()> {
        let measured = self.measure_series(x, config, noise)?;
        self.set_roulettes(&measured, config.n_exact_terms);
        Ok(())
    }

    /// What [`set_roulettes`](Self::set_roulettes) needs. The mean over batches is that of all of their samples.
    pub(crate) fn measure_series(&self, x: Tensor<4>, config: &LogDetConfig, noise: NoiseKey) -> Result<Vec<f64>> {
        self.check_input(&x)?;
        self.check_context(x.dims()[0])?;
        let mut numbers = Vec::new();
        self.forward_scales(x, |layer, x, id| {
            if let FlowLayer::Residual(block) = layer {
                numbers.extend(block.measure_series(x.clone(), config, &mut noise.stream(id.index as u64)).numbers());
            }
            layer.forward(x)
        })?;
        Ok(numbers)
    }

    /// Fits roulettes to what was measured beyond this many exact terms.
    pub(crate) fn set_roulettes(&mut self, measured: &[f64], n_exact: usize) {
        let layers: Vec<MeasuredSeries> = measured.chunks_exact(NUMBERS).map(MeasuredSeries::of_numbers).collect();
        let residual = self.layers().map(|layer| matches!(layer, FlowLayer::Residual(_)));
        let costs = self.layer_flops().into_iter().zip(residual).filter(|(_, is_residual)| *is_residual);
        let costs: Vec<f64> = costs.map(|(flops, _)| flops).collect();
        let values = fit_values(&layers, &costs, n_exact);
        let blocks =
            self.layers_mut().filter_map(|layer| if let FlowLayer::Residual(block) = layer { Some(block) } else { None });
        for ((block, layer), value) in blocks.zip(&layers).zip(values) {
            block.set_roulettes(&[value, fit_gradient(layer, n_exact)]);
        }
    }

    /// The fitted roulette of each layer that has one, in forward order.
    pub fn roulettes(&self) -> Vec<Option<FittedSurvival>> {
        self.roulettes_for(Purpose::Value)
    }

    pub(crate) fn roulettes_for(&self, purpose: Purpose) -> Vec<Option<FittedSurvival>> {
        let of_layer = |layer: &FlowLayer| match layer {
            FlowLayer::Residual(block) => block.roulette(purpose),
            _ => None,
        };
        self.layers().map(of_layer).collect()
    }
}
