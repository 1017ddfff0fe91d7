//! What is in a checkpoint of the reference implementation, in our settings and by our names.

use super::args::ScriptArguments;
use super::names::Naming;
use super::optimizer;
use super::scripts;
use super::settings::ScriptSettings;
use super::state_dict::{StateDict, fill};
use super::torch::TorchFile;
use crate::config::{Config, Source};
use crate::data::kind::DataKind;
use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use datasets::io::input;
use residual_flows::optim::OptimizerState;
use residual_flows::state::{NamedTensor, named_tensors};
use std::io::Read;
use std::path::Path;

/// Bytes of a number in half precision.
const SMALLEST_NUMBER: f64 = 2.0;

/// Whether a file begins like one of `torch.save`; not if it cannot be read.
pub fn is_likely(path: &Path) -> bool {
    let mut start = Vec::new();
    let is_read = input::open(path).and_then(|file| file.take(9).read_to_end(&mut start)).is_ok();
    is_read && TorchFile::is_likely(&start) && start.get(8) != Some(&b'{')
}

/// What is in a checkpoint.
pub struct Imported {
    /// The settings that its arguments amount to.
    pub config: Config,
    /// Shape of the samples.
    pub shape: [usize; 3],
    /// What the model is a density of.
    pub kind: DataKind,
    /// Parameters and vectors of power iteration.
    pub weights: Vec<NamedTensor>,
    /// The same of the averaged weights.
    pub average: Vec<NamedTensor>,
    /// What the optimiser remembers, if it is in the file.
    pub optimizer: OptimizerState,
}

/// Reads a checkpoint: architecture and settings from its own arguments, both sets of weights, and what the optimiser
/// remembers, if it is in the file.
///
/// # Errors
/// If the file cannot be read, is damaged, is another kind of file, or its tensors do not fit its arguments.
pub fn read(path: &Path, device: &Device) -> Result<Imported> {
    let read = || -> Result<Imported> {
        let file = input::open(path)?;
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
pub fn parse(bytes: &[u8], device: &Device) -> Result<Imported> {
    let file = TorchFile::parse(bytes)?;
    let root = file.root();
    let weights = root.get("state_dict").context("it has no `state_dict`")?;
    let weights = StateDict::new(&file, weights).context("its `state_dict`")?;
    let settings = scripts::settings(&ScriptArguments::of(root)?, &weights)?;
    let ScriptSettings { config, shape, kind, constants_are_optimized } = settings;
    let source = Source::new("the settings that its `args` amount to".into(), config.to_toml()?, Vec::new());
    config.validate(&source)?;
    config.validate_architecture(shape, &source)?;
    let numbers = config.model.footprint(shape).state;
    ensure!(
        numbers * SMALLEST_NUMBER <= bytes.len() as f64,
        "its `args` describe a model of {numbers:.3e} numbers, which are not in a file of {} bytes: they belong to another file, or \
         it was cut short",
        bytes.len()
    );
    let naming = Naming::new(&config.model, &kind);

    let average = root.get("ema").and_then(|ema| ema.get("shadow_params"));
    let average = average.map(|average| StateDict::new(&file, average).context("its `ema.shadow_params`")).transpose()?;

    let empty = config.model.init_for_state(shape, device)?;
    let pairs = naming.pairs(&empty)?;
    weights.check_known(&pairs, &naming.constrained_layers(&empty))?;
    weights.check_initialized()?;
    let model = fill(empty.clone(), &naming, &[&weights]).context("its `state_dict`")?;
    // Before the first step there is no average.
    let average = match average.filter(|average| !average.is_empty()) {
        None => model.clone(),
        Some(average) => fill(empty, &naming, &[&average, &weights]).context("its `ema.shadow_params`")?,
    };
    let tensors = named_tensors(&model);
    let mut optimizer = OptimizerState { kind: config.optim.optimizer, ..Default::default() };
    if let Some(dict) = root.get("optimizer_state_dict") {
        let parameters = optimizer::parameters(weights.names(), &pairs, constants_are_optimized);
        optimizer = optimizer::read(&file, dict, optimizer.kind, &parameters, &tensors).context("its `optimizer_state_dict`")?;
    }
    Ok(Imported { config, shape, kind, weights: tensors, average: named_tensors(&average), optimizer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_s_length_is_no_pickle() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("file");
        for (start, expected) in [
            (&b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9"[..], true),
            (b"PK\x03\x04\x00\x00\x00\x00\x00", true),
            (b"\x80\x02\x00\x00\x00\x00\x00\x00{", false),
            (b"PK\x00\x00\x00\x00\x00\x00{", false),
            // What is left of one.
            (b"\x80\x02", true),
            (b"", false),
        ] {
            std::fs::write(&path, start)?;
            assert_eq!(is_likely(&path), expected, "{start:?}");
        }
        Ok(())
    }
}
