//! Errors of a process group.

use std::io;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// The error of every fallible function of this crate.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ProcessGroupError {
    /// The program was built without MPI and cannot be one of several processes.
    #[error(
        "several processes were started to work together, but this program was built without `mpi`: build it with `cargo build \
         --release --features mpi`, which needs MPI and libclang (Debian and Ubuntu: libopenmpi-dev, openmpi-bin, libclang-dev, \
         clang)"
    )]
    WithoutMpi,
    /// MPI did not start.
    #[error("MPI cannot be started, or not a second time")]
    Start,
    /// The system has no thread left for communication.
    #[error(
        "the thread that communicates with the other processes could not be started: {0}; raise the limit of processes (`ulimit -u`, \
         or that of the container) or start fewer"
    )]
    Thread(Arc<io::Error>),
    /// The timeout is not a positive number of seconds.
    #[error("{variable} is `{value}`: expected the seconds to wait for other processes, such as 1800")]
    InvalidTimeout {
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// The other processes did not answer after the signal to stop.
    #[error("the other processes did not answer after the signal to stop: one was lost, or all are being ended")]
    Lost,
    /// The other processes did not answer within the timeout.
    #[error(
        "a process has not answered for {} s: it hangs, is stopped, or its machine cannot be reached; if it only takes that long, \
         set {variable} to more seconds",
        timeout.as_secs_f64()
    )]
    TimedOut {
        /// How long this process waited.
        timeout: Duration,
        /// The environment variable that sets the timeout.
        variable: &'static str,
    },
    /// The thread that communicates has ended.
    #[error("the connection to the other processes is closed")]
    Closed,
}
