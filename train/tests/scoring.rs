//! All ways of scoring samples agree, whatever the model; and scores of single samples say which ones they are of.

use crate::common::{Workshop, number};
use datasets::io::output::Existing;
use datasets::{BatchConfig, BatchSource, Batcher, ImageDataset, Split};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use train::checkpoint;
use train::scoring::arrays::{self, Array};

/// A line of a file of scores, by the names of its columns.
fn scores(workshop: &Workshop, name: &str) -> Vec<Vec<(String, f64)>> {
    let text = workshop.read(name);
    let mut lines = text.lines();
    let names: Vec<String> = lines.next().expect("names").split(',').map(String::from).collect();
    let line = |line: &str| names.iter().cloned().zip(line.split(',').map(|field| field.parse().expect("a number"))).collect();
    lines.map(line).collect()
}

fn column(scores: &[Vec<(String, f64)>], name: &str) -> Vec<f64> {
    let value = |line: &Vec<(String, f64)>| line.iter().find(|(of, _)| of == name).map(|(_, value)| *value);
    scores.iter().map(|line| value(line).unwrap_or_else(|| panic!("no column {name}"))).collect()
}

#[track_caller]
fn assert_agree(got: &[f64], want: &[f64], dimensions: usize, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (row, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() < 1e-5 * dimensions as f64, "{what}, row {row}: {got} for {want}");
    }
}

/// The test images as the run evaluates them: dequantised with its noise.
fn dequantised(data: &Path, seed: u64) -> Array {
    let images = Arc::new(ImageDataset::open(data, Split::Test).expect("images"));
    let config = BatchConfig { batch_size: 128, seed, drop_last: false, ..BatchConfig::default() };
    let batcher = Batcher::new(images, config).expect("batches");
    let batches = (0..batcher.eval_batches()).map(|index| batcher.eval_batch(index).expect("a batch"));
    let (mut values, mut n) = (Vec::new(), 0);
    for batch in batches {
        n += batch.shape[0];
        values.extend(batch.pixels);
    }
    let [channels, height, width] = batcher.sample_shape();
    Array { shape: vec![n, channels, height, width], values }
}

/// `evaluate`, `log-prob` and, of points, `density` score the same samples.
fn commands_agree(workshop: &Workshop, run: &str, input: &str, dimensions: usize) -> Vec<f64> {
    let summary: serde_json::Value = serde_json::from_str(&workshop.read(&format!("{run}/summary.json"))).expect("JSON");
    for weights in ["average", "raw"] {
        let checkpoint = format!("{run}/last.safetensors");
        let csv = format!("{run}-{weights}.csv");
        let with = ["--weights", weights, "--json"];
        let is_table = input.ends_with(".csv");
        let data: &[&str] = if is_table { &["--data", input] } else { &[] };
        let evaluated = workshop.json(&[&["evaluate", &checkpoint, "--scores", &csv][..], data, &with].concat());
        let one = column(&scores(workshop, &csv), "log_density");
        let output = format!("{run}-{weights}.npy");
        let log_prob = workshop.json(&[&["log-prob", &checkpoint, "--input", input, "--output", &output][..], &with].concat());
        let written = workshop.path(&output);
        let two = arrays::read::<f64>(&written).expect("an array").values;
        assert_agree(&two, &one, dimensions, &format!("log-prob of {run}, {weights}"));
        let key = if is_table { "nll_nats" } else { "bits_per_dim" };
        assert!((number(&evaluated, key) - number(&log_prob, key)).abs() < 1e-5 * if is_table { dimensions as f64 } else { 1.5 });
        if is_table {
            let out = format!("{run}-{weights}-density.csv");
            workshop.json(&[&["density", &checkpoint, input, "--out", &out][..], &with].concat());
            let three = column(&scores(workshop, &out), "log_density");
            assert_agree(&three, &one, dimensions, &format!("density of {run}, {weights}"));
        } else if weights == "average" {
            assert!(
                (number(&evaluated, "bits_per_dim") - number(&summary, "test_bits_per_dim")).abs() < 1e-9,
                "the run's own number"
            );
        }
    }
    column(&scores(workshop, &format!("{run}-average.csv")), "log_density")
}

fn digits() -> PathBuf {
    crate::common::repository().join("data/digits")
}

