//! The workspace: buffers that are recycled. New memory costs more than what is computed in it, because the system clears its
//! pages first.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lengths between one power of two and the next.
const STEPS: usize = 4;

/// Free buffers by the class of their length.
#[repr(align(128))]
struct Shelf([Mutex<Vec<Vec<f32>>>; STEPS * usize::BITS as usize]);

/// Threads have shelves of their own as far as these go, so that they seldom wait for each other.
static SHELVES: [Shelf; 32] = [const { Shelf([const { Mutex::new(Vec::new()) }; _]) }; _];

/// A class's free buffers on all shelves, this thread's own first.
fn free(class: usize) -> impl Iterator<Item = MutexGuard<'static, Vec<Vec<f32>>>> {
    let own = rayon::current_thread_index().unwrap_or(0);
    let shelves = (0..SHELVES.len()).map(move |i| &SHELVES[(own + i) % SHELVES.len()]);
    shelves.map(move |shelf| shelf.0[class].lock().unwrap_or_else(PoisonError::into_inner))
}

/// Numbers in memory that returns to the workspace when this is dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    /// The whole memory of its class.
    values: Vec<f32>,
    length: usize,
}

impl Buffer {
    /// `length` numbers whose contents are unspecified: what an earlier user left.
    pub fn recycled(length: usize) -> Self {
        let (class, room) = class(length);
        let found = free(class).find_map(|mut buffers| buffers.pop());
        Self { values: found.unwrap_or_else(|| vec![0.0; room]), length }
    }

    /// `length` zeros.
    pub fn zeros(length: usize) -> Self {
        let mut buffer = Self::recycled(length);
        buffer.fill(0.0);
        buffer
    }
}

/// The class of a length, and the length of the class's buffers: at most a quarter more.
fn class(length: usize) -> (usize, usize) {
    let length = length.max(STEPS);
    let octave = length.ilog2() as usize;
    let step = (1 << octave) / STEPS;
    let steps = (length - (1 << octave)).div_ceil(step);
    (octave * STEPS + steps, (1 << octave) + steps * step)
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        if let Some(mut buffers) = free(class(values.len()).0).next() {
            buffers.push(values);
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_its_lengths_and_little_more() {
        for length in (0..5000).chain([1 << 20, (1 << 20) + 1, (7 << 20) - 1]) {
            let (number, room) = class(length);
            assert!(room >= length && room <= (length + length / 4).max(STEPS), "{length}: {room}");
            assert_eq!(class(room), (number, room), "a buffer goes back to its class");
        }
    }
}
