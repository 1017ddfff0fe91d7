//! Conditional densities from end to end: of tables by classes and by columns, of images by classes.

use crate::common::{Workshop, number};
use std::fmt::Write;

/// Two clusters with their numbers in a column, and a column that says where along the second axis a point is.
fn table() -> String {
    let mut text = String::from("x,y,cluster,height\n");
    for row in 0..400u32 {
        // Quasi-random numbers: equidistributed, and the same everywhere.
        let [a, b, c] = [0.7548776662f64, 0.5698402910, 0.4656].map(|step| (f64::from(row) * step).fract() - 0.5);
        let (cluster, height) = (row % 2, b * 4.0);
        let centre = if cluster == 0 { -2.0 } else { 2.0 };
        let _ = writeln!(text, "{:.5},{:.5},{cluster},{height:.5}", centre + a, height + 0.5 * c);
    }
    text
}

fn config(data: &str, context: &str) -> String {
    format!(
        r#"[data]
file = "table.csv"
{data}

[model]
blocks = [3]
hidden_channels = 16
kernels = [1, 1, 1]
dense_blocks = 0
logit_alpha = 0
preactivation = false

[model.context]
{context}

[model.base]
kind = "normal"

[log_det.eval]
method = "exact"

[optim]
learning_rate = 1e-2
warmup_steps = 10
batch_size = 64
clip_norm = 10
ema_decay = 0.95

[run]
seed = 3
epochs = 40
evaluate_every_epochs = 20
sample_every_epochs = 40
eval_batch_size = 1000
n_samples = 200
"#
    )
}

fn workshop() -> Workshop {
    let workshop = Workshop::new();
    workshop.write("table.csv", &table());
    workshop.write("none.toml", &config("columns = [\"x\", \"y\"]", "kind = \"none\""));
    let classes =
        config("exclude = [\"height\"]\ncontext_columns = [\"cluster\"]", "kind = \"classes\"\nclasses = 2\nfeatures = 4");
    workshop.write("classes.toml", &classes);
    let vectors = "kind = \"vectors\"\ncolumns = 2\nfeatures = 8";
    workshop.write("vectors.toml", &config("context_columns = [\"cluster\", \"height\"]", vectors));
    workshop
}

fn trained(workshop: &Workshop, name: &str) -> f64 {
    let summary = workshop.json(&["--config", &format!("{name}.toml"), "--json", "--out", name]);
    number(&summary, "test_nll_nats")
}

fn columns(text: &str) -> Vec<Vec<f64>> {
    let rows = text.lines().skip(1);
    rows.map(|row| row.split(',').map(|value| value.parse().expect("a number")).collect()).collect()
}

#[test]
fn a_table_s_columns_are_conditioned_on() {
    let workshop = workshop();
    let [none, classes, vectors] = ["none", "classes", "vectors"].map(|name| trained(&workshop, name));
    // The cluster tells ln 2 nats; the height nearly all about the second column.
    assert!(classes < none - 0.4 && vectors < classes - 0.5, "{none} {classes} {vectors}");

    let evaluated = workshop.json(&["evaluate", "classes", "--bayes", "--json"]);
    assert!((number(&evaluated, "nll_nats") - classes).abs() < 1e-9);
    assert!(number(&evaluated, "test_accuracy") > 0.95, "{evaluated}");
    for class in ["0", "1"] {
        let integral = workshop.json(&["density", "classes", "--integrate", "--class", class, "--json"]);
        assert!((number(&integral, "integral") - 1.0).abs() < 0.01, "{integral}");
        let out = format!("class{class}.csv");
        workshop.json(&["sample", "classes", "--n", "100", "--class", class, "--out", &out, "--json"]);
        let samples = columns(&workshop.read(&out));
        let right = samples.iter().filter(|row| (row[0] > 0.0) == (class == "1")).count();
        assert!(right > 90, "{right} of 100 samples of class {class}");
    }
    // One class after the other, where none is named.
    workshop.json(&["sample", "classes", "--n", "40", "--out", "all.csv", "--json"]);
    let right = columns(&workshop.read("all.csv")).iter().enumerate().filter(|(n, row)| (row[0] > 0.0) == (n % 2 == 1)).count();
    assert!(right > 36, "{right} of 40");
    assert!(workshop.path("classes/images/end.png").exists());
}

