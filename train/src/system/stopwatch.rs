//! Where the time of a run goes.

use std::time::{Duration, Instant};

/// Adds up the time of one kind of work.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stopwatch {
    total: Duration,
}

impl Stopwatch {
    /// Does a piece of work, and adds its time.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = work();
        self.add_since(begin);
        result
    }

    /// Adds the time since then.
    pub fn add_since(&mut self, begin: Instant) {
        self.total += begin.elapsed();
    }

    /// All of it.
    pub fn seconds(&self) -> f64 {
        self.total.as_secs_f64()
    }
}
