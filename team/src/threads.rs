//! Teams of threads in one process: sums without MPI, on which what teams do is tested.

use crate::link::{Link, Order};
use crate::sum::{AnyTask, Task};
use crate::{Place, Team};
use std::ops::Add;
use std::sync::mpsc::{Receiver, channel};

/// A team of so many members, each to be moved to a thread of its own. If one is dropped, it is lost to the others.
pub fn team_of_threads(size: usize) -> Vec<Team> {
    let (givers, takers): (Vec<_>, Vec<_>) = (0..size).map(|_| channel()).unzip();
    std::thread::spawn(move || while serve(&takers).is_some() {});
    let place = |rank| Place { rank, size, rank_on_machine: rank, size_on_machine: size };
    givers
        .into_iter()
        .enumerate()
        .map(|(rank, orders)| Team { place: place(rank), link: Some(Link::new(orders, None)) })
        .collect()
}

/// Takes an order of every member, and carries them out together; `None` once a member is gone.
fn serve(members: &[Receiver<Order>]) -> Option<()> {
    let (mut singles, mut doubles) = (Vec::new(), Vec::new());
    for member in members {
        match member.recv().ok()? {
            Order::Sum(AnyTask::Single(task)) => singles.push(task),
            Order::Sum(AnyTask::Double(task)) => doubles.push(task),
            Order::Leave | Order::EndAll(_) => return None,
        }
    }
    carry_out(singles);
    carry_out(doubles);
    Some(())
}

fn carry_out<T: Copy + Add<Output = T>>(tasks: Vec<Task<T>>) {
    let all: Vec<&[T]> = tasks.iter().map(|task| task.values.as_slice()).collect();
    let Some((first, rest)) = all.split_first() else { return };
    let sum = rest.iter().fold(first.to_vec(), |sum, more| sum.iter().zip(*more).map(|(&a, &b)| a + b).collect());
    for task in &tasks {
        // Whoever is gone needs no reply.
        let _ = task.reply.send(Ok(sum.clone()));
    }
}
