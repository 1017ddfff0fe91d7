//! The exponential moving average of the weights.

use crate::numerics::parallel;
use crate::parameters::{flat_values, map_parameters};
use burn::module::{Module, ParamId};
use burn::tensor::Tensor;
use std::collections::{HashMap, HashSet};

/// `a ← a + (1 - d) (w - a)` for every trained parameter `w`, from `a = w` at the first update, with a [decay](Decay) `d`.
///
/// What is not trained, such as the vectors of power iteration, is copied from the latest module. The averaged module
/// needs `update_lipschitz` before it is used. With a decay of 0 nothing is kept.
pub struct WeightAverage<M> {
    decay: Decay,
    shadow: Option<M>,
}

/// How much of the average stays in an update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decay {
    /// After many steps.
    pub rate: f64,
    /// Whether it is no more than `(1 + t) / (10 + t)` after `t` steps, so that the weights that training began with are soon
    /// forgotten: an average with a rate of 0.999 would still hold three quarters of them after 300 steps.
    pub warms_up: bool,
}

impl Decay {
    /// In the update of a run that has made this many steps before.
    pub fn after(&self, steps: u64) -> f64 {
        let most = (1.0 + steps as f64) / (10.0 + steps as f64);
        if self.warms_up { self.rate.min(most) } else { self.rate }
    }
}

impl<M: Module> WeightAverage<M> {
    /// An average without any weights yet.
    pub fn new(decay: Decay) -> Self {
        Self { decay, shadow: None }
    }

    /// The decay.
    pub fn decay(&self) -> Decay {
        self.decay
    }

    /// An average that goes on from the one of a checkpoint.
    pub fn restored(decay: Decay, average: M) -> Self {
        Self { decay, shadow: Some(average) }
    }

    /// Takes in the module's weights after a step, before which this many were made.
    pub fn update(&mut self, module: &M, trained: &HashSet<ParamId>, steps: u64) {
        if self.decay.rate == 0.0 {
            self.shadow = None;
            return;
        }
        self.shadow = Some(match self.shadow.take() {
            None => module.clone(),
            Some(shadow) => {
                let (mut averages, weights) = (flat_values(&shadow), flat_values(module));
                drop(shadow);
                let trained = weights.into_iter().filter(|(id, _)| trained.contains(id));
                let pairs = trained.filter_map(|(id, weight)| Some((id, averages.remove(&id)?, weight)));
                let (device, rate) = (module.devices().into_iter().next().unwrap_or_default(), 1.0 - self.decay.after(steps));
                let averages = parallel::map(&device, pairs.collect(), |(id, average, weight)| {
                    (id, average.clone() + (weight - average) * rate)
                });
                let mut averages: HashMap<ParamId, Tensor<1>> = averages.into_iter().collect();
                map_parameters(module.clone(), |_, parameter| averages.remove(&parameter.id()))
            }
        });
    }

    /// The module with averaged weights; `None` before the first update, or with a decay of 0.
    pub fn module(&self) -> Option<&M> {
        self.shadow.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct Two {
        trained: Param<Tensor<1>>,
        buffer: Param<Tensor<1>>,
    }

    fn values(module: &Two) -> [f32; 2] {
        [&module.trained, &module.buffer].map(|param| param.val().into_scalar())
    }

    #[test]
    fn follows_its_formula_and_copies_what_is_not_trained() {
        let device = Device::flex();
        let constant = |value: f32| Tensor::<1>::from_floats([value], &device);
        let mut module = Two { trained: Param::from_tensor(constant(1.0)), buffer: Param::from_tensor(constant(10.0)) };
        let trained = HashSet::from([module.trained.id]);
        let mut average = WeightAverage::new(Decay { rate: 0.75, warms_up: false });
        assert!(average.module().is_none());
        let mut expected = 1.0;
        for step in 0..5 {
            let weight = 1.0 + step as f32 * step as f32;
            expected = if step == 0 { weight } else { 0.75 * expected + 0.25 * weight };
            module.trained = Param::initialized(module.trained.id, constant(weight));
            module.buffer = Param::initialized(module.buffer.id, constant(10.0 + weight));
            average.update(&module, &trained, step);
            let shadow = average.module().expect("updated");
            assert!((values(shadow)[0] - expected).abs() < 1e-5, "{:?} {expected}", values(shadow));
            assert_eq!(values(shadow)[1], 10.0 + weight);
            assert_eq!(shadow.trained.id, module.trained.id);
        }
        assert_eq!(values(&module)[0], 17.0);
        let mut none = WeightAverage::new(Decay { rate: 0.0, warms_up: true });
        none.update(&module, &trained, 0);
        assert!(none.module().is_none());
    }

    #[test]
    fn what_training_began_with_is_forgotten_soon() {
        let [plain, warm] = [false, true].map(|warms_up| Decay { rate: 0.999, warms_up });
        let of_start = |decay: Decay, steps: u64| (1..steps).map(|step| decay.after(step)).product::<f64>();
        assert!(of_start(plain, 300) > 0.7 && of_start(warm, 300) < 1e-12);
        assert_eq!((plain.after(0), warm.after(0), warm.after(90)), (0.999, 0.1, 0.91));
        // As without, once the run is long.
        assert_eq!(warm.after(10_000), 0.999);
        // The average is then one of about the last tenth of the steps.
        let device = Device::flex();
        let constant = |value: f32| Param::from_tensor(Tensor::<1>::from_floats([value], &device));
        let mut module = Two { trained: constant(0.0), buffer: constant(0.0) };
        let trained = HashSet::from([module.trained.id]);
        let mut average = WeightAverage::new(warm);
        for step in 0..300 {
            let value = Tensor::from_floats([step as f32], &device);
            module.trained = Param::initialized(module.trained.id, value);
            average.update(&module, &trained, step);
        }
        let [value, _] = values(average.module().expect("updated"));
        assert!((240.0..295.0).contains(&value), "{value}");
    }
}
