//! The ends of ranges that several settings of training share, here and in programs.

/// Samples of a batch, batches of a step, and batches of an epoch at most; memory sets narrower limits.
pub const MOST_SAMPLES: u64 = 1 << 30;
/// Steps of a run at most.
pub const MOST_STEPS: u64 = 1_000_000_000_000_000;
/// Epochs at most.
pub const MOST_EPOCHS: u64 = 1_000_000_000;
/// What single precision holds, with some distance to its ends.
pub const LEAST: f64 = 1e-30;
/// The other end.
pub const MOST: f64 = 1e30;
/// The largest factor by which something is multiplied.
pub const MOST_FACTOR: f64 = 1e6;
