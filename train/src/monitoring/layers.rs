//! What is measured of every layer where a run is evaluated: guaranteed Lipschitz bounds, and how much the
//! log-determinant's estimators scatter.

use crate::monitoring::costs::Costs;
use crate::monitoring::watch::Warning;
use anyhow::Result;
use residual_flows::training::{Samples, noise};
use residual_flows::{Effort, LayerOutput, LogDetConfig, LogDetContext, ModelError, Monitor, ResidualFlow};

/// Draws of the estimators, from which their variance is taken.
const DRAWS: usize = 8;
/// Images on which it is.
const IMAGES: usize = 8;

/// One residual block.
#[derive(Clone, Debug)]
pub struct LayerMeasurement {
    /// Its place in the model.
    pub path: String,
    /// At least its branch's Lipschitz constant.
    pub lipschitz_bound: f64,
    /// Variance of the estimate of its log-determinant for one image, nats², over draws, in the mean over images.
    pub estimator_variance: f64,
}

/// Measures a model that is ready for use, with an estimator as in training, on some samples. The same seed and step give
/// the same draws.
///
/// # Errors
/// If the images do not fit the model, or the monitor stops the work, which is to be the model's.
pub fn measure(
    model: &ResidualFlow,
    samples: &Samples,
    log_det: &LogDetConfig,
    seed: u64,
    step: u64,
    monitor: &Monitor,
) -> Result<Vec<LayerMeasurement>> {
    let samples = samples.narrow(0, IMAGES.min(samples.count()));
    let (given, images) = (samples.condition(model)?, samples.x);
    let draws = (0..DRAWS).map(|draw| {
        let context = LogDetContext { config: log_det, noise: noise::measurement(seed, step, draw) };
        given.layer_outputs(images.clone(), &context)
    });
    let draws = draws.collect::<Result<Vec<_>, _>>()?;
    let variance = |path: &str| {
        let of_draw = |outputs: &Vec<LayerOutput>| {
            outputs.iter().find(|output| output.path == path).map(|output| output.log_det.clone()).unwrap_or_default()
        };
        mean_variance(&draws.iter().map(of_draw).collect::<Vec<_>>())
    };
    let measured = model.certificates(Effort::Quick).map(|block| LayerMeasurement {
        estimator_variance: variance(&block.path),
        lipschitz_bound: block.bound,
        path: block.path,
    });
    let measured: Vec<LayerMeasurement> = measured.take_while(|_| !monitor.is_stopped()).collect();
    if monitor.is_stopped() { Err(ModelError::Interrupted.into()) } else { Ok(measured) }
}

/// What a [measurement](measure) passes through: draws, then a certificate for each block, as dear as a draw for it.
pub fn costs(model: &ResidualFlow) -> Costs {
    let flops = model.layer_flops();
    let certificates = flops.iter().copied().filter(|&flops| flops > 0.0);
    Costs::new((0..DRAWS).flat_map(|_| flops.iter().copied()).chain(certificates).collect())
}

/// The unbiased variance over draws, in the mean over images.
fn mean_variance(draws: &[Vec<f32>]) -> f64 {
    let (n_draws, n_images) = (draws.len() as f64, draws.first().map_or(0, Vec::len));
    let of_image = |image: usize| {
        let values = || draws.iter().map(|draw| f64::from(draw[image]));
        let mean = values().sum::<f64>() / n_draws;
        values().map(|value| (value - mean).powi(2)).sum::<f64>() / (n_draws - 1.0)
    };
    (0..n_images).map(of_image).sum::<f64>() / n_images.max(1) as f64
}

/// A warning if a block is not sure to be invertible.
pub fn warning(layers: &[LayerMeasurement]) -> Option<Warning> {
    let worst = layers.iter().max_by(|a, b| a.lipschitz_bound.total_cmp(&b.lipschitz_bound))?;
    let above = layers.iter().filter(|layer| layer.lipschitz_bound >= 1.0).count();
    let text = format!(
        "{above} of {} blocks may have a Lipschitz constant above 1, by the guaranteed bound; the largest bound is {:.4}: \
         lower model.power_iteration.tol or model.lipschitz_bound",
        layers.len(),
        worst.lipschitz_bound
    );
    (above > 0).then(|| Warning { layer: Some(worst.path.clone()), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variances_are_over_draws_and_means_over_images() {
        let draws = [vec![1.0, 10.0], vec![3.0, 10.0], vec![5.0, 10.0]];
        assert!((mean_variance(&draws) - 2.0).abs() < 1e-12);
    }

    #[test]
    fn only_bounds_above_one_are_told() {
        let layer =
            |path: &str, lipschitz_bound| LayerMeasurement { path: path.into(), lipschitz_bound, estimator_variance: 0.0 };
        assert_eq!(warning(&[layer("a", 0.9), layer("b", 0.99)]), None);
        let warning = warning(&[layer("a", 0.9), layer("b", 1.02), layer("c", 1.3)]).expect("a warning");
        assert_eq!(warning.layer.as_deref(), Some("c"));
        assert!(warning.text.contains("2 of 3") && warning.text.contains("1.3000"), "{}", warning.text);
    }
}
