//! The order in which an epoch visits the images, and the random streams of single images and batches of points.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::{Arc, Mutex, PoisonError};

/// What a random stream is for; streams of different purposes never coincide.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(crate) enum Purpose {
    Order = 1,
    TrainImage = 2,
    EvalImage = 3,
    FreshPoints = 4,
    FixedPoints = 5,
    SplitPoints = 6,
    TrainPoint = 7,
    EvalPoint = 8,
    /// Which images of a training split are for validation.
    ValidationImages = 9,
}

/// An independent ChaCha8 stream for each `(purpose, seed, epoch, index)`.
pub(crate) fn stream(purpose: Purpose, seed: u64, epoch: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, word) in key.chunks_exact_mut(8).zip([purpose as u64, seed, epoch, index]) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// A uniformly random permutation of `0..len`, a pure function of its arguments (Fisher and Yates's shuffle).
///
/// Every epoch has its own; the result does not depend on the machine. Cost: O(len) time and memory.
///
/// # Examples
/// ```
/// let mut order = datasets::permutation(1000, 7, 0);
/// assert_eq!(order, datasets::permutation(1000, 7, 0));
/// assert_ne!(order, datasets::permutation(1000, 7, 1));
/// order.sort();
/// assert!(order.into_iter().eq(0..1000));
/// ```
pub fn permutation(len: usize, seed: u64, epoch: u64) -> Vec<usize> {
    permutation_of(Purpose::Order, len, seed, epoch)
}

/// A permutation for another purpose.
pub(crate) fn permutation_of(purpose: Purpose, len: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut rng = stream(purpose, seed, epoch, 0);
    let mut order: Vec<usize> = (0..len).collect();
    for i in (1..len).rev() {
        order.swap(i, below(&mut rng, i as u64 + 1) as usize);
    }
    order
}

/// Remembers the order of the epoch asked for last, without influence on results.
#[derive(Clone, Default)]
pub(crate) struct EpochOrder(Arc<Mutex<Option<Cached>>>);

/// An epoch and its order.
type Cached = (u64, Arc<Vec<usize>>);

impl EpochOrder {
    /// [`permutation`], always with the same length and seed.
    pub fn get(&self, len: usize, seed: u64, epoch: u64) -> Arc<Vec<usize>> {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cache {
            Some((cached, order)) if *cached == epoch => order.clone(),
            _ => {
                let order = Arc::new(permutation(len, seed, epoch));
                *cache = Some((epoch, order.clone()));
                order
            }
        }
    }
}

/// A whole number in `0..n` without bias: the high half of a 128-bit product, redrawing the few values that would
/// make some results more likely (Lemire 2019, <https://arxiv.org/abs/1805.10941>).
fn below(rng: &mut ChaCha8Rng, n: u64) -> u64 {
    let threshold = n.wrapping_neg() % n;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(n);
        if product as u64 >= threshold {
            return (product >> 64) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_permutation_for_every_length() {
        for len in [0, 1, 2, 3, 17, 1000] {
            let mut order = permutation(len, 3, 5);
            order.sort();
            assert!(order.into_iter().eq(0..len), "length {len}");
        }
    }

    #[test]
    fn all_orders_of_three_are_equally_likely() {
        let mut counts = std::collections::HashMap::new();
        for epoch in 0..6000 {
            *counts.entry(permutation(3, 1, epoch)).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 6);
        // 6000 draws of probability 1/6: mean 1000, standard deviation 29.
        assert!(counts.values().all(|n| n.abs_diff(1000) < 130), "{counts:?}");
    }

    #[test]
    fn seed_and_epoch_are_not_interchangeable() {
        assert_ne!(permutation(100, 1, 2), permutation(100, 2, 1));
        assert_ne!(permutation(100, 1, 2), permutation(100, 1, 3));
        assert_ne!(permutation(100, 1, 2), permutation(100, 3, 2));
    }

    #[test]
    fn order_is_pinned() {
        // Changing the order silently would make runs with the same seed differ between versions.
        assert_eq!(permutation(8, 0, 0), [6, 1, 0, 7, 5, 4, 2, 3]);
    }
}
