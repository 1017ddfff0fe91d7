//! Independent work on tensors: by several threads on the CPU, in order on a card.
//!
//! A card is given the same operations in the same order, whatever the threads.

use burn::tensor::Device;
use rayon::prelude::*;

fn has_threads(device: &Device) -> bool {
    *device == Device::flex()
}

/// Both.
pub fn both<A: Send, B: Send>(device: &Device, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
    if has_threads(device) { rayon::join(a, b) } else { (a(), b()) }
}

/// `f` of every item.
pub fn each<T: Send, R: Send>(device: &Device, items: Vec<T>, f: impl Fn(T) -> R + Send + Sync) -> Vec<R> {
    if has_threads(device) { items.into_par_iter().map(f).collect() } else { items.into_iter().map(f).collect() }
}
