//! Processes that train together make the step that one would make with all their samples.

use crate::common::tiny_config;
use burn::tensor::Device;
use residual_flows::ResidualFlow;
use residual_flows::optim::Timeline;
use residual_flows::state::named_tensors;
use residual_flows::training::noise;
use residual_flows::training::{StepOutcome, StepStats};
use std::sync::Arc;
use train::config::{Config, Source};
use train::data::{self, DataSet};
use train::training;
use train::training::parallel::{ProcessGroup, TrainingGroup, threaded_group};

/// Log-determinants without noise, and steps that are the gradient itself.
const EXACT: [&str; 7] = [
    "log_det.train.method=exact",
    "optim.optimizer=sgd",
    "optim.learning_rate=1.0",
    "optim.warmup_steps=0",
    "optim.momentum=0.0",
    "optim.clip_norm=inf",
    "optim.batch_size=11",
];

fn config(settings: &[&str]) -> (Config, Source) {
    let settings = EXACT.iter().chain(settings).map(|setting| setting.to_string()).collect();
    let source = Source::new("tiny.toml".into(), tiny_config(), settings);
    (source.parse().expect("settings that make sense"), source)
}

/// A step from the same model, by one member of a group.
fn step(config: &Config, train: &DataSet, group: ProcessGroup) -> ([ResidualFlow; 2], StepStats) {
    let device = Device::flex();
    let noise = noise::initial_weights(1);
    let mut model = config.model.init(train.shape(), &mut noise.stream(0), &device).expect("a model");
    let whole = data::tensor(train.batches.train_batch(0, 0).expect("a batch"), &device);
    model.initialize(whole).expect("images of its shape");
    let micro_batches = (0..config.optim.accumulate).map(|index| {
        let part = train.batches.train_part(0, index, group.part()).expect("a part of a batch");
        train.samples(part, &device)
    });
    let timeline = Timeline { total_steps: 10, steps_per_epoch: 5.0 };
    let mut trainer = training::trainer(config, &train.kind, timeline);
    let micro_batches = micro_batches.collect();
    trainer = trainer.with_group(Arc::new(TrainingGroup(Arc::new(group))));
    let (after, outcome) = trainer.step(model.clone(), micro_batches).expect("a step");
    let StepOutcome::Made(stats) = outcome else { panic!("a step that is made") };
    ([model, after], stats)
}

/// What a step changes, but for the vectors of power iteration.
fn change([before, after]: [ResidualFlow; 2]) -> Vec<f64> {
    let changes = named_tensors(&before).into_iter().zip(named_tensors(&after)).filter(|(old, _)| !old.name.ends_with("vector"));
    changes.flat_map(|(old, new)| new.values.into_iter().zip(old.values).map(|(new, old)| f64::from(new - old))).collect()
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

#[test]
fn a_team_makes_the_step_of_one_process() {
    let cases: [&[&str]; 4] = [
        &[],
        &["optim.accumulate=2"],
        &["model.batch_norm=true", "model.flow_batch_norm=true"],
        &["task.kind=hybrid", "model.classes=10"],
    ];
    for settings in cases {
        let (config, source) = config(settings);
        let train = data::open(&config, &source, datasets::Split::Train).expect("the digits");
        let (models, alone) = step(&config, &train, ProcessGroup::alone());
        let expected = change(models);
        for size in [2, 4] {
            let steps: Vec<_> = std::thread::scope(|scope| {
                let members = threaded_group(size).expect("a thread").into_iter();
                let threads: Vec<_> = members.map(|group| scope.spawn(|| step(&config, &train, group))).collect();
                threads.into_iter().map(|thread| thread.join().expect("a step")).collect()
            });
            for (models, stats) in steps {
                let got = change(models);
                let error = norm(got.iter().zip(&expected).map(|(a, b)| a - b)) / norm(expected.iter().copied());
                assert!(error < 1e-5, "{settings:?}, {size} processes: {error}");
                for (a, b) in [(stats.loss, alone.loss), (stats.gradient_norm, alone.gradient_norm)] {
                    assert!((a - b).abs() < 1e-5 * b.abs(), "{settings:?}, {size} processes: {a} {b}");
                }
            }
        }
    }
}
