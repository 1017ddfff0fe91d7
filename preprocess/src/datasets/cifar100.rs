//! CIFAR-100, from its binary or its Python version, with its 100 classes or its 20 groups of five classes.

use crate::conversion::find::InputArgs;
use crate::conversion::output::OutputArgs;
use crate::datasets::cifar::{self, Kit};
use anyhow::Result;
use process_group::ProcessGroup;

/// Options of this data set.
#[derive(clap::Args, Clone, Debug)]
pub struct Cifar100Args {
    /// Which of the two labels of an image to keep.
    #[arg(long, value_enum, default_value_t = Labels::Fine)]
    labels: Labels,
    /// Take incomplete files as they are.
    #[arg(long)]
    partial: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Labels {
    /// The 100 classes.
    Fine,
    /// The 20 superclasses.
    Coarse,
}

const FINE: Kit = Kit {
    name: "cifar100",
    title: "CIFAR-100",
    prefix: "cifar-100-",
    names: ["cifar-100-binary.tar.gz", "cifar-100-binary", "cifar-100-python.tar.gz", "cifar-100-python"],
    stems: &["train", "test"],
    counts: &[50_000, 10_000],
    label_bytes: 2,
    label_byte: 1,
    label_key: "fine_labels",
    classes: 100,
    notes: "Labels are the 100 classes (fine); --labels coarse takes the 20 superclasses.",
};

const COARSE: Kit = Kit {
    label_byte: 0,
    label_key: "coarse_labels",
    classes: 20,
    notes: "Labels are the 20 superclasses (coarse); --labels fine takes the 100 classes.",
    ..FINE
};

/// Converts an archive or directory.
///
/// # Errors
/// If it cannot be found or is damaged; without `--partial`, if it is incomplete.
pub fn run(input: &InputArgs, args: &Cifar100Args, output: &OutputArgs, group: &ProcessGroup) -> Result<()> {
    let kit = match args.labels {
        Labels::Fine => &FINE,
        Labels::Coarse => &COARSE,
    };
    cifar::run(kit, input, args.partial, output, group)
}
