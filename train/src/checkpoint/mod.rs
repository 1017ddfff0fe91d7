//! A run on disk: one safetensors file with everything that training needs to go on, written whole or not at all, and
//! verified when it is read.

pub mod format;
mod metadata;
pub mod retention;
pub mod state;

use crate::checkpoint::state::TrainingState;
pub use crate::checkpoint::state::{Description, RunLog};
use crate::pytorch::import;
use crate::system;
use anyhow::{Context, Result, anyhow};
use burn::tensor::Device;
use datasets::io::input;
use datasets::io::output::{self, Existing};
use residual_flows::ResidualFlow;
use residual_flows::io::{Archive, ModelDescription, Readiness, Weights};
use std::fs::File;
use std::path::Path;

/// A checkpoint of which one set of weights has been read.
pub struct Checkpoint {
    /// What it says about itself.
    pub description: Description,
    /// The weights as they were stored.
    pub model: ResidualFlow,
    /// How they become ready for use.
    pub readiness: Readiness,
}

/// Writes a checkpoint, as [`output::write`] does.
///
/// # Errors
/// If the file could not be read again, or cannot be written.
pub fn save(path: &Path, existing: Existing, state: &TrainingState) -> Result<()> {
    format::check(state)?;
    output::write(path, existing, |out| format::write(state, out))
}

/// Makes new names in a directory durable, where directories can be synced.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// Reads what is in a checkpoint of this program.
///
/// # Errors
/// If the file cannot be read, is cut short or damaged, is no checkpoint of this version, or does not fit its own
/// settings. Another one of the same run that can be used is named.
pub fn read(path: &Path) -> Result<TrainingState> {
    read_alone(path).map_err(|error| or_another(path, error))
}

/// An error, with word of another checkpoint of the same run that can be used.
fn or_another(path: &Path, error: anyhow::Error) -> anyhow::Error {
    match retention::another_whole_one(path) {
        Some(other) => anyhow!("{error:#}; {} is whole and can be used instead", other.display()),
        None => error,
    }
}

/// Reads what is in a checkpoint, without a look at others.
pub(crate) fn read_alone(path: &Path) -> Result<TrainingState> {
    let most = system::memory_bytes().unwrap_or(u64::MAX);
    let bytes = input::read(path, most).with_context(|| format!("cannot read the checkpoint {}", path.display()))?;
    format::read(bytes).with_context(|| unusable(path))
}

fn unusable(path: &Path) -> String {
    format!("{} is not a usable checkpoint", path.display())
}

/// Reads what is in a checkpoint: one of this program, or a `.pth` file of the reference implementation.
///
/// # Errors
/// As [`read`] and [`import::read`].
pub fn read_either(path: &Path, device: &Device) -> Result<TrainingState> {
    if import::is_likely(path) { Ok(import::read(path, device)?.into()) } else { read(path) }
}

/// Reads one set of the weights in a checkpoint, of either kind, and builds its model. Nothing else of the file is read, if it is
/// one of this version: the header and the weights have checksums of their own.
///
/// # Errors
/// As [`read_either`], and if its tensors do not fit its own settings.
pub fn load(path: &Path, weights: Weights, device: &Device) -> Result<Checkpoint> {
    if import::is_likely(path) {
        let state: TrainingState = import::read(path, device)?.into();
        return state.into_checkpoint(weights, device).with_context(|| path.display().to_string());
    }
    load_alone(path, weights, device).map_err(|error| or_another(path, error))
}

/// [`load`], of a checkpoint of this program, without a look at others.
pub(crate) fn load_alone(path: &Path, weights: Weights, device: &Device) -> Result<Checkpoint> {
    let file = input::open(path).with_context(|| format!("cannot read the checkpoint {}", path.display()))?;
    let mut archive = Archive::of_file(file).with_context(|| unusable(path))?;
    let mut load = || -> Result<Checkpoint> {
        ModelDescription::expect_format(archive.metadata())?;
        archive.verify_header()?;
        let (description, ..) = metadata::read(archive.metadata())?;
        ModelDescription::expect_size(&description.config.model, description.shape, archive.section_len("model"))?;
        let empty = state::empty(&description, device)?;
        let (model, readiness) = residual_flows::io::fill(empty, &mut archive, weights)?;
        Ok(Checkpoint { description, model, readiness })
    };
    load().with_context(|| unusable(path))
}
