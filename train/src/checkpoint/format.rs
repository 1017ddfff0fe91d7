//! The bytes of a checkpoint: a safetensors file whose last tensor is a checksum.
//!
//! Tensors are called `model.<path>`, `average.<path>` and `optimizer.<slot>.<path>`; the header's metadata hold the
//! format's name and version and what `metadata` writes. The last four bytes are the tensor `crc32c`: the
//! CRC32C of all bytes before them, so that no single changed byte, and no run of them up to four, goes unnoticed. The
//! same state gives the same bytes.

use super::metadata;
use crate::checkpoint::state::{Description, OptimizerState, TrainingState};
use anyhow::{Context, Result, anyhow, bail, ensure};
use residual_flows::state::NamedTensor;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

const CHECKSUM: &str = "crc32c";

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
    let tensors = named(state);
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!(metadata::write(state)?));
    let mut at = 0;
    for (name, tensor) in &tensors {
        let end = at + 4 * tensor.values.len();
        header.insert(name.clone(), json!({"dtype": "F32", "shape": tensor.shape, "data_offsets": [at, end]}));
        at = end;
    }
    header.insert(CHECKSUM.into(), json!({"dtype": "U32", "shape": [1], "data_offsets": [at, at + 4]}));
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');

    let mut out = Summed { out, crc: 0 };
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    let mut bytes = Vec::new();
    for part in tensors.values().flat_map(|tensor| tensor.values.chunks(1 << 14)) {
        bytes.clear();
        bytes.extend(part.iter().flat_map(|value| value.to_le_bytes()));
        out.write_all(&bytes)?;
    }
    let crc = out.crc.to_le_bytes();
    Ok(out.out.write_all(&crc)?)
}

/// Reads a state.
///
/// # Errors
/// If the bytes are no whole, undamaged checkpoint of this version; says which of it.
pub fn read(bytes: &[u8]) -> Result<TrainingState> {
    let whole = intact(bytes);
    let (_, header) = SafeTensors::read_metadata(bytes)
        .map_err(|error| anyhow!("it is not a checkpoint, or was cut short or changed ({error}); copy it again"))?;
    metadata::expect_format(&header)?;
    ensure!(whole, "it was damaged: its CRC32C is not that of its contents; copy it again, or take an earlier checkpoint");
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| anyhow!("it is not a checkpoint ({error})"))?;
    let none = BTreeMap::new();
    let metadata: BTreeMap<_, _> = header
        .metadata()
        .as_ref()
        .map_or(none, |metadata| metadata.iter().map(|(key, text)| (key.as_str(), text.clone())).collect());
    let (description, log, mut optimizer) = metadata::read(&metadata)?;
    expect_size(&description, &tensors)?;
    let (mut weights, mut average) = (Vec::new(), Vec::new());
    // In the order of the header, so that the first fault does not depend on chance.
    for (name, view) in tensors.iter().map(|(name, view)| (name.to_string(), view)).collect::<BTreeMap<_, _>>() {
        match name.split_once('.') {
            Some(("model", path)) => weights.push(tensor(path, &name, &view)?),
            Some(("average", path)) => average.push(tensor(path, &name, &view)?),
            Some(("optimizer", rest)) => {
                let (slot, path) = rest.split_once('.').with_context(|| format!("tensor `{name}` belongs to no parameter"))?;
                optimizer.slots.entry(slot.into()).or_default().push(tensor(path, &name, &view)?);
            }
            None if name == CHECKSUM => {}
            _ => bail!("tensor `{name}` has no place in a checkpoint"),
        }
    }
    let state = TrainingState { description, weights, average, optimizer, log };
    state.check_finite()?;
    Ok(state)
}

/// Checks that the settings are of a model about as large as the one in the file, before any is built of them.
fn expect_size(description: &Description, tensors: &SafeTensors) -> Result<()> {
    let Description { config, shape, .. } = description;
    let described = config.model.footprint(*shape).state;
    let of_model = tensors.iter().filter(|(name, _)| name.starts_with("model."));
    let held = of_model.map(|(_, view)| view.shape().iter().product::<usize>()).sum::<usize>();
    ensure!(
        described <= 2.0 * held as f64 + 1000.0,
        "its settings describe a model of {described:e} numbers, the one in the file has {held}: it belongs to another architecture"
    );
    Ok(())
}

/// Whether the last four bytes are the checksum of the others.
fn intact(bytes: &[u8]) -> bool {
    bytes.split_last_chunk().is_some_and(|(contents, &stored)| crc32c::crc32c(contents) == u32::from_le_bytes(stored))
}

/// All tensors by their names in the file, sorted.
fn named(state: &TrainingState) -> BTreeMap<String, &NamedTensor> {
    let TrainingState { weights, average, optimizer: OptimizerState { slots, .. }, .. } = state;
    let of = |prefix: String, tensors| {
        let tensors: &Vec<NamedTensor> = tensors;
        tensors.iter().map(move |tensor| (format!("{prefix}.{}", tensor.name), tensor))
    };
    let of_slots = slots.iter().flat_map(|(slot, tensors)| of(format!("optimizer.{slot}"), tensors));
    of("model".into(), weights).chain(of("average".into(), average)).chain(of_slots).collect()
}

fn tensor(path: &str, name: &str, view: &TensorView) -> Result<NamedTensor> {
    if view.dtype() != Dtype::F32 {
        bail!("tensor `{name}` has the type {:?}, expected F32", view.dtype());
    }
    let words = view.data().chunks_exact(4);
    let values = words.map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
    Ok(NamedTensor { name: path.into(), shape: view.shape().to_vec(), values })
}

/// Adds up what passes through.
struct Summed<W> {
    out: W,
    crc: u32,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.crc = crc32c::crc32c_append(self.crc, &bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
