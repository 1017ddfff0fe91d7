//! A checkpoint of the research code as the state of a run of ours.

use super::args::ScriptArguments;
use super::names::Naming;
use super::settings::ScriptSettings;
use super::state_dict::{StateDict, fill};
use super::torch::TorchFile;
use crate::config::Source;
use crate::noise;
use crate::state::{Description, OptimizerState, RunLog, TrainingState};
use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use residual_flows::state::named_tensors;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Whether a file begins like one of `torch.save`; not if it cannot be read.
pub fn is_likely(path: &Path) -> bool {
    let mut start = [0; 2];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && TorchFile::is_likely(&start)
}

/// Reads a checkpoint: architecture and settings from its own arguments, and both sets of weights. The optimiser begins
/// anew.
///
/// # Errors
/// If the file cannot be read, is damaged, is another kind of file, or its tensors do not fit its arguments.
pub fn read(path: &Path, device: &Device) -> Result<TrainingState> {
    let read = || -> Result<TrainingState> {
        let file = File::open(path)?;
        ensure!(file.metadata()?.is_file(), "it is not an ordinary file");
        // SAFETY: the mapping is only read, and lives for this function. Whoever cuts the file meanwhile ends this process;
        // whoever changes it gets other numbers, as with any way of reading.
        let bytes = unsafe { memmap2::Mmap::map(&file) }?;
        parse(&bytes, device)
    };
    read().with_context(|| format!("{} is not a usable checkpoint", path.display()))
}

/// As [`read`], from the bytes of a file.
///
/// # Errors
/// As [`read`].
pub fn parse(bytes: &[u8], device: &Device) -> Result<TrainingState> {
    let file = TorchFile::parse(bytes)?;
    let root = file.root();
    let ScriptSettings { config, shape, kind } = ScriptSettings::of(&ScriptArguments::of(root)?)?;
    let source = Source::new("the settings that its `args` amount to".into(), config.to_toml()?, Vec::new());
    config.validate(&source)?;
    config.validate_architecture(shape, &source)?;
    let naming = Naming::new(&config.model, &kind);

    let weights = root.get("state_dict").context("it has no `state_dict`")?;
    let weights = StateDict::new(&file, weights).context("its `state_dict`")?;
    let average = root.get("ema").and_then(|ema| ema.get("shadow_params"));
    let average = average.map(|average| StateDict::new(&file, average).context("its `ema.shadow_params`")).transpose()?;

    let empty = config.model.init(shape, &mut noise::initial_weights(config.run.seed).stream(0), device)?;
    weights.check_known(&naming.pairs(&empty)?, &naming.constrained_layers(&empty))?;
    weights.check_initialized()?;
    let model = fill(empty.clone(), &naming, &|name| weights.get(name)).context("its `state_dict`")?;
    // Before the first step there is no average.
    let average = match average.filter(|average| !average.is_empty()) {
        None => model.clone(),
        Some(average) => {
            let either = |name: &str| Ok(average.get(name)?.or(weights.get(name)?));
            fill(empty, &naming, &either).context("its `ema.shadow_params`")?
        }
    };
    let step = steps(root.get("optimizer_state_dict"));
    Ok(TrainingState {
        description: Description { config, shape, kind, step, epoch: 0, batch: 0 },
        weights: named_tensors(&model),
        average: named_tensors(&average),
        optimizer: OptimizerState::default(),
        log: RunLog::default(),
    })
}

/// Optimiser steps, as the optimiser has counted them for each parameter.
fn steps(optimizer: Option<datasets::pickle::Item>) -> u64 {
    let states = optimizer.and_then(|optimizer| optimizer.get("state")?.entries());
    let steps = states.into_iter().flatten().filter_map(|(_, state)| state.get("step")?.size());
    steps.max().unwrap_or(0) as u64
}
