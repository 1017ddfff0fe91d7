//! Sums by MPI.

use super::link::{Link, Order};
use super::sum::{AnyTask, Task};
use super::{Place, Team};
use anyhow::{Context, Result, bail};
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
        let _ = opened.send(Err(anyhow::anyhow!("MPI cannot be started a second time")));
        return;
    };
    let world = universe.world();
    if opened.send(Ok(place(&world))).is_err() {
        return;
    }
    for order in orders {
        match order {
            Order::Sum(AnyTask::Single(task)) => carry_out(&world, task, stop),
            Order::Sum(AnyTask::Double(task)) => carry_out(&world, task, stop),
            Order::Leave => break,
            Order::EndAll => world.abort(1),
        }
    }
}

fn place(world: &SimpleCommunicator) -> Place {
    let machine = world.split_shared(world.rank());
    let [rank, size, on_machine] = [world.rank(), world.size(), machine.rank()].map(|n| usize::try_from(n).unwrap_or(0));
    Place { rank, size, on_machine }
}

fn carry_out<T: Equivalence + Clone>(world: &SimpleCommunicator, task: Task<T>, stop: &AtomicBool) {
    let Task { values, reply } = task;
    // Nobody may be waiting for it any longer.
    let _ = reply.send(sum(world, values, stop));
}

fn sum<T: Equivalence + Clone>(world: &SimpleCommunicator, values: Vec<T>, stop: &AtomicBool) -> Result<Vec<T>> {
    let mut sums = values.clone();
    let arrived = mpi::request::scope(|scope| {
        let mut request = world.immediate_all_reduce_into(scope, &values[..], &mut sums[..], SystemOperation::sum());
        let mut stopping: Option<Instant> = None;
        loop {
            request = match request.test() {
                Ok(_) => return true,
                Err(request) => request,
            };
            if stop.load(Ordering::Relaxed) && stopping.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                // The buffers are in use until the process ends, which it does now.
                std::mem::forget(request);
                return false;
            }
            std::thread::sleep(PAUSE);
        }
    });
    if !arrived {
        bail!("the other processes did not answer after the signal to stop: one was lost, or all are being ended");
    }
    Ok(sums)
}
