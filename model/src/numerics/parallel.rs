//! Independent work on tensors: by several threads on the CPU, in order on a GPU.
//!
//! A GPU is given the same operations in the same order, whatever the number of threads.

use burn::tensor::Device;
use rayon::prelude::*;

fn has_threads(device: &Device) -> bool {
    *device == Device::flex()
}

/// Runs both closures and returns both results; in parallel on the CPU.
pub fn join<A: Send, B: Send>(device: &Device, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
    if has_threads(device) { rayon::join(a, b) } else { (a(), b()) }
}

/// `f` of every item, in order; in parallel on the CPU.
pub fn map<T: Send, R: Send>(device: &Device, items: Vec<T>, f: impl Fn(T) -> R + Send + Sync) -> Vec<R> {
    if has_threads(device) { items.into_par_iter().map(f).collect() } else { items.into_iter().map(f).collect() }
}
