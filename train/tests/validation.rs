//! Which samples choose the best weights, and what is kept of them: from end to end.

use crate::common::{Workshop, number};
use datasets::io::output::Existing;
use serde_json::Value;
use std::path::Path;
use train::checkpoint;
use train::checkpoint::state::TrainingState;

/// A tiny model of a table, with nothing said about validation.
const TABLE: &str = r#"[data]
file = "own.csv"

[model]
blocks = [2]
hidden_channels = 8
kernels = [1, 1, 1]
dense_blocks = 0
logit_alpha = 0

[log_det.eval]
method = "exact"

[optim]
learning_rate = 1e-2
warmup_steps = 2
batch_size = 16
ema_decay = 0.9

[run]
seed = 5
epochs = 4
sample_every_epochs = 0
eval_batch_size = 50
n_samples = 10
tensorboard = false
"#;

fn workshop(rows: usize) -> Workshop {
    let workshop = Workshop::new();
    workshop.write("table.toml", TABLE);
    workshop.write("own.csv", &table(rows, 0.0));
    workshop
}

fn table(rows: usize, start: f64) -> String {
    let row = |i: usize| {
        let t = start + i as f64;
        format!("{},{}\n", (t * 0.7).cos() + 0.3 * (t * 1.3).sin(), 5.0 + (t * 0.7).sin() + 0.3 * (t * 2.1).cos())
    };
    "a,b\n".to_string() + &(0..rows).map(row).collect::<String>()
}

/// The summary, and what was said.
fn train(workshop: &Workshop, out: &str, settings: &[&str]) -> (Value, String) {
    run(workshop, &["--config", "table.toml", "--json", "--out", out], settings)
}

fn run(workshop: &Workshop, arguments: &[&str], settings: &[&str]) -> (Value, String) {
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    let output = workshop.run(&arguments.iter().copied().chain(settings).collect::<Vec<_>>());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    (serde_json::from_slice(&output.stdout).expect("one JSON object"), said)
}

/// The records that have a key.
fn having(workshop: &Workshop, run: &str, key: &str) -> Vec<Value> {
    let records = workshop.lines(&format!("{run}/metrics.jsonl")).into_iter();
    records.filter(|record| record.get(key).is_some()).collect()
}

fn state(path: &Path) -> TrainingState {
    checkpoint::read(path).expect("a checkpoint")
}

