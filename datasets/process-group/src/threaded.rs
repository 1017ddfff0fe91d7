//! A group of threads in one process, without MPI, for tests of what groups do.

use crate::all_reduce::{AnyTask, Task};
use crate::progress_thread::{Command, ProgressThread, spawn};
use crate::{Position, ProcessGroup, ProcessGroupError};
use std::ops::Add;
use std::sync::mpsc::{Receiver, channel};

/// The `size` members of a group, each to be moved to a thread of its own. A member that is dropped is lost to the others.
///
/// # Errors
/// If no thread can be started.
pub fn threaded_group(size: usize) -> Result<Vec<ProcessGroup>, ProcessGroupError> {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..size).map(|_| channel()).unzip();
    spawn("process-group", move || while serve(&receivers).is_some() {})?;
    let position = |rank| Position { rank, size, local_rank: rank, local_size: size };
    let member =
        |(rank, commands)| ProcessGroup { position: position(rank), progress: Some(ProgressThread::new(commands, None)) };
    Ok(senders.into_iter().enumerate().map(member).collect())
}

/// Takes a command of every member and carries them out together; `None` once a member is gone.
fn serve(members: &[Receiver<Command>]) -> Option<()> {
    let (mut singles, mut doubles) = (Vec::new(), Vec::new());
    for member in members {
        match member.recv().ok()? {
            Command::AllReduce(AnyTask::Single(task)) => singles.push(task),
            Command::AllReduce(AnyTask::Double(task)) => doubles.push(task),
            Command::Leave | Command::Abort(_) => return None,
        }
    }
    all_reduce(singles);
    all_reduce(doubles);
    Some(())
}

fn all_reduce<T: Copy + Add<Output = T>>(tasks: Vec<Task<T>>) {
    let all: Vec<&[T]> = tasks.iter().map(|task| task.values.as_slice()).collect();
    let Some((first, rest)) = all.split_first() else { return };
    let sum = rest.iter().fold(first.to_vec(), |sum, more| sum.iter().zip(*more).map(|(&a, &b)| a + b).collect());
    for task in &tasks {
        // A member that is gone needs no reply.
        let _ = task.reply.send(Ok(sum.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What every member of a group returns, in the order of ranks.
    fn each<T: Send>(size: usize, work: impl Fn(&ProcessGroup) -> T + Sync) -> Vec<T> {
        let members = threaded_group(size).expect("a thread");
        std::thread::scope(|scope| {
            let threads: Vec<_> = members.into_iter().map(|group| scope.spawn(|| work(&{ group }))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        })
    }

    #[test]
    fn ranks_and_sizes_are_those_of_the_group() {
        let seen = each(3, |g| (g.rank(), g.size(), g.local_rank(), g.local_size(), g.is_root(), g.part().index, g.part().of));
        assert_eq!(seen, [(0, 3, 0, 3, true, 0, 3), (1, 3, 1, 3, false, 1, 3), (2, 3, 2, 3, false, 2, 3)]);
        let alone = ProcessGroup::alone();
        assert_eq!((alone.rank(), alone.size(), alone.is_root()), (0, 1, true));
    }

    #[test]
    fn a_process_alone_is_its_own_sum() {
        let alone = ProcessGroup::alone();
        assert_eq!(alone.all_reduce(vec![1.5f32, -2.0]).expect("a sum"), [1.5, -2.0]);
        assert_eq!(alone.broadcast(0.25).expect("a value"), 0.25);
        assert!(alone.any(true).expect("a vote") && !alone.any(false).expect("a vote"));
        alone.barrier().expect("nobody to wait for");
    }

    #[test]
    fn all_members_get_the_sum_the_vote_and_the_value_of_rank_0() {
        let results = each(4, |group| {
            let rank = group.rank();
            let sum = group.all_reduce(vec![rank as f32, 1.0]).expect("a sum");
            let votes = (group.any(rank == 2).expect("a vote"), group.any(false).expect("a vote"));
            (sum, votes, group.broadcast(7.0 + rank as f64).expect("a value"))
        });
        assert_eq!(results, vec![(vec![6.0, 4.0], (true, false), 7.0); 4]);
    }

    #[test]
    fn sums_that_are_started_together_arrive_in_order() {
        let results = each(2, |group| {
            let started: Vec<_> = (0..5).map(|i| group.start_all_reduce(vec![f64::from(i)])).collect();
            started.into_iter().map(|sum| sum.wait().expect("a sum")[0]).collect::<Vec<_>>()
        });
        assert_eq!(results, vec![vec![0.0, 2.0, 4.0, 6.0, 8.0]; 2]);
    }

    #[test]
    fn nobody_passes_a_barrier_before_all_have_reached_it() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let reached = AtomicUsize::new(0);
        let seen = each(4, |group| {
            reached.fetch_add(1, Ordering::SeqCst);
            group.barrier().expect("all are here");
            reached.load(Ordering::SeqCst)
        });
        assert_eq!(seen, [4; 4]);
    }

    #[test]
    fn a_lost_member_is_an_error_for_the_others() {
        let mut group = threaded_group(2).expect("a thread");
        drop(group.pop());
        assert!(matches!(group[0].all_reduce(vec![1.0f64]), Err(ProcessGroupError::Closed)));
    }

    #[test]
    fn work_in_a_group_of_one_returns_its_result_or_error() {
        let never = |_: &ProcessGroupError| unreachable!("no other process");
        let rank = ProcessGroup::run(Default::default(), never, |group| Ok(group.rank()));
        assert_eq!(rank.expect("no error"), 0);
        let never = |_: &ProcessGroupError| unreachable!("no other process");
        let error = ProcessGroup::run(Default::default(), never, |_| Err::<(), _>(ProcessGroupError::Lost));
        assert!(matches!(error, Err(ProcessGroupError::Lost)));
    }

    proptest! {
        /// Members sum in the order of ranks, so that the result is the same in every run.
        #[test]
        fn sums_are_those_in_the_order_of_ranks(rows in prop::collection::vec(prop::collection::vec(-1e6f32..1e6, 3), 1..6)) {
            let expected = rows.iter().skip(1).fold(rows[0].clone(), |a, b| a.iter().zip(b).map(|(a, b)| a + b).collect());
            for sum in each(rows.len(), |group| group.all_reduce(rows[group.rank()].clone()).expect("a sum")) {
                prop_assert_eq!(&sum, &expected);
            }
        }
    }
}
