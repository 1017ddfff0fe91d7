//! Processes that work together: which of them this is, and what they tell each other.
//!
//! All that they tell each other are sums: of gradients, of losses, of votes. A process alone is its own sum, so the rest of
//! a program does not ask how many there are. They are started by `mpirun`, and talk by MPI, with the feature `mpi`; its
//! library sums over one machine or many, whatever the network.
//!
//! # Examples
//! ```
//! use team::{Failure, Team, TeamError};
//!
//! let tell = |error: &TeamError| Failure { message: error.to_string(), exit_code: 1 };
//! let sum = Team::work(Default::default(), tell, |team| team.sum(vec![team.rank() as f64 + 1.0]))?;
//! // Of a process that was started alone.
//! assert_eq!(sum, [1.0]);
//! # Ok::<(), TeamError>(())
//! ```

mod error;
mod link;
#[cfg(feature = "mpi")]
mod mpi;
mod part;
#[cfg(feature = "mpi")]
mod patience;
mod sum;
mod threads;

pub use error::TeamError;
pub use part::Part;
pub use sum::{Sum, Summand};
pub use threads::team_of_threads;

use link::Link;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The processes that work together, seen from one of them.
pub struct Team {
    /// Which one this is, in all, and among those on its machine.
    place: Place,
    /// To the others, if there are any.
    link: Option<Link>,
}

/// An error as users are told.
#[derive(Clone, Debug)]
pub struct Failure {
    /// In words.
    pub message: String,
    /// Of the program.
    pub exit_code: u8,
}

/// Which of the processes this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    rank: usize,
    size: usize,
    rank_on_machine: usize,
    size_on_machine: usize,
}

impl Team {
    /// A process without others.
    pub fn alone() -> Self {
        Self { place: Place { rank: 0, size: 1, rank_on_machine: 0, size_on_machine: 1 }, link: None }
    }

    /// Does work together with the processes that were started with this one. If it fails in one of them, that one tells why
    /// and all end.
    ///
    /// Once `stop` is set, the others are not waited for any longer, for `mpirun` soon ends processes that it has told to
    /// stop, and tells them to when one of them is lost.
    ///
    /// # Errors
    /// Those of the work, if this process is alone, and if it cannot reach the others.
    pub fn work<T, E: From<TeamError>>(
        stop: Arc<AtomicBool>,
        tell: impl FnOnce(&E) -> Failure,
        work: impl FnOnce(&Arc<Team>) -> Result<T, E>,
    ) -> Result<T, E> {
        let team = Arc::new(connect(stop)?);
        let result = work(&team);
        if let Some(link) = &team.link {
            match &result {
                Ok(_) => link.leave(),
                Err(error) => link.end_all(team.place, tell(error)),
            }
        }
        result
    }

    /// Number of processes.
    pub fn size(&self) -> usize {
        self.place.size
    }

    /// Number of this process, from 0.
    pub fn rank(&self) -> usize {
        self.place.rank
    }

    /// Number of this process among those on its machine, from 0.
    pub fn rank_on_machine(&self) -> usize {
        self.place.rank_on_machine
    }

    /// Number of processes on this one's machine.
    pub fn size_on_machine(&self) -> usize {
        self.place.size_on_machine
    }

    /// Whether this is the one that writes files and speaks.
    pub fn is_first(&self) -> bool {
        self.place.rank == 0
    }

    /// This process's part of what is divided among all.
    pub fn part(&self) -> Part {
        Part { index: self.place.rank, of: self.place.size }
    }

    /// Begins to sum vectors of the same length over all processes, element by element. All processes begin the same sums in
    /// the same order.
    pub fn begin_sum<T: Summand>(&self, values: Vec<T>) -> Sum<T> {
        match &self.link {
            None => Sum::done(values),
            Some(link) => link.begin_sum(values),
        }
    }

    /// The sum over all processes.
    ///
    /// # Errors
    /// If a process is lost.
    pub fn sum<T: Summand>(&self, values: Vec<T>) -> Result<Vec<T>, TeamError> {
        self.begin_sum(values).finish()
    }

    /// Whether any process says so.
    ///
    /// # Errors
    /// If a process is lost.
    pub fn any(&self, yes: bool) -> Result<bool, TeamError> {
        Ok(self.sum(vec![f64::from(u8::from(yes))])? != [0.0])
    }

    /// What the first process says.
    ///
    /// # Errors
    /// If a process is lost.
    pub fn of_first(&self, value: f64) -> Result<f64, TeamError> {
        let sum = self.sum(vec![if self.is_first() { value } else { 0.0 }])?;
        Ok(sum.into_iter().sum())
    }

    /// Waits until all processes are here.
    ///
    /// # Errors
    /// If a process is lost.
    pub fn meet(&self) -> Result<(), TeamError> {
        self.any(false).map(|_| ())
    }
}

/// Finds the processes that were started with this one.
fn connect(stop: Arc<AtomicBool>) -> Result<Team, TeamError> {
    if started_with() < 2 {
        return Ok(Team::alone());
    }
    #[cfg(feature = "mpi")]
    return mpi::connect(stop);
    #[cfg(not(feature = "mpi"))]
    {
        drop(stop);
        Err(TeamError::WithoutMpi)
    }
}

/// The number of processes that a launcher says it has started; the variables are those of Open MPI, and of MPICH, Intel MPI
/// and Slurm.
fn started_with() -> usize {
    let number = |name| std::env::var(name).ok()?.parse().ok();
    ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"].into_iter().find_map(number).unwrap_or(1)
}
