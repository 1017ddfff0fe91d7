//! Against the numbers of the reference implementation and of torch.

use super::*;
use crate::gradients::Gradients;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Module, Debug)]
struct Two {
    trained: Param<Tensor<1>>,
    other: Param<Tensor<1>>,
}

/// Weights after each of four steps, by the reference implementation's optimisers and by torch's SGD (double precision):
///
/// ```python
/// import sys, torch; sys.path.insert(0, "residual-flows")
/// import resflows.optimizers as optim
/// torch.set_default_dtype(torch.float64)
/// for make in [
///     lambda p: optim.Adam(p, lr=0.1, betas=(0.9, 0.99), eps=1e-3),
///     lambda p: optim.Adamax(p, lr=0.1, betas=(0.9, 0.99), eps=1e-3),
///     lambda p: optim.RMSprop(p, lr=0.1, alpha=0.99, eps=1e-3),
///     lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
/// ]:
///     for decay in [0, 0.3]:
///         w = torch.tensor([0.5, -2.0], requires_grad=True); o = make([w]); track = []
///         sgd = isinstance(o, torch.optim.SGD)
///         if sgd: o.param_groups[0]["weight_decay"] = decay
///         for g in [[2.0, 0.004], [-0.3, 0.1], [0.01, -0.05], [1.5, 0.0]]:
///             w.grad = torch.tensor(g)
///             if not sgd: w.data.mul_(1 - 0.1 * decay)   # decoupled, which the reference implementation's line should be
///             o.step(); track.append(w.tolist())
///         print(track)
/// ```
#[test]
fn trajectories_are_those_of_the_reference_implementation_and_torch() {
    use OptimizerKind::{Adam, Adamax, RmsProp, Sgd};
    let gradients = [[2.0, 0.004], [-0.3, 0.1], [0.01, -0.05], [1.5, 0.0]];
    for (optimizer, weight_decay, expected) in [
        (Adam, 0.0, [[0.4004975, -2.0285714], [0.3454315, -2.0984474], [0.3024540, -2.1210933], [0.2396584, -2.1396781]]),
        (Adam, 0.3, [[0.3854975, -1.9685714], [0.3188665, -1.9793902], [0.2663230, -1.9426545], [0.1955377, -1.9029597]]),
        (Adamax, 0.0, [[0.4000500, -2.0800000], [0.3601975, -2.1339865], [0.3346086, -2.1499438], [0.2938121, -2.1613753]]),
        (Adamax, 0.3, [[0.3850500, -2.0200000], [0.3336460, -2.0133865], [0.2980477, -1.9689422], [0.2483098, -1.9213054]]),
        (RmsProp, 0.0, [[-0.4950249, -2.2857143], [-0.3466908, -3.1941514], [-0.3516599, -2.7823769], [-0.9507270, -2.7823769]]),
        (RmsProp, 0.3, [[-0.5100249, -2.2257143], [-0.3463900, -3.0673800], [-0.3409675, -2.5635840], [-0.9298055, -2.4866765]]),
        (Sgd, 0.0, [[0.3000000, -2.0004000], [0.1500000, -2.0107600], [0.0140000, -2.0150840], [-0.2584000, -2.0189756]]),
        (Sgd, 0.3, [[0.2850000, -1.9404000], [0.1129500, -1.8385480], [-0.0462835, -1.6867248], [-0.3382051, -1.4994821]]),
    ] {
        let device = Device::flex();
        let constant = |values: [f64; 2]| Param::from_tensor(Tensor::<1>::from_floats(values, &device));
        let mut module = Two { trained: constant([0.5, -2.0]), other: constant([7.0, 8.0]) };
        let id = module.trained.id;
        let config = OptimConfig { optimizer, weight_decay, betas: [0.9, 0.99], epsilon: 1e-3, ..Default::default() };
        let mut stepper = Optimizer::new(&config);
        for (gradient, expected) in gradients.into_iter().zip(expected) {
            let mut gradients = Gradients::new();
            gradients.add(&module.trained, Tensor::from_floats(gradient, &device));
            module = stepper.step(0.1, module, gradients);
            let got: Vec<f32> = module.trained.val().try_into_vec_as().expect("floats");
            let close = got.iter().zip(expected).all(|(a, b)| (f64::from(*a) - b).abs() < 2e-6);
            assert!(close, "{optimizer:?} {weight_decay}: {got:?} {expected:?}");
            assert_eq!(module.trained.id, id);
        }
        let untouched: Vec<f32> = module.other.val().try_into_vec_as().expect("floats");
        assert_eq!(untouched, [7.0, 8.0]);
    }
}

/// A step of the reference implementation's training; see `tests/fixtures/adam_step.py`.
#[derive(Deserialize)]
struct Golden {
    learning_rate: f64,
    betas: [f64; 2],
    epsilon: f64,
    steps_before: u64,
    gradient_norm: f64,
    weights: Vec<f64>,
    gradients: Vec<f64>,
    first_moment: Vec<f64>,
    second_moment: Vec<f64>,
    after: Vec<f64>,
}

#[test]
fn a_clipped_step_in_the_middle_of_training_is_the_reference_implementation_s() {
    let device = Device::flex();
    let cases: BTreeMap<String, Golden> =
        serde_json::from_str(include_str!("../../tests/fixtures/adam_step.json")).expect("the fixture");
    assert_eq!(cases.len(), 3);
    for (name, case) in cases {
        let tensor = |values: &[f64]| Tensor::<1>::from_data(TensorData::from(values), &device);
        let module =
            Two { trained: Param::from_tensor(tensor(&case.weights)), other: Param::from_tensor(Tensor::zeros([1], &device)) };
        let id = module.trained.id;
        let config = OptimConfig { betas: case.betas, epsilon: case.epsilon, ..Default::default() };
        let mut adam = Optimizer::new(&config);
        adam.steps = case.steps_before;
        adam.slots.insert(id, [Some(tensor(&case.first_moment)), Some(tensor(&case.second_moment))]);
        let mut gradients = Gradients::new();
        gradients.add(&module.trained, tensor(&case.gradients) * clip_factor(case.gradient_norm, config.clip_norm));
        let module = adam.step(case.learning_rate, module, gradients);
        let got: Vec<f32> = module.trained.val().try_into_vec_as().expect("floats");
        for ((got, want), before) in got.iter().zip(&case.after).zip(&case.weights) {
            // Single precision of the weight, and of the step.
            let tolerance = 1e-6 * before.abs() + 1e-4 * (want - before).abs() + 1e-9;
            assert!((f64::from(*got) - want).abs() < tolerance, "{name}: {got} for {want}, from {before}");
        }
    }
}
