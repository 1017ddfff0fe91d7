//! Runs of things, and slices cut to lengths.

use std::ops::Range;

/// `n` things in runs of nearly the same length, longer ones first.
pub(super) fn runs(n: usize, runs: usize) -> impl Iterator<Item = Range<usize>> {
    let (short, longer) = (n / runs, n % runs);
    (0..runs).map(move |i| i * short + i.min(longer)..(i + 1) * short + (i + 1).min(longer))
}

/// Consecutive pieces of these lengths.
pub(super) fn split(mut values: &mut [f32], lengths: impl Iterator<Item = usize>) -> Vec<&mut [f32]> {
    let piece = |length: usize| {
        let (piece, rest) = std::mem::take(&mut values).split_at_mut(length);
        values = rest;
        piece
    };
    lengths.map(piece).collect()
}
