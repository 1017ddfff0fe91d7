//! Training, evaluation and sampling from end to end.

use crate::common::{Workshop, number};
use train::reporting::pictures::grid::grid_size;

#[test]
fn a_run_learns_and_leaves_what_it_promises() {
    let workshop = Workshop::new();
    let summary = workshop.train("run", &["run.max_steps=92", "run.epochs=2", "run.sample_at_start=true"]);
    for key in ["test_bits_per_dim", "test_standard_error", "steps", "epochs", "wall_seconds", "peak_memory_bytes"] {
        number(&summary, key);
    }
    let parts = ["training_seconds", "evaluation_seconds", "picture_seconds", "logging_seconds", "saving_seconds"];
    let parts = parts.map(|key| number(&summary, key));
    assert!(parts.iter().all(|part| *part > 0.0), "{summary}");
    assert!(parts.iter().sum::<f64>() <= number(&summary, "wall_seconds"), "no time is counted twice: {summary}");
    assert_eq!((summary["finished"].as_bool(), number(&summary, "steps")), (Some(true), 92.0));
    let written: serde_json::Value = serde_json::from_str(&workshop.read("run/summary.json")).expect("JSON");
    assert_eq!(written, summary);

    let records = workshop.lines("run/metrics.jsonl");
    let bits: Vec<f64> = records.iter().filter_map(|record| record["bits_per_dim"].as_f64()).collect();
    let mean = |bits: &[f64]| bits.iter().sum::<f64>() / bits.len() as f64;
    let (first, last) = (mean(&bits[..5]), mean(&bits[bits.len() - 5..]));
    assert!(last < first - 0.5, "{first} -> {last}");
    for key in ["step", "epoch", "log_pz", "log_det", "gradient_norm", "max_lipschitz", "learning_rate"] {
        number(&records[0], key);
    }
    assert!(number(&records[0], "max_lipschitz") < 1.0);
    let tests: Vec<f64> = records.iter().filter_map(|record| record["test_bits_per_dim"].as_f64()).collect();
    assert_eq!(tests.len(), 2, "one an epoch");
    assert_eq!(tests[1], number(&summary, "test_bits_per_dim"));

    for file in ["config.toml", "timings.jsonl", "curve.svg", "images/start.png", "images/end.png"] {
        assert!(workshop.path("run").join(file).exists(), "{file}");
    }
    let checkpoints: Vec<_> = std::fs::read_dir(workshop.path("run/checkpoints")).expect("checkpoints").collect();
    assert_eq!(checkpoints.len(), 5, "two evaluated ones, the last two, and the name of the last");
}

#[test]
fn the_seed_decides_everything() {
    let workshop = Workshop::new();
    let settings = ["run.max_steps=12", "optim.accumulate=2", "optim.batch_size=16", "data.flip=true"];
    workshop.train("a", &settings);
    workshop.train("b", &settings);
    assert_eq!(workshop.read("a/metrics.jsonl"), workshop.read("b/metrics.jsonl"));
    workshop.train("c", &[&settings[..], &["run.seed=4"]].concat());
    assert_ne!(workshop.read("a/metrics.jsonl"), workshop.read("c/metrics.jsonl"));
}

#[test]
fn micro_batches_make_the_same_step_as_one_batch() {
    // With the same images in both, and no noise in the log-determinant but the probe's: only the draws differ.
    let workshop = Workshop::new();
    workshop.train("one", &["run.max_steps=1", "log_det.train.n_exact_terms=6"]);
    workshop.train("two", &["run.max_steps=1", "optim.batch_size=16", "optim.accumulate=2", "log_det.train.n_exact_terms=6"]);
    let first = |name: &str| workshop.lines(name)[0].clone();
    let (one, two) = (first("one/metrics.jsonl"), first("two/metrics.jsonl"));
    // ActNorm sees 32 images in one run and 16 in the other, so only roughly.
    assert!((number(&one, "bits_per_dim") - number(&two, "bits_per_dim")).abs() < 0.3, "{one} {two}");
    assert!((number(&one, "gradient_norm") / number(&two, "gradient_norm")).ln().abs() < 0.5, "{one} {two}");
}

#[test]
fn a_checkpoint_evaluates_to_what_its_run_said() {
    let workshop = Workshop::new();
    let summary = workshop.train("run", &[]);
    let checkpoint = "run/checkpoints/last.safetensors";
    let evaluated = workshop.json(&["evaluate", checkpoint, "--json", "--out", "result"]);
    assert_eq!(number(&evaluated, "bits_per_dim"), number(&summary, "test_bits_per_dim"));
    assert_eq!(number(&evaluated, "standard_error"), number(&summary, "test_standard_error"));
    assert_eq!(number(&evaluated, "images"), 299.0);
    let written: serde_json::Value = serde_json::from_str(&workshop.read("result/evaluation.json")).expect("JSON");
    assert_eq!(written, evaluated);

    let few = workshop.json(&["evaluate", checkpoint, "--json", "--limit", "40", "--batch", "32"]);
    let exact = workshop.json(&["evaluate", checkpoint, "--json", "--limit", "40", "--batch", "32", "--exact"]);
    assert_eq!((number(&few, "images"), number(&exact, "images")), (40.0, 40.0));
    assert_eq!(exact["log_det"], "exact");
    let difference = number(&few, "bits_per_dim") - number(&exact, "bits_per_dim");
    assert!(difference != 0.0 && difference.abs() < 0.05, "{difference}");
}

#[test]
fn samples_are_a_picture_of_the_expected_size() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=4"]);
    let sample = |seed: &str| {
        let arguments =
            ["sample", "run/checkpoints/last.safetensors", "--n", "7", "--seed", seed, "--out", "s", "--force", "--json"];
        let result = workshop.json(&arguments);
        assert_eq!(number(&result, "images"), 7.0);
        let path = workshop.path(result["picture"].as_str().expect("a path"));
        let picture = image::open(path).expect("a PNG file").to_rgb8();
        assert_eq!(picture.dimensions(), grid_size(7, [1, 8, 8]));
        picture
    };
    assert_ne!(sample("1"), sample("2"));
    assert_eq!(sample("1"), sample("1"));
}

#[test]
fn a_run_is_not_overwritten_unless_forced() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=2"]);
    workshop.write("run/notes.txt", "mine");
    let message = workshop.error(&["--config", "tiny.toml", "--out", "run"]);
    assert!(message.contains("run holds a run already") && message.contains("--force"), "{message}");
    workshop.json(&["--config", "tiny.toml", "--out", "run", "--json", "--force", "--set", "run.max_steps=3"]);
    assert_eq!(workshop.read("run/notes.txt"), "mine");
    let names = std::fs::read_dir(workshop.path("run/checkpoints")).expect("checkpoints");
    let names: Vec<String> = names.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned()).collect();
    assert!(names.len() == 4 && names.iter().any(|name| name.starts_with("best-step0000003-")), "{names:?}");
}

#[test]
fn only_the_best_checkpoints_stay() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=138", "run.epochs=3", "run.keep_best=2", "model.dense_blocks=0"]);
    let names = std::fs::read_dir(workshop.path("run/checkpoints")).expect("checkpoints");
    assert_eq!(names.count(), 5);
}
