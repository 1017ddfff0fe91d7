//! Fashion-MNIST: pictures of clothes, in files named as those of MNIST.

use crate::conversion::find::InputArgs;
use crate::conversion::output::OutputArgs;
use crate::datasets::idx_set::{self, IdxSet};
use anyhow::Result;
use process_group::ProcessGroup;

/// Converts the idx files.
///
/// # Errors
/// If one is missing or damaged.
pub fn run(input: &InputArgs, args: &OutputArgs, group: &ProcessGroup) -> Result<()> {
    let set = IdxSet {
        name: "fashion_mnist".into(),
        title: "Fashion-MNIST",
        source: "Fashion-MNIST, https://github.com/zalandoresearch/fashion-mnist",
        licence: "MIT, Zalando SE; H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST (2017)",
        prefixes: ["train".into(), "t10k".into()],
        counts: [60_000, 10_000],
        classes: 0..=9,
        transposed: false,
        notes: String::new(),
        places: &["fashion_mnist", "fashion-mnist", "fashion-mnist/data/fashion", "FashionMNIST/raw", "FashionMNIST"],
    };
    idx_set::run(&set, input, args, group)
}
