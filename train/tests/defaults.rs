//! A configuration with nothing but its data: what is chosen, said, and written down.

use crate::common::{Workshop, number, repository};
use datasets::points::{FileKind, Points};
use residual_flows::optim::OptimConfig;
use std::process::Output;
use train::config::defaults::{Facts, FactsKind, RULES};
use train::config::{Config, Source, reference};

fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

/// With a table of so many rows of two correlated columns.
fn workshop(rows: usize) -> Workshop {
    let workshop = Workshop::new();
    let values = (0..rows).map(|i| i as f64).flat_map(|i| [(1.3 * i).sin(), (1.3 * i).sin() + 0.2 * (0.7 * i).cos()]);
    let points = Points::new(2, values.collect()).named(vec!["a".into(), "b".into()]);
    points
        .write(
            &workshop.path("own.csv"),
            FileKind::of(&workshop.path("own.csv")).expect("a kind"),
            datasets::io::output::Existing::Keep,
        )
        .expect("written");
    workshop.write("data.toml", "[data]\nfile = \"own.csv\"\n");
    workshop
}

fn chosen(text: &str, settings: &[&str], facts: &Facts) -> Config {
    let source = Source::new("data.toml".into(), text.into(), settings.iter().map(|setting| setting.to_string()).collect());
    let mut config = source.parse().expect("settings");
    config.settle(&source);
    config.choose(&source, facts);
    config.validate(&source).expect("settings that go together");
    config.validate_architecture(facts.shape, &source).expect("a model of these data");
    config.validate_scales(facts.shape, &source).expect("room for all scales");
    config
}

const TABLE: &str = "[data]\nfile = 'x.csv'\n";

fn table(training: usize, columns: usize) -> Facts {
    Facts { kind: FactsKind::Table, shape: [columns, 1, 1], training, selection: (training / 9).clamp(1, 10_000) }
}

fn images(shape: [usize; 3], training: usize) -> Facts {
    Facts { kind: FactsKind::Images(256), shape, training, selection: (training / 9).clamp(1, 2_000) }
}

#[test]
fn any_data_get_a_model_a_length_and_evaluations_that_fit() {
    let points = Facts { kind: FactsKind::Distribution, shape: [2, 1, 1], training: 50_000, selection: 10_000 };
    let tables =
        [(1, 1), (20, 3), (108, 4), (410, 30), (3_000, 100), (500_000, 12)].map(|(rows, columns)| (TABLE, table(rows, columns)));
    let shapes = [
        ([1, 8, 8], 1_348),
        ([1, 28, 28], 54_000),
        ([3, 32, 32], 45_000),
        ([3, 64, 64], 27_000),
        ([3, 30, 31], 50),
        ([1, 3, 5], 9),
    ];
    let images = shapes.map(|(shape, n)| ("[data]\npath = 'x'\n", images(shape, n)));
    for (text, facts) in tables.into_iter().chain(images).chain([("[data]\npoints = 'moons'\n", points)]) {
        let config = chosen(text, &[], &facts);
        let (run, optim) = (&config.run, &config.optim);
        let steps = run.max_steps.expect("a length");
        assert!(optim.batch_size <= facts.training && optim.warmup_steps * 20 <= steps.max(20), "{facts:?}: {optim:?}");
        assert!((1_500..=1_000_000).contains(&steps), "{facts:?}: {steps}");
        assert!(run.evaluate_every_epochs == 0 && (10..=steps).contains(&run.evaluate_every_steps), "{facts:?}: {run:?}");
        assert!(run.epochs > steps, "{facts:?}: {run:?}");
        assert_eq!(config.defaults, None);
    }
}

