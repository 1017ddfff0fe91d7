//! Processes that train, evaluate and sample together, one a device.
//!
//! Every process has the same weights. It works on its own part of every batch ([`process_group::Part`]), with noise of its own,
//! and makes the same step as the others from the sum of all gradients. The first writes the files.

mod gradients;
mod running_means;

pub use gradients::GradientSums;
pub use process_group::{ProcessGroup, threaded_group};
pub use running_means::average_running_means;

use anyhow::Result;
use process_group::Failure;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Does work together with the processes that were started with this one; see [`ProcessGroup::run`].
///
/// # Errors
/// Those of the work, if this process is alone, and if it cannot reach the others.
pub fn together<T>(stop: Arc<AtomicBool>, work: impl FnOnce(&Arc<ProcessGroup>) -> Result<T>) -> Result<T> {
    let tell = |error: &anyhow::Error| Failure { message: format!("{error:#}"), exit_code: 1 };
    ProcessGroup::run(stop, tell, work)
}
