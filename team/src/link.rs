//! The way to the other processes: a thread that carries sums there and back while this process computes.

use crate::sum::{AnyTask, Sum, Summand};
use crate::{Failure, Place};
use std::io::Write;
use std::sync::Mutex;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

/// For how long the others leave it to the first process to say what is wrong with all of them.
const FIRST_SPEAKS: Duration = Duration::from_secs(1);

/// What the thread is told.
pub(crate) enum Order {
    /// To sum.
    Sum(AnyTask),
    /// To end: nobody will be told anything more.
    Leave,
    /// To end all processes, with this exit code.
    #[cfg_attr(not(feature = "mpi"), expect(dead_code, reason = "threads have no exit code"))]
    EndAll(u8),
}

/// Orders to the thread, which it follows one after the other.
pub(crate) struct Link {
    orders: Sender<Order>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Link {
    /// To the thread that takes these orders; the program does not end before a thread that is given.
    pub fn new(orders: Sender<Order>, thread: Option<JoinHandle<()>>) -> Self {
        Self { orders, thread: Mutex::new(thread) }
    }

    pub fn begin_sum<T: Summand>(&self, values: Vec<T>) -> Sum<T> {
        let (task, sum) = Sum::coming(values);
        self.give(Order::Sum(task));
        sum
    }

    /// Says goodbye, when all is done.
    pub fn leave(&self) {
        self.give(Order::Leave);
        self.wait();
    }

    /// Ends all processes because of an error in this one.
    pub fn end_all(&self, place: Place, failure: Failure) {
        let Failure { message, exit_code } = failure;
        match place.rank {
            0 => say(format_args!("error: {message}")),
            rank => {
                std::thread::sleep(FIRST_SPEAKS);
                say(format_args!("error in process {rank} of {}: {message}", place.size));
            }
        }
        self.give(Order::EndAll(exit_code));
        self.wait();
    }

    /// An order that cannot be given has no reply either, which whoever waits for one is told.
    fn give(&self, order: Order) {
        let _ = self.orders.send(order);
    }

    fn wait(&self) {
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(thread) = thread {
            // A panic there has been printed.
            let _ = thread.join();
        }
    }
}

/// A line on standard error, which is lost where nobody reads it.
fn say(line: std::fmt::Arguments) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