#[test]
fn the_rules_are_those_that_are_described() {
    let keys: Vec<&str> = reference::settings().iter().map(|setting| setting.key.as_str()).collect();
    let points = Facts { kind: FactsKind::Distribution, shape: [2, 1, 1], training: 50_000, selection: 10_000 };
    let all = [
        ("[data]\npoints = 'moons'\n", points),
        (TABLE, table(500, 5)),
        ("[data]\npath = 'x'\n", images([3, 64, 64], 500)),
        ("[data]\npath = 'x'\n", images([1, 8, 8], 500)),
    ];
    let lines: String = all
        .iter()
        .flat_map(|(text, facts)| {
            let source = Source::new("data.toml".into(), text.to_string(), Vec::new());
            source.parse().expect("settings").choose(&source, facts)
        })
        .collect();
    for (key, words) in RULES {
        assert!(keys.contains(&key) && !words.is_empty(), "{key}");
        // It is settled before the data are read.
        assert!(key == "data.validation_most" || lines.contains(&format!("{key} = ")), "{key} is never chosen: {lines}");
    }
}

#[test]
fn what_is_set_counts_also_for_what_follows_from_it() {
    let facts = table(20_000, 6);
    let settings = ["run.max_steps=300", "optim.learning_rate=5e-3", "model.whiten=false", "run.evaluate_every_epochs=2"];
    let config = chosen(TABLE, &settings, &facts);
    assert_eq!((config.run.max_steps, config.optim.learning_rate, config.model.whiten), (Some(300), 5e-3, false));
    assert_eq!((config.optim.warmup_steps, config.run.evaluate_every_steps, config.run.evaluate_every_epochs), (15, 0, 2));
    let by_epochs = chosen(TABLE, &["run.epochs=3", "optim.batch_size=100"], &facts);
    assert_eq!((by_epochs.run.max_steps, by_epochs.run.epochs, by_epochs.optim.warmup_steps), (None, 3, 30));
    // On the command line the number of blocks is a setting as any other; in the file it means that the file says it all.
    let more_blocks = chosen(TABLE, &["model.blocks=[5]"], &facts);
    assert_eq!((more_blocks.model.blocks.as_slice(), more_blocks.model.logit_alpha), (&[5][..], 0.0));
    let fixed = "[model]\nblocks = [5]\nlogit_alpha = 0\n";
    let whole = chosen(&format!("{TABLE}{fixed}"), &[], &facts);
    // The average of new runs warms up.
    let optim = OptimConfig { ema_warmup: Some(true), ..OptimConfig::default() };
    assert_eq!((whole.optim, whole.run), (optim, Default::default()));
    let asked = chosen(&format!("defaults = 'data'\n{TABLE}{fixed}"), &[], &facts);
    assert_eq!((asked.model.blocks.as_slice(), asked.optim.batch_size), (&[5][..], 512));
    let refused = Source::new("data.toml".into(), format!("defaults = 'fixed'\n{TABLE}"), Vec::new());
    assert!(!refused.chooses_by_data());
}

