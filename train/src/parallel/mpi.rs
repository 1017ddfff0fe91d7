//! Sums by MPI.

use super::link::{Link, Order};
use super::sum::{AnyTask, Task};
use super::{Place, Team};
use anyhow::{Context, Result, anyhow};
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
const PATIENCE: Duration = Duration::from_millis(300);
const LOST: &str = "the other processes did not answer after the signal to stop: one was lost, or all are being ended";

/// Joins the processes that were started together.
///
/// MPI belongs to a thread of its own, which alone makes calls, and sees to it that sums go on while others compute.
pub(super) fn connect(stop: Arc<AtomicBool>) -> Result<Team> {
    let (orders, taken) = channel();
    let (opened, place) = channel();
    let thread = std::thread::spawn(move || serve(&opened, &taken, &stop));
    let place = place.recv().context("MPI cannot be started")??;
    Ok(Team { place, link: Some(Link::new(orders, Some(thread))) })
}

fn serve(opened: &Sender<Result<Place>>, orders: &Receiver<Order>, stop: &AtomicBool) {
    let Some((universe, _)) = mpi::initialize_with_threading(Threading::Funneled) else {
        let _ = opened.send(Err(anyhow!("MPI cannot be started a second time")));
        return;
    };
    let world = universe.world();
    if opened.send(Ok(place(&world))).is_err() {
        return;
    }
    while let Ok(order) = orders.recv() {
        match order {
            Order::Sum(AnyTask::Single(task)) => carry_out(&world, task, orders, stop),
            Order::Sum(AnyTask::Double(task)) => carry_out(&world, task, orders, stop),
            Order::Leave => break,
            Order::EndAll => world.abort(1),
        }
    }
}

fn place(world: &SimpleCommunicator) -> Place {
    let machine = world.split_shared(world.rank());
    let numbers = [world.rank(), world.size(), machine.rank(), machine.size()];
    let [rank, size, rank_on_machine, size_on_machine] = numbers.map(|n| usize::try_from(n).unwrap_or(0));
    Place { rank, size, rank_on_machine, size_on_machine }
}

/// Sums, and replies. After the signal to stop it gives up on processes that do not answer, says so, and waits to be told to
/// end all: until then the buffers are in use.
fn carry_out<T: Equivalence + Clone>(world: &SimpleCommunicator, task: Task<T>, orders: &Receiver<Order>, stop: &AtomicBool) {
    let Task { values, reply } = task;
    let mut sums = values.clone();
    let mut stopping: Option<Instant> = None;
    let mut has_given_up = false;
    mpi::request::scope(|scope| {
        let mut request = world.immediate_all_reduce_into(scope, &values[..], &mut sums[..], SystemOperation::sum());
        loop {
            request = match request.test() {
                Ok(_) => return,
                Err(request) => request,
            };
            if has_given_up {
                if let Ok(Order::EndAll) = orders.try_recv() {
                    world.abort(1);
                }
            } else if stop.load(Ordering::Relaxed) && stopping.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                // Here and below, nobody may be waiting any longer.
                let _ = reply.send(Err(anyhow!(LOST)));
                has_given_up = true;
            }
            std::thread::sleep(PAUSE);
        }
    });
    let _ = reply.send(Ok(sums));
}
