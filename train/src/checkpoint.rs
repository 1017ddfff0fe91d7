//! A model on disk: one safetensors file with the weights, their average, and the settings they belong to.
//!
//! Tensors are called `model.<path>` and `average.<path>`; the header's metadata hold the format's name and version,
//! the resolved configuration, and what was known about the model when it was saved.

use crate::config::{Config, Source};
use crate::data_kind::DataKind;
use crate::noise;
use anyhow::{Context, Result, anyhow, bail};
use burn::tensor::Device;
use datasets::points::Standardization;
use residual_flows::ResidualFlow;
use residual_flows::state::{NamedTensor, named_tensors, with_tensors};
use safetensors::tensor::{Metadata, TensorView};
use safetensors::{Dtype, SafeTensors, View};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

const FORMAT: &str = "residual-flows-checkpoint";
const VERSION: &str = "1";

/// What a checkpoint says about its model.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The settings of the run.
    pub config: Config,
    /// Shape of the samples, `[channels, height, width]`.
    pub shape: [usize; 3],
    /// What the model is a density of.
    pub kind: DataKind,
    /// Optimiser steps made.
    pub step: u64,
    /// Epochs completed.
    pub epoch: u64,
    /// Test loss of the averaged weights, if they were evaluated.
    pub test_loss: Option<f64>,
}

/// A checkpoint that has been read.
pub struct Checkpoint {
    /// What it says about itself.
    pub description: Description,
    /// The weights.
    pub model: ResidualFlow,
    /// The averaged weights as they were stored; `update_lipschitz` comes before use.
    pub average: ResidualFlow,
}

/// Writes a checkpoint; the file is complete or absent, whenever the program ends.
///
/// # Errors
/// If the file cannot be written.
pub fn save(path: &Path, model: &ResidualFlow, average: &ResidualFlow, description: &Description) -> Result<()> {
    let failed = || format!("cannot write the checkpoint {}", path.display());
    let dir = path.parent().with_context(failed)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".unfinished-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let file = builder.tempfile_in(dir).with_context(failed)?;
    let named = |prefix: &str, module: &ResidualFlow| {
        let tensors = named_tensors(module).into_iter();
        tensors.map(|tensor| (format!("{prefix}.{}", tensor.name), Floats(tensor))).collect::<Vec<_>>()
    };
    let tensors = named("model", model).into_iter().chain(named("average", average));
    safetensors::serialize_to_file(tensors, Some(description.to_metadata()?), file.path()).with_context(failed)?;
    file.as_file().sync_all().with_context(failed)?;
    file.persist(path).with_context(failed)?;
    if cfg!(unix) {
        File::open(dir).and_then(|dir| dir.sync_all()).with_context(failed)?;
    }
    Ok(())
}

/// Reads a checkpoint.
///
/// # Errors
/// If the file cannot be read, is cut short, is no checkpoint of this version, or does not fit its own settings.
pub fn load(path: &Path, device: &Device) -> Result<Checkpoint> {
    let name = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read the checkpoint {name}"))?;
    let invalid = |error| anyhow!("{name} is not a checkpoint, or was cut short or changed ({error}); copy it again");
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(invalid)?;
    let description = Description::from_metadata(&metadata).with_context(|| format!("{name} is not a usable checkpoint"))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(invalid)?;
    let noise = noise::initial_weights(description.config.run.seed);
    let empty = description.config.model.init(description.shape, &mut noise.stream(0), device);
    let empty = empty.with_context(|| format!("{name}: the architecture in its settings"))?;
    let fill = |prefix: &str| {
        let state = state(&tensors, prefix).with_context(|| name.to_string())?;
        with_tensors(empty.clone(), state).with_context(|| format!("{name}: `{prefix}` does not fit its own settings"))
    };
    Ok(Checkpoint { model: fill("model")?, average: fill("average")?, description })
}

/// The tensors `<prefix>.<path>`, called `<path>`.
fn state(tensors: &SafeTensors, prefix: &str) -> Result<Vec<NamedTensor>> {
    let mut state = Vec::new();
    for (name, view) in tensors.iter() {
        if let Some(path) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')) {
            state.push(NamedTensor { name: path.into(), shape: view.shape().to_vec(), values: floats(name, &view)? });
        }
    }
    Ok(state)
}

