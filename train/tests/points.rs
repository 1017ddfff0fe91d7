//! Densities of points from end to end: distributions on the plane, and tables of numbers.

use crate::common::{Workshop, number};

/// A small model of a distribution: seconds of training.
fn config(data: &str) -> String {
    let without_validation = if data.starts_with("points") { "validation_points = 0" } else { "validation_fraction = 0" };
    format!(
        r#"[data]
{data}
{without_validation}

[model]
blocks = [4]
hidden_channels = 32
kernels = [1, 1, 1]
dense_blocks = 0
logit_alpha = 0
lipschitz_bound = 0.9

[log_det.eval]
method = "exact"

[optim]
learning_rate = 1e-2
warmup_steps = 10
batch_size = 128
clip_norm = 10
ema_decay = 0.95

[run]
seed = 3
epochs = 2
evaluate_every_epochs = 1
sample_every_epochs = 1
eval_batch_size = 1000
n_samples = 500
"#
    )
}

fn workshop(name: &str, data: &str) -> Workshop {
    let workshop = Workshop::new();
    workshop.write(name, &config(data));
    workshop
}

#[test]
fn a_distribution_is_learnt_and_its_density_integrates_to_one() {
    let workshop = workshop("moons.toml", "points = \"moons\"\nepoch_batches = 150\ntest_points = 2000");
    let summary = workshop.json(&["--config", "moons.toml", "--json", "--out", "run", "--set", "run.sample_at_start=true"]);
    let nll = number(&summary, "test_nll_nats");
    // A normal distribution with the mean and covariance of these points has 3.29 nats.
    assert!(nll < 3.1, "{nll}");
    assert_eq!(number(&summary, "best_test_nll_nats"), nll);
    assert_eq!((number(&summary, "steps"), number(&summary, "epochs")), (300.0, 2.0));
    assert!(summary.get("test_bits_per_dim").is_none());
    let records = workshop.lines("run/metrics.jsonl");
    assert!(records.iter().any(|record| record.get("nll_nats").is_some()));
    assert_eq!(records.iter().filter(|record| record.get("test_nll_nats").is_some()).count(), 2);
    assert!(number(&workshop.lines("run/timings.jsonl")[0], "points_per_second") > 0.0);
    for picture in ["start", "epoch00001", "end"] {
        let picture = image::open(workshop.path("run/images").join(format!("{picture}.png"))).expect("a picture");
        assert_eq!((picture.width(), picture.height()), (1026, 324));
    }

    let checkpoint = "run/checkpoints/last.safetensors";
    let evaluated = workshop.json(&["evaluate", checkpoint, "--json"]);
    assert!((number(&evaluated, "nll_nats") - nll).abs() < 1e-9);
    assert_eq!(number(&evaluated, "points"), 2000.0);
    let integral = workshop.json(&["density", checkpoint, "--integrate", "--json"]);
    let integral = number(&integral, "integral");
    assert!((integral - 1.0).abs() < 0.01, "{integral}");
}

/// Two columns of very different units, the second depending on the first.
fn table() -> String {
    let row = |i: usize| {
        let angle = i as f64 * 0.7;
        let (x, y) = (angle.cos() + 0.1 * (i as f64 * 1.3).sin(), angle.sin() + 0.1 * (i as f64 * 2.1).cos());
        format!("{},{}\n", 1000.0 + 200.0 * x, 0.01 * y)
    };
    "height,weight\n".to_string() + &(0..600).map(row).collect::<String>()
}

#[test]
fn a_table_s_densities_are_in_its_own_units() {
    let workshop = workshop("own.toml", "file = \"own.csv\"\ntest_fraction = 0.2");
    workshop.write("own.csv", &table());
    let train = ["--config", "own.toml", "--json", "--set", "run.epochs=20", "--set", "optim.batch_size=96"];
    let summary = workshop.json(&[&train[..], &["--out", "run"]].concat());
    let nll = number(&summary, "test_nll_nats");
    let checkpoint = "run/checkpoints/last.safetensors";

    // The same density in other units: the columns multiplied by 1/1000 and 1000, the sum of logarithms is 0.
    let rescaled: String = table()
        .lines()
        .skip(1)
        .map(|line| {
            let (x, y) = line.split_once(',').expect("two columns");
            let [x, y]: [f64; 2] = [x, y].map(|number| number.parse().expect("a number"));
            format!("{},{}\n", x / 10.0, y * 20.0)
        })
        .collect();
    workshop.write("own.csv", &rescaled);
    let other = workshop.json(&[&train[..], &["--out", "rescaled"]].concat());
    assert!((number(&other, "test_nll_nats") - nll - 2f64.ln()).abs() < 1e-3, "{other} {nll}");
    workshop.write("own.csv", &table());

    // Log-densities of the test points are those of the evaluation; in a file or on standard output.
    let written = workshop.json(&["density", checkpoint, "own.csv", "--out", "density.csv", "--json"]);
    assert_eq!(number(&written, "points"), 600.0);
    let text = workshop.read("density.csv");
    let values: Vec<f64> = text.lines().skip(1).map(|line| line.parse().expect("a number")).collect();
    assert_eq!((text.lines().next(), values.len()), (Some("log_density"), 600));
    let mean = values.iter().sum::<f64>() / 600.0;
    assert!((mean - number(&written, "mean_log_density")).abs() < 1e-9);
    assert!((mean + nll).abs() < 0.5, "{mean} {nll}");
    let printed = workshop.run(&["density", checkpoint, "own.csv"]);
    assert_eq!(String::from_utf8_lossy(&printed.stdout), text);

    // Samples are in the data's units too, in a directory or the file that was named.
    for (out, format, table) in [
        (".", "csv", "./samples-n300-temperature1-seed0.csv"),
        (".", "npy", "./samples-n300-temperature1-seed0.npy"),
        ("mine.npy", "csv", "mine.npy"),
    ] {
        let sampled = workshop.json(&["sample", checkpoint, "--n", "300", "--format", format, "--out", out, "--json"]);
        assert_eq!((number(&sampled, "points"), sampled["table"].as_str()), (300.0, Some(table)));
        let path = workshop.path(table);
        let points = datasets::points::Points::read(&path).expect("points");
        let mean = points.column(0).sum::<f64>() / 300.0;
        let largest = points.column(1).map(f64::abs).fold(0.0, f64::max);
        assert!((mean - 1000.0).abs() < 60.0 && (0.005..0.1).contains(&largest), "{mean} {largest}");
    }
}

