//! Presets are what the configurations of experiments say.

use residual_flows::ResidualFlowConfig;
use std::path::Path;

fn of_file(name: &str) -> ResidualFlowConfig {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let table: toml::Table = text.parse().unwrap();
    table["model"].clone().try_into().unwrap()
}

#[test]
fn presets_are_what_configurations_say() {
    for (preset, file) in [
        (ResidualFlowConfig::cifar10(), "cifar10.toml"),
        (ResidualFlowConfig::cifar10_hybrid(), "cifar10_hybrid.toml"),
        (ResidualFlowConfig::mnist(), "mnist.toml"),
        (ResidualFlowConfig::imagenet32(), "imagenet32.toml"),
        (ResidualFlowConfig::imagenet64(), "imagenet64.toml"),
        (ResidualFlowConfig::celebahq256(), "celebahq256.toml"),
        (ResidualFlowConfig::idensenet_cifar10(), "idensenet_cifar10.toml"),
        (ResidualFlowConfig::monotone_cifar10(), "monotone_cifar10.toml"),
        (ResidualFlowConfig::implicit_cifar10(), "implicit_cifar10.toml"),
        (ResidualFlowConfig::toy(), "toy/moons.toml"),
        (ResidualFlowConfig::toy(), "toy/pinwheel.toml"),
    ] {
        assert_eq!(preset, of_file(file), "{file}");
    }
}
