//! The Adam optimiser for modules whose gradients are computed by hand.
//!
//! Burn's `ModuleOptimizer` takes only modules on an autodiff device, which training here never needs.

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Adam's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamConfig {
    /// Decay rates of the first and the second moment.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub epsilon: f64,
}

/// `m ← β₁ m + (1 - β₁) g`, `v ← β₂ v + (1 - β₂) g²`,
/// `w ← w - rate · m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + ε)`.
///
/// # References
/// Kingma and Ba (2015), Adam: A Method for Stochastic Optimization. <https://arxiv.org/abs/1412.6980>
pub struct Adam {
    config: AdamConfig,
    steps: i32,
    first: GradientsParams,
    second: GradientsParams,
}

impl Adam {
    /// Before the first step.
    pub fn new(config: AdamConfig) -> Self {
        Self { config, steps: 0, first: GradientsParams::new(), second: GradientsParams::new() }
    }

    /// The module after a step; parameters without gradient stay as they are.
    pub fn step<M: Module>(&mut self, rate: f64, module: M, gradients: GradientsParams) -> M {
        self.steps += 1;
        module.map(&mut Update { adam: self, rate, gradients })
    }
}

struct Update<'a> {
    adam: &'a mut Adam,
    rate: f64,
    gradients: GradientsParams,
}

impl ModuleMapper for Update<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return param };
        let Adam { config, steps, first, second } = &mut *self.adam;
        let [beta_1, beta_2] = config.betas;
        let square = gradient.clone().square() * (1.0 - beta_2);
        let m = moved(first.remove(param.id), gradient * (1.0 - beta_1), beta_1);
        let v = moved(second.remove(param.id), square, beta_2);
        first.register(param.id, m.clone());
        second.register(param.id, v.clone());
        let scale = self.rate / (1.0 - beta_1.powi(*steps));
        let root = (v / (1.0 - beta_2.powi(*steps))).sqrt() + config.epsilon;
        let change = m * scale / root;
        param.map(|weight| weight - change)
    }
}

/// `β · before + part`, without `before` at first.
fn moved<const D: usize>(before: Option<Tensor<D>>, part: Tensor<D>, beta: f64) -> Tensor<D> {
    match before {
        Some(before) => before * beta + part,
        None => part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct Two {
        trained: Param<Tensor<1>>,
        other: Param<Tensor<1>>,
    }

    #[test]
    fn follows_its_formula() {
        let device = Device::flex();
        let constant = |value: f64| Param::from_tensor(Tensor::<1>::full([1], value, &device));
        let mut module = Two { trained: constant(0.5), other: constant(7.0) };
        let (beta_1, beta_2, epsilon, rate) = (0.9f64, 0.99f64, 1e-3, 0.1);
        let mut adam = Adam::new(AdamConfig { betas: [beta_1, beta_2], epsilon });
        let (mut w, mut m, mut v) = (0.5f64, 0.0, 0.0);
        for (t, g) in [(1, 2.0f64), (2, -0.3), (3, 0.01), (4, 1.5)] {
            let mut gradients = GradientsParams::new();
            gradients.register(module.trained.id, Tensor::<1>::full([1], g, &device));
            let id = module.trained.id;
            module = adam.step(rate, module, gradients);
            (m, v) = (beta_1 * m + (1.0 - beta_1) * g, beta_2 * v + (1.0 - beta_2) * g * g);
            w -= rate * (m / (1.0 - beta_1.powi(t))) / ((v / (1.0 - beta_2.powi(t))).sqrt() + epsilon);
            let got = module.trained.val().into_scalar::<f32>();
            assert!((f64::from(got) - w).abs() < 1e-5, "step {t}: {got} {w}");
            assert_eq!(module.trained.id, id);
        }
        assert_eq!(module.other.val().into_scalar::<f32>(), 7.0);
    }
}