#[test]
fn all_commands_give_the_same_densities() {
    let workshop = Workshop::new();
    arrays::write(&workshop.path("digits.npy"), Existing::Replace, dequantised(&digits(), 3)).expect("written");
    // Points of a table, with a logarithm of the determinant that is estimated.
    let row = |i: usize| format!("{},{}\n", (i as f64 * 0.7).cos(), 1e3 * (i as f64 * 0.3).sin());
    workshop.write("own.csv", &("a,b\n".to_string() + &(0..120).map(row).collect::<String>()));
    let points = crate::common::POINTS
        .replace("points = \"moons\"\nepoch_batches = 4\ntest_points = 50\nvalidation_points = 0\n", "file = \"own.csv\"\n");
    workshop.write("points.toml", &points);
    workshop.json(&["--config", "points.toml", "--json", "--out", "points", "--set", "run.epochs=3"]);
    commands_agree(&workshop, "points", "own.csv", 2);
    // Images, those with classes, and affine couplings.
    let of_digits = ["run.max_steps=12"];
    workshop.train("digits", &of_digits);
    commands_agree(&workshop, "digits", "digits.npy", 64);
    workshop.train("hybrid", &[&of_digits[..], &["task.kind=hybrid", "model.classes=10"]].concat());
    commands_agree(&workshop, "hybrid", "digits.npy", 64);
    workshop.train("coupling", &[&of_digits[..], &["model.block=coupling"]].concat());
    commands_agree(&workshop, "coupling", "digits.npy", 64);
    // Colour images, evaluated in batches that do not divide their number.
    let shape = datasets::ImageShape { channels: 3, height: 8, width: 8 };
    for (split, count) in [(Split::Train, 96), (Split::Test, 37)] {
        datasets::shards::synthetic::write_dataset(&workshop.path("rgb"), split, shape, 256, count, datasets::CodecKind::Raw)
            .expect("written");
    }
    let settings = ["data.path=rgb", "data.shape=[3, 8, 8]", "run.max_steps=3", "run.eval_batch_size=16"];
    workshop.train("rgb-run", &settings);
    let dequantised = {
        let images = Arc::new(ImageDataset::open(&workshop.path("rgb"), Split::Test).expect("images"));
        let config = BatchConfig { batch_size: 37, seed: 3, drop_last: false, ..BatchConfig::default() };
        let batch = Batcher::new(images, config).expect("batches").eval_batch(0).expect("a batch");
        Array { shape: batch.shape.to_vec(), values: batch.pixels }
    };
    arrays::write(&workshop.path("rgb.npy"), Existing::Replace, dequantised).expect("written");
    commands_agree(&workshop, "rgb-run", "rgb.npy", 192);
}

#[test]
fn a_checkpoint_of_somebody_else_has_one_density_too() {
    let workshop = Workshop::new();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/research/rgb_swish");
    let state = checkpoint::read_either(&fixture.join("checkpoint.pth"), &burn::tensor::Device::flex()).expect("a checkpoint");
    let [channels, height, width] = state.description.shape;
    let shape = datasets::ImageShape { channels, height, width };
    let data = workshop.path("images");
    datasets::shards::synthetic::write_dataset(&data, Split::Test, shape, 256, 5, datasets::CodecKind::Raw).expect("written");
    let images = Arc::new(ImageDataset::open(&data, Split::Test).expect("images"));
    let seed = state.description.config.run.seed;
    let config = BatchConfig { batch_size: 5, seed, drop_last: false, ..BatchConfig::default() };
    let batch = Batcher::new(images, config).expect("batches").eval_batch(0).expect("a batch");
    let images = Array { shape: batch.shape.to_vec(), values: batch.pixels };
    arrays::write(&workshop.path("x.npy"), Existing::Replace, images).expect("written");
    let checkpoint = fixture.join("checkpoint.pth");
    let checkpoint = checkpoint.to_str().expect("a name");
    workshop.json(&["evaluate", checkpoint, "--data", "images", "--scores", "s.csv", "--json"]);
    workshop.json(&["log-prob", checkpoint, "--input", "x.npy", "--output", "p.npy", "--json"]);
    let written = arrays::read::<f64>(&workshop.path("p.npy")).expect("an array").values;
    assert_agree(&written, &column(&scores(&workshop, "s.csv"), "log_density"), channels * height * width, "a .pth file");
}