fn floats(name: &str, view: &TensorView) -> Result<Vec<f32>> {
    if view.dtype() != Dtype::F32 {
        bail!("tensor `{name}` has the type {:?}, expected F32", view.dtype());
    }
    let words = view.data().chunks_exact(4);
    Ok(words.map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect())
}

/// A tensor for the safetensors writer; its bytes are made when it is written.
struct Floats(NamedTensor);

impl View for Floats {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0.values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into()
    }

    fn data_len(&self) -> usize {
        4 * self.0.values.len()
    }
}

impl Description {
    fn to_metadata(&self) -> Result<HashMap<String, String>> {
        let [channels, height, width] = self.shape;
        let mut metadata = HashMap::from([
            ("format".into(), FORMAT.into()),
            ("version".into(), VERSION.into()),
            ("config".into(), self.config.to_toml()?),
            ("shape".into(), format!("{channels}x{height}x{width}")),
            ("step".into(), self.step.to_string()),
            ("epoch".into(), self.epoch.to_string()),
        ]);
        match &self.kind {
            DataKind::Images { levels, .. } => metadata.insert("levels".into(), levels.to_string()),
            DataKind::Points { standardization } => {
                metadata.insert("standardization".into(), serde_json::to_string(standardization)?)
            }
        };
        if let Some(loss) = self.test_loss {
            metadata.insert(self.kind.key("test_"), loss.to_string());
        }
        Ok(metadata)
    }

    fn from_metadata(metadata: &Metadata) -> Result<Self> {
        let none = HashMap::new();
        let metadata = metadata.metadata().as_ref().unwrap_or(&none);
        let fields = Fields(metadata);
        if metadata.get("format").map(String::as_str) != Some(FORMAT) {
            bail!("it is another safetensors file: its metadata lack `format` = `{FORMAT}`");
        }
        let version = fields.get("version")?;
        if version != VERSION {
            bail!("it has version {version}, this program reads version {VERSION}; use the program that wrote it");
        }
        let source = Source::new("its settings".into(), fields.get("config")?.into(), Vec::new());
        let config = source.parse()?;
        config.validate(&source)?;
        let shape = fields.get("shape")?.split('x').map(str::parse).collect::<Result<Vec<usize>, _>>();
        let shape = shape.ok().and_then(|shape| <[usize; 3]>::try_from(shape).ok());
        let shape = shape.ok_or_else(|| anyhow!("its `shape` is not channels x height x width"))?;
        config.validate_architecture(shape, &source)?;
        let kind = fields.kind(shape, &config)?;
        let test_loss = kind.key("test_");
        let test_loss = metadata.contains_key(&test_loss).then(|| fields.number(&test_loss)).transpose()?;
        Ok(Self { config, shape, kind, step: fields.number("step")?, epoch: fields.number("epoch")?, test_loss })
    }
}

struct Fields<'a>(&'a HashMap<String, String>);

impl Fields<'_> {
    fn get(&self, key: &str) -> Result<&str> {
        self.0.get(key).map(String::as_str).ok_or_else(|| anyhow!("its metadata lack `{key}`"))
    }

    fn kind(&self, shape: [usize; 3], config: &Config) -> Result<DataKind> {
        let Some(text) = self.0.get("standardization") else {
            return Ok(DataKind::images(self.number("levels")?, &config.task));
        };
        let standardization: Standardization = serde_json::from_str(text).context("its `standardization`")?;
        let lengths = [standardization.mean.len(), standardization.std.len(), shape.iter().product()];
        if lengths != [shape[0]; 3] || standardization.std.iter().any(|std| !(std.is_finite() && *std > 0.0)) {
            bail!("its `standardization` does not fit points of {} dimensions", shape[0]);
        }
        Ok(DataKind::Points { standardization })
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Result<T> {
        let text = self.get(key)?;
        text.parse().map_err(|_| anyhow!("its `{key}` is `{text}`, expected a number"))
    }
}