#[test]
fn small_tables_and_partial_batches_count_right() {
    let workshop = workshop("own.toml", "file = \"own.csv\"\ntest_fraction = 0.2");
    // Ten points for training, two for testing.
    let few: String = table().lines().take(1 + 12).map(|line| format!("{line}\n")).collect();
    workshop.write("own.csv", &few);
    let steps = |out: &str, settings: &[&str]| {
        let sets = settings.iter().flat_map(|setting| ["--set", setting]);
        let arguments: Vec<&str> = ["--config", "own.toml", "--json", "--out", out].into_iter().chain(sets).collect();
        number(&workshop.json(&arguments), "steps")
    };
    assert_eq!(steps("kept", &["optim.batch_size=4"]), 6.0, "two epochs of 4, 4 and 2 points");
    assert_eq!(steps("dropped", &["optim.batch_size=4", "optim.drop_last=true"]), 4.0);
    assert_eq!(steps("whole", &["optim.batch_size=500"]), 2.0);
    assert_eq!(number(&workshop.json(&["evaluate", "kept/checkpoints/last.safetensors", "--json"]), "points"), 2.0);
}

#[test]
fn the_statistics_of_the_training_split_are_kept() {
    let workshop = workshop("own.toml", "file = \"own.csv\"");
    workshop.write("own.csv", &table());
    workshop.json(&["--config", "own.toml", "--json", "--out", "run", "--set", "run.max_steps=3"]);
    workshop.write("own.csv", &table().replace("1000", "1001"));
    let message = workshop.error(&["evaluate", "run/checkpoints/last.safetensors"]);
    assert!(message.contains("use the same data set"), "{message}");
}

#[test]
fn pictures_of_one_column_are_curves() {
    let workshop = workshop("own.toml", "file = \"own.csv\"");
    let column: String = table().lines().filter_map(|line| line.split_once(',')).map(|(x, _)| format!("{x}\n")).collect();
    workshop.write("own.csv", &column);
    workshop.json(&["--config", "own.toml", "--json", "--out", "run"]);
    let sampled = workshop.json(&["sample", "run/checkpoints/last.safetensors", "--out", "new.csv", "--json"]);
    assert_eq!(number(&sampled, "points"), 64.0);
    let pictures = std::fs::read_dir(workshop.path("run/images")).expect("pictures").count();
    assert!(pictures > 0);
    let animated = workshop.run(&["animate", "run", "--out", "run.gif"]);
    assert!(animated.status.success() && workshop.path("run.gif").exists(), "{}", String::from_utf8_lossy(&animated.stderr));
}

#[test]
fn mistakes_are_named() {
    let workshop = workshop("own.toml", "file = \"own.csv\"");
    workshop.write("own.csv", "x,y\n1,2\n3,?\n");
    let train = |settings: &[&str]| {
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        workshop.error(&["--config", "own.toml", "--out", "run"].into_iter().chain(settings).collect::<Vec<_>>())
    };
    let message = train(&[]);
    assert!(message.contains("own.toml, line 2") && message.contains("own.csv, line 3, column 2: `?`"), "{message}");
    for (settings, expected) in [
        (&["data.points=moons"][..], "exactly one of `path`"),
        (&["data.flip=true"], "`flip` does not go with `file`"),
        (&["data.epoch_batches=3"], "`epoch_batches` does not go with `file`"),
        (&["data.test_fraction=1.5"], "`data.test_fraction` is 1.5"),
        (&["data.points=moon"], "8gaussians"),
    ] {
        let message = train(settings);
        assert!(message.contains(expected), "{message}");
    }
    workshop.write("own.csv", &table());
    let message = train(&["data.shape=[3,1,1]"]);
    assert!(message.contains("have the shape [2, 1, 1]"), "{message}");
    let message = train(&["optim.batch_size=5000", "optim.drop_last=true"]);
    assert!(message.contains("own.csv has only 540 training points"), "{message}");

    workshop.train("images", &["run.max_steps=1"]);
    let message = workshop.error(&["density", "images/checkpoints/last.safetensors", "own.csv"]);
    assert!(message.contains("is a model of images"), "{message}");
}
