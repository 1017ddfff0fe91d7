//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends the program at once.

use anyhow::{Context, Result};
use datasets::console::note;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Becomes true on the first SIGINT or SIGTERM. A second one ends the program with the code 128 plus the signal's
/// number. SIGHUP is left alone, so that `nohup` works.
///
/// # Errors
/// If the signals cannot be handled.
pub fn on_signals() -> Result<Arc<AtomicBool>> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot handle signals")?;
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let wait = move || {
        for signal in signals.forever() {
            if flag.swap(true, Ordering::Relaxed) {
                signal_hook::low_level::exit(128 + signal);
            }
            note("stopping: finishing the step and saving; once more to stop at once");
        }
    };
    std::thread::Builder::new().spawn(wait).context("cannot start the thread that waits for signals")?;
    Ok(stop)
}
