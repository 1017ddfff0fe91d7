//! A check that numbers are finite.

use super::tensor::first_broken_sample;
use crate::error::{NotFinite, Result};
use burn::tensor::Tensor;

/// Checks that a batch is finite.
///
/// # Errors
/// Names the layer that it belongs to, and the first sample that is not.
pub(crate) fn expect_finite<const D: usize>(what: &'static str, batch: &Tensor<D>, layer: Option<&str>) -> Result<()> {
    match first_broken_sample(batch) {
        Some(sample) => Err(NotFinite { what, layer: layer.map(Into::into), sample: Some(sample) }.into()),
        None => Ok(()),
    }
}
