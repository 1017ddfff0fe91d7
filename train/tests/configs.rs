//! Every shipped configuration can be used, and the paper's have the paper's settings.

use crate::common::{Workshop, number, repository};
use residual_flows::log_det::TermDistribution;
use residual_flows::optim::OptimConfig;
use residual_flows::{BlockKind, LogDetConfig, PowerIteration, ResidualFlowConfig};
use std::path::{Path, PathBuf};
use train::config::Config;
use train::config::shipped::DIGITS;

fn shipped() -> Vec<PathBuf> {
    let folders = ["configs", "configs/toy"].map(|folder| repository().join(folder));
    let entries = folders.into_iter().flat_map(|folder| std::fs::read_dir(folder).expect("a folder of configurations"));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

fn load(name: &str) -> Config {
    Config::load(&repository().join("configs").join(name), &[]).expect(name).0
}

#[test]
fn all_are_valid_and_say_what_they_are() {
    let paths = shipped();
    assert!(paths.len() >= 40);
    for path in paths {
        let folder = repository().join("configs");
        let name = path.strip_prefix(folder).expect("a shipped file").display();
        let (config, source) = Config::load(&path, &[]).unwrap_or_else(|error| panic!("{error:#}"));
        // A table may have any number of columns.
        let of_table = config.data.file.is_some().then_some([3, 1, 1]);
        let shape = config.data.known_shape().or(of_table).unwrap_or_else(|| panic!("{name} has no data.shape"));
        config.validate_architecture(shape, &source).unwrap_or_else(|error| panic!("{error:#}"));
        let text = std::fs::read_to_string(&path).expect("readable");
        let schema = if path.parent().is_some_and(|folder| folder.ends_with("toy")) { "../schema.json" } else { "./schema.json" };
        let rest =
            text.strip_prefix(&format!("#:schema {schema}\n")).unwrap_or_else(|| panic!("{name} does not name its schema"));
        assert!(rest.starts_with("# "), "{name} does not begin with a comment");
        assert!(text.contains(&format!("--config configs/{name}")), "{name} does not show its command");
    }
}

#[test]
fn all_are_part_of_the_program_by_their_names() {
    let folder = repository().join("configs");
    let mut files: Vec<String> = shipped()
        .iter()
        .map(|path| path.strip_prefix(&folder).expect("a shipped file").with_extension("").display().to_string())
        .collect();
    files.sort();
    let mut names: Vec<&str> = train::config::shipped::names().collect();
    names.sort();
    assert_eq!(names, files);
    for name in names {
        let (by_name, _) = Config::load(Path::new(name), &[]).unwrap_or_else(|error| panic!("{error:#}"));
        let mut of_file = load(&format!("{name}.toml"));
        if of_file.data.path == Some("data/digits".into()) {
            of_file.data.path = Some(DIGITS.into());
        }
        assert_eq!(by_name, of_file, "{name}");
    }
}

#[test]
fn a_name_is_all_that_training_and_evaluating_digits_takes() {
    let workshop = Workshop::new();
    let settings = ["--set", "run.max_steps=2", "--set", "run.sample_at_start=false", "--set", "run.n_samples=1"];
    let summary = workshop.json(&[&["--config", "digits", "--json"], &settings[..]].concat());
    let again = workshop.json(&["evaluate", "experiments/runs/digits", "--json"]);
    assert_eq!(number(&again, "bits_per_dim"), number(&summary, "test_bits_per_dim"));
    let message = workshop.error(&["--config", "digitz"]);
    assert!(message.contains("digitz, which is no shipped one either: ") && message.contains("toy/moons"), "{message}");
    // A file of that name comes first.
    workshop.write("digits", "[data]\npoints = 'moons'\nflip = true\n");
    assert!(workshop.error(&["--config", "digits"]).contains("`flip`"));
}

#[test]
fn the_paper_s_models_have_its_settings() {
    let cifar10 = load("cifar10.toml");
    assert_eq!(cifar10.model, ResidualFlowConfig::default());
    for name in ["mnist.toml", "cifar10.toml", "imagenet32.toml", "imagenet64.toml", "celebahq64_5bit.toml"] {
        let config = load(name);
        assert_eq!(config.optim, OptimConfig::default(), "{name}");
        assert_eq!(config.log_det.train, LogDetConfig::training(), "{name}");
        assert_eq!(config.log_det.eval, LogDetConfig::evaluation(), "{name}");
        assert_eq!((config.run.epochs, config.run.eval_batch_size), (1000, 200), "{name}");
    }
    assert_eq!(load("mnist.toml").model.logit_alpha, 1e-6);
    let celeba = load("celebahq256.toml");
    assert_eq!(celeba.model.scales([3, 256, 256]), 6);
    assert_eq!(celeba.log_det.train.n_exact_terms, 8);
    assert_eq!(celeba.log_det.eval, LogDetConfig::evaluation());
}

/// By their repositories' commands.
#[test]
fn the_successors_models_have_their_settings() {
    for (name, start) in [("idensenet_mnist.toml", 25), ("idensenet_cifar10.toml", 25), ("idensenet_imagenet32.toml", 0)] {
        let Config { model, optim, log_det, .. } = load(name);
        assert_eq!((model.densenet_depth, model.densenet_growth, model.fully_connected_growth), (3, 172, 32), "{name}");
        let learning_rate = OptimConfig::default().learning_rate;
        assert_eq!((optim.concatenation_start_epoch, optim.learning_rate), (start, learning_rate), "{name}");
        assert_eq!(log_det.train, LogDetConfig::training(), "{name}");
    }
    for (name, start, rate) in [
        ("monotone_mnist.toml", 25, 1e-3),
        ("monotone_cifar10.toml", 25, 1e-3),
        ("monotone_imagenet32.toml", 0, 4e-3),
        ("monotone_imagenet64.toml", 0, 4e-3),
    ] {
        let Config { model, optim, log_det, .. } = load(name);
        assert_eq!((model.block, model.densenet_depth, model.densenet_growth), (BlockKind::Monotone, 3, 172), "{name}");
        assert_eq!((optim.concatenation_start_epoch, optim.learning_rate), (start, rate), "{name}");
        assert_eq!(log_det.train, LogDetConfig { n_exact_terms: 10, ..LogDetConfig::training() }, "{name}");
    }
    let implicit = load("implicit_cifar10.toml");
    assert_eq!((implicit.model.lipschitz_bound, implicit.log_det.train.n_exact_terms), (0.9, 10));
}

#[test]
fn every_distribution_has_a_quick_model_and_the_paper_s() {
    for distribution in datasets::points::Distribution::ALL {
        let quick = load(&format!("toy/{distribution}.toml"));
        let paper = load(&format!("toy/{distribution}_paper.toml"));
        assert_eq!((quick.data.points, paper.data.points), (Some(distribution), Some(distribution)));
        assert_eq!((paper.model.blocks.as_slice(), paper.model.hidden_channels), (&[100][..], 128.into()));
        assert_eq!((paper.model.kernels.as_slice(), paper.model.lipschitz_bound), (&[1; 5][..], 0.9));
        let iterations = PowerIteration { tol: 0.0, max_iters: 5, ..PowerIteration::default() };
        let starts = (paper.model.act_norm, paper.model.last_layer_scale, paper.model.power_iteration);
        assert_eq!(starts, (false, 1e-3, iterations));
        let expected = LogDetConfig { distribution: TermDistribution::Geometric, ..LogDetConfig::training() };
        assert_eq!(paper.log_det.train, expected);
        let optim = OptimConfig {
            warmup_steps: 0,
            batch_size: 500,
            clip_norm: f64::INFINITY,
            betas: [0.9, 0.999],
            ema_decay: 0.0,
            ..OptimConfig::default()
        };
        assert_eq!((paper.optim, paper.run.epochs), (optim, 500));
    }
}
