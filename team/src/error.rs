//! Why processes cannot work together.

use std::time::Duration;
use thiserror::Error;

/// The error of every fallible function of this crate.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum TeamError {
    /// This program cannot be one of several processes.
    #[error(
        "several processes were started to work together, but this program was built without `mpi`: build it with `cargo build \
         --release --features mpi`, which needs MPI and libclang (Debian and Ubuntu: libopenmpi-dev, openmpi-bin, libclang-dev, \
         clang)"
    )]
    WithoutMpi,
    /// MPI did not start.
    #[error("MPI cannot be started, or not a second time")]
    Start,
    /// How long to wait for other processes makes no sense.
    #[error("{variable} is `{value}`: expected for how many seconds to wait for other processes, such as 1800")]
    Patience {
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// Others did not answer after the signal to stop.
    #[error("the other processes did not answer after the signal to stop: one was lost, or all are being ended")]
    Lost,
    /// Others did not answer for too long.
    #[error(
        "a process has not answered for {} s: it hangs, is stopped, or its machine cannot be reached; if it only takes that long, \
         set {variable} to more seconds",
        limit.as_secs_f64()
    )]
    Silent {
        /// For how long they were waited for.
        limit: Duration,
        /// The environment variable that says how long to wait.
        variable: &'static str,
    },
    /// The part of this process that talks to the others has ended.
    #[error("the connection to the other processes is closed")]
    Closed,
}