#[test]
fn a_new_run_holds_samples_out_and_reads_the_test_samples_once() {
    let workshop = workshop(200);
    let (summary, said) = train(&workshop, "run", &[]);
    assert!(said.contains("162 points for training, 18 for validation, 20 for testing"), "{said}");
    assert!(said.contains("18 validation points choose the best checkpoint"), "{said}");
    assert!(workshop.read("run/config.toml").contains("validation_fraction = 0.1"));
    let evaluations = having(&workshop, "run", "validation_nll_nats");
    assert_eq!(evaluations.len(), 4, "one an epoch");
    assert!(number(&evaluations[0], "validation_standard_error") > 0.0 && evaluations[0].get("standard_error").is_none());
    let best = evaluations.iter().min_by(|a, b| number(a, "validation_nll_nats").total_cmp(&number(b, "validation_nll_nats")));
    let best = best.expect("four");
    assert_eq!(summary["best_validation_nll_nats"], best["validation_nll_nats"]);
    assert_eq!((&summary["best_step"], &summary["validation_nll_nats"]), (&best["step"], &evaluations[3]["validation_nll_nats"]));
    let tests = having(&workshop, "run", "test_nll_nats");
    assert_eq!(tests.len(), 1, "once, at the end");
    assert_eq!((&tests[0]["step"], &tests[0]["test_nll_nats"]), (&best["step"], &summary["test_nll_nats"]));
    assert!(summary.get("best_test_nll_nats").is_none());

    // Commands take the run's directory, and of it the best checkpoint.
    let output = workshop.run(&["evaluate", "run", "--json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("run: run/best.safetensors is used"), "{said}");
    let evaluated: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!((number(&evaluated, "nll_nats") - number(&summary, "test_nll_nats")).abs() < 1e-9, "{evaluated} {summary}");
    assert_eq!((number(&evaluated, "points"), &evaluated["step"]), (20.0, &best["step"]));
    let validated = workshop.json(&["evaluate", "run", "--split", "validation", "--json"]);
    assert!((number(&validated, "nll_nats") - number(best, "validation_nll_nats")).abs() < 1e-9);
    let last = workshop.json(&["evaluate", "run/last.safetensors", "--split", "validation", "--json"]);
    assert!((number(&last, "nll_nats") - number(&summary, "validation_nll_nats")).abs() < 1e-9);
    for arguments in [
        &["density", "run", "own.csv", "--json"][..],
        &["sample", "run", "--n", "3", "--out", "new.csv", "--json"],
        &["encode", "run", "--input", "own.csv", "--output", "z.csv", "--json"],
        &["log-prob", "run", "--input", "own.csv", "--output", "p.csv", "--json"],
        &["check", "run", "--json"],
        &["estimator", "run", "--draws", "3", "--terms", "2", "--json"],
    ] {
        let result = workshop.json(arguments);
        let used = result.get("checkpoint").or_else(|| result.get("model")).and_then(Value::as_str);
        assert!(used.is_some_and(|used| used.starts_with("run")), "{arguments:?}: {result}");
    }
}

#[test]
fn fixed_validation_points_are_a_whole_file() {
    let workshop = workshop(100);
    workshop.write("validation.csv", &table(30, 1000.0).replace("a,b", "b,a"));
    let fixed = "data.validation_file=validation.csv";
    let message = workshop.error(&["--config", "table.toml", "--out", "run", "--set", "data.validation_file=missing.csv"]);
    assert!(message.contains("missing.csv") && message.contains("validation_file"), "{message}");
    // Columns are matched by name.
    workshop.write("swapped.csv", &{
        let rows = table(30, 1000.0);
        rows.lines().map(|line| line.split_once(',').map_or(String::new(), |(a, b)| format!("{b},{a}\n"))).collect::<String>()
    });
    let (_, said) = train(&workshop, "run", &["data.validation_file=swapped.csv"]);
    assert!(said.contains("90 points for training, 30 for validation, 10 for testing"), "{said}");
    let by_file = workshop.json(&["evaluate", "run", "--split", "validation", "--json"]);
    let by_name = workshop.json(&["evaluate", "run", "--data", "swapped.csv", "--json"]);
    assert!((number(&by_file, "nll_nats") - number(&by_name, "nll_nats")).abs() < 1e-9);
    assert_eq!(number(&by_file, "points"), 30.0);
    // Content, not only shape, is compared.
    workshop.write("swapped.csv", &table(30, 7.0));
    let message = workshop.error(&["--resume", "run", "--set", "run.epochs=9"]);
    assert!(message.contains("other validation data"), "{message}");
    let message = workshop.error_of_run(&["evaluate", "run", "--split", "validation"]);
    assert!(message.contains("other validation data"), "{message}");
    workshop.json(&["evaluate", "run", "--json"]);
    for (settings, expected) in [
        (&[fixed, "data.validation_fraction=0.2"][..], "`validation_fraction` does not go with `validation_file`"),
        (&["data.validation_fraction=1.0"], "`data.validation_fraction` is 1"),
        (&["data.validation_points=5"], "`validation_points` does not go with `file`"),
        (&["data.validation_fraction=0.999"], "none for training"),
    ] {
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        let arguments: Vec<&str> = ["--config", "table.toml", "--out", "other"].into_iter().chain(settings).collect();
        let message = workshop.error(&arguments);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_run_without_patience_for_worse_evaluations_ends_with_its_best_weights() {
    let workshop = workshop(40);
    // Thirty points are soon learned by heart.
    let settings =
        ["run.epochs=4000", "run.patience=5", "optim.learning_rate=3e-2", "model.hidden_channels=32", "model.blocks=[8]"];
    let (summary, said) = train(&workshop, "run", &settings);
    assert!(number(&summary, "epochs") < 4000.0 && summary["finished"] == true, "{summary}");
    assert!(summary["stopped_early"].as_str().is_some_and(|why| why.starts_with("5 evaluations in a row")), "{summary}");
    let evaluations = having(&workshop, "run", "validation_nll_nats");
    let best = evaluations.iter().position(|record| record["step"] == summary["best_step"]).expect("an evaluation");
    assert_eq!(best + 1 + 5, evaluations.len());
    assert!(workshop.path("run/images/end.png").exists(), "it ends as any run does");
    let test = number(&summary, "test_nll_nats");
    let evaluated = workshop.json(&["evaluate", "run", "--json"]);
    assert!((number(&evaluated, "nll_nats") - test).abs() < 1e-9);
    assert!(said.contains("training ends early"), "{said}");
    // What was done is done, until there is more patience.
    let (again, said) = run(&workshop, &["--resume", "run", "--json"], &[]);
    assert!(said.contains("it ended early") && again["steps"] == summary["steps"], "{said}");
    let steps = format!("run.max_steps={}", number(&summary, "steps") as u64 + 2);
    let (more, _) = run(&workshop, &["--resume", "run", "--json"], &["run.patience=0", &steps]);
    assert_eq!(number(&more, "steps"), number(&summary, "steps") + 2.0);
}

#[test]
fn overfitting_and_a_last_checkpoint_that_is_much_worse_are_warned_of() {
    let workshop = workshop(40);
    // Eleven points are soon learned by heart.
    let settings = ["run.epochs=500", "run.evaluate_every_epochs=25", "optim.learning_rate=3e-2", "model.blocks=[6]"];
    let more = ["model.hidden_channels=32", "data.validation_fraction=0.7", "optim.clip_norm=10.0"];
    let (summary, said) = train(&workshop, "run", &[&settings[..], &more].concat());
    let warnings: Vec<String> =
        having(&workshop, "run", "warning").iter().filter_map(|record| Some(record["warning"].as_str()?.into())).collect();
    assert!(warnings.iter().any(|text| text.starts_with("overfitting: since step")), "{warnings:?} {summary}");
    assert_eq!(warnings.iter().filter(|text| text.starts_with("the last weights are much worse")).count(), 1, "{warnings:?}");
    assert!(said.contains("overfitting: ") && said.contains("best.safetensors has the best ones"), "{said}");
    assert!(number(&summary, "best_validation_nll_nats") < number(&summary, "validation_nll_nats") - 0.1, "{summary}");
    let [best, last] = ["run/best.safetensors", "run/last.safetensors"].map(|name| state(&workshop.path(name)).description.step);
    assert!(best == number(&summary, "best_step") as u64 && last == number(&summary, "steps") as u64 && best < last);
}

#[test]
fn whoever_insists_reads_the_test_samples_more_often() {
    let workshop = workshop(100);
    train(&workshop, "run", &[]);
    assert_eq!(having(&workshop, "run", "test_nll_nats").len(), 1);
    run(&workshop, &["--config", "table.toml", "--json", "--out", "often", "--test-every", "2"], &[]);
    let steps =
        |run: &str, key: &str| -> Vec<f64> { having(&workshop, run, key).iter().map(|record| number(record, "step")).collect() };
    let validated = steps("often", "validation_nll_nats");
    let tested = steps("often", "test_nll_nats");
    assert_eq!((validated.len(), tested.len(), tested[0]), (4, 2, validated[1]));
    assert!(workshop.read("often/config.toml").contains("test_every_epochs = 2"));
    // Looking changes nothing.
    assert_eq!(having(&workshop, "run", "validation_nll_nats"), having(&workshop, "often", "validation_nll_nats"));
}

#[test]
fn a_run_goes_on_from_any_checkpoint_with_the_same_choice() {
    let workshop = workshop(100);
    let settings = ["checkpoint.keep=99", "checkpoint.every_steps=1", "run.keep_best=99", "run.epochs=6"];
    train(&workshop, "whole", &settings);
    for step in [7, 12, 20] {
        train(&workshop, "part", &settings);
        run(&workshop, &["--resume", &format!("part/checkpoints/step{step:07}.safetensors"), "--json"], &[]);
        assert_eq!(workshop.read("part/metrics.jsonl"), workshop.read("whole/metrics.jsonl"), "from step {step}");
        let best = |run: &str| state(&workshop.path(run).join("best.safetensors")).description.step;
        assert_eq!(best("part"), best("whole"));
        std::fs::remove_dir_all(workshop.path("part")).expect("removed");
    }
    // From the best one, named as it is in the directory.
    train(&workshop, "part", &settings);
    run(&workshop, &["--resume", "part/best.safetensors", "--json"], &[]);
    assert_eq!(workshop.read("part/metrics.jsonl"), workshop.read("whole/metrics.jsonl"));
}

/// A checkpoint as an earlier version wrote it: with nothing about validation, or an average that warms up.
#[test]
fn runs_of_earlier_versions_go_on_as_they_were() {
    let workshop = workshop(100);
    train(&workshop, "run", &["data.validation_fraction=0.0", "run.epochs=2"]);
    for name in ["run/best.safetensors", "run/last.safetensors"] {
        std::fs::remove_file(workshop.path(name)).expect("removed");
    }
    let path = workshop.path("run/checkpoints/last.safetensors");
    let mut state = state(&path);
    state.description.config.data.validation_fraction = None;
    state.description.config.optim.ema_warmup = None;
    checkpoint::save(&path, Existing::Replace, &state).expect("written");
    workshop.write("run/config.toml", &state.description.config.to_toml().expect("TOML"));
    // The best one of an earlier version has its loss in its name.
    let (evaluated, said) = run(&workshop, &["evaluate", "run", "--json"], &[]);
    assert!(said.contains("run/checkpoints/best-step") && evaluated["split"] == "test", "{said}");
    for arguments in [
        &["--resume", "run", "--json"][..],
        // With a file that says nothing either.
        &["--resume", "run", "--config", "table.toml", "--json"],
    ] {
        let epochs = if arguments.contains(&"--config") { "run.epochs=4" } else { "run.epochs=3" };
        let (summary, said) = run(&workshop, arguments, &[epochs]);
        assert!(said.contains("the best checkpoint is chosen by the 10 test points"), "{said}");
        assert!(summary.get("best_validation_nll_nats").is_none() && number(&summary, "best_test_nll_nats").is_finite());
        assert!(having(&workshop, "run", "validation_nll_nats").is_empty());
        let config = workshop.read("run/config.toml");
        assert!(!config.contains("validation_fraction") && !config.contains("ema_warmup"), "{config}");
    }
    assert!(workshop.path("run/best.safetensors").exists() && workshop.path("run/last.safetensors").exists());
    let message = workshop.error(&["--resume", "run", "--set", "data.validation_fraction=0.1", "--set", "run.epochs=5"]);
    assert!(message.contains("was trained with other samples held out"), "{message}");
    let message = workshop.error_of_run(&["evaluate", "run", "--threshold-quantile", "0.1"]);
    assert!(message.contains("had no validation data"), "{message}");
}

#[test]
fn averages_warm_up_in_new_runs() {
    let workshop = workshop(100);
    let settings = ["optim.ema_decay=0.9999", "run.max_steps=20"];
    let distance = |run: &str| {
        let state = state(&workshop.path(run).join("last.safetensors"));
        let pairs = state.weights.iter().zip(&state.average).flat_map(|(a, b)| a.values.iter().zip(&b.values));
        pairs.map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max)
    };
    train(&workshop, "warm", &settings);
    assert!(workshop.read("warm/config.toml").contains("ema_warmup = true"));
    train(&workshop, "plain", &[&settings[..], &["optim.ema_warmup=false"]].concat());
    let (warm, plain) = (distance("warm"), distance("plain"));
    assert!(warm < 0.5 * plain, "the average is {warm} from the weights, without warm-up {plain}");
    // Both sets of weights can be used everywhere.
    for command in [
        &["evaluate", "warm", "--json"][..],
        &["check", "warm", "--n", "5", "--json"],
        &["density", "warm", "own.csv", "--json"],
        &["estimator", "warm", "--draws", "3", "--terms", "2", "--json"],
        &["sample", "warm", "--n", "4", "--out", "new.npy", "--force", "--json"],
        &["encode", "warm", "--input", "own.csv", "--output", "z.csv", "--force", "--json"],
    ] {
        let results = ["average", "raw", "ema"].map(|weights| {
            let mut result = workshop.json(&[command, &["--weights", weights]].concat());
            for key in ["seconds", "peak_memory_bytes", "exact_seconds", "measurements", "weights"] {
                result.as_object_mut().expect("an object").remove(key);
            }
            result
        });
        assert_eq!(results[0], results[2], "the old name");
        if !["sample", "encode"].contains(&command[0]) {
            assert_ne!(results[0], results[1], "{command:?}");
        }
    }
}

#[test]
fn images_are_held_out_by_fraction_or_have_a_split_of_their_own() {
    let workshop = Workshop::new();
    let shape = datasets::ImageShape { channels: 1, height: 8, width: 8 };
    let write = |split, count| {
        datasets::shards::synthetic::write_dataset(&workshop.path("images"), split, shape, 17, count, datasets::CodecKind::Raw)
            .expect("written");
    };
    write(datasets::Split::Train, 200);
    write(datasets::Split::Test, 30);
    let config = workshop.read("tiny.toml").replace("validation_fraction = 0\n", "");
    let digits = config.lines().find(|line| line.starts_with("path")).expect("a path").to_string();
    workshop.write("images.toml", &config.replace(&digits, "path = \"images\""));
    let start = ["--config", "images.toml", "--json", "--out"];
    let (summary, said) = run(&workshop, &[&start[..], &["held"]].concat(), &["run.max_steps=7"]);
    assert!(said.contains("20 validation images choose the best checkpoint"), "{said}");
    assert_eq!(having(&workshop, "held", "validation_bits_per_dim").len(), 1);
    // 180 images are six batches of 32.
    assert_eq!(number(&summary, "epochs"), 1.0);
    let evaluated = workshop.json(&["evaluate", "held", "--split", "validation", "--json", "--scores", "scores.csv"]);
    assert_eq!(number(&evaluated, "images"), 20.0);
    assert!((number(&evaluated, "bits_per_dim") - number(&summary, "validation_bits_per_dim")).abs() < 1e-9);
    let [_, held_out] = datasets::HeldOut { fraction: 0.1, most: 10_000, seed: 0 }.divide(200);
    let indices: Vec<usize> =
        workshop.read("scores.csv").lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    assert_eq!(indices, held_out, "the images' own indices");
    let message = workshop.error(&["--resume", "held", "--set", "data.split_seed=1", "--set", "run.max_steps=9"]);
    assert!(message.contains("other samples held out"), "{message}");
    let message = workshop.error_of_run(&["evaluate", "held", "--header", "true"]);
    assert!(message.contains("--header says how a table is read, but this is a model of images"), "{message}");

    write(datasets::Split::Validation, 40);
    let (summary, said) = run(&workshop, &[&start[..], &["own"]].concat(), &["run.max_steps=7"]);
    assert!(said.contains("40 validation images choose the best checkpoint"), "{said}");
    assert!(workshop.read("own/config.toml").contains("validation_split = true"));
    assert_eq!(number(&summary, "epochs"), 1.0, "all 200 images are for training: seven batches");
    assert_eq!(number(&workshop.json(&["evaluate", "own", "--split", "validation", "--json"]), "images"), 40.0);
}

#[test]
fn a_distribution_has_validation_points_of_its_own() {
    let workshop = Workshop::new();
    workshop.write("points.toml", &crate::common::POINTS.replace("validation_points = 0\n", ""));
    let (summary, said) = run(&workshop, &["--config", "points.toml", "--json", "--out", "run"], &[]);
    assert!(said.contains("50 validation points choose the best checkpoint"), "{said}");
    assert_ne!(summary["validation_nll_nats"], summary["test_nll_nats"], "other points");
    let validated = workshop.json(&["evaluate", "run", "--split", "validation", "--json"]);
    assert!((number(&validated, "nll_nats") - number(&summary, "best_validation_nll_nats")).abs() < 1e-9);
}

#[test]
fn noise_keeps_a_small_table_from_being_learned_by_heart() {
    let workshop = workshop(40);
    let settings = ["run.epochs=300", "run.evaluate_every_epochs=25", "optim.learning_rate=3e-2", "data.validation_fraction=0.7"];
    // How much worse than its best weights a run ends, over several runs: single ones differ by chance.
    let decline = |noise: &str| -> f64 {
        let of_seed = |seed: u64| {
            let (out, seed) = (format!("{noise}-{seed}"), format!("run.seed={seed}"));
            let model = ["model.blocks=[6]", "model.hidden_channels=32", noise, &seed];
            let (summary, _) = train(&workshop, &out, &[&settings[..], &model].concat());
            number(&summary, "validation_nll_nats") - number(&summary, "best_validation_nll_nats")
        };
        (5..8).map(of_seed).sum()
    };
    let (plain, smoothed) = (decline("data.noise=0.0"), decline("data.noise=1.0"));
    assert!(smoothed < 0.5 * plain, "{smoothed} with noise, {plain} without");
    let message = workshop.error(&["--config", "table.toml", "--out", "other", "--set", "data.noise=-1.0"]);
    assert!(message.contains("`data.noise` is -1.0"), "{message}");
}
