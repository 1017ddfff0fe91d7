//! Agreement with the published successors of Residual Flows, on their own weights: i-DenseNets, Monotone Flows, Implicit
//! Normalizing Flows. Origin of the numbers: `fixtures/README.md`.

use crate::support::{Golden, assert_close, compare, device, values};
use burn::tensor::Tensor;
use residual_flows::log_det::{GradientForm, SeriesPrecision};
use residual_flows::{Flow, Gradients, LayerId, LogDetConfig, LogDetContext, LogDetDraw, NoiseKey};

fn cases() -> Vec<Golden> {
    vec![Golden::idense_img(), Golden::mono_img(), Golden::impl_toy()]
}

#[test]
fn latents_and_log_determinants_agree_and_latents_are_inverted() {
    for case in cases() {
        let model = case.model();
        let x = case.tensor::<4>("x");
        let exact = LogDetConfig::exact();
        let context = LogDetContext { config: &exact, noise: NoiseKey::new(0, [0, 0]) };
        let (z, log_det) = model.encode_log_det(x.clone(), &context).unwrap();
        for (a, b) in values(z.clone()).iter().zip(&case.values("z")) {
            assert!((a - b).abs() < 1e-4, "z: {a} for {b}");
        }
        for (a, b) in values(log_det).iter().zip(case.values("logdet_exact")) {
            assert!((a - b).abs() < 1e-3, "log-determinant: {a} for {b}");
        }
        for (a, b) in values(model.decode(z).unwrap()).iter().zip(values(x)) {
            assert!((a - b).abs() < 1e-4, "x: {a} for {b}");
        }
    }
}

/// Of every layer, to find the one that is wrong.
#[test]
fn layers_agree() {
    for case in cases() {
        let model = case.model();
        let exact = LogDetConfig::exact();
        let context = LogDetContext { config: &exact, noise: NoiseKey::new(0, [0, 0]) };
        for layer in model.layer_outputs(case.tensor("x"), &context).unwrap() {
            let name = case.reference_layer(&layer.path);
            assert_close(&name, &layer.log_det, &case.values(&format!("chain.{name}.logdet")), 2e-4);
        }
    }
}

/// Value and gradient of single blocks, for the probes and the numbers of terms that were drawn there.
#[test]
fn blocks_agree_with_all_estimators() {
    for case in cases() {
        let model = case.model();
        block_agrees(&case, &model, "unit", if case.image == [2, 1, 1] { "chain.1" } else { "transforms.0.chain.2" });
        if case.has("unit_fc.x") {
            block_agrees(&case, &model, "unit_fc", "transforms.1.chain.2");
        }
    }
}

fn block_agrees(case: &Golden, model: &residual_flows::ResidualFlow, unit: &str, block: &str) {
    let layer = case.layer(model, block);
    let key = |name: &str| format!("{unit}.{name}");
    let x = case.tensor::<4>(&key("x"));
    let batch = x.dims()[0];
    let exact = LogDetConfig::exact();
    let context = LogDetContext { config: &exact, noise: NoiseKey::new(0, [0, 0]) };
    let (z, log_det) = layer.forward_log_det(x.clone(), &context, &LayerId::alone()).unwrap();
    assert_close("z", &values(z.clone()), &case.values(&key(if case.has(&key("z")) { "z" } else { "y" })), 1e-4);
    assert_close("exact", &values(log_det), &case.values(&key("logdet_exact")), 1e-3);

    // A probe for each branch.
    let names: &[&str] = if case.has(&key("eps_x")) { &["eps_x", "eps_z"] } else { &["eps"] };
    let probe = Tensor::cat(names.iter().map(|name| case.tensor::<4>(&key(name))).collect(), 0);
    let coefficients: Vec<f64> = case.values(&key("coefficients")).into_iter().map(f64::from).collect();
    let hutchinson = |gradient| {
        let (probe, coefficients) = (probe.clone(), coefficients.clone());
        LogDetDraw::Hutchinson { probe, coefficients, gradient, precision: SeriesPrecision::F32 }
    };
    // Monotone Flows' code has the powers on the other side.
    let neumann = match case.config.block {
        residual_flows::BlockKind::Monotone => GradientForm::NeumannForward,
        _ => GradientForm::Neumann,
    };
    let draws = [
        ("neumann", "basic", hutchinson(neumann)),
        ("basic", "basic", hutchinson(GradientForm::DerivativeOfValue)),
        ("exact", "exact", LogDetDraw::Exact),
    ];
    let compared = |gradients: &Gradients, expected: &str| {
        let compared = compare(case, model, gradients, &format!("{block}."), expected);
        assert!(compared >= 5, "only {compared} parameters were compared");
    };
    for (gradient, value, draw) in draws {
        let expected = key(&format!("grads_{gradient}."));
        if !case.has(&format!("{expected}x")) {
            continue;
        }
        let mut gradients = Gradients::new();
        let one = Tensor::ones([batch], &device());
        let (x_bar, estimate) = layer.backward(x.clone(), z.zeros_like(), one, Some(draw), &mut gradients).unwrap();
        assert_close("estimate", &values(estimate), &case.values(&key(&format!("logdet_{value}"))), 1e-3);
        assert_close(&expected, &values(x_bar), &case.values(&format!("{expected}x")), 1e-3);
        compared(&gradients, &expected);
    }
    let expected = key("grads_forward.");
    if case.has(&format!("{expected}x")) {
        let mut gradients = Gradients::new();
        let x_bar = layer.pullback(x, case.tensor::<4>(&key("ybar")), &mut gradients).unwrap();
        assert_close(&expected, &values(x_bar), &case.values(&format!("{expected}x")), 1e-3);
        compared(&gradients, &expected);
    }
}
