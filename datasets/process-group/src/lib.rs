//! A group of processes that work together: ranks, barriers, all-reduce and broadcast.
//!
//! Every collective operation is an all-reduce, a sum over all processes. A group of one process returns its own values, so
//! that callers need no case for it. With the feature `mpi`, processes are started by `mpirun` and communicate by MPI, on one
//! machine or several. [`threaded_group`] is a group of threads in one process, for tests.
//!
//! # Examples
//! ```
//! use process_group::{Failure, ProcessGroup, ProcessGroupError};
//!
//! let failure = |error: &ProcessGroupError| Failure { message: error.to_string(), exit_code: 1 };
//! let sum = ProcessGroup::run(Default::default(), failure, |group| group.all_reduce(vec![group.rank() as f64 + 1.0]))?;
//! // This process was started alone.
//! assert_eq!(sum, [1.0]);
//! # Ok::<(), ProcessGroupError>(())
//! ```

mod all_reduce;
mod error;
#[cfg(feature = "mpi")]
mod mpi;
mod part;
mod progress_thread;
mod threaded;
#[cfg(any(feature = "mpi", test))]
mod timeout;

pub use all_reduce::{AllReduce, Reducible};
pub use error::ProcessGroupError;
pub use part::Part;
pub use threaded::threaded_group;

use progress_thread::ProgressThread;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A group of processes, as one of its members sees it.
pub struct ProcessGroup {
    position: Position,
    /// The connection to the other processes; `None` in a group of one.
    progress: Option<ProgressThread>,
}

/// An error in the form in which the user reads it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The message, without `error:`.
    pub message: String,
    /// The exit code of the program.
    pub exit_code: u8,
}

/// The position of a process in its group, and among those of its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    rank: usize,
    size: usize,
    local_rank: usize,
    local_size: usize,
}

impl ProcessGroup {
    /// A group of one process.
    pub fn alone() -> Self {
        Self { position: Position { rank: 0, size: 1, local_rank: 0, local_size: 1 }, progress: None }
    }

    /// Joins the processes that were started with this one and does `work` with them. If the work fails in one process, that
    /// process prints its `failure` and ends all of them.
    ///
    /// Once `stop` is set, this process waits a fraction of a second for the others and then gives up: `mpirun` sets it, by a
    /// signal, when a process is lost, and kills the others soon after.
    ///
    /// # Errors
    /// Those of the work in a group of one; and if this process cannot reach the others.
    pub fn run<T, E: From<ProcessGroupError>>(
        stop: Arc<AtomicBool>,
        failure: impl FnOnce(&E) -> Failure,
        work: impl FnOnce(&Arc<ProcessGroup>) -> Result<T, E>,
    ) -> Result<T, E> {
        let group = Arc::new(connect(stop)?);
        let result = work(&group);
        if let Some(progress) = &group.progress {
            match &result {
                Ok(_) => progress.leave(),
                Err(error) => progress.abort(group.position, failure(error)),
            }
        }
        result
    }

    /// The number of processes.
    pub fn size(&self) -> usize {
        self.position.size
    }

    /// The number of this process, in `0..size()`.
    pub fn rank(&self) -> usize {
        self.position.rank
    }

    /// The number of this process among those of its machine, in `0..local_size()`.
    pub fn local_rank(&self) -> usize {
        self.position.local_rank
    }

    /// The number of processes on the machine of this one.
    pub fn local_size(&self) -> usize {
        self.position.local_size
    }

    /// Whether this is rank 0, the process that writes files and prints.
    pub fn is_root(&self) -> bool {
        self.position.rank == 0
    }

    /// The part of a range of work that belongs to this process.
    pub fn part(&self) -> Part {
        Part { index: self.position.rank, of: self.position.size }
    }

    /// Starts to sum `values` over all processes, element by element, and returns at once. All processes start the same
    /// operations, with vectors of the same length, in the same order.
    pub fn start_all_reduce<T: Reducible>(&self, values: Vec<T>) -> AllReduce<T> {
        match &self.progress {
            None => AllReduce::done(values),
            Some(progress) => progress.start_all_reduce(values),
        }
    }

    /// The sum of `values` over all processes, element by element.
    ///
    /// # Errors
    /// If a process is lost or the timeout has passed.
    pub fn all_reduce<T: Reducible>(&self, values: Vec<T>) -> Result<Vec<T>, ProcessGroupError> {
        self.start_all_reduce(values).wait()
    }

    /// Whether `value` is true in any process.
    ///
    /// # Errors
    /// If a process is lost or the timeout has passed.
    pub fn any(&self, value: bool) -> Result<bool, ProcessGroupError> {
        Ok(self.all_reduce(vec![f64::from(u8::from(value))])? != [0.0])
    }

    /// The `value` of rank 0; the values of other ranks are ignored.
    ///
    /// # Errors
    /// If a process is lost or the timeout has passed.
    pub fn broadcast(&self, value: f64) -> Result<f64, ProcessGroupError> {
        let sum = self.all_reduce(vec![if self.is_root() { value } else { 0.0 }])?;
        Ok(sum.into_iter().sum())
    }

    /// Waits until every process has called it.
    ///
    /// # Errors
    /// If a process is lost or the timeout has passed.
    pub fn barrier(&self) -> Result<(), ProcessGroupError> {
        self.any(false).map(|_| ())
    }
}

/// The group of the processes that were started with this one.
fn connect(stop: Arc<AtomicBool>) -> Result<ProcessGroup, ProcessGroupError> {
    if launched_size() < 2 {
        return Ok(ProcessGroup::alone());
    }
    #[cfg(feature = "mpi")]
    return mpi::connect(stop);
    #[cfg(not(feature = "mpi"))]
    {
        drop(stop);
        Err(ProcessGroupError::WithoutMpi)
    }
}

/// The number of processes that the launcher has started, from the variables of Open MPI, and of MPICH, Intel MPI and Slurm.
fn launched_size() -> usize {
    let number = |name| std::env::var(name).ok()?.parse().ok();
    ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"].into_iter().find_map(number).unwrap_or(1)
}
