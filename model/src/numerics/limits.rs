//! The ranges of settings: what is outside of one is refused before anything is computed or allocated.

use crate::error::{ModelError, Result};
use std::fmt::Display;
use std::ops::RangeInclusive;

/// The most channels, features and classes.
pub(crate) const MOST_CHANNELS: usize = 1 << 20;
/// The most blocks of a scale.
pub(crate) const MOST_BLOCKS: usize = 10_000;
/// The most iterations of any kind: they take hours, and an iteration that does not settle must end.
pub(crate) const MOST_ITERATIONS: usize = 100_000;

/// A setting for which some condition must hold.
pub(crate) fn require(holds: bool, key: &'static str, expected: &str, got: impl Display) -> Result<()> {
    if holds { Ok(()) } else { Err(ModelError::Config { key, expected: expected.into(), got: got.to_string() }) }
}

/// A whole number in a range.
pub(crate) fn whole(key: &'static str, value: usize, range: RangeInclusive<usize>) -> Result<()> {
    let expected = format!("a whole number from {} to {}", range.start(), range.end());
    require(range.contains(&value), key, &expected, value)
}

/// A number in a range; NaN is in none.
pub(crate) fn real(key: &'static str, value: f64, range: RangeInclusive<f64>) -> Result<()> {
    let expected = format!("a number from {:?} to {:?}", range.start(), range.end());
    require(range.contains(&value), key, &expected, format!("{value:?}"))
}
