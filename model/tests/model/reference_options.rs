//! Agreement with the reference implementation in the options that its released models do not use, on random weights. Origin of the
//! numbers: `fixtures/README.md`.
//!
//! The fixtures are computed in double precision, this crate computes in single precision.

use crate::support::{Golden, assert_close, compare, cross_entropy_gradient, values};
use burn::tensor::{Device, Tensor};
use residual_flows::{
    ActivationKind, BlockKind, DensityWeights, FixedPoint, Gradients, LogDetConfig, LogDetContext, LogDetDraw, NoiseKey,
    Objective, ResidualFlowConfig,
};

/// The settings that the export script has in common for all models.
fn common() -> ResidualFlowConfig {
    ResidualFlowConfig {
        blocks: vec![1, 1],
        hidden_channels: 6.into(),
        dense_blocks: 0,
        dense_hidden: 5,
        lipschitz_bound: 0.9,
        fixed_point: FixedPoint { tol: 1e-6, ..Default::default() },
        ..Default::default()
    }
}

fn coupling() -> Golden {
    let config = ResidualFlowConfig { block: BlockKind::Coupling, blocks: vec![2, 1], dense_blocks: 4, ..common() };
    Golden::option("coupling", [1, 8, 8], config)
}

fn coupling_channels() -> Golden {
    let config = ResidualFlowConfig {
        block: BlockKind::Coupling,
        blocks: vec![1, 2],
        factor_out: true,
        activation: ActivationKind::Elu,
        checkerboard: false,
        logit_alpha: 0.0,
        ..common()
    };
    Golden::option("coupling_channels", [2, 8, 8], config)
}

fn quadratic() -> Golden {
    let config = ResidualFlowConfig { invertible_convolutions: true, factor_out: true, ..common() };
    Golden::option("quadratic", [2, 8, 8], config)
}

fn fc() -> Golden {
    let config = ResidualFlowConfig { blocks: vec![2], dense: true, invertible_convolutions: true, ..common() };
    Golden::option("fc", [1, 4, 4], config)
}

fn one_scale() -> Golden {
    Golden::option("one_scale", [2, 4, 4], ResidualFlowConfig { blocks: vec![2], ..common() })
}

fn fc_actnorm() -> Golden {
    let config = ResidualFlowConfig { dense_act_norm: true, logit_alpha: 0.0, ..common() };
    Golden::option("fc_actnorm", [1, 8, 8], config)
}

fn no_first_resblock() -> Golden {
    let config = ResidualFlowConfig { plain_first_block: false, dense_blocks: 4, ..common() };
    Golden::option("no_first_resblock", [1, 8, 8], config)
}

fn hybrid_factor_out() -> Golden {
    let config = ResidualFlowConfig {
        factor_out: true,
        classes: 3,
        classifier_channels: 4,
        last_head_sees_factored: true,
        logit_alpha: 0.0,
        input_mean: vec![0.4914, 0.4822, 0.4465],
        input_std: vec![0.2023, 0.1994, 0.2010],
        ..common()
    };
    Golden::option("hybrid_factor_out", [3, 8, 8], config)
}

fn toy_batch_norm() -> Golden {
    let config = ResidualFlowConfig {
        blocks: vec![2],
        dense: true,
        hidden_channels: vec![6, 5].into(),
        flow_batch_norm: true,
        logit_alpha: 0.0,
        ..common()
    };
    Golden::option("toy_batch_norm", [2, 1, 1], config)
}

fn cases() -> Vec<(&'static str, Golden)> {
    vec![
        ("coupling", coupling()),
        ("coupling_channels", coupling_channels()),
        ("quadratic", quadratic()),
        ("fc", fc()),
        ("one_scale", one_scale()),
        ("fc_actnorm", fc_actnorm()),
        ("no_first_resblock", no_first_resblock()),
        ("hybrid_factor_out", hybrid_factor_out()),
        ("toy_batch_norm", toy_batch_norm()),
    ]
}

/// The test inputs; points are images of one pixel here.
fn input(case: &Golden) -> Tensor<4> {
    let [c, h, w] = case.image;
    let x = case.values("x");
    let batch = x.len() / (c * h * w);
    Tensor::<1>::from_floats(x.as_slice(), &Device::flex()).reshape([batch, c, h, w])
}

#[test]
fn latents_and_log_determinants_agree() {
    let config = LogDetConfig::exact();
    let context = LogDetContext { config: &config, noise: NoiseKey::new(0, [0, 0]) };
    for (name, case) in cases() {
        let model = case.model();
        let x = input(&case);
        let (z, log_det) = model.encode_log_det(x.clone(), &context).unwrap();
        for (a, b) in values(z.clone()).iter().zip(case.values("z")) {
            assert!((a - b).abs() < 1e-4, "{name}: {a} for {b}");
        }
        for (got, want) in values(log_det).iter().zip(case.values("logdet_exact")) {
            assert!((got - want).abs() < 1e-3, "{name}: {got} for {want}");
        }
        let back = model.decode(z).unwrap();
        for (a, b) in values(back).iter().zip(values(x)) {
            assert!((a - b).abs() < 1e-4, "{name}: {a} for {b}");
        }
    }
}

/// Of the mean exact log-probability, less the cross entropy where there are classes.
#[test]
fn exact_gradients_agree() {
    for (name, case) in cases() {
        let model = case.model();
        let x = input(&case);
        let batch = x.dims()[0];
        let mean = Tensor::full([batch], 1.0 / batch as f64, &Device::flex());
        let mut less_cross_entropy = |logits: &Tensor<2>| {
            assert_close("logits", &values(logits.clone()), &case.values("logits"), 1e-4);
            cross_entropy_gradient(&case, logits).neg()
        };
        let logits = case.has("logits").then_some(&mut less_cross_entropy as &mut dyn FnMut(&Tensor<2>) -> Tensor<2>);
        let density = Some(DensityWeights { log_pz: mean.clone(), log_det: mean });
        let mut gradients = Gradients::new();
        model
            .gradients_with_draws(
                x,
                Objective { density, logits, ..Default::default() },
                |_, _| LogDetDraw::Exact,
                &mut gradients,
            )
            .unwrap();
        let compared = compare(&case, &model, &gradients, "", "grads.");
        let expected = case.names().iter().filter(|name| name.starts_with("grads.")).count();
        assert_eq!(compared, expected, "{name}");
    }
}
