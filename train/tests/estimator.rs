//! The estimator study as a user runs it: what it finds out, and what it leaves behind.

use crate::common::{Workshop, number};
use serde_json::Value;

/// Few hidden channels and large weights in each block's last layer: Jacobians close to their bound.
const CONFIG: &str = r#"[data]
points = "checkerboard"
epoch_batches = 2
test_points = 100

[model]
blocks = [3]
hidden_channels = 4
kernels = [1, 1]
activation = "elu"
dense_blocks = 0
logit_alpha = 0
lipschitz_bound = 0.98
last_layer_scale = 50

[log_det.eval]
method = "exact"

[run]
epochs = 1
eval_batch_size = 100
"#;

const CHECKPOINT: &str = "run/checkpoints/last.safetensors";

fn workshop() -> Workshop {
    let workshop = Workshop::new();
    workshop.write("board.toml", CONFIG);
    workshop
}

/// The measurement of one estimator.
fn find<'a>(study: &'a Value, sum: &str, traces: &str, terms: u64) -> &'a Value {
    let measurements = study["measurements"].as_array().expect("a list");
    let found = measurements.iter().find(|m| m["sum"] == sum && m["traces"] == traces && m["terms"] == terms);
    found.unwrap_or_else(|| panic!("no {sum}, {traces}, {terms} in {study}"))
}

fn is_biased(measurement: &Value) -> bool {
    number(measurement, "bias").abs() > 4.0 * number(measurement, "standard_error") + 1e-5
}

/// With a trained model.
fn trained() -> Workshop {
    let workshop = workshop();
    workshop.json(&["--config", "board.toml", "--json", "--out", "run"]);
    workshop
}

/// The table and the numbers that the command leaves in files of this name; it prints the table.
fn studied(workshop: &Workshop, settings: &[&str], name: &str) -> (String, Value) {
    let printed = workshop.run(&[&["estimator", CHECKPOINT, "--out", "study"], settings].concat());
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let table = workshop.read(&format!("study/{name}.md"));
    assert_eq!(String::from_utf8_lossy(&printed.stdout), table);
    (table, workshop.read(&format!("study/{name}.json")).parse().expect("JSON"))
}

#[test]
fn roulettes_are_unbiased_and_truncation_is_not() {
    let workshop = trained();
    let (table, study) = studied(&workshop, &["--n", "20", "--draws", "300", "--terms", "2,6"], "estimator");
    let measurements = study["measurements"].as_array().expect("a list");
    assert_eq!((measurements.len(), number(&study, "samples"), number(&study, "draws")), (22, 20.0, 300.0));
    assert_eq!(table.lines().filter(|line| line.starts_with("| ")).count(), 2 + 22, "{table}");
    assert_eq!(table.matches("| biased |").count(), measurements.iter().filter(|m| is_biased(m)).count(), "{table}");
    for (name, label) in [("bias.svg", "bias of the log-determinant"), ("deviation.svg", "standard deviation")] {
        assert!(workshop.read(&format!("study/{name}")).contains(label));
    }

    for found in measurements.iter().filter(|m| m["sum"] != "truncated") {
        assert!(number(found, "standard_error") > 0.0 && !is_biased(found), "{found}");
    }
    // Without noise, what truncation leaves out is seen as it is; with noise, within its standard errors.
    let left_out = [2, 6].map(|terms| number(find(&study, "truncated", "exact", terms), "bias"));
    assert!(left_out[0].abs() > 0.01 && left_out[1].abs() < left_out[0].abs(), "{left_out:?}");
    let found = find(&study, "truncated", "rademacher", 2);
    assert!(is_biased(found), "{found}");
    assert!((number(found, "bias") - left_out[0]).abs() <= 4.0 * number(found, "standard_error"), "{found} {left_out:?}");

    let deviation = |traces| number(find(&study, "truncated", traces, 6), "deviation");
    let deviations = ["gaussian", "rademacher", "exact"].map(deviation);
    assert!(deviations[0] > deviations[1] && deviations[1] > 0.0 && deviations[2] < 1e-9, "{deviations:?}");
    // In two dimensions two products are enough, and a geometric roulette without exact terms needs one and a half.
    for (sum, passes) in [("truncated", 3.0), ("geometric", 2.5)] {
        assert!((number(find(&study, sum, "gaussian", 2), "passes") - passes).abs() < 1e-9);
    }
}

/// Rounding is seen apart from the estimator's noise, which is the same in all precisions.
#[test]
fn rounding_is_far_below_the_noise() {
    let workshop = trained();
    let (table, study) = studied(&workshop, &["--rounding", "--n", "20", "--draws", "200"], "rounding");
    let measurements = study["measurements"].as_array().expect("a list");
    assert_eq!(measurements.iter().map(|m| &m["precision"]).collect::<Vec<_>>(), ["f32", "bf16", "f16"]);
    for (found, line) in measurements.iter().zip(table.lines().skip(2)) {
        assert!(!is_biased(found) && line.starts_with(&format!("| {} |", found["precision"].as_str().unwrap_or(""))), "{line}");
    }
    let deviations: Vec<f64> = measurements.iter().map(|m| number(&m["rounding"], "deviation")).collect();
    let noise = number(&measurements[0], "deviation");
    // 24, 8 and 11 significant bits.
    assert!(deviations[0] == 0.0 && deviations[2] > 0.0, "{deviations:?}");
    assert!(deviations[1] > 3.0 * deviations[2] && deviations[1] < 0.02 * noise, "{deviations:?} {noise}");
    let message = workshop.error(&["estimator", CHECKPOINT, "--rounding", "--terms", "2"]);
    assert!(message.contains("--rounding"), "{message}");
}

#[test]
fn initial_weights_are_studied_and_mistakes_are_named() {
    let workshop = workshop();
    let arguments = ["estimator", "board.toml", "--n", "1", "--draws", "50", "--terms", "3", "--json"];
    let study = workshop.json(&[&arguments[..], &["--set", "model.blocks=[2]"]].concat());
    // Of a single sample, the deviation of an estimate is that of the mean over the samples.
    for found in study["measurements"].as_array().expect("a list") {
        let (error, deviation) = (number(found, "standard_error"), number(found, "deviation"));
        assert!((error * 50f64.sqrt() - deviation).abs() < 1e-9, "{found}");
    }

    for (arguments, expected) in [
        (&["board.toml", "--terms", "1,4"][..], "--terms is [1, 4]: expected numbers from 2 on"),
        (&["board.toml", "--terms", "4,2"], "rising"),
        (&["board.toml", "--draws", "1"], "expected at least 2"),
        (&["board.toml", "--set", "model.blocks=0"], "model.blocks"),
        (&["absent.safetensors"], "absent.safetensors"),
        (&["absent.safetensors", "--set", "model.blocks=[2]"], "--set goes with a configuration"),
    ] {
        let message = workshop.error(&[&["estimator"][..], arguments].concat());
        assert!(message.contains(expected), "{message}");
    }
}
