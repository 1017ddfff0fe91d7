//! Whether this machine has the memory for data.

use crate::config::Source;
use crate::system::{self, readable_bytes};
use anyhow::{Result, ensure};

/// Checks that this machine has the memory for this many points of a known distribution, a number that a setting names.
///
/// # Errors
/// If it has not.
pub fn check_points(n: usize, key: &str, source: &Source) -> Result<()> {
    // In double precision, standardised, and as one batch.
    const BYTES: f64 = 2.0 * (8.0 + 4.0 + 4.0);
    let Some(memory) = system::memory_bytes() else { return Ok(()) };
    let (needed, memory) = (n as f64 * BYTES, memory as f64);
    let (place, needed_bytes, has) = (source.place(key), readable_bytes(needed), readable_bytes(memory));
    ensure!(needed <= memory, "{place}: `{key}` of {n} take about {needed_bytes}, this machine has {has}: lower it");
    Ok(())
}
