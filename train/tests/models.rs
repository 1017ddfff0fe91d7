//! Models go from the library to the program and back, in the same files.

#[allow(dead_code)]
#[path = "../examples/pretrained.rs"]
mod pretrained;

use crate::common::{self, Workshop, number};
use burn::tensor::{Device, Tensor, TensorData};
use datasets::io::output::Existing;
use residual_flows::io::{DataUnits, ModelFile, PointUnits, Weights, vectors};
use residual_flows::state::{NamedTensor, named_tensors};
use residual_flows::training::noise;
use residual_flows::{Convergence, LogDetConfig, LogDetContext, ResidualFlow, ResidualFlowConfig};
use std::path::Path;
use train::checkpoint;
use train::scoring::arrays::{self, Array};

/// Exact log-densities by the library.
fn by_library(model: &ResidualFlow, x: &Array) -> Vec<f32> {
    let shape: [usize; 4] = [&x.shape[..], &[1; 4][x.shape.len()..]].concat().try_into().expect("images or points");
    let x = Tensor::<4>::from_data(TensorData::new(x.values.clone(), shape), &Device::flex());
    let config = LogDetConfig::exact();
    let context = LogDetContext { config: &config, noise: noise::evaluation(0, 0) };
    model.log_prob_with(x, &context).expect("log-densities").total().try_into_vec_as().expect("floats")
}

/// The same by the program, from a file.
fn by_program(workshop: &Workshop, model: &str, x: &Array) -> Vec<f64> {
    arrays::write(&workshop.path("x.npy"), Existing::Replace, x.clone()).expect("written");
    workshop.json(&["log-prob", model, "--input", "x.npy", "--output", "p.npy", "--exact", "--force", "--json"]);
    arrays::read::<f64>(&workshop.path("p.npy")).expect("log-densities").values
}

#[track_caller]
fn assert_agree(library: &[f32], program: &[f64], what: &str) {
    assert_eq!(library.len(), program.len());
    for (library, program) in library.iter().zip(program) {
        assert!((f64::from(*library) - program).abs() < 1e-5 * program.abs().max(1.0), "{what}: {library} {program}");
    }
}

/// In the order of names, which a file has.
fn sorted(mut tensors: Vec<NamedTensor>) -> Vec<NamedTensor> {
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    tensors
}

fn images() -> Array {
    Array { shape: vec![3, 1, 8, 8], values: (0..192).map(|i| 0.05 + 0.9 * (i * 37 % 101) as f32 / 101.0).collect() }
}

#[test]
fn a_checkpoint_of_a_run_is_a_model_of_the_library() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=6"]);
    let (name, device) = ("run/checkpoints/last.safetensors", Device::flex());
    let path = workshop.path(name);
    // The run has evaluated these weights: the file has the vectors to which their constraint converged.
    let state = checkpoint::read(&path).expect("a checkpoint");
    assert!(!state.converged.is_empty());
    let model = ResidualFlow::load(&path, &device).expect("a model");
    let [_, average] = state.models(&device).expect("its own model");
    let converged = average.with_converged_constraint(Convergence::Estimate).expect("it was not stopped");
    assert_eq!(named_tensors(&model), named_tensors(&converged));
    assert_eq!(sorted(vectors(&model)), state.converged);
    let mut file = ModelFile::open(&path).expect("a file");
    assert_eq!(file.description().config.as_ref(), Some(&state.description.config.model));
    assert_eq!(sorted(named_tensors(&file.model(Weights::Raw, &device).expect("a model"))), state.weights);
    assert_agree(&by_library(&model, &images()), &by_program(&workshop, name, &images()), "a run");
    // Before the first evaluation there are no such vectors, and they are found where the model is loaded.
    workshop.train("short", &["run.max_steps=6", "checkpoint.every_steps=2", "checkpoint.keep=9"]);
    let name = "short/checkpoints/step0000004.safetensors";
    assert!(checkpoint::read(&workshop.path(name)).expect("a checkpoint").converged.is_empty());
    let model = ResidualFlow::load(workshop.path(name), &device).expect("a model");
    assert_agree(&by_library(&model, &images()), &by_program(&workshop, name, &images()), "between evaluations");
}

#[test]
fn vectors_that_converged_for_earlier_weights_are_not_saved_with_later_ones() {
    let workshop = Workshop::new();
    // The picture at the start has made the untrained average ready.
    let settings = ["run.max_steps=6", "run.sample_at_start=true", "checkpoint.every_steps=2", "checkpoint.keep=9"];
    workshop.train("run", &settings);
    let has_vectors = |step: u64| {
        let path = workshop.path(&format!("run/checkpoints/step{step:07}.safetensors"));
        !checkpoint::read(&path).expect("a checkpoint").converged.is_empty()
    };
    assert!(workshop.path("run/images/start.png").exists());
    assert_eq!([2, 4, 6].map(has_vectors), [false, false, true], "only the last weights were evaluated");
}

#[test]
fn a_model_of_the_library_is_used_by_the_program() {
    let workshop = Workshop::new();
    let device = Device::flex();
    let mut rng = noise::initial_weights(5).stream(0);
    let digits = common::repository().join("data/digits");
    let config = ResidualFlowConfig { blocks: vec![1, 1], hidden_channels: 6.into(), dense_blocks: 0, ..Default::default() };
    let model = config.init([1, 8, 8], &mut rng, &device).expect("an architecture");
    model.save_as(workshop.path("images.safetensors"), DataUnits::Images { levels: 17 }).expect("saved");
    assert_agree(&by_library(&model, &images()), &by_program(&workshop, "images.safetensors", &images()), "images");
    let data = digits.to_str().expect("a path");
    let evaluate = ["evaluate", "images.safetensors", "--data", data, "--limit", "20", "--json"];
    assert!(number(&workshop.json(&evaluate), "bits_per_dim") > 0.0);
    let sampled = workshop.json(&["sample", "images.safetensors", "--n", "4", "--json"]);
    assert_eq!(number(&sampled, "images"), 4.0);
    let message = workshop.error(&["evaluate", "images.safetensors"]);
    assert!(message.contains("data that another program had"), "{message}");

    let config = ResidualFlowConfig { kernels: vec![1, 1, 1], blocks: vec![2], logit_alpha: 0.0, ..config };
    let model = config.init([2, 1, 1], &mut rng, &device).expect("an architecture");
    let units = PointUnits { mean: vec![1.0, -2.0], std: vec![2.0, 0.5], columns: None, noise: vec![0.0; 2] };
    model.save_as(workshop.path("points.safetensors"), DataUnits::Points(units)).expect("saved");
    let own = Array { shape: vec![2, 2], values: vec![1.0, -2.0, 3.0, -1.5] };
    let standardised = Array { shape: vec![2, 2], values: vec![0.0, 0.0, 1.0, 1.0] };
    // In the data's own units, in which the densities are `2 · 0.5` times as small.
    assert_agree(&by_library(&model, &standardised), &by_program(&workshop, "points.safetensors", &own), "points");
    workshop.write("own.csv", "x,y\n1,-2\n3,-1.5\n");
    let density = workshop.json(&["density", "points.safetensors", "own.csv", "--json"]);
    assert!(density.is_object(), "{density}");
    let evaluated = workshop.json(&["evaluate", "points.safetensors", "--data", "own.csv", "--json"]);
    assert!(number(&evaluated, "nll_nats").is_finite());
}

#[test]
fn examples_run() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/research/rgb_swish/checkpoint.pth");
    pretrained::run(&fixture).expect("the example");
}