#[test]
fn scores_name_their_rows_and_mark_anomalies() {
    let workshop = Workshop::new();
    let row = |i: usize| match i {
        7 => "NA,1\n".to_string(),
        _ => format!("{},{}\n", (i as f64 * 0.7).cos(), (i as f64 * 0.3).sin()),
    };
    workshop.write("own.csv", &("a,b\n".to_string() + &(0..100).map(row).collect::<String>()));
    let config = crate::common::POINTS.replace(
        "points = \"moons\"\nepoch_batches = 4\ntest_points = 50\nvalidation_points = 0\n",
        "file = \"own.csv\"\nmissing = \"drop\"\nvalidation_fraction = 0.3\n",
    );
    // The noise of estimators is another in each place of a batch.
    workshop.write("points.toml", &(config + "\n[log_det.eval]\nmethod = \"exact\"\n"));
    workshop.json(&["--config", "points.toml", "--json", "--out", "run"]);
    workshop.json(&["evaluate", "run", "--scores", "test.csv", "--json"]);
    let test = scores(&workshop, "test.csv");
    let rows = column(&test, "row");
    assert_eq!((rows.len(), column(&test, "index")), (10, (0..10).map(f64::from).collect()));
    // Their densities are those of their rows in the file.
    workshop.json(&["density", "run", "own.csv", "--missing", "drop", "--out", "all.csv", "--json"]);
    let all = column(&scores(&workshop, "all.csv"), "log_density");
    for (row, density) in rows.iter().zip(column(&test, "log_density")) {
        // Row 7 was left out.
        let place = *row as usize - usize::from(*row > 7.0);
        assert!((all[place] - density).abs() < 2e-5, "row {row}");
    }
    // A threshold from the validation points: as many of them are below it as it says, and what is far away is.
    let validated = ["evaluate", "run", "--split", "validation", "--threshold-quantile", "0.25", "--json", "--scores", "v.csv"];
    let validated = workshop.json(&validated);
    let marked = column(&scores(&workshop, "v.csv"), "anomaly");
    assert_eq!((number(&validated, "anomalies"), marked.iter().sum::<f64>()), (7.0, 7.0), "of 27");
    workshop.write("new.csv", "b,a\n0.1,0.9\n0,60\n1e30,0\n");
    let judged =
        workshop.json(&["evaluate", "run", "--data", "new.csv", "--threshold-quantile", "0.01", "--scores", "n.csv", "--json"]);
    assert_eq!(column(&scores(&workshop, "n.csv"), "anomaly")[1..], [1.0, 1.0], "{judged}");
    assert_eq!(number(&judged, "anomalies"), column(&scores(&workshop, "n.csv"), "anomaly").iter().sum::<f64>());
    // Nothing is overwritten without being asked.
    let message = workshop.error_of_run(&["evaluate", "run", "--scores", "n.csv"]);
    assert!(message.contains("n.csv") && message.contains("--force"), "{message}");
    for (arguments, expected) in [
        (&["evaluate", "run", "--scores", "n.txt"][..], "csv"),
        (&["evaluate", "run", "--threshold-quantile", "1.5"], "between 0 and 1"),
        (&["evaluate", "run", "--split", "tests"], "expected test, validation or train"),
        (&["evaluate", "run", "--delimiter", ";"], "--delimiter says how a table is read, but no table is given with --data"),
        (&["evaluate", "nowhere"], "nowhere"),
    ] {
        let output = workshop.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(expected), "{arguments:?}: {said}");
    }
}

/// The data of a check or a study are compared with those of the run, and take the model's own standardisation.
#[test]
fn other_commands_take_the_same_data() {
    let workshop = Workshop::new();
    let row = |i: usize| format!("{},{}\n", (i as f64 * 0.7).cos(), 1e3 * (i as f64 * 0.3).sin());
    let text = "a,b\n".to_string() + &(0..100).map(row).collect::<String>();
    workshop.write("own.csv", &text);
    let config = crate::common::POINTS
        .replace("points = \"moons\"\nepoch_batches = 4\ntest_points = 50\nvalidation_points = 0\n", "file = \"own.csv\"\n");
    workshop.write("points.toml", &config);
    workshop.json(&["--config", "points.toml", "--json", "--out", "run"]);
    workshop.write("few.csv", "b,a\n10,0.5\n-20,0.25\n");
    let check = workshop.json(&["check", "run", "--data", "few.csv", "--json"]);
    assert_eq!(check["reconstruction"]["images"], 2);
    let study = ["estimator", "run", "--draws", "3", "--terms", "2", "--json"];
    assert_eq!(workshop.json(&[&study[..], &["--data", "few.csv"]].concat())["samples"], 2);
    // Other columns, or other data in the place of the run's own.
    workshop.write("few.csv", "b,c\n10,0.5\n");
    for command in [&["check", "run"][..], &study] {
        let message = workshop.error_of_run(&[command, &["--data", "few.csv"]].concat());
        assert!(message.contains("missing: `a`"), "{message}");
    }
    workshop.write("own.csv", &text.replace("1,0\n", "1,3\n"));
    for command in [&["check", "run"][..], &study] {
        let message = workshop.error_of_run(command);
        assert!(message.contains("use the same data set") || message.contains("other test data"), "{message}");
    }
}
