//! The thread that communicates with the other processes while this one computes.

use crate::all_reduce::{AllReduce, AnyTask, Reducible};
use crate::{Failure, Position, ProcessGroupError};
use std::io::Write;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How long other ranks wait before they print an error: rank 0 speaks first for what is wrong in all of them.
const ROOT_SPEAKS_FIRST: Duration = Duration::from_secs(1);

/// A command to the thread.
pub(crate) enum Command {
    /// Sum over all processes.
    AllReduce(AnyTask),
    /// End the thread; no command follows.
    Leave,
    /// End all processes with this exit code.
    #[cfg_attr(not(feature = "mpi"), expect(dead_code, reason = "threads have no exit code"))]
    Abort(u8),
}

/// The sending end of the commands, which the thread carries out in order.
pub(crate) struct ProgressThread {
    commands: Sender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl ProgressThread {
    /// `thread` takes `commands` and is joined at the end; `None` for a thread that nobody joins.
    pub fn new(commands: Sender<Command>, thread: Option<JoinHandle<()>>) -> Self {
        Self { commands, thread: Mutex::new(thread) }
    }

    pub fn start_all_reduce<T: Reducible>(&self, values: Vec<T>) -> AllReduce<T> {
        let (task, pending) = AllReduce::pending(values);
        self.send(Command::AllReduce(task));
        pending
    }

    /// Leaves the group when all work is done.
    pub fn leave(&self) {
        self.send(Command::Leave);
        self.join();
    }

    /// Ends all processes because of an error in this one.
    pub fn abort(&self, position: Position, failure: Failure) {
        let Failure { message, exit_code } = failure;
        match position.rank {
            0 => print(format_args!("error: {message}")),
            rank => {
                std::thread::sleep(ROOT_SPEAKS_FIRST);
                print(format_args!("error in process {rank} of {}: {message}", position.size));
            }
        }
        self.send(Command::Abort(exit_code));
        self.join();
    }

    /// A command that cannot be sent has no reply, and whoever waits for the reply gets an error.
    fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    fn join(&self) {
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(thread) = thread {
            // A panic there has been printed.
            let _ = thread.join();
        }
    }
}

/// Starts a thread.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, ProcessGroupError> {
    Builder::new().name(name.into()).spawn(body).map_err(|error| ProcessGroupError::Thread(Arc::new(error)))
}

/// Prints a line on standard error. It may be closed, which must not end the process.
pub(crate) fn print(line: std::fmt::Arguments) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
