//! A sum over all processes that may still be in progress.

use crate::ProcessGroupError;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A number type that can be summed over processes: `f32` or `f64`.
pub trait Reducible: Sized + Send + 'static {
    /// The task in its own precision.
    #[doc(hidden)]
    fn task(task: Task<Self>) -> AnyTask;
}

/// Values to be summed, and the channel for the result.
#[doc(hidden)]
pub struct Task<T> {
    pub(crate) values: Vec<T>,
    pub(crate) reply: Sender<Result<Vec<T>, ProcessGroupError>>,
}

/// A task in either precision.
#[doc(hidden)]
pub enum AnyTask {
    /// Gradients.
    Single(Task<f32>),
    /// Everything else.
    Double(Task<f64>),
}

impl Reducible for f32 {
    fn task(task: Task<Self>) -> AnyTask {
        AnyTask::Single(task)
    }
}

impl Reducible for f64 {
    fn task(task: Task<Self>) -> AnyTask {
        AnyTask::Double(task)
    }
}

/// The result of [`ProcessGroup::start_all_reduce`](crate::ProcessGroup::start_all_reduce).
#[must_use]
pub struct AllReduce<T>(State<T>);

enum State<T> {
    Done(Vec<T>),
    Pending(Receiver<Result<Vec<T>, ProcessGroupError>>),
}

impl<T: Reducible> AllReduce<T> {
    /// A result that is known.
    pub(crate) fn done(values: Vec<T>) -> Self {
        Self(State::Done(values))
    }

    /// A task, and its result once the task has been carried out.
    pub(crate) fn pending(values: Vec<T>) -> (AnyTask, Self) {
        let (reply, result) = channel();
        (T::task(Task { values, reply }), Self(State::Pending(result)))
    }

    /// Waits for the sums.
    ///
    /// # Errors
    /// If a process is lost or the timeout has passed.
    pub fn wait(self) -> Result<Vec<T>, ProcessGroupError> {
        match self.0 {
            State::Done(values) => Ok(values),
            State::Pending(result) => result.recv().map_err(|_| ProcessGroupError::Closed)?,
        }
    }
}
