//! How a program begins: with threads of known stacks, as many as the system allows.

use crate::io::console::note;
use std::io;
use std::sync::mpsc::{Sender, channel};
#[cfg(unix)]
use std::sync::{Arc, atomic::AtomicBool};
use std::thread::{Builder, JoinHandle};

/// Bytes of a thread's stack, whatever `ulimit -s` says.
const STACK: usize = 4 << 20;
/// Threads beside those that compute: they read ahead, write, and answer signals.
const OTHERS: usize = 4;

/// Runs a program's work on a thread of the pool that all parallel work uses from then on. To be called once, first.
///
/// Where the system does not allow as many threads as there are processors, there are fewer, and a line on standard error
/// says so.
///
/// # Errors
/// If not a single thread can be started.
pub fn run<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    refuse_what_is_too_long();
    let wanted = std::env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok()).filter(|&n: &usize| n > 0);
    let wanted = wanted.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let (mut waiting, refused) = start(wanted);
    if let Some(error) = refused {
        let started = waiting.len();
        let spared = waiting.split_off(started.saturating_sub(OTHERS).max(1).min(started));
        spared.into_iter().for_each(Waiting::end);
        if waiting.is_empty() {
            let advice = "raise the limits of processes (ulimit -u) and memory (ulimit -v)";
            return Err(io::Error::new(error.kind(), format!("no thread can be started ({error}); {advice}")));
        }
        note(format_args!("warning: {started} of {wanted} threads could be started ({error}); {} compute", waiting.len()));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(waiting.len());
    let hand_over = |thread: rayon::ThreadBuilder| match waiting.pop() {
        Some(Waiting { give, .. }) => give.send(thread).map_err(|_| io::Error::other("a thread that was started has ended")),
        None => Err(io::Error::other("a thread more than there are")),
    };
    pool.spawn_handler(hand_over).build_global().map_err(io::Error::other)?;
    // Work handed over from outside of the pool would wait for a thread to wake up, every time.
    Ok(rayon::scope(|_| work()))
}

/// Makes writing beyond `ulimit -f` an error, which can be told and cleaned up after, instead of a signal that ends the program.
fn refuse_what_is_too_long() {
    #[cfg(unix)]
    if let Err(error) = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::<AtomicBool>::default()) {
        note(format_args!("warning: limits of the length of files end the program: {error}"));
    }
}

/// A thread that has been started, and waits for what it is to do.
struct Waiting {
    give: Sender<rayon::ThreadBuilder>,
    thread: JoinHandle<()>,
}

impl Waiting {
    fn new(index: usize) -> io::Result<Self> {
        let (give, take) = channel::<rayon::ThreadBuilder>();
        let run = move || {
            if let Ok(thread) = take.recv() {
                thread.run();
            }
        };
        Ok(Self { give, thread: Builder::new().name(format!("compute {index}")).stack_size(STACK).spawn(run)? })
    }

    /// Lets it go, so that another can be started.
    fn end(self) {
        drop(self.give);
        // It has done nothing that could have panicked.
        let _ = self.thread.join();
    }
}

/// As many threads as are wanted, or as the system allows with its reason for no more.
fn start(wanted: usize) -> (Vec<Waiting>, Option<io::Error>) {
    let mut waiting = Vec::new();
    for index in 0..wanted {
        match Waiting::new(index) {
            Ok(thread) => waiting.push(thread),
            Err(error) => return (waiting, Some(error)),
        }
    }
    (waiting, None)
}
