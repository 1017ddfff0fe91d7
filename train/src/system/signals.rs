//! Ctrl-C, SIGTERM and SIGHUP: the first asks for an orderly end, the second ends the program at once.

use anyhow::{Context, Result};
use datasets::io::console::note;
use datasets::io::output;
use residual_flows::ModelError;
use residual_flows::training::TrainingError;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Whether the program was asked to stop, and what it does then.
#[derive(Clone, Default)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    /// What the first signal makes it say; before there is something to save, the program just ends.
    answer: Arc<Mutex<Option<String>>>,
    /// What it says before.
    early: Arc<Mutex<Option<String>>>,
}

impl Stop {
    /// Set by the first signal that comes once there is [something to save](Self::answer_with). One that comes before, and the
    /// second one after, end the program at once, the second with the code 128 plus the signal's number.
    ///
    /// SIGHUP is left alone where it is ignored, as under `nohup`.
    ///
    /// # Errors
    /// If the signals cannot be handled.
    pub fn on_signals() -> Result<Self> {
        let stop = Self::default();
        let of_thread = stop.clone();
        for_each_signal(move |signal| of_thread.take(signal))?;
        Ok(stop)
    }

    /// From now on a signal that ends the program at once makes it say this.
    pub fn answer_early_with(&self, line: impl Into<String>) {
        *self.early.lock().unwrap_or_else(PoisonError::into_inner) = Some(line.into());
    }

    /// From now on a signal is answered with this line and an orderly end.
    pub fn answer_with(&self, line: impl Into<String>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(line.into());
    }

    /// Whether the program was asked to.
    pub fn is_requested(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// What is set by the signal.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.flag.clone()
    }

    fn take(&self, signal: i32) {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(answer) = answer else {
            let early = self.early.lock().unwrap_or_else(PoisonError::into_inner).clone();
            note(early.as_deref().unwrap_or("stopped before there was anything to save"));
            end(signal);
        };
        if self.flag.swap(true, Ordering::Relaxed) {
            low_level::exit(128 + signal);
        }
        note(format_args!("{answer}; once more to stop at once"));
    }
}

/// From now on a signal ends the program as it does without handlers, once files that are not finished are removed.
///
/// # Errors
/// If the signals cannot be handled.
pub fn leave_nothing_unfinished() -> Result<()> {
    for_each_signal(|signal| end(signal))
}

/// Ends the program as a signal does without handlers.
fn end(signal: i32) -> ! {
    output::remove_unfinished();
    let _ = low_level::emulate_default_handler(signal);
    low_level::exit(128 + signal)
}

/// Has a thread wait for signals. SIGHUP is left alone where it is ignored.
fn for_each_signal(mut take: impl FnMut(i32) + Send + 'static) -> Result<()> {
    let hang_up = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hang_up)).context("cannot handle signals")?;
    let wait = move || signals.forever().for_each(&mut take);
    std::thread::Builder::new().spawn(wait).map(drop).context("cannot start the thread that waits for signals")
}

/// Whether an error only says that a model's computation was stopped.
pub fn is_interruption(error: &anyhow::Error) -> bool {
    let of_step = matches!(error.downcast_ref(), Some(TrainingError::Model(ModelError::Interrupted)));
    of_step || matches!(error.downcast_ref(), Some(ModelError::Interrupted))
}

/// Whether the program that started this one has it ignore a signal.
fn is_ignored(signal: i32) -> bool {
    // SAFETY: all zeros are a value of this plain struct, and the call only writes to it.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}