#[test]
fn a_run_says_and_writes_down_what_was_chosen() {
    let workshop = workshop(90);
    let start = ["--config", "data.toml", "--out", "run", "--set", "run.max_steps=6", "--set", "run.n_samples=20"];
    let told = said(&workshop.run(&start));
    for part in [
        "chosen by the data: ",
        "optim.batch_size = 73",
        "model.whiten = true",
        " parameters; training: 6 steps, of 73 points each, 6.0 epochs",
    ] {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
    let saved = workshop.read("run/config.toml");
    for part in ["blocks = [16]", "noise_kind = \"bounded\"", "max_steps = 6", "batch_size = 73", "warmup_steps = 1"] {
        assert!(saved.contains(part), "`{part}` is not in: {saved}");
    }
    // A run's own settings say everything.
    let again = Config::load(&workshop.path("run/config.toml"), &[]).expect("settings");
    assert!(!again.1.chooses_by_data());
    let resumed = workshop.json(&["--resume", "run", "--set", "run.max_steps=8", "--json"]);
    assert_eq!(number(&resumed, "steps"), 8.0);
    // With the file that left it open, what the run has counts.
    let told = said(&workshop.run(&["--resume", "run", "--config", "data.toml", "--set", "run.max_steps=9"]));
    assert!(told.contains("9 steps, 8 of them made") && !told.contains("chosen by the data"), "{told}");
    assert_eq!(workshop.read("run/config.toml"), saved.replace("max_steps = 6", "max_steps = 9"));
    let printed = workshop.run(&["config", "data.toml", "--set", "run.max_steps=6", "--set", "run.n_samples=20"]);
    assert_eq!(String::from_utf8(printed.stdout).expect("text"), saved);
}

#[test]
fn runs_of_images_and_distributions_need_data_only_too() {
    let workshop = Workshop::new();
    workshop.write("images.toml", &format!("[data]\npath = {:?}\n", repository().join("data/digits")));
    workshop.write("points.toml", "[data]\npoints = \"moons\"\ntest_points = 100\n");
    for (config, part) in [("images.toml", "optim.batch_size = 16"), ("points.toml", "optim.batch_size = 500")] {
        let out = config.replace(".toml", "");
        let settings = ["run.max_steps=2", "run.sample_at_start=false", "run.n_samples=4", "run.eval_batch_size=20"];
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        let told = said(&workshop.run(&["--config", config, "--out", &out].into_iter().chain(settings).collect::<Vec<_>>()));
        assert!(told.contains(part) && told.contains("2 steps"), "{told}");
        assert!(workshop.read(&format!("{out}/summary.json")).contains("\"finished\": true"));
    }
    assert!(workshop.read("images/config.toml").contains("validation_most = 2000"));
}

#[test]
fn settings_that_do_not_fit_are_warned_of() {
    let workshop = workshop(90);
    let started = |settings: &[&str]| {
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        let start = ["--config", "data.toml", "--out", "run", "--force", "--set", "run.max_steps=3", "--set", "run.n_samples=4"];
        said(&workshop.run(&start.into_iter().chain(settings).collect::<Vec<_>>()))
    };
    assert!(!started(&[]).contains("warning: optim"), "what is chosen fits");
    let told = started(&["optim.warmup_steps=100", "optim.batch_size=200"]);
    assert!(told.contains("warning: optim.warmup_steps is 100, but the run ends after 3 steps, at 3 %"), "{told}");
    assert!(told.contains("warning: optim.batch_size is 200, but there are 73 training points"), "{told}");
    let told = started(&["optim.drop_last=true", "optim.batch_size=50"]);
    assert!(told.contains("warning: optim.drop_last leaves 23 of 73 training points out of every epoch"), "{told}");
}

#[test]
fn evaluations_and_pictures_come_after_steps() {
    let workshop = workshop(400);
    let settings =
        ["run.max_steps=7", "run.evaluate_every_steps=2", "run.sample_every_steps=3", "run.n_samples=20", "optim.batch_size=100"];
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    workshop.json(&["--config", "data.toml", "--out", "run", "--json"].into_iter().chain(settings).collect::<Vec<_>>());
    let evaluated: Vec<f64> = workshop
        .lines("run/metrics.jsonl")
        .iter()
        .filter(|record| record.get("validation_nll_nats").is_some())
        .map(|record| number(record, "step"))
        .collect();
    assert_eq!(evaluated, [2.0, 4.0, 6.0, 7.0]);
    for name in ["start", "step0000003", "step0000006", "end"] {
        assert!(workshop.path(&format!("run/images/{name}.png")).exists(), "{name}");
    }
    // Whatever the step that a run goes on from, it evaluates at the same ones.
    let metrics = workshop.read("run/metrics.jsonl");
    let settings = [
        "run.max_steps=7",
        "run.evaluate_every_steps=2",
        "run.sample_every_steps=3",
        "run.n_samples=20",
        "optim.batch_size=100",
        "checkpoint.every_steps=1",
        "checkpoint.keep=9",
    ];
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    workshop.json(&["--config", "data.toml", "--out", "part", "--json"].into_iter().chain(settings).collect::<Vec<_>>());
    for step in [1, 2, 3, 6] {
        workshop.json(&["--resume", &format!("part/checkpoints/step{step:07}.safetensors"), "--json"]);
        assert_eq!(workshop.read("part/metrics.jsonl"), metrics, "from step {step}");
    }
}
