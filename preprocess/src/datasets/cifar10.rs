//! CIFAR-10, from its binary or its Python version.

use crate::conversion::find::InputArgs;
use crate::conversion::output::OutputArgs;
use crate::datasets::cifar::{self, Kit};
use anyhow::Result;
use process_group::ProcessGroup;

const KIT: Kit = Kit {
    name: "cifar10",
    title: "CIFAR-10",
    prefix: "cifar-10-",
    names: ["cifar-10-binary.tar.gz", "cifar-10-batches-bin", "cifar-10-python.tar.gz", "cifar-10-batches-py"],
    stems: &["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"],
    counts: &[10_000; 6],
    label_bytes: 1,
    label_byte: 0,
    label_key: "labels",
    classes: 10,
    notes: "",
};

/// Converts an archive or directory.
///
/// # Errors
/// If it cannot be found or is damaged; without `partial`, if it is incomplete.
pub fn run(input: &InputArgs, partial: bool, args: &OutputArgs, group: &ProcessGroup) -> Result<()> {
    cifar::run(&KIT, input, partial, args, group)
}
