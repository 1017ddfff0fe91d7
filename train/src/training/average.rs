//! The exponential moving average of the weights.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use residual_flows::parallel;
use std::collections::{HashMap, HashSet};

/// `a ← a + (1 - decay) (w - a)` for every trained parameter `w`, from `a = w` at the first update.
///
/// What is not trained, such as the vectors of power iteration, is copied from the latest module. The averaged module
/// needs `update_lipschitz` before it is used. With a decay of 0 nothing is kept.
pub struct WeightAverage<M> {
    decay: f64,
    shadow: Option<M>,
}

impl<M: Module> WeightAverage<M> {
    /// An average without any weights yet.
    pub fn new(decay: f64) -> Self {
        Self { decay, shadow: None }
    }

    /// The decay.
    pub fn decay(&self) -> f64 {
        self.decay
    }

    /// An average that goes on from the one of a checkpoint.
    pub fn restored(decay: f64, average: M) -> Self {
        Self { decay, shadow: Some(average) }
    }

    /// Takes in the module's weights after a step.
    pub fn update(&mut self, module: &M, trained: &HashSet<ParamId>) {
        if self.decay == 0.0 {
            self.shadow = None;
            return;
        }
        self.shadow = Some(match self.shadow.take() {
            None => module.clone(),
            Some(shadow) => {
                let (averages, mut weights) = (flat(&shadow, trained), flat(module, trained));
                drop(shadow);
                let pairs = averages.into_iter().filter_map(|(id, average)| Some((id, average, weights.remove(&id)?)));
                let (device, rate) = (module.devices().into_iter().next().unwrap_or_default(), 1.0 - self.decay);
                let averages = parallel::map(&device, pairs.collect(), |(id, average, weight)| {
                    (id, average.clone() + (weight - average) * rate)
                });
                module.clone().map(&mut Put { values: averages.into_iter().collect() })
            }
        });
    }

    /// The module with averaged weights; `None` before the first update, or with a decay of 0.
    pub fn module(&self) -> Option<&M> {
        self.shadow.as_ref()
    }
}

/// The values of trained parameters by identity, flat.
fn flat<M: Module>(module: &M, trained: &HashSet<ParamId>) -> HashMap<ParamId, Tensor<1>> {
    let mut collect = Collect { trained, values: HashMap::new() };
    module.visit(&mut collect);
    collect.values
}

struct Collect<'a> {
    trained: &'a HashSet<ParamId>,
    values: HashMap<ParamId, Tensor<1>>,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.trained.contains(&param.id) {
            self.values.insert(param.id, param.val().reshape([-1]));
        }
    }
}

/// Puts flat values in their places.
struct Put {
    values: HashMap<ParamId, Tensor<1>>,
}

impl ModuleMapper for Put {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.values.remove(&param.id) {
            Some(values) => {
                let shape = param.dims();
                param.map(|_| values.reshape(shape))
            }
            None => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let mut average = WeightAverage::new(0.75);
        assert!(average.module().is_none());
        let mut expected = 1.0;
        for step in 0..5 {
            let weight = 1.0 + step as f32 * step as f32;
            expected = if step == 0 { weight } else { 0.75 * expected + 0.25 * weight };
            module.trained = Param::initialized(module.trained.id, constant(weight));
            module.buffer = Param::initialized(module.buffer.id, constant(10.0 + weight));
            average.update(&module, &trained);
            let shadow = average.module().expect("updated");
            assert!((values(shadow)[0] - expected).abs() < 1e-5, "{:?} {expected}", values(shadow));
            assert_eq!(values(shadow)[1], 10.0 + weight);
            assert_eq!(shadow.trained.id, module.trained.id);
        }
        assert_eq!(values(&module)[0], 17.0);
        let mut none = WeightAverage::new(0.0);
        none.update(&module, &trained);
        assert!(none.module().is_none());
    }
}
