//! Tables of points from end to end: what a run is told is scored as it was told, column by column and to the last digit.

use crate::common::{Workshop, number};
use datasets::io::output::Existing;
use datasets::points::{FileKind, Points, Standardization, TableOptions};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use train::checkpoint;
use train::checkpoint::state::{RunLog, TrainingState};
use train::data::kind::{DataKind, PointKind};
use train::scoring::arrays::{self, Array};

const LAST: &str = "run/checkpoints/last.safetensors";

/// A tiny model of `own.csv`: a moment of training.
fn config(log_det: &str) -> String {
    format!(
        r#"[data]
file = "own.csv"
validation_fraction = 0

[model]
blocks = [2]
hidden_channels = 8
kernels = [1, 1, 1]
dense_blocks = 0
logit_alpha = 0

[log_det.eval]
{log_det}

[optim]
learning_rate = 1e-2
warmup_steps = 2
batch_size = 32
ema_decay = 0.5

[run]
seed = 5
epochs = 100
max_steps = 6
evaluate_every_epochs = 0
sample_every_epochs = 0
eval_batch_size = 4
n_samples = 10
tensorboard = false
"#
    )
}

/// With a table of these columns, whose values are made from standard normal ones.
fn workshop(names: &[&str], columns: &[fn(f64) -> f64], rows: usize) -> Workshop {
    let workshop = Workshop::new();
    workshop.write("table.toml", &config("method = \"exact\""));
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    write(&workshop.path("own.csv"), &random_table(names, columns, rows, &mut rng));
    workshop
}

fn random_table(names: &[&str], columns: &[fn(f64) -> f64], rows: usize, rng: &mut ChaCha8Rng) -> Points {
    let values = (0..rows).flat_map(|_| columns.iter().map(|column| column(normal(rng))).collect::<Vec<_>>()).collect();
    Points::new(columns.len(), values).named(names.iter().map(|name| name.to_string()).collect())
}

/// About normal.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

fn write(path: &Path, points: &Points) {
    points.write(path, FileKind::of(path).expect("a known kind"), Existing::Replace).expect("written");
}

fn train(workshop: &Workshop, settings: &[&str]) -> serde_json::Value {
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    workshop.json(&["--config", "table.toml", "--json", "--out", "run"].into_iter().chain(settings).collect::<Vec<_>>())
}

/// Some columns of the table.
fn chosen(workshop: &Workshop, names: &[&str]) -> Points {
    let columns = Some(names.iter().map(|name| name.to_string()).collect());
    let options = TableOptions { columns, ..TableOptions::default() };
    Points::read_with(&workshop.path("own.csv"), &options).expect("columns")
}

