//! A sum over all processes that may still be on its way.

use crate::TeamError;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Numbers that can be summed over processes.
pub trait Summand: Sized + Send + 'static {
    /// The task of summing them.
    #[doc(hidden)]
    fn task(task: Task<Self>) -> AnyTask;
}

/// Values to be summed, and where the sums go.
#[doc(hidden)]
pub struct Task<T> {
    pub(crate) values: Vec<T>,
    pub(crate) reply: Sender<Result<Vec<T>, TeamError>>,
}

/// A task in either precision.
#[doc(hidden)]
pub enum AnyTask {
    /// Gradients.
    Single(Task<f32>),
    /// Everything else.
    Double(Task<f64>),
}

impl Summand for f32 {
    fn task(task: Task<Self>) -> AnyTask {
        AnyTask::Single(task)
    }
}

impl Summand for f64 {
    fn task(task: Task<Self>) -> AnyTask {
        AnyTask::Double(task)
    }
}

/// A sum over all processes.
#[must_use]
pub struct Sum<T>(State<T>);

enum State<T> {
    Done(Vec<T>),
    Coming(Receiver<Result<Vec<T>, TeamError>>),
}

impl<T: Summand> Sum<T> {
    /// That is known.
    pub(crate) fn done(values: Vec<T>) -> Self {
        Self(State::Done(values))
    }

    /// That will be known when its task has been done.
    pub(crate) fn coming(values: Vec<T>) -> (AnyTask, Self) {
        let (reply, coming) = channel();
        (T::task(Task { values, reply }), Self(State::Coming(coming)))
    }

    /// Waits for it.
    ///
    /// # Errors
    /// If a process is lost.
    pub fn finish(self) -> Result<Vec<T>, TeamError> {
        match self.0 {
            State::Done(values) => Ok(values),
            State::Coming(coming) => coming.recv().map_err(|_| TeamError::Closed)?,
        }
    }
}
