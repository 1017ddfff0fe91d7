//! MNIST: handwritten digits.

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
        name: "mnist".into(),
        title: "MNIST",
        source: "MNIST, http://yann.lecun.com/exdb/mnist/",
        licence: "CC BY-SA 3.0, Yann LeCun, Corinna Cortes, Christopher J. C. Burges",
        prefixes: ["train".into(), "t10k".into()],
        counts: [60_000, 10_000],
        classes: 0..=9,
        transposed: false,
        notes: String::new(),
        places: &["mnist", "mnist/raw", "MNIST/raw", "MNIST"],
    };
    idx_set::run(&set, input, args, group)
}