#[test]
fn the_parameters_that_are_announced_are_those_that_are_trained() {
    let workshop = workshop();
    for settings in [&[][..], &["--set", "log_det.train.distribution=fitted"]] {
        let arguments =
            [&["--config", "vectors.toml", "--json", "--out", "run", "--force", "--set", "run.max_steps=2"], settings];
        let output = workshop.run(&arguments.concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let (_, line) = said.split_once("model: ").expect("the plan");
        let (announced, _) = line.split_once(" parameters").expect("their number");
        let announced: f64 = announced.replace([',', ' '], "").parse().expect("a number");
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        assert_eq!(announced, number(&summary, "parameters"), "{said}");
    }
}

#[test]
fn commands_take_what_is_known_from_tables() {
    let workshop = workshop();
    trained(&workshop, "vectors");
    trained(&workshop, "classes");
    for name in ["vectors", "classes"] {
        // The table has the columns itself.
        let scored = workshop.json(&["log-prob", name, "--input", "table.csv", "--output", &format!("{name}.csv"), "--json"]);
        let evaluated = workshop.json(&["evaluate", name, "--data", "table.csv", "--json"]);
        assert!((number(&scored, "nll_nats") - number(&evaluated, "nll_nats")).abs() < 1e-4, "{scored} {evaluated}");
    }
    workshop.json(&["encode", "vectors", "--input", "table.csv", "--output", "z.npy", "--json"]);
    workshop.json(&["decode", "vectors", "--input", "z.npy", "--context", "table.csv", "--output", "back.csv", "--json"]);
    let (back, table) = (columns(&workshop.read("back.csv")), columns(&workshop.read("table.csv")));
    assert_eq!(back.len(), table.len());
    for (back, table) in back.iter().zip(&table) {
        assert!((back[0] - table[0]).abs() < 1e-2 && (back[1] - table[1]).abs() < 1e-2, "{back:?} {table:?}");
    }
    workshop.write("known.csv", "cluster,height\n1,1.5\n");
    workshop.json(&["sample", "vectors", "--n", "50", "--context", "known.csv", "--out", "given.csv", "--json"]);
    let near = columns(&workshop.read("given.csv")).iter().filter(|row| row[0] > 0.0 && (row[1] - 1.5).abs() < 1.0).count();
    assert!(near > 40, "{near} of 50");
    workshop.json(&["check", "vectors", "--n", "20", "--json"]);

    for (arguments, expected) in [
        (&["sample", "vectors", "--n", "5"][..], "--context"),
        (&["sample", "classes", "--class", "2"], "expected 0 to 1"),
        (&["sample", "vectors", "--class", "1"], "--class goes with models of classes"),
        (&["density", "classes", "--integrate"], "--class"),
        (&["evaluate", "vectors", "--bayes"], "--bayes"),
        (&["--config", "classes.toml", "--set", "data.context_columns=[]", "--set", "data.exclude=[]"], "data.context_columns"),
        (&["--config", "classes.toml", "--set", "model.context.classes=1"], "expected whole numbers from 0 to 0"),
        (&["--config", "vectors.toml", "--set", "model.context.columns=3"], "conditioned on 3"),
    ] {
        let message = workshop.error_of_run(arguments);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

#[test]
fn images_are_conditioned_on_their_classes() {
    let workshop = Workshop::new();
    let settings = ["model.context.kind=classes", "model.base.kind=normal"];
    workshop.train("run", &settings);
    let evaluated = workshop.json(&["evaluate", "run", "--bayes", "--json"]);
    // A few steps are enough to do better than chance.
    assert!(number(&evaluated, "test_accuracy") > 0.15, "{evaluated}");
    workshop.json(&["sample", "run", "--n", "10", "--out", "classes.png", "--json"]);
    workshop.json(&["sample", "run", "--n", "4", "--class", "7", "--out", "sevens.png", "--json"]);
    let message = workshop.error(&["--config", "tiny.toml", "--set", "model.context.kind=vectors"]);
    assert!(message.contains("conditioned on numbers"), "{message}");
    let message = workshop.error(&[
        "--config",
        "tiny.toml",
        "--set",
        "task.kind=hybrid",
        "--set",
        "model.classes=10",
        "--set",
        settings[0],
    ]);
    assert!(message.contains("model.context.kind"), "{message}");
}
