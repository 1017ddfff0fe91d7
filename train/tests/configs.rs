//! Every shipped configuration can be used, and the paper's have the paper's settings.

mod common;

use residual_flows::{LogDetConfig, ResidualFlowConfig};
use std::path::PathBuf;
use train::config::{Config, OptimConfig};

fn shipped() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(common::repository().join("configs")).expect("the folder of configurations");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

fn load(name: &str) -> Config {
    Config::load(&common::repository().join("configs").join(name), &[]).expect(name).0
}

#[test]
fn all_are_valid_and_say_what_they_are() {
    let paths = shipped();
    assert!(paths.len() >= 9);
    for path in paths {
        let name = path.file_name().expect("a file").to_string_lossy();
        let (config, source) = Config::load(&path, &[]).unwrap_or_else(|error| panic!("{error:#}"));
        let shape = config.data.shape.unwrap_or_else(|| panic!("{name} has no data.shape"));
        config.validate_architecture(shape, &source).unwrap_or_else(|error| panic!("{error:#}"));
        let text = std::fs::read_to_string(&path).expect("readable");
        assert!(text.starts_with("# "), "{name} does not begin with a comment");
        assert!(text.contains(&format!("--config configs/{name}")), "{name} does not show its command");
    }
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
