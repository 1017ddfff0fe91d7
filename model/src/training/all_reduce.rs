//! Processes that make every step together: what training asks of them.

use super::error::GroupError;

/// A group of processes, one a device, as one of its members sees it.
///
/// Every process has the same weights, works on its own part of every batch with noise of its own, and makes the same step as the
/// others from the sum of all gradients. This library knows no way to communicate; the program `train` implements this trait by
/// MPI.
pub trait AllReduce: Send + Sync {
    /// The number of this process, in `0..size()`.
    fn rank(&self) -> usize;

    /// The number of processes.
    fn size(&self) -> usize;

    /// Begins to sum values over all processes, element by element, and returns at once. All processes begin the same sums in the
    /// same order.
    fn start(&self, values: Vec<f32>) -> PendingSum;

    /// The sum of values over all processes, element by element.
    ///
    /// # Errors
    /// If a process is lost.
    fn all_reduce(&self, values: Vec<f64>) -> Result<Vec<f64>, GroupError>;
}

/// Waits for a sum over all processes.
pub type PendingSum = Box<dyn FnOnce() -> Result<Vec<f32>, GroupError> + Send>;

/// A group of one process, whose sums are its own values.
#[derive(Clone, Copy, Debug, Default)]
pub struct SingleProcess;

impl AllReduce for SingleProcess {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn start(&self, values: Vec<f32>) -> PendingSum {
        Box::new(|| Ok(values))
    }

    fn all_reduce(&self, values: Vec<f64>) -> Result<Vec<f64>, GroupError> {
        Ok(values)
    }
}
