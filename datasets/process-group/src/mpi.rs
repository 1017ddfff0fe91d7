//! Communication by MPI.

use crate::all_reduce::{AnyTask, Task};
use crate::progress_thread::{Command, ProgressThread, print, spawn};
use crate::timeout::Timeout;
use crate::{Position, ProcessGroup, ProcessGroupError};
use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::datatype::Equivalence;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// The time between two tests whether a sum is complete.
const POLL_INTERVAL: Duration = Duration::from_micros(50);
/// How long to wait for the others after the signal to stop: `mpirun` kills processes a second after it.
const AFTER_STOP: Duration = Duration::from_millis(300);

/// Joins the processes that were started together.
///
/// One thread makes all calls of MPI, so that sums progress while this process computes.
pub(crate) fn connect(stop: Arc<AtomicBool>) -> Result<ProcessGroup, ProcessGroupError> {
    let timeout = Timeout::from_environment()?;
    let (commands, received) = channel();
    let (opened, position) = channel();
    let thread = spawn("mpi", move || serve(&opened, &received, Deadline { stop, timeout }))?;
    let position = position.recv().map_err(|_| ProcessGroupError::Start)??;
    if let Some(note) = timeout.note().filter(|_| position.rank == 0) {
        print(format_args!("{note}"));
    }
    Ok(ProcessGroup { position, progress: Some(ProgressThread::new(commands, Some(thread))) })
}

fn serve(opened: &Sender<Result<Position, ProcessGroupError>>, commands: &Receiver<Command>, deadline: Deadline) {
    let Some((universe, _)) = mpi::initialize_with_threading(Threading::Funneled) else {
        let _ = opened.send(Err(ProcessGroupError::Start));
        return;
    };
    let world = universe.world();
    if opened.send(Ok(position(&world))).is_err() {
        return;
    }
    while let Ok(command) = commands.recv() {
        match command {
            Command::AllReduce(AnyTask::Single(task)) => all_reduce(&world, task, commands, &deadline),
            Command::AllReduce(AnyTask::Double(task)) => all_reduce(&world, task, commands, &deadline),
            Command::Leave => break,
            Command::Abort(code) => world.abort(code.into()),
        }
    }
}

fn position(world: &SimpleCommunicator) -> Position {
    let machine = world.split_shared(world.rank());
    let numbers = [world.rank(), world.size(), machine.rank(), machine.size()];
    let [rank, size, local_rank, local_size] = numbers.map(|n| usize::try_from(n).unwrap_or(0));
    Position { rank, size, local_rank, local_size }
}

/// When to give up on processes that do not answer.
struct Deadline {
    /// Set by the signal to stop.
    stop: Arc<AtomicBool>,
    timeout: Timeout,
}

impl Deadline {
    /// The error if it has passed for a sum that started at `begin`; `stopping` keeps when the signal to stop was seen.
    fn passed(&self, begin: Instant, stopping: &mut Option<Instant>) -> Option<ProcessGroupError> {
        if self.stop.load(Ordering::Relaxed) && stopping.get_or_insert_with(Instant::now).elapsed() > AFTER_STOP {
            return Some(ProcessGroupError::Lost);
        }
        let Timeout { limit, variable } = self.timeout;
        (begin.elapsed() > limit).then_some(ProcessGroupError::TimedOut { timeout: limit, variable })
    }
}

/// Sums and replies. After the deadline it replies with an error and waits for the command to abort: MPI uses the buffers until
/// then.
fn all_reduce<T: Equivalence + Clone>(
    world: &SimpleCommunicator,
    task: Task<T>,
    commands: &Receiver<Command>,
    deadline: &Deadline,
) {
    let Task { values, reply } = task;
    let mut sums = values.clone();
    let (begin, mut stopping) = (Instant::now(), None);
    let mut has_given_up = false;
    mpi::request::scope(|scope| {
        let mut request = world.immediate_all_reduce_into(scope, &values[..], &mut sums[..], SystemOperation::sum());
        loop {
            request = match request.test() {
                Ok(_) => return,
                Err(request) => request,
            };
            if has_given_up {
                if let Ok(Command::Abort(code)) = commands.try_recv() {
                    world.abort(code.into());
                }
            } else if let Some(error) = deadline.passed(begin, &mut stopping) {
                // Here and below, the receiver may be gone.
                let _ = reply.send(Err(error));
                has_given_up = true;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    });
    let _ = reply.send(Ok(sums));
}
