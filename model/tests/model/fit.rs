//! Training in one call.

use crate::support::device;
use burn::tensor::Tensor;
use residual_flows::optim::OptimConfig;
use residual_flows::state::named_tensors;
use residual_flows::training::{Data, Evaluation, Event, FitConfig, Samples, Silent, TaskConfig, TaskKind, TrainingError, fit};
use residual_flows::{NoiseKey, ResidualFlow, ResidualFlowConfig, gaussian};
use std::ops::ControlFlow;

fn model() -> ResidualFlow {
    let config = ResidualFlowConfig {
        blocks: vec![2],
        kernels: vec![1, 1, 1],
        hidden_channels: 8.into(),
        dense_blocks: 0,
        logit_alpha: 0.0,
        preactivation: false,
        ..ResidualFlowConfig::default()
    };
    config.init([2, 1, 1], &mut NoiseKey::new(3, [0, 0]).stream(0), &device()).unwrap()
}

fn points(n: usize) -> Tensor<2> {
    gaussian([n, 2], &mut NoiseKey::new(5, [0, 0]).stream(0), &device()) * 3.0 + 1.0
}

fn settings() -> FitConfig {
    let optim = OptimConfig { learning_rate: 1e-2, warmup_steps: 5, batch_size: 50, ..FitConfig::default().optim };
    FitConfig { optim, epochs: 4, ..FitConfig::default() }
}

fn evaluations(config: &FitConfig, data: impl Into<Data>) -> (Vec<Evaluation>, residual_flows::training::Fitted) {
    let mut seen = Vec::new();
    let fitted = fit(model(), data, config, &mut |event: &Event| {
        if let Event::Evaluated { evaluation, .. } = event {
            seen.push(*evaluation);
        }
        ControlFlow::Continue(())
    });
    let fitted = fitted.unwrap();
    (seen, fitted)
}

/// The entropy of N(1, 9) twice: nothing is better but by chance.
#[test]
fn a_normal_density_is_learned() {
    let config = FitConfig { epochs: 15, patience: 0, ..settings() };
    let (seen, fitted) = evaluations(&config, points(1500));
    let entropy = (2.0 * std::f64::consts::PI * std::f64::consts::E * 9.0).ln();
    let best = fitted.best.unwrap().loss;
    assert!((best - entropy).abs() < 0.25, "{best} for {entropy}");
    assert!(seen.len() == 15 && fitted.steps == 15 * 27, "{seen:?}");
}

#[test]
fn the_same_settings_give_the_same_weights_and_others_give_others() {
    let [a, b] = [7, 7].map(|seed| evaluations(&FitConfig { seed, ..settings() }, points(200)));
    assert_eq!(a.0, b.0);
    assert_eq!(named_tensors(&a.1.model), named_tensors(&b.1.model));
    let (other, _) = evaluations(&FitConfig { seed: 8, ..settings() }, points(200));
    assert_ne!(a.0, other);
}

#[test]
fn training_ends_without_patience_and_the_best_weights_are_the_result() {
    // Few points and a large learning rate: the validation loss rises soon.
    let optim = OptimConfig { learning_rate: 0.3, clip_norm: f64::INFINITY, ema_decay: 0.0, ..settings().optim };
    let config = FitConfig { optim, epochs: 200, patience: 3, validation_fraction: 0.5, ..settings() };
    let (seen, fitted) = evaluations(&config, points(40));
    let lowest = seen.iter().copied().min_by(|a, b| a.loss.total_cmp(&b.loss)).unwrap();
    assert_eq!(fitted.best, Some(lowest));
    let last = seen.last().unwrap();
    assert_eq!(last.epoch, lowest.epoch + 3, "{seen:?}");
    assert!(last.epoch < 200, "it never ended early");
    assert_eq!(fitted.steps, last.step);
    // Ready for use, with the weights of that epoch: the same as a run that ends there.
    let until = FitConfig { epochs: lowest.epoch, ..config };
    let (_, short) = evaluations(&until, points(40));
    assert_eq!(named_tensors(&short.model), named_tensors(&fitted.model));
    assert!(fitted.model.log_prob(points(5)).is_ok());
}

#[test]
fn observers_end_training() {
    let (mut steps, mut evaluated) = (0, Vec::new());
    let fitted = fit(model(), points(200), &settings(), &mut |event: &Event| match event {
        Event::Evaluated { evaluation, .. } => {
            evaluated.push(evaluation.step);
            ControlFlow::Continue(())
        }
        Event::Step { step, stats, .. } => {
            assert!(stats.loss.is_finite() && stats.gradient_norm > 0.0);
            steps = *step;
            if *step == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
        _ => ControlFlow::Continue(()),
    });
    let fitted = fitted.unwrap();
    assert_eq!((steps, fitted.steps), (5, 5));
    // With an evaluation at the end.
    assert_eq!(evaluated, [4, 5]);
}

#[test]
fn batches_may_come_from_anywhere() {
    let batches = |epoch: u64| {
        let batch = move |index: usize| Ok(Samples::from(points(100).narrow(0, index * 50, 50) + epoch as f64 * 0.01));
        Box::new((0..2).map(batch)) as residual_flows::training::Batches
    };
    let config = FitConfig { max_steps: Some(5), ..settings() };
    let (seen, fitted) = evaluations(&config, Data::batches(2, batches).with_validation(points(60)));
    assert_eq!(seen.iter().map(|evaluation| evaluation.step).collect::<Vec<_>>(), [2, 4, 5]);
    assert_eq!(fitted.steps, 5);
    // Without validation samples the last weights are the result.
    let fitted = fit(model(), Data::batches(2, batches), &config, &mut Silent).unwrap();
    assert!(fitted.best.is_none() && fitted.model.log_prob(points(5)).is_ok());
    let failing = |_| Box::new(std::iter::once_with(|| Err("the disk is gone".into()))) as residual_flows::training::Batches;
    let error = fit(model(), Data::batches(1, failing), &config, &mut Silent).unwrap_err();
    assert!(error.to_string().contains("the disk is gone"), "{error}");
}

#[test]
fn what_cannot_be_learned_of_is_an_error() {
    let error = |model: ResidualFlow, data: Data, config: &FitConfig| fit(model, data, config, &mut Silent).unwrap_err();
    let found = error(model(), points(1).into(), &settings());
    assert!(matches!(found, TrainingError::Unusable { .. }), "{found}");
    let wrong = gaussian::<2>([10, 3], &mut NoiseKey::new(5, [0, 0]).stream(0), &device());
    let found = error(model(), wrong.into(), &settings());
    assert!(
        matches!(found, TrainingError::Model(_)) && found.to_string().contains("[10, 3, 1, 1]")
            || found.to_string().contains("3"),
        "{found}"
    );
    let nan = points(100) / 0.0 * 0.0;
    let found = error(model(), nan.into(), &FitConfig { initialize: false, validation_fraction: 0.0, epochs: 100, ..settings() });
    assert!(matches!(found, TrainingError::Diverged { steps: 11, .. }), "{found}");
    let task = TaskConfig { kind: TaskKind::Classification, scale_dim: false };
    let found = error(model(), points(100).into(), &FitConfig { task, ..settings() });
    assert!(matches!(found, TrainingError::NoLabels), "{found}");
    let optim = OptimConfig { batch_size: 0, ..settings().optim };
    let found = error(model(), points(100).into(), &FitConfig { optim, ..settings() });
    assert!(found.to_string().contains("batch_size"), "{found}");
}
