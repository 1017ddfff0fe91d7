//! Training goes on from the reference implementation's checkpoints as it would there.

use crate::common::{Workshop, number};
use burn::tensor::{Device, Tensor, TensorData};
use datasets::shards::synthetic;
use datasets::{CodecKind, ImageShape, Split};
use residual_flows::log_det::{GradientForm, SeriesPrecision};
use residual_flows::optim::Optimizer;
use residual_flows::state::{NamedTensor, named_tensors};
use residual_flows::{Gradients, LayerId, LogDetDraw, Objective, ResidualFlow};
use safetensors::SafeTensors;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use train::checkpoint;
use train::pytorch::names::Naming;
use train::scoring::arrays;

/// Steps that the reference implementation has made.
const STEPS: u64 = 40;

fn fixture(file: &str) -> PathBuf {
    fixture_of("rgb_swish", file)
}

fn fixture_of(case: &str, file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/research").join(case).join(file)
}

/// Tensors by name.
fn tensors(path: &Path) -> HashMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |data: &[u8]| data.chunks_exact(4).map(|word| f32::from_le_bytes(word.try_into().unwrap())).collect();
    file.iter().map(|(name, view)| (name.to_string(), (view.shape().to_vec(), floats(view.data())))).collect()
}

/// The gradient of bits/dim, for the probes and numbers of terms that the reference implementation drew.
fn gradients(model: &ResidualFlow, naming: &Naming) -> Gradients {
    let device = Device::flex();
    let drawn = tensors(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/fixtures/rgb_swish.safetensors"));
    let x = arrays::read::<f32>(&fixture("x.npy")).unwrap();
    let x = Tensor::<4>::from_data(TensorData::new(x.values, x.shape), &device);
    let batch = x.dims()[0];
    let weight = -1.0 / (batch as f64 * model.dimensions() as f64 * std::f64::consts::LN_2);
    let draw = |id: &LayerId, shape: [usize; 4]| {
        let place: Vec<usize> = id.path.split('.').filter_map(|part| part.parse().ok()).collect();
        let block = naming.layer(place[0], place[1]).unwrap();
        let values = |what: &str| drawn[&format!("step.{block}.{what}")].1.clone();
        LogDetDraw::Hutchinson {
            probe: Tensor::from_data(TensorData::new(values("vareps"), shape), &device),
            coefficients: values("coefficients").into_iter().map(f64::from).collect(),
            gradient: GradientForm::Neumann,
            precision: SeriesPrecision::F32,
        }
    };
    let mut gradients = Gradients::new();
    let objective = Objective::log_prob(Tensor::full([batch], weight, &device));
    model.gradients_with_draws(x, objective, draw, &mut gradients).unwrap();
    gradients
}

#[test]
fn the_next_step_is_the_reference_implementation() {
    let state = checkpoint::read_either(&fixture("checkpoint.pth"), &Device::flex()).unwrap();
    assert_eq!((state.description.step, state.optimizer.steps), (STEPS, STEPS));
    let config = &state.description.config;
    let [model, _] = state.models(&Device::flex()).unwrap();
    let naming = Naming::new(&config.model, &state.description.kind);
    let pairs = naming.pairs(&model).unwrap();
    let gradients = gradients(&model, &naming);
    // Not long enough to be clipped.
    assert!(gradients.norm(&model) < config.optim.clip_norm);
    let mut optimizer = Optimizer::new(&config.optim);
    optimizer.restore(&state.optimizer, &model).unwrap();
    let model = optimizer.step(config.optim.learning_rate, model, gradients);

    let expected = tensors(&fixture("params_after_adam.safetensors"));
    let got: HashMap<String, NamedTensor> = named_tensors(&model).into_iter().map(|t| (t.name.clone(), t)).collect();
    let before: HashMap<&str, &NamedTensor> = state.weights.iter().map(|t| (t.name.as_str(), t)).collect();
    let mut furthest = 0f32;
    for pair in &pairs {
        let (_, want) = &expected[&pair.theirs[0]];
        for ((got, want), before) in got[&pair.ours].values.iter().zip(want).zip(&before[pair.ours.as_str()].values) {
            assert!((got - want).abs() < 2e-6, "{}: {got} for {want}, from {before}", pair.ours);
            furthest = furthest.max((want - before).abs());
        }
    }
    assert!(furthest > 1e-3, "the step is so short that the comparison says nothing: {furthest}");
}

fn distance(a: &[NamedTensor], b: &[NamedTensor]) -> f32 {
    let trained = |tensor: &&NamedTensor| !tensor.name.ends_with("vector") && !tensor.name.ends_with("opposite");
    let by_name: HashMap<&str, &NamedTensor> = b.iter().map(|t| (t.name.as_str(), t)).collect();
    let pairs = a.iter().filter(trained).flat_map(|a| a.values.iter().zip(&by_name[a.name.as_str()].values));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn runs_go_on_from_there() {
    let workshop = Workshop::new();
    let shape = ImageShape { channels: 3, height: 8, width: 8 };
    for split in Split::ALL {
        synthetic::write_dataset(&workshop.path("data"), split, shape, 256, 32, CodecKind::default()).unwrap();
    }
    let small = "[run]\nmax_steps = 42\nlog_every_steps = 1\neval_batch_size = 16\nn_samples = 2\n";
    let settings = "[data]\npath = 'data'\n[model]\nblocks = [2, 2]\nhidden_channels = 16\ndense_hidden = 8\n\
                    [optim]\nlearning_rate = 1e-4\nbatch_size = 4\n";
    workshop.write("config.toml", &format!("{settings}{small}"));
    let checkpoint = fixture("checkpoint.pth");
    let checkpoint = checkpoint.to_str().unwrap();
    let before = checkpoint::read_either(Path::new(checkpoint), &Device::flex()).unwrap();
    let without_config = ["--set", "data.path=data", "--set", "optim.batch_size=4", "--set", "run.max_steps=42"];
    let few = ["--set", "run.eval_batch_size=16", "--set", "run.n_samples=2", "--set", "optim.learning_rate=1e-4"];
    for (out, more) in [("with", &["--config", "config.toml"][..]), ("without", &[&without_config[..], &few[..]].concat())] {
        let summary = workshop.json(&[&["--resume", checkpoint, "--out", out, "--json"][..], more].concat());
        assert_eq!(number(&summary, "steps"), 42.0);
        let after = checkpoint::read(&workshop.path(out).join("checkpoints/last.safetensors")).unwrap();
        // 42 steps of eight a epoch.
        let place = (after.optimizer.steps, after.description.epoch, after.description.batch);
        assert_eq!(place, (42, 5, 2));
        let moved = distance(&after.weights, &before.weights);
        assert!(moved > 0.0 && moved < 3e-4, "{moved}");
        // An average that began anew would be at the weights.
        let (old, new) = (distance(&after.average, &before.average), distance(&after.average, &after.weights));
        assert!(old < 0.05 * new, "the average is {old} from where it was and {new} from the weights");
    }
    let evaluate = ["evaluate", checkpoint, "--data", "data", "--batch", "16", "--json"];
    let [apart, overlapping] = [&[][..], &["--overlapping-bins"]].map(|more| workshop.json(&[&evaluate, more].concat()));
    assert_ne!(number(&apart, "bits_per_dim"), number(&overlapping, "bits_per_dim"));
    let message = workshop.error(&["--resume", checkpoint, "--config", "tiny.toml", "--out", "other"]);
    assert!(message.contains("checkpoint.pth was trained on"), "{message}");
    let other =
        workshop.error(&["--resume", checkpoint, "--config", "config.toml", "--set", "model.hidden_channels=8", "--out", "o"]);
    assert!(other.contains("does not fit the model of the settings") && other.contains("shape"), "{other}");
    let message =
        workshop.error_of_run(&["--resume", checkpoint, "--config", "config.toml", "--set", "optim.optimizer=sgd", "--out", "p"]);
    assert!(message.contains("optim.optimizer"), "{message}");
    let message = workshop.error(&["--resume", checkpoint, "--set", "data.path=data"]);
    assert!(message.contains("--out DIR"), "{message}");
    let summary = workshop.json(&["--resume", checkpoint, "--config", "config.toml", "--json"]);
    assert!(summary["checkpoint"].as_str().is_some_and(|path| path.contains("experiments/runs/config")), "{summary}");
}

/// Runs of i-DenseNets, Monotone Flows and Implicit Normalizing Flows go on with the settings of their own arguments. Of points
/// the file has no count of steps.
#[test]
fn runs_of_successors_go_on_from_there() {
    let workshop = Workshop::new();
    let shape = ImageShape { channels: 1, height: 8, width: 8 };
    for split in Split::ALL {
        synthetic::write_dataset(&workshop.path("data"), split, shape, 256, 32, CodecKind::default()).unwrap();
    }
    let few = [
        "--set",
        "run.epochs=100",
        "--set",
        "run.eval_batch_size=8",
        "--set",
        "run.n_samples=2",
        "--set",
        "optim.batch_size=8",
        "--json",
    ];
    for (case, settings, steps) in [
        ("idense_img", &["--set", "data.path=data"][..], 62),
        ("mono_img", &["--set", "data.path=data"], 62),
        ("impl_toy", &["--set", "data.test_points=16"], 2),
    ] {
        let checkpoint = fixture_of(case, "checkpoint.pth");
        let before = checkpoint::read_either(&checkpoint, &Device::flex()).unwrap();
        let most = format!("run.max_steps={steps}");
        let start = ["--resume", checkpoint.to_str().unwrap(), "--out", case, "--set", &most];
        let summary = workshop.json(&[&start[..], settings, &few].concat());
        assert_eq!(number(&summary, "steps"), f64::from(steps), "{case}");
        let after = checkpoint::read(&workshop.path(case).join("checkpoints/last.safetensors")).unwrap();
        let moved = distance(&after.weights, &before.weights);
        assert!(moved > 0.0 && moved < 0.1, "{case}: {moved}");
        // Its concatenations are learned from the second epoch on, which has come.
        let weight = |state: &[NamedTensor]| state.iter().find(|t| t.name.ends_with("concatenations.0.k1")).map(|t| t.values[0]);
        assert!(weight(&after.weights).is_none_or(|after| weight(&before.weights) != Some(after) && after != 1.0), "{case}");
    }
}
