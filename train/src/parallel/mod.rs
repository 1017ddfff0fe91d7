//! Processes that train, evaluate and sample together, one a device.
//!
//! Every process has the same weights. It works on its own part of every batch ([`team::Part`]), with noise of its own,
//! and makes the same step as the others from the sum of all gradients. The first writes the files.

mod gradients;
mod running_means;

pub use gradients::GradientSums;
pub use running_means::average_running_means;
pub use team::{Team, team_of_threads};

use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use team::Failure;

/// Does work together with the processes that were started with this one; see [`Team::work`].
///
/// # Errors
/// Those of the work, if this process is alone, and if it cannot reach the others.
pub fn together<T>(stop: Arc<AtomicBool>, work: impl FnOnce(&Arc<Team>) -> Result<T>) -> Result<T> {
    let tell = |error: &anyhow::Error| Failure { message: format!("{error:#}"), exit_code: 1 };
    Team::work(stop, tell, work)
}
