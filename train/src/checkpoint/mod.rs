//! A run on disk: one safetensors file with everything that training needs to go on, written whole or not at all, and
//! verified when it is read.

pub mod format;
mod metadata;
pub mod retention;
pub mod state;

pub use crate::checkpoint::state::{Description, RunLog};
use crate::checkpoint::state::{OptimizerState, TrainingState};
use crate::pytorch::import;
use crate::system;
use anyhow::{Context, Result, anyhow};
use burn::tensor::Device;
use datasets::input;
use datasets::output::{self, Existing};
use residual_flows::ResidualFlow;
use std::fs::File;
use std::path::Path;

/// A checkpoint that has been read.
pub struct Checkpoint {
    /// What it says about itself.
    pub description: Description,
    /// The weights.
    pub model: ResidualFlow,
    /// The averaged weights as they were stored; `update_lipschitz` comes before use.
    pub average: ResidualFlow,
    /// The optimiser's memory.
    pub optimizer: OptimizerState,
    /// What the log had counted.
    pub log: RunLog,
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
    read_alone(path).map_err(|error| match retention::another_whole_one(path) {
        Some(other) => anyhow!("{error:#}; {} is whole and can be used instead", other.display()),
        None => error,
    })
}

/// Reads what is in a checkpoint, without a look at others.
pub(crate) fn read_alone(path: &Path) -> Result<TrainingState> {
    let most = system::memory_bytes().unwrap_or(u64::MAX);
    let bytes = input::read(path, most).with_context(|| format!("cannot read the checkpoint {}", path.display()))?;
    format::read(&bytes).with_context(|| format!("{} is not a usable checkpoint", path.display()))
}

/// Reads what is in a checkpoint: one of this program, or a `.pth` file of the research code.
///
/// # Errors
/// As [`read`] and [`import::read`].
pub fn read_either(path: &Path, device: &Device) -> Result<TrainingState> {
    if import::is_likely(path) { import::read(path, device) } else { read(path) }
}

/// Reads a checkpoint, of either kind, and builds its model.
///
/// # Errors
/// As [`read_either`], and if its tensors do not fit its own settings.
pub fn load(path: &Path, device: &Device) -> Result<Checkpoint> {
    let state = read_either(path, device)?;
    let [model, average] = state.models(device).with_context(|| path.display().to_string())?;
    let TrainingState { description, optimizer, log, .. } = state;
    Ok(Checkpoint { description, model, average, optimizer, log })
}
