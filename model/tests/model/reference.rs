//! Agreement with the reference implementation, on its own weights. Origin of the numbers: `fixtures/README.md`.
//!
//! The fixtures are computed in double precision, this crate computes in single precision.

use crate::support::{Golden, assert_close, compare, cross_entropy_gradient, device, values};
use burn::tensor::Tensor;
use residual_flows::log_det::{GradientForm, SeriesPrecision};
use residual_flows::{Flow, Gradients, LayerId, LogDetConfig, LogDetContext, LogDetDraw, NoiseKey, Objective, bits_per_dim};

fn cases() -> [Golden; 5] {
    [Golden::rgb_swish(), Golden::celeba_elu(), Golden::mixed_norms(), Golden::hybrid(), Golden::toy2d()]
}

#[test]
fn latents_agree_and_are_inverted() {
    for case in cases() {
        let model = case.model();
        let x = case.tensor::<4>("x");
        let z = model.encode(x.clone()).unwrap();
        let expected = case.values("z");
        for (a, b) in values(z.clone()).iter().zip(&expected) {
            assert!((a - b).abs() < 1e-4, "{a} for {b}");
        }
        let back = model.decode(z).unwrap();
        for (a, b) in values(back).iter().zip(values(x)) {
            assert!((a - b).abs() < 1e-4, "{a} for {b}");
        }
    }
}

#[test]
fn exact_log_determinants_agree() {
    for case in cases() {
        let model = case.model();
        let exact = LogDetConfig::exact();
        let context = LogDetContext { config: &exact, noise: NoiseKey::new(0, [0, 0]) };
        let (_, log_det) = model.encode_log_det(case.tensor("x"), &context).unwrap();
        for (got, want) in values(log_det).iter().zip(case.values("logdet_exact")) {
            assert!((got - want).abs() < 1e-3, "{got} for {want}");
        }
    }
}

/// Value and gradient of one block's estimator, for the probes and the number of terms that the reference implementation drew.
#[test]
fn unit_estimators_and_gradients_agree() {
    // The blocks of the hybrid model are built like the first case's.
    for case in cases().into_iter().filter(|case| !case.has("logits")) {
        let model = case.model();
        let block = if case.image == [2, 1, 1] { "chain.3" } else { "transforms.0.chain.4" };
        let layer = case.layer(&model, block);
        let x = case.tensor::<4>("unit.x");
        let dims = x.dims();
        let id = LayerId { index: 0, path: block.into() };
        let exact = LogDetConfig::exact();
        let context = LogDetContext { config: &exact, noise: NoiseKey::new(0, [0, 0]) };
        let (y, log_det) = layer.forward_log_det(x.clone(), &context, &id).unwrap();
        assert_close("g", &values(y - x.clone()), &case.values("unit.g"), 1e-4);
        assert_close("exact", &values(log_det), &case.values("unit.logdet_exact"), 1e-3);

        let coefficients: Vec<f64> = case.values("unit.coefficients").into_iter().map(f64::from).collect();
        let hutchinson = |gradient| {
            let (probe, coefficients) = (case.tensor("unit.vareps"), coefficients.clone());
            LogDetDraw::Hutchinson { probe, coefficients, gradient, precision: SeriesPrecision::F32 }
        };
        let draws = [
            ("neumann", "basic", hutchinson(GradientForm::Neumann)),
            ("basic", "basic", hutchinson(GradientForm::DerivativeOfValue)),
            ("exact", "exact", LogDetDraw::Exact),
        ];
        for (gradient, value, draw) in draws {
            let mut gradients = Gradients::new();
            let no_value = Tensor::zeros(dims, &device());
            let one = Tensor::ones([dims[0]], &device());
            let (x_bar, estimate) = layer.backward(x.clone(), no_value, one, Some(draw), &mut gradients).unwrap();
            assert_close("estimate", &values(estimate), &case.values(&format!("unit.logdet_{value}")), 1e-3);
            let expected = format!("unit.grads_{gradient}.");
            assert_close(&expected, &values(x_bar), &case.values(&format!("{expected}x")), 1e-3);
            let compared = compare(&case, &model, &gradients, &format!("{block}."), &expected);
            assert!(compared >= 5, "only {compared} parameters were compared");
        }
    }
}

/// The gradient of the whole training loss, through all layers, by both estimators.
#[test]
fn training_gradients_agree() {
    for case in cases() {
        // The script for points trains by the value's own gradient.
        if case.image != [2, 1, 1] {
            training_gradient_agrees(&case, GradientForm::Neumann, "step.grads.", "step.grad_norm");
        }
        training_gradient_agrees(&case, GradientForm::DerivativeOfValue, "step.grads_basic.", "step.grad_norm_basic");
    }
}

fn training_gradient_agrees(case: &Golden, gradient: GradientForm, expected: &str, norm: &str) {
    let model = case.model();
    let x = case.tensor::<4>("x");
    let batch = x.dims()[0];
    let dimensions = model.dimensions();
    let weight = Tensor::full([batch], -case.loss_weight / batch as f64, &device());
    let mut gradients = Gradients::new();
    let draw = |id: &LayerId, shape: [usize; 4]| {
        let block = case.reference_layer(&id.path);
        let coefficients = case.values(&format!("step.{block}.coefficients")).into_iter().map(f64::from).collect();
        let probe = case.tensor::<4>(&format!("step.{block}.vareps")).reshape(shape);
        LogDetDraw::Hutchinson { probe, coefficients, gradient, precision: SeriesPrecision::F32 }
    };
    let mut by_logits = |logits: &Tensor<2>| cross_entropy_gradient(case, logits) / std::f64::consts::LN_2;
    let mut objective = Objective::log_prob(weight);
    if case.has("logits") {
        objective.logits = Some(&mut by_logits);
    }
    let outputs = model.gradients_with_draws(x, objective, draw, &mut gradients).unwrap();
    let log_prob = outputs.log_prob.unwrap().total();
    let mean = f64::from(values(log_prob.mean())[0]);
    let bits = f64::from(case.values("step.bits_per_dim")[0]);
    let got = bits_per_dim(mean, dimensions, case.levels);
    assert!((got - bits).abs() < 1e-4, "bits/dim {got} for {bits}");
    let norm = case.values(norm)[0];
    assert!((gradients.norm(&model) as f32 / norm - 1.0).abs() < 1e-3);
    let compared = compare(case, &model, &gradients, "", expected);
    assert!(compared > 30, "only {compared} parameters were compared");
}

#[test]
fn logits_agree() {
    let case = Golden::hybrid();
    let model = case.model();
    let exact = LogDetConfig::exact();
    let context = LogDetContext { config: &exact, noise: NoiseKey::new(0, [0, 0]) };
    let (log_prob, logits) = model.log_prob_and_logits(case.tensor("x"), &context).unwrap();
    for (got, want) in values(logits.clone()).iter().zip(case.values("logits")) {
        assert!((got - want).abs() < 1e-4, "{got} for {want}");
    }
    for (got, want) in values(log_prob.log_det).iter().zip(case.values("logdet_exact")) {
        assert!((got - want).abs() < 1e-3, "{got} for {want}");
    }
    assert_eq!(values(model.logits(case.tensor("x")).unwrap()), values(logits));
}
