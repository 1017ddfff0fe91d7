//! Samples that are held out of the training data for validation.

use crate::batches::order::{Purpose, permutation_of};

/// How many training samples are for validation, and what decides which ones.
///
/// # Examples
/// ```
/// use datasets::HeldOut;
///
/// let held_out = HeldOut { fraction: 0.1, most: 1000, seed: 7 };
/// assert_eq!((held_out.count(60), held_out.count(50_000), held_out.count(3)), (6, 1000, 1));
/// let [train, validation] = held_out.divide(60);
/// assert_eq!((train.len(), validation.len()), (54, 6));
/// assert!(validation.iter().all(|index| !train.contains(index)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOut {
    /// This part of the training samples, ...
    pub fraction: f64,
    /// ... but no more than this many.
    pub most: usize,
    /// Decides which ones.
    pub seed: u64,
}

impl HeldOut {
    /// Of this many training samples: `round(fraction · n)`, at least one.
    pub fn count(&self, n: usize) -> usize {
        ((self.fraction * n as f64).round() as usize).min(self.most).max(1)
    }

    /// The indices below `n` that are for training and those that are for validation, each in rising order.
    pub fn divide(&self, n: usize) -> [Vec<usize>; 2] {
        let mut validation = permutation_of(Purpose::ValidationImages, n, self.seed, 0);
        let mut train = validation.split_off(self.count(n).min(n));
        train.sort_unstable();
        validation.sort_unstable();
        [train, validation]
    }
}
