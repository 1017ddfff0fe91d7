//! The reference of settings says what the program does: every key has a text, a default and a range, and the range is the one
//! that is checked.

use crate::common::{Workshop, repository};
use train::config::reference::{self, Setting};
use train::config::{Config, Source};

/// A configuration with a setting, checked.
fn checked(setting: &Setting, value: &str) -> anyhow::Result<Config> {
    let base = match setting.key.as_str() {
        "data.epoch_batches" | "data.test_points" | "data.validation_points" => {
            "[data]\npoints = 'moons'\n[model]\nlogit_alpha = 0\n"
        }
        key if setting.text.starts_with("`file`") || key == "data.file" => "[data]\nfile = 'x.csv'\n[model]\nlogit_alpha = 0\n",
        key if key.starts_with("model.input_") => {
            "[data]\npath = 'x'\nshape = [3, 32, 32]\n[model]\nlogit_alpha = 0\ninput_mean = [0, 0, 0]\ninput_std = [1, 1, 1]\n"
        }
        _ => "[data]\npath = 'x'\nshape = [3, 32, 32]\n",
    };
    let source = Source::new("base.toml".into(), base.into(), vec![format!("{}={value}", setting.key)]);
    let config = source.parse()?;
    config.validate(&source)?;
    Ok(config)
}

/// A number as a value of a key, which may be a list.
fn value(setting: &Setting, number: f64) -> String {
    let whole = setting.range.is_some_and(|range| range.is_whole);
    let number = if whole { format!("{number:.0}") } else { format!("{number:?}") };
    let n = match setting.key.as_str() {
        "optim.betas" => 2,
        "data.shape" | "model.kernels" => 3,
        key if key.starts_with("model.input_") => 3,
        _ => 1,
    };
    if setting.kind.starts_with("list") { format!("[{}]", vec![number; n].join(", ")) } else { number }
}

#[test]
fn every_key_says_what_it_does() {
    let settings = reference::settings();
    assert!(settings.len() > 100, "{}", settings.len());
    for setting in settings {
        let Setting { key, text, kind, default, default_words, range, choices, .. } = setting;
        assert!(text.len() > 15 && text.ends_with(['.', ')']), "{key}: {text}");
        assert!(!text.contains("[`") && !text.contains("::"), "{key} has a link of Rust: {text}");
        let is_source = ["data.path", "data.points", "data.file"].contains(&key.as_str());
        assert_eq!(default.is_some() || default_words.is_some(), !is_source, "{key} has no default");
        assert_eq!(kind.contains("number"), range.is_some(), "{key} is a {kind} and has the range {range:?}");
        assert!(choices.iter().all(|(_, text)| !text.is_empty()), "{key} has a name without a text");
    }
}

#[test]
fn the_range_that_is_stated_is_the_one_that_is_checked() {
    for setting in reference::settings() {
        let Some(range) = setting.range else { continue };
        let accepts = |number: f64| {
            let value = value(setting, number);
            checked(setting, &value).unwrap_or_else(|error| panic!("{}={value}: {error:#}", setting.key));
        };
        let refuses = |number: f64| {
            let value = value(setting, number);
            let error = checked(setting, &value).err().unwrap_or_else(|| panic!("{}={value} is accepted", setting.key));
            assert!(format!("{error:#}").contains(&setting.key), "{}={value}: {error:#}", setting.key);
        };
        let by = |number: f64| if range.is_whole { 1.0 } else { 1e-3 * number.abs().max(1e-12) };
        if let Some(least) = range.least {
            refuses(least - by(least));
            // Every side of an image is at least 1, and a model with classes has two.
            if !["data.shape"].contains(&setting.key.as_str()) {
                accepts(least);
            }
        }
        if let Some(greatest) = range.greatest {
            accepts(greatest);
            refuses(greatest + by(greatest));
        }
        for end in [range.above, range.below].into_iter().flatten() {
            refuses(end);
        }
        if !range.is_whole {
            refuses(f64::NAN);
        }
    }
}

#[test]
fn defaults_that_are_stated_are_those_of_the_program() {
    let text = reference::default_toml();
    let with_data = text.replacen("# path = \"…\"", "path = \"x\"", 1);
    assert_ne!(text, with_data, "there is a place for the data");
    let read = |text: &str| {
        let source = Source::new("default.toml".into(), text.into(), Vec::new());
        let config = source.parse().unwrap_or_else(|error| panic!("{error:#}"));
        config.validate(&source).unwrap_or_else(|error| panic!("{error:#}"));
        config
    };
    assert_eq!(read(&with_data), read("[data]\npath = \"x\"\n"));
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(120), "{widest:?}");
}

/// Every comment of a default configuration is a value when its `#` is removed.
#[test]
fn keys_that_are_left_out_can_be_set_as_they_stand() {
    for setting in reference::settings().iter().filter(|setting| setting.default.is_none()) {
        let name = setting.key.rsplit('.').next().expect("a name");
        let text = reference::default_toml();
        let line = text.lines().find(|line| line.starts_with(&format!("# {name} = "))).unwrap_or_else(|| panic!("{name}"));
        let (_, value) = line.split_once(" = ").expect("a value");
        if !["path", "points", "file"].contains(&name) {
            checked(setting, value).unwrap_or_else(|error| panic!("{line}: {error:#}"));
        }
    }
}

fn assert_up_to_date(file: &str, expected: &str, option: &str) {
    let text = std::fs::read_to_string(repository().join(file)).unwrap_or_default();
    assert!(text.trim_end() == expected.trim_end(), "{file} is not up to date: write it with `train config {option} > {file}`");
}

#[test]
fn the_schema_and_the_page_are_up_to_date() {
    assert_up_to_date("configs/schema.json", &reference::schema_text(), "--schema");
    assert_up_to_date("train/docs/settings.md", &reference::markdown(), "--markdown");
}

#[test]
fn keys_are_explained_and_near_ones_suggested() {
    let workshop = Workshop::new();
    let explain = |key: &str| {
        let output = workshop.run(&["config", "--explain", key]);
        assert!(output.status.success(), "{key}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let decay = explain("optim.ema_decay");
    for part in ["optim.ema_decay", "average of the weights", "default: 0.999", "from 0 and below 1"] {
        assert!(decay.contains(part), "{part}: {decay}");
    }
    let rate = explain("log_det.eval.n_exact_terms");
    assert!(rate.contains("default: 20") && rate.contains("unit:    terms"), "{rate}");
    assert!(explain("log_det.train.n_exact_terms").contains("default: 2\n"), "training has its own default");
    assert!(explain("seed").contains("run.seed"), "a name in any section");
    let section = explain("[optim]");
    assert!(section.contains("learning_rate") && section.contains("[default: 0.001]"), "{section}");
    assert!(explain("model.activation").contains("\"lip_swish\""));
    let message = workshop.error(&["config", "--explain", "optim.lerning_rate"]);
    assert!(message.contains("no setting `optim.lerning_rate`; near it are optim.learning_rate"), "{message}");
    assert!(workshop.error(&["config", "--explain", "xyzzy"]).contains("--default"));
    for setting in reference::settings() {
        let text = reference::explanation(&setting.key).expect("an explanation");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}

#[test]
fn a_configuration_is_checked_and_written_out() {
    let workshop = Workshop::new();
    let output = workshop.run(&["config", "tiny.toml", "--set", "run.seed=8"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("seed = 8") && text.contains("lipschitz_bound = 0.98"), "{text}");
    let message = workshop.error(&["config", "tiny.toml", "--set", "optim.momentum=1"]);
    assert!(message.contains("`optim.momentum` is 1.0: expected from 0 and below 1"), "{message}");
}