/// The log-densities that `density` prints.
fn densities(workshop: &Workshop, file: &str) -> Vec<f64> {
    let output = workshop.run(&["density", LAST, file]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().skip(1).map(|line| line.parse().expect("a number")).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[track_caller]
fn assert_close(got: &[f64], want: &[f64], tol: f64) {
    assert_eq!(got.len(), want.len());
    for (row, (got, want)) in got.iter().zip(want).enumerate() {
        assert!(got == want || (got - want).abs() < tol, "row {row}: {got} for {want}");
    }
}

/// A table whose columns have means and standard deviations of any size.
fn scaled_table(table: u64, rows: usize) -> Points {
    let (mut rng, d) = (ChaCha8Rng::seed_from_u64(table), 1 + table as usize % 8);
    let scales: Vec<[f64; 2]> = (0..d)
        .map(|_| {
            let scale = 10f64.powi(rng.random_range(-6..7));
            [scale * rng.random::<f64>(), scale * 100.0 * rng.random::<f64>()]
        })
        .collect();
    let values = (0..rows).flat_map(|_| scales.iter().map(|[std, mean]| mean + std * normal(&mut rng)).collect::<Vec<_>>());
    Points::new(d, values.collect()).named((0..d).map(|c| format!("column {c}")).collect())
}

/// With nothing but the file in the configuration; shorter than a run would be.
#[test]
fn ten_random_tables_end_at_validation_s_best_with_default_settings() {
    for table in 0..10 {
        let workshop = Workshop::new();
        write(&workshop.path("own.csv"), &scaled_table(table, 60 + 30 * table as usize));
        workshop.write("data.toml", "[data]\nfile = \"own.csv\"\n");
        let settings = ["run.max_steps=60", "run.evaluate_every_steps=6", "run.sample_every_steps=0", "run.tensorboard=false"];
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        let start = ["--config", "data.toml", "--json", "--out", "run"];
        let summary = workshop.json(&start.into_iter().chain(settings).collect::<Vec<_>>());
        let losses = |key: &str| -> Vec<f64> {
            let records = workshop.lines("run/metrics.jsonl");
            records.iter().filter_map(|record| record[key].as_f64()).collect()
        };
        let best = losses("validation_nll_nats").into_iter().fold(f64::INFINITY, f64::min);
        assert_eq!(number(&summary, "best_validation_nll_nats"), best, "table {table}");
        assert!(losses("validation_nll_nats").len() > 5, "table {table}");
        // The test loss is that of these weights, which every command takes by itself.
        let evaluated = |split| workshop.json(&["evaluate", "run", "--split", split, "--json"]);
        assert!((number(&evaluated("validation"), "nll_nats") - best).abs() < 1e-9, "table {table}");
        assert!((number(&evaluated("test"), "nll_nats") - number(&summary, "test_nll_nats")).abs() < 1e-9, "table {table}");
    }
}

#[test]
fn twelve_random_tables_are_trained_evaluated_resumed_scored_and_sampled() {
    for table in 0..12 {
        let workshop = Workshop::new();
        // Exact log-determinants, and estimated ones.
        workshop.write("table.toml", &config(if table % 3 == 0 { "n_exact_terms = 5" } else { "method = \"exact\"" }));
        let points = scaled_table(table, 80);
        write(&workshop.path("own.csv"), &points);

        let summary = train(&workshop, &[]);
        let nll = number(&summary, "test_nll_nats");
        let evaluated = workshop.json(&["evaluate", LAST, "--json"]);
        assert!((number(&evaluated, "nll_nats") - nll).abs() < 1e-9, "table {table}: {evaluated} {nll}");
        let read = Points::read(&workshop.path("own.csv")).expect("points");
        assert_eq!(read.values(), points.values(), "table {table}");

        // The run's own test points, by every way of scoring them.
        let test = points.divide(Some(0.1), None, 0).expect("a division").test.expect("test points");
        write(&workshop.path("test.csv"), &test);
        let scored = densities(&workshop, "test.csv");
        assert!((mean(&scored) + nll).abs() < 1e-5, "table {table}: {} {nll}", mean(&scored));
        let other = workshop.json(&["evaluate", LAST, "--data", "test.csv", "--json"]);
        assert!((number(&other, "nll_nats") - nll).abs() < 1e-5, "table {table}: {other}");
        write(&workshop.path("test.npy"), &test);
        let log_prob = ["log-prob", LAST, "--input", "test.npy", "--output", "lp.npy", "--json"];
        let log_prob = workshop.json(&log_prob);
        assert!((number(&log_prob, "nll_nats") - nll).abs() < 1e-5, "table {table}: {log_prob}");
        assert_close(&arrays::read::<f64>(&workshop.path("lp.npy")).expect("an array").values, &scored, 1e-5);
        assert_eq!(densities(&workshop, "own.csv").len(), 80);

        let sampled = workshop.json(&["sample", LAST, "--n", "7", "--out", "new.csv", "--json"]);
        assert_eq!(number(&sampled, "points"), 7.0);
        assert_eq!(workshop.read("new.csv").lines().next(), workshop.read("own.csv").lines().next());
        assert_eq!(densities(&workshop, "new.csv").len(), 7);
        let resumed = workshop.json(&["--resume", "run", "--set", "run.max_steps=8", "--json"]);
        assert_eq!(number(&resumed, "steps"), 8.0, "table {table}");
    }
}

#[test]
fn a_checkpoint_whose_standardisation_lost_its_last_bit_is_used() {
    let workshop = workshop(&["a", "b"], &[|x| 3.0 + 0.1 * x, |x| 1e9 * x], 60);
    train(&workshop, &[]);
    let change = |by: fn(f64) -> f64| {
        let mut state = checkpoint::read(&workshop.path(LAST)).expect("a checkpoint");
        let DataKind::Points(kind) = &mut state.description.kind else { panic!("points") };
        kind.standardization.std.iter_mut().chain(&mut kind.standardization.mean).for_each(|x| *x = by(*x));
        checkpoint::save(&workshop.path(LAST), Existing::Replace, &state).expect("written");
        kind_of(&workshop)
    };
    let changed = change(f64::next_up);
    workshop.json(&["evaluate", LAST, "--json"]);
    workshop.json(&["--resume", "run", "--set", "run.max_steps=7", "--json"]);
    assert_eq!(kind_of(&workshop).standardization, changed.standardization, "the stored one is kept");
    change(|x| x * (1.0 + 1e-12));
    for arguments in [&["evaluate", LAST][..], &["--resume", "run", "--set", "run.max_steps=9"]] {
        let message = workshop.error(arguments);
        assert!(message.contains("own.csv") && message.contains("use the same data set"), "{message}");
    }
}

fn kind_of(workshop: &Workshop) -> PointKind {
    let state = checkpoint::read(&workshop.path(LAST)).expect("a checkpoint");
    if let DataKind::Points(kind) = state.description.kind { kind } else { panic!("points") }
}

#[test]
fn large_offsets_keep_their_digits() {
    let workshop = workshop(&["time", "value"], &[|x| 1.7e9 + 100.0 * x, |x| -4e12 + 0.5 * x], 100);
    train(&workshop, &[]);
    let points = Points::read(&workshop.path("own.csv")).expect("points");
    write(&workshop.path("x.npy"), &points);
    workshop.json(&["log-prob", LAST, "--input", "x.npy", "--output", "lp.npy", "--exact", "--json"]);
    workshop.json(&["log-prob", LAST, "--input", "own.csv", "--output", "lp.csv", "--exact", "--json"]);
    let scored = densities(&workshop, "own.csv");
    assert_close(&arrays::read::<f64>(&workshop.path("lp.npy")).expect("an array").values, &scored, 1e-5);
    assert_close(Points::read(&workshop.path("lp.csv")).expect("a table").values(), &scored, 1e-5);
    for (latents, decoded) in [("z.npy", "y.npy"), ("z.csv", "y.csv")] {
        workshop.json(&["encode", LAST, "--input", "x.npy", "--output", latents, "--json"]);
        workshop.json(&["decode", LAST, "--input", latents, "--output", decoded, "--json"]);
        let decoded = Points::read(&workshop.path(decoded)).expect("points");
        for (row, want) in decoded.rows().zip(points.rows()) {
            // What is left is the inverse's tolerance, and the digits of 4e12 in double precision.
            assert!((row[0] - want[0]).abs() < 0.02 && (row[1] - want[1]).abs() < 2e-3, "{row:?} {want:?}");
        }
    }
    let names: Vec<String> = workshop.read("y.csv").lines().take(1).map(String::from).collect();
    assert_eq!(names, ["time,value"]);
}

#[test]
fn log_determinants_are_those_of_the_table_s_units() {
    let workshop = workshop(&["a", "b", "c"], &[|x| 1e-3 * x, |x| 1e5 * x + 7.0, |x| x], 60);
    train(&workshop, &[]);
    write(&workshop.path("x.npy"), &Points::read(&workshop.path("own.csv")).expect("points"));
    let arguments = ["log-prob", LAST, "--input", "x.npy", "--output", "lp.npy", "--log-det", "ld.npy", "--exact", "--json"];
    let summary = workshop.json(&arguments);
    let [log_prob, log_pz, log_det] = ["log_prob", "log_pz", "log_det"].map(|key| number(&summary, key));
    assert!((log_prob - log_pz - log_det).abs() < 1e-9, "{summary}");
    workshop.json(&["encode", LAST, "--input", "x.npy", "--output", "z.npy", "--json"]);
    let [lp, ld] = ["lp.npy", "ld.npy"].map(|name| arrays::read::<f64>(&workshop.path(name)).expect("an array").values);
    let z = arrays::read::<f64>(&workshop.path("z.npy")).expect("an array").values;
    let log_pz = |z: &[f64]| -0.5 * z.iter().map(|z| z * z + std::f64::consts::TAU.ln()).sum::<f64>();
    let sums: Vec<f64> = z.chunks_exact(3).zip(&ld).map(|(z, ld)| log_pz(z) + ld).collect();
    assert_close(&lp, &sums, 1e-4);
    // Of a flow near the identity the log-determinant is about that of the standardisation, 3 ln 10 - 5 ln 10.
    assert!((mean(&ld) + 2.0 * 10f64.ln()).abs() < 1.5, "{}", mean(&ld));
}

#[test]
fn columns_are_matched_by_name() {
    let workshop = workshop(&["height", "weight", "age"], &[|x| 180.0 + x, |x| 1e-3 * x, |x| 40.0 + 9.0 * x], 60);
    train(&workshop, &[]);
    let own = densities(&workshop, "own.csv");
    let points = Points::read(&workshop.path("own.csv")).expect("points");
    let select = |names: &[&str]| chosen(&workshop, names);
    write(&workshop.path("reordered.csv"), &select(&["age", "height", "weight"]));
    assert_close(&densities(&workshop, "reordered.csv"), &own, 1e-9);
    let nll = |file| number(&workshop.json(&["evaluate", LAST, "--data", file, "--json"]), "nll_nats");
    assert!((nll("reordered.csv") - nll("own.csv")).abs() < 1e-9);

    let two = select(&["age", "height"]);
    let renamed = two.clone().named(vec!["age".into(), "size".into()]);
    write(&workshop.path("renamed.csv"), &renamed);
    for arguments in [&["density", LAST, "renamed.csv"][..], &["evaluate", LAST, "--data", "renamed.csv"]] {
        let message = workshop.error(arguments);
        assert!(message.contains("missing: `height`, `weight`") && message.contains("not expected: `size`"), "{message}");
    }
    // Without names there are only places.
    write(&workshop.path("places.npy"), &points);
    let by_place = workshop.json(&["density", LAST, "places.npy", "--json"]);
    assert!((number(&by_place, "mean_log_density") - mean(&own)).abs() < 1e-9);
    assert!(workshop.read("own.csv").starts_with("height,weight,age\n"));
    workshop.json(&["sample", LAST, "--n", "3", "--out", "new.csv", "--json"]);
    assert!(workshop.read("new.csv").starts_with("height,weight,age\n"));

    // A checkpoint of an earlier version has no names.
    let mut state = checkpoint::read(&workshop.path(LAST)).expect("a checkpoint");
    let DataKind::Points(kind) = &mut state.description.kind else { panic!("points") };
    kind.columns = None;
    checkpoint::save(&workshop.path(LAST), Existing::Replace, &state).expect("written");
    let output = workshop.run(&["density", LAST, "own.csv"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("taken by place"), "{said}");
    workshop.json(&["--resume", "run", "--set", "run.max_steps=7", "--json"]);
    assert_eq!(kind_of(&workshop).columns, Some(points.names().to_vec()), "they are stored from now on");
}

#[test]
fn columns_that_training_left_out_are_left_out_again() {
    let workshop = workshop(&["id", "a", "b"], &[|x| 1e3 * x, |x| x, |x| 2.0 + x], 60);
    train(&workshop, &["data.exclude=[\"id\"]"]);
    let own = densities(&workshop, "own.csv");
    write(&workshop.path("chosen.csv"), &chosen(&workshop, &["b", "a"]));
    assert_close(&densities(&workshop, "chosen.csv"), &own, 1e-9);
    workshop.json(&["evaluate", LAST, "--json"]);
    assert_eq!(kind_of(&workshop).columns, Some(vec!["a".into(), "b".into()]));
}

#[test]
fn names_that_are_numbers_are_those_of_the_model() {
    let workshop = workshop(&["0.5", "1.5"], &[|x| x, |x| 5.0 + 2.0 * x], 60);
    train(&workshop, &["data.header=true"]);
    let own = densities(&workshop, "own.csv");
    assert_eq!(own.len(), 60);
    // Another file, in which the names would be a point.
    std::fs::copy(workshop.path("own.csv"), workshop.path("other.csv")).expect("copied");
    assert_eq!(densities(&workshop, "other.csv"), own);
    write(&workshop.path("reordered.csv"), &chosen_of(&workshop, &["1.5", "0.5"]));
    assert_eq!(densities(&workshop, "reordered.csv"), own);
    workshop.json(&["log-prob", LAST, "--input", "other.csv", "--output", "lp.npy", "--json"]);
    assert_close(&arrays_of(&workshop, "lp.npy"), &own, 1e-5);
    let evaluated = workshop.json(&["evaluate", LAST, "--data", "other.csv", "--json"]);
    assert!((number(&evaluated, "nll_nats") + mean(&own)).abs() < 1e-5);
    workshop.json(&["sample", LAST, "--n", "3", "--out", "new.csv", "--json"]);
    assert_eq!(densities(&workshop, "new.csv").len(), 3);
}

fn chosen_of(workshop: &Workshop, names: &[&str]) -> Points {
    let options = TableOptions {
        header: Some(true),
        columns: Some(names.iter().map(|name| name.to_string()).collect()),
        ..TableOptions::default()
    };
    Points::read_with(&workshop.path("own.csv"), &options).expect("the columns")
}

#[test]
fn what_commands_advise_they_accept() {
    let workshop = workshop(&["a", "b"], &[|x| x, |x| 5.0 + 2.0 * x], 60);
    train(&workshop, &[]);
    workshop.write("near.csv", "a,b\n0.5,4.25\n-1.5,6.5\n");
    let near = densities(&workshop, "near.csv");
    for (table, advice, arguments) in [
        ("a,b\n0.5,4.25\n-1.5,6.5\nNA,1.5\n", "--missing drop", &["--missing", "drop"][..]),
        ("a,b,who\n0.5,4.25,me\n-1.5,6.5,you\n", "--exclude \"who\"", &["--exclude", "who"]),
        (",a,b\n0,0.5,4.25\n1,-1.5,6.5\n", "--exclude \"\"", &["--exclude", ""]),
        ("# of today\na,b\n0.5,4.25\n-1.5,6.5\n", "--comment \"#\"", &["--comment", "#"]),
        ("% of today\na,b\n0.5,4.25\n-1.5,6.5\n", "--comment \"%\"", &["--comment", "%"]),
        ("a,b\n0.5,4.25\n-1.5,6.5\n; the end\n", "--comment \";\"", &["--comment", ";"]),
    ] {
        workshop.write("odd.csv", table);
        for command in [&["density", LAST, "odd.csv"][..], &["evaluate", LAST, "--data", "odd.csv"]] {
            let message = workshop.error_of_run(command);
            assert!(message.contains(advice) && !message.contains("data."), "{message}");
            let output = workshop.run(&[command, arguments].concat());
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        workshop.json(&[&["density", LAST, "odd.csv", "--out", "odd.npy", "--force", "--json"], arguments].concat());
        assert_close(&arrays_of(&workshop, "odd.npy"), &near, 1e-9);
    }
}

#[test]
fn a_far_point_spoils_no_other() {
    let workshop = workshop(&["a", "b"], &[|x| x, |x| 5.0 + 2.0 * x], 60);
    train(&workshop, &[]);
    workshop.write("near.csv", "a,b\n0.5,4\n-1,6\n");
    workshop.write("mix.csv", "a,b\n0.5,4\n1e25,5\n1e300,5\n-1,6\n");
    let near = densities(&workshop, "near.csv");
    let output = workshop.run(&["density", LAST, "mix.csv", "--out", "mix.npy"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("warning: mix.csv: 1 of 4 points"), "{said}");
    let bytes = |name| arrays_of(&workshop, name);
    let mix = bytes("mix.npy");
    assert_close(&[mix[0], mix[3]], &near, 1e-5);
    // The flow stretches lengths by less than 2 a block, and by more than 0.02; ActNorm by about 1.
    assert!((-1e53..-1e44).contains(&mix[1]) && mix[2] == f64::NEG_INFINITY, "{mix:?}");
    workshop.write("mix.csv", "a,b\n0.5,4\n1e25,5\n1e300,5\n-1,6\n");
    workshop.json(&["log-prob", LAST, "--input", "mix.csv", "--output", "lp.npy", "--json"]);
    assert_close(&bytes("lp.npy"), &mix, 1e-5);
    let message = workshop.error_of_run(&["evaluate", LAST, "--data", "mix.csv"]);
    assert!(message.contains("1 of 4 points") && message.contains("numbers 2 "), "{message}");
    workshop.write("far.csv", "a,b\n0.5,4\n1e15,5\n");
    assert!(number(&workshop.json(&["evaluate", LAST, "--data", "far.csv", "--json"]), "nll_nats") > 1e24);
}

/// Numbers, infinite ones too.
fn arrays_of(workshop: &Workshop, name: &str) -> Vec<f64> {
    use ndarray_npy::ReadNpyExt;
    let file = std::fs::File::open(workshop.path(name)).expect("a file");
    ndarray::ArrayD::<f64>::read_npy(file).expect("an array of doubles").into_iter().collect()
}

#[test]
fn a_table_that_cannot_be_standardised_is_refused_before_training() {
    let workshop = workshop(&["a", "b"], &[|x| x, |x| x], 60);
    let text = workshop.read("own.csv");
    workshop.write("own.csv", &(text.clone() + &"1e300,0\n".repeat(20)));
    let message = workshop.error(&["--config", "table.toml", "--out", "run"]);
    assert!(message.contains("column 1") && message.contains("no variance"), "{message}");
    // A test point beyond single precision.
    workshop.write("own.csv", &text);
    workshop.write("far.csv", "a,b\n0,0\n1e300,0\n");
    let message = workshop.error(&["--config", "table.toml", "--out", "run", "--set", "data.test_file=far.csv"]);
    assert!(message.contains("far.csv") && message.contains("1 of 2 points") && message.contains("rows 1 "), "{message}");
    assert!(!workshop.path("run").exists());
}

#[test]
fn fixed_splits_are_whole_files() {
    let workshop = workshop(&["a", "b"], &[|x| x, |x| 3.0 * x], 50);
    let test = random_table(&["b", "a"], &[|x| 3.0 * x, |x| x], 17, &mut ChaCha8Rng::seed_from_u64(1));
    write(&workshop.path("test.csv"), &test);
    let summary = train(&workshop, &["data.test_file=test.csv", "optim.batch_size=50", "run.max_steps=3"]);
    assert_eq!(number(&summary, "epochs"), 3.0, "all points of the file are for training");
    let evaluated = workshop.json(&["evaluate", LAST, "--json"]);
    assert_eq!((number(&evaluated, "points"), &evaluated["nll_nats"]), (17.0, &summary["test_nll_nats"]));
    assert!((mean(&densities(&workshop, "test.csv")) + number(&evaluated, "nll_nats")).abs() < 1e-5);
    let whole = workshop.json(&["evaluate", LAST, "--data", "own.csv", "--json"]);
    assert_eq!(number(&whole, "points"), 50.0);
    for setting in ["data.test_fraction=0.2", "data.split_seed=3"] {
        let message =
            workshop.error(&["--config", "table.toml", "--out", "other", "--set", "data.test_file=test.csv", "--set", setting]);
        assert!(message.contains("does not go with `test_file`"), "{message}");
    }
    write(&workshop.path("test.csv"), &test.named(vec!["b".into(), "c".into()]));
    let message = workshop.error(&["--config", "table.toml", "--out", "other", "--set", "data.test_file=test.csv"]);
    assert!(message.contains("missing: `a`") && message.contains("`c`"), "{message}");
    workshop.write("test.csv", "a,b\n0.5,1e300\n");
    let message = workshop.error(&["--config", "table.toml", "--out", "other", "--set", "data.test_file=test.csv"]);
    assert!(message.contains("--set data.test_file=test.csv: test.csv: 1 of 1 "), "{message}");
}

#[test]
fn the_run_says_what_it_read_and_dequantises() {
    let workshop = workshop(&["count", "size"], &[|x| 10.0 * x.round(), |x| x], 200);
    let started = |settings: &[&str], out: &str| {
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        let output = workshop.run(&["--config", "table.toml", "--out", out].into_iter().chain(settings).collect::<Vec<_>>());
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.success(), "{said}");
        said
    };
    let said = started(&[], "plain");
    for part in ["200 points", "count, size", "180 points for training, 20 for testing"] {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
    assert_eq!(said.matches("data.dequantize").count(), 1, "{said}");
    let said = started(&["data.dequantize=true"], "run");
    assert!(said.contains("`count` (10 wide)") && !said.contains("data.dequantize"), "{said}");
    assert_eq!(kind_of(&workshop).noise, [10.0, 0.0]);
    let evaluated = workshop.json(&["evaluate", LAST, "--json"]);
    assert_eq!(evaluated["nll_nats"], workshop.json(&["evaluate", LAST, "--json"])["nll_nats"]);
    let said = String::from_utf8(workshop.run(&["density", LAST, "own.csv"]).stderr).expect("text");
    assert!(said.contains("noise") && said.contains("(`count`); here they are taken without"), "{said}");
    let message = {
        workshop.write("own.csv", &workshop.read("own.csv").replace("\n", "5e-1\n").replace("size5e-1", "size"));
        workshop.error(&[
            "--config",
            "table.toml",
            "--out",
            "other",
            "--set",
            "data.columns=[\"size\"]",
            "--set",
            "data.dequantize=true",
        ])
    };
    assert!(message.contains("no column of own.csv holds only whole numbers"), "{message}");
}

#[test]
fn scales_that_samples_have_no_room_for_are_refused() {
    let workshop = Workshop::new();
    let message = workshop.error(&["--config", "tiny.toml", "--out", "run", "--set", "model.blocks=[4,4,4,4]"]);
    assert!(
        message.contains("model.blocks") && message.contains("2 scales at most") && !workshop.path("run").exists(),
        "{message}"
    );
    let workshop = self::workshop(&["a"], &[|x| x], 50);
    let message = workshop.error(&["--config", "table.toml", "--out", "run", "--set", "model.blocks=[1,1]"]);
    assert!(message.contains("1 scale"), "{message}");
}

#[test]
fn labels_of_every_integer_type_are_read() {
    let workshop = Workshop::new();
    let settings = ["task.kind=hybrid", "model.classes=10", "run.max_steps=2"];
    workshop.train("run", &settings);
    let images = Array { shape: vec![3, 1, 8, 8], values: vec![0.3f32; 3 * 64] };
    arrays::write(&workshop.path("x.npy"), Existing::Keep, images).expect("written");
    let labels = ndarray::arr1(&[3u32, 0, 9]);
    ndarray_npy::write_npy(workshop.path("y.npy"), &labels).expect("written");
    let scored = workshop.json(&["log-prob", LAST, "--input", "x.npy", "--output", "lp.npy", "--labels", "y.npy", "--json"]);
    assert!(number(&scored, "accuracy") <= 1.0);
}

/// A number of any finite bits.
fn finite() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |x| x.is_finite())
}

fn positive() -> impl Strategy<Value = f64> {
    finite().prop_map(f64::abs).prop_filter("positive", |x| *x > 0.0)
}

/// A learning rate: any digits, between 2^-90 and 2^90.
fn rate() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(|bits| f64::from_bits(bits >> 12 | (1023 - 90 + bits % 180) << 52))
}

fn state() -> &'static TrainingState {
    static STATE: std::sync::OnceLock<TrainingState> = std::sync::OnceLock::new();
    STATE.get_or_init(|| {
        let workshop = workshop(&["a", "b"], &[|x| x, |x| x], 50);
        train(&workshop, &["run.max_steps=1"]);
        checkpoint::read(&workshop.path(LAST)).expect("a checkpoint")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_number_survives_a_checkpoint(
        mean in [finite(), finite()],
        std in [positive(), positive()],
        noise in [positive(), positive()],
        of_log in [finite(), finite(), finite()],
        rate in rate(),
        names in [".*", ".*"],
    ) {
        let mut state = state().clone();
        state.description.config.optim.learning_rate = rate;
        let standardization = Standardization { mean: mean.to_vec(), std: std.to_vec() };
        let kind = PointKind { standardization, columns: Some(names.to_vec()), noise: noise.to_vec() };
        state.description.kind = DataKind::Points(kind);
        let [training_seconds, running_loss, log_gradient_norm] = of_log;
        let mut log = RunLog { training_seconds, running_loss: Some(running_loss), ..state.log.clone() };
        log.watch.log_gradient_norm = log_gradient_norm;
        state.log = log;
        let mut bytes = Vec::new();
        checkpoint::format::write(&state, &mut bytes).expect("written");
        let read = checkpoint::format::read(bytes).expect("its own bytes");
        prop_assert!(read == state);
        let bits = |state: &TrainingState| [state.log.training_seconds, state.description.config.optim.learning_rate].map(f64::to_bits);
        prop_assert_eq!(bits(&read), bits(&state));
    }

    #[test]
    fn every_number_survives_json_and_toml(x in finite()) {
        let text = serde_json::to_string(&x).expect("a number");
        prop_assert_eq!(serde_json::from_str::<f64>(&text).expect("a number").to_bits(), x.to_bits());
        let value: serde_json::Value = serde_json::from_str(&text).expect("a number");
        prop_assert_eq!(value.as_f64().expect("a number").to_bits(), x.to_bits());
        let table = toml::Table::from_iter([("x".to_string(), toml::Value::Float(x))]);
        let read: toml::Table = toml::to_string(&table).expect("a table").parse().expect("a table");
        prop_assert_eq!(read["x"].as_float().expect("a number").to_bits(), x.to_bits());
    }
}
