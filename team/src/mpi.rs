//! Sums by MPI.

use crate::link::{Link, Order};
use crate::sum::{AnyTask, Task};
use crate::{Place, Team, TeamError, patience};
use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::datatype::Equivalence;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// How often a sum that is on its way is looked after.
const PAUSE: Duration = Duration::from_micros(50);
/// How long the others are waited for after the signal to stop: `mpirun` gives processes a second before it kills them.
const AFTER_STOP: Duration = Duration::from_millis(300);

/// Joins the processes that were started together.
///
/// MPI belongs to a thread of its own, which alone makes calls, and sees to it that sums go on while others compute.
pub(crate) fn connect(stop: Arc<AtomicBool>) -> Result<Team, TeamError> {
    let limit = patience::limit()?;
    let (orders, taken) = channel();
    let (opened, place) = channel();
    let thread = std::thread::spawn(move || serve(&opened, &taken, Deadline { stop, limit }));
    let place = place.recv().map_err(|_| TeamError::Start)??;
    Ok(Team { place, link: Some(Link::new(orders, Some(thread))) })
}

fn serve(opened: &Sender<Result<Place, TeamError>>, orders: &Receiver<Order>, deadline: Deadline) {
    let Some((universe, _)) = mpi::initialize_with_threading(Threading::Funneled) else {
        let _ = opened.send(Err(TeamError::Start));
        return;
    };
    let world = universe.world();
    if opened.send(Ok(place(&world))).is_err() {
        return;
    }
    while let Ok(order) = orders.recv() {
        match order {
            Order::Sum(AnyTask::Single(task)) => carry_out(&world, task, orders, &deadline),
            Order::Sum(AnyTask::Double(task)) => carry_out(&world, task, orders, &deadline),
            Order::Leave => break,
            Order::EndAll(code) => world.abort(code.into()),
        }
    }
}

fn place(world: &SimpleCommunicator) -> Place {
    let machine = world.split_shared(world.rank());
    let numbers = [world.rank(), world.size(), machine.rank(), machine.size()];
    let [rank, size, rank_on_machine, size_on_machine] = numbers.map(|n| usize::try_from(n).unwrap_or(0));
    Place { rank, size, rank_on_machine, size_on_machine }
}

/// When to give up on processes that do not answer.
struct Deadline {
    /// Set by the signal to stop.
    stop: Arc<AtomicBool>,
    limit: Duration,
}

impl Deadline {
    /// Whether it has passed, for a sum that began some time ago; `stopping` keeps when the signal to stop was seen.
    fn passed(&self, begin: Instant, stopping: &mut Option<Instant>) -> Option<TeamError> {
        if self.stop.load(Ordering::Relaxed) && stopping.get_or_insert_with(Instant::now).elapsed() > AFTER_STOP {
            return Some(TeamError::Lost);
        }
        let silent = TeamError::Silent { limit: self.limit, variable: patience::VARIABLE };
        (begin.elapsed() > self.limit).then_some(silent)
    }
}

/// Sums, and replies. If it gives up on processes that do not answer, it says so, and waits to be told to end all: until then
/// the buffers are in use.
fn carry_out<T: Equivalence + Clone>(world: &SimpleCommunicator, task: Task<T>, orders: &Receiver<Order>, deadline: &Deadline) {
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
                if let Ok(Order::EndAll(code)) = orders.try_recv() {
                    world.abort(code.into());
                }
            } else if let Some(error) = deadline.passed(begin, &mut stopping) {
                // Here and below, nobody may be waiting any longer.
                let _ = reply.send(Err(error));
                has_given_up = true;
            }
            std::thread::sleep(PAUSE);
        }
    });
    let _ = reply.send(Ok(sums));
}
