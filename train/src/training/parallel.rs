//! Processes that train, evaluate and sample together, one a device.
//!
//! Every process has the same weights. It works on its own part of every batch ([`process_group::Part`]), with noise of its own,
//! and makes the same step as the others from the sum of all gradients. The first writes the files.

pub use process_group::{ProcessGroup, threaded_group};

use anyhow::Result;
use process_group::Failure;
use residual_flows::training::{AllReduce, GroupError, PendingSum};
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

/// The processes of a group, for the library's training.
pub struct TrainingGroup(pub Arc<ProcessGroup>);

impl AllReduce for TrainingGroup {
    fn rank(&self) -> usize {
        self.0.rank()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn start(&self, values: Vec<f32>) -> PendingSum {
        let sum = self.0.start_all_reduce(values);
        Box::new(|| sum.wait().map_err(Into::into))
    }

    fn all_reduce(&self, values: Vec<f64>) -> Result<Vec<f64>, GroupError> {
        self.0.all_reduce(values).map_err(Into::into)
    }
}
