//! The bytes of a checkpoint: the library's [`Archive`] with sections for the model, its averaged weights and the optimiser.
//!
//! | section | tensors |
//! | --- | --- |
//! | `model` | parameters and persistent vectors of the model |
//! | `average` | the same of the averaged weights |
//! | `converged` | the vectors of power iteration of the averaged weights after their constraint has converged; in checkpoints that were evaluated |
//! | `optimizer.<slot>` | what the optimiser remembers |

use super::metadata;
use crate::checkpoint::state::TrainingState;
use anyhow::{Context, Result, bail};
use residual_flows::io::{Archive, Contents, ModelDescription};
use residual_flows::optim::OptimizerState;
use residual_flows::state::NamedTensor;
use std::collections::BTreeMap;
use std::io::Write;

/// Checks that a state, once written, could be read again.
///
/// # Errors
/// If a number is not finite, or the settings or the position would be refused.
pub fn check(state: &TrainingState) -> Result<()> {
    state.check_finite()?;
    metadata::read(&metadata::write(state)?).context("the checkpoint could not be read again").map(drop)
}

/// Writes a state.
///
/// # Errors
/// If the settings cannot be written as text, or `out` fails.
pub fn write(state: &TrainingState, out: &mut (impl Write + ?Sized)) -> Result<()> {
    let TrainingState { weights, average, converged, optimizer: OptimizerState { slots, .. }, .. } = state;
    let of_slots = slots.iter().map(|(slot, tensors)| (format!("optimizer.{slot}"), tensors.as_slice()));
    let of_models = [("model", weights), ("average", average), ("converged", converged)];
    let of_models = of_models.into_iter().map(|(section, tensors)| (section.to_string(), tensors.as_slice()));
    let sections = of_models.chain(of_slots).collect();
    Ok(Contents { metadata: metadata::write(state)?, sections }.write(out)?)
}

/// Reads a state.
///
/// # Errors
/// If the bytes are no whole, undamaged checkpoint of this version; says which of it.
pub fn read(bytes: Vec<u8>) -> Result<TrainingState> {
    let mut archive = Archive::of_bytes(bytes)?;
    ModelDescription::expect_format(archive.metadata())?;
    archive.verify()?;
    let (description, log, mut optimizer) = metadata::read(archive.metadata())?;
    let known = ["model.", "average.", "converged.", "optimizer."];
    if let Some(unknown) = archive.names().find(|name| !known.iter().any(|section| name.starts_with(section))) {
        bail!("tensor `{unknown}` has no place in a checkpoint");
    }
    ModelDescription::expect_size(&description.config.model, description.shape, archive.section_len("model"))?;
    let weights = archive.section("model")?;
    // Files of a model alone have no average.
    let average = if archive.has_section("average") { archive.section("average")? } else { weights.clone() };
    let converged = archive.section("converged")?;
    let mut slots: BTreeMap<String, Vec<NamedTensor>> = BTreeMap::new();
    for tensor in archive.section("optimizer")? {
        let name = tensor.name.split_once('.').map(|(slot, path)| (slot.to_string(), path.to_string()));
        let (slot, path) = name.with_context(|| format!("tensor `optimizer.{}` belongs to no parameter", tensor.name))?;
        slots.entry(slot).or_default().push(NamedTensor { name: path, ..tensor });
    }
    optimizer.slots = slots;
    Ok(TrainingState { description, weights, average, converged, optimizer, log })
}
