//! Work on the library's threads, while the interpreter's other threads go on and Ctrl-C is heard.

use anyhow::Context;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use residual_flows::Monitor;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::errors::exception;

/// How often is looked whether Ctrl-C was pressed, and whether there is something to tell.
const TICK: Duration = Duration::from_millis(50);
/// Bytes of a thread's stack, as in the programs.
const STACK: usize = 4 << 20;

/// The threads that compute, and the process that they belong to.
static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// The threads of this process. One that was forked has none of its parent's, and gets its own.
fn pool() -> PyResult<Arc<ThreadPool>> {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, pool)) = pool.as_ref().filter(|(of, _)| *of == process::id()) {
        return Ok(pool.clone());
    }
    let started = ThreadPoolBuilder::new().stack_size(STACK).thread_name(|index| format!("compute {index}")).build();
    let started = Arc::new(started.context("the threads that compute cannot be started").map_err(exception)?);
    if let Some(of_parent) = pool.replace((process::id(), started.clone())) {
        // Its threads are not here to be ended.
        std::mem::forget(of_parent);
    }
    Ok(started)
}

/// Does work with a monitor that Ctrl-C stops.
///
/// # Errors
/// What a signal's handler raises, such as `KeyboardInterrupt`, as soon as the work has ended for it; and the work's own error.
pub fn interruptibly<T: Send>(py: Python<'_>, work: impl FnOnce(&Monitor) -> anyhow::Result<T> + Send) -> PyResult<T> {
    let stop = Arc::new(AtomicBool::new(false));
    let monitor = Monitor::new(stop.clone());
    attended(py, &stop, || work(&monitor), |_| Ok(true))?.map_err(exception)
}

/// Does work, and something else from time to time meanwhile and once more when it has ended. The flag, which stops the work, is
/// set if that says `false` or fails, or a signal comes.
///
/// # Errors
/// That of the attendance, or of a signal's handler, as soon as the work has ended.
pub fn attended<T: Send>(
    py: Python<'_>,
    stop: &AtomicBool,
    work: impl FnOnce() -> T + Send,
    mut attend: impl FnMut(Python<'_>) -> PyResult<bool> + Send,
) -> PyResult<T> {
    let pool = pool()?;
    let mut look = || {
        let goes_on = Python::attach(|py| py.check_signals().and_then(|()| attend(py)));
        if !matches!(goes_on, Ok(true)) {
            stop.store(true, Ordering::Relaxed);
        }
        goes_on.map(|_| ())
    };
    py.detach(|| {
        pool.in_place_scope(|scope| {
            let (give, take) = channel();
            scope.spawn(move |_| {
                // Who waits for it is there until it comes.
                let _ = give.send(work());
            });
            let mut raised = Ok(());
            loop {
                match take.recv_timeout(TICK) {
                    Ok(done) => return raised.and_then(|()| look()).map(|()| done),
                    Err(RecvTimeoutError::Timeout) if raised.is_ok() => raised = look(),
                    Err(RecvTimeoutError::Timeout) => {}
                    // It has panicked, which the end of the scope passes on.
                    Err(RecvTimeoutError::Disconnected) => return Err(exception(anyhow::anyhow!("a computation has panicked"))),
                }
            }
        })
    })
}
