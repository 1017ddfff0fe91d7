//! The ends of ranges that several settings share.

/// Samples of a batch, batches of a step, and batches of an epoch at most; memory sets narrower limits.
pub(super) const MOST_SAMPLES: u64 = 1 << 30;
/// Steps of a run at most.
pub(super) const MOST_STEPS: u64 = 1_000_000_000_000_000;
/// Epochs at most.
pub(super) const MOST_EPOCHS: u64 = 1_000_000_000;
/// What single precision holds, with some distance to its ends.
pub(super) const LEAST: f64 = 1e-30;
/// The other end.
pub(super) const MOST: f64 = 1e30;
/// The largest factor by which something is multiplied.
pub(super) const MOST_FACTOR: f64 = 1e6;
