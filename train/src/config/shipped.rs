//! The shipped configurations, which are part of the program, by their names.

use std::borrow::Cow;
use std::path::Path;

/// What stands in the place of the directory of the shipped digits, which are part of the program too.
pub const DIGITS: &str = "shipped:digits";

/// Names and texts of files in `configs`.
macro_rules! configurations {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../configs/", $name, ".toml")))),+]
    };
}

const ALL: &[(&str, &str)] = configurations![
    "celebahq256",
    "celebahq64_5bit",
    "cifar10",
    "cifar10_hybrid",
    "cifar10_small",
    "digits",
    "digits_given_class",
    "digits_hybrid",
    "digits_idensenet",
    "digits_implicit",
    "digits_monotone",
    "idensenet_cifar10",
    "idensenet_imagenet32",
    "idensenet_mnist",
    "imagenet32",
    "imagenet64",
    "implicit_cifar10",
    "mnist",
    "mnist_small",
    "monotone_cifar10",
    "monotone_imagenet32",
    "monotone_imagenet64",
    "monotone_mnist",
    "tabular",
    "toy/2spirals",
    "toy/2spirals_paper",
    "toy/8gaussians",
    "toy/8gaussians_idensenet",
    "toy/8gaussians_idensenet_paper",
    "toy/8gaussians_monotone",
    "toy/8gaussians_monotone_paper",
    "toy/8gaussians_paper",
    "toy/8gaussians_realnvp",
    "toy/checkerboard",
    "toy/checkerboard_implicit",
    "toy/checkerboard_implicit_paper",
    "toy/checkerboard_paper",
    "toy/checkerboard_realnvp",
    "toy/circles",
    "toy/circles_paper",
    "toy/mixture_given_component",
    "toy/moons",
    "toy/moons_paper",
    "toy/pinwheel",
    "toy/pinwheel_paper",
    "toy/pinwheel_realnvp",
    "toy/rings",
    "toy/rings_paper",
    "toy/swissroll",
    "toy/swissroll_paper",
];

/// Their names.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

/// The text of the configuration of this name, such as `digits` or `toy/moons`; with the digits that are part of the program
/// where it has digits.
pub fn text(name: &Path) -> Option<Cow<'static, str>> {
    let &(_, text) = ALL.iter().find(|(known, _)| Path::new(known) == name)?;
    let in_repository = "path = \"data/digits\"";
    Some(match text.contains(in_repository) {
        true => text.replace(in_repository, &format!("path = \"{DIGITS}\"")).into(),
        false => text.into(),
    })
}
