//! What the header of a checkpoint says: text by key.

use crate::checkpoint::state::{Description, Fingerprints, OptimizerState, RunLog, TrainingState};
use crate::config::{Config, Source};
use crate::data::kind::{DataKind, PointKind};
use anyhow::{Context, Result, anyhow, bail, ensure};
use datasets::points::Standardization;
use safetensors::tensor::Metadata;
use std::collections::BTreeMap;

const FORMAT: &str = "residual-flows-checkpoint";
const VERSION: &str = "2";
/// Keys of the data's fingerprints; not every run has validation data.
const DATA: [&str; 3] = ["train_data", "test_data", "validation_data"];

/// The metadata of a state.
///
/// # Errors
/// If a number cannot be written as TOML.
pub fn write(state: &TrainingState) -> Result<BTreeMap<&'static str, String>> {
    let TrainingState { description, optimizer, log, .. } = state;
    let Description { config, shape: [channels, height, width], kind, step, epoch, batch, data } = description;
    let mut metadata = of_kind(kind)?;
    metadata.extend([
        ("format", FORMAT.into()),
        ("version", VERSION.into()),
        ("config", config.to_toml()?),
        ("shape", format!("{channels}x{height}x{width}")),
        ("step", step.to_string()),
        ("epoch", epoch.to_string()),
        ("batch", batch.to_string()),
        ("optimizer", serde_json::to_string(&optimizer.kind)?),
        ("optimizer_steps", optimizer.steps.to_string()),
        ("log", toml::to_string(log).context("cannot write the log's state as TOML")?),
    ]);
    if let Some(Fingerprints { train, validation, test }) = data {
        let fingerprints = DATA.into_iter().zip([Some(train), Some(test), validation.as_ref()]);
        metadata.extend(fingerprints.filter_map(|(key, fingerprint)| Some((key, fingerprint?.clone()))));
    }
    Ok(metadata)
}

/// `levels` of images; of points `standardization`, and `columns` and `noise` if they have names and noise.
fn of_kind(kind: &DataKind) -> Result<BTreeMap<&'static str, String>> {
    let PointKind { standardization, columns, noise } = match kind {
        DataKind::Images { levels, .. } => return Ok(BTreeMap::from([("levels", levels.to_string())])),
        DataKind::Points(points) => points,
    };
    let mut metadata = BTreeMap::from([("standardization", serde_json::to_string(standardization)?)]);
    if let Some(columns) = columns {
        metadata.insert("columns", serde_json::to_string(columns)?);
    }
    if noise.iter().any(|width| *width > 0.0) {
        metadata.insert("noise", serde_json::to_string(noise)?);
    }
    Ok(metadata)
}

/// Checks that the file is a checkpoint of the version that is read here.
///
/// # Errors
/// If it is not.
pub fn expect_format(metadata: &Metadata) -> Result<()> {
    let text = |key| metadata.metadata().as_ref().and_then(|metadata| metadata.get(key)).map(String::as_str);
    if text("format") != Some(FORMAT) {
        bail!("it is another safetensors file: its metadata lack `format` = `{FORMAT}`");
    }
    match text("version") {
        Some(VERSION) => Ok(()),
        other => bail!(
            "it has version {}, this program reads version {VERSION}; use the program that wrote it",
            other.unwrap_or("unknown")
        ),
    }
}

/// What the metadata say; the optimiser's state without its tensors.
///
/// # Errors
/// If a key is missing, or its text is not what it should be.
pub fn read(metadata: &BTreeMap<&str, String>) -> Result<(Description, RunLog, OptimizerState)> {
    let fields = Fields(metadata);
    let source = Source::new("its settings".into(), fields.get("config")?.into(), Vec::new());
    let config = source.parse()?;
    config.validate(&source)?;
    let shape = fields.get("shape")?.split('x').map(str::parse).collect::<Result<Vec<usize>, _>>();
    let shape = shape.ok().and_then(|shape| <[usize; 3]>::try_from(shape).ok());
    let shape = shape.ok_or_else(|| anyhow!("its `shape` is not channels x height x width"))?;
    config.validate_architecture(shape, &source)?;
    let description = Description {
        kind: fields.kind(shape, &config)?,
        config,
        shape,
        step: fields.count("step")?,
        epoch: fields.count("epoch")?,
        batch: fields.count("batch")?,
        data: fields.data(),
    };
    let log = toml::from_str(fields.get("log")?).map_err(|error| anyhow!("its `log`: {}", error.message()))?;
    let kind = serde_json::from_str(fields.get("optimizer")?).map_err(|error| anyhow!("its `optimizer`: {error}"))?;
    let steps = fields.count("optimizer_steps")?;
    Ok((description, log, OptimizerState { kind, steps, slots: BTreeMap::new() }))
}

struct Fields<'a>(&'a BTreeMap<&'a str, String>);

impl Fields<'_> {
    fn get(&self, key: &str) -> Result<&str> {
        self.0.get(key).map(String::as_str).ok_or_else(|| anyhow!("its metadata lack `{key}`"))
    }

    /// Not in checkpoints of earlier versions.
    fn data(&self) -> Option<Fingerprints> {
        let [train, test, validation] = DATA.map(|key| self.0.get(key).cloned());
        Some(Fingerprints { train: train?, validation, test: test? })
    }

    fn kind(&self, shape: [usize; 3], config: &Config) -> Result<DataKind> {
        let Some(text) = self.0.get("standardization") else {
            let levels = self.number("levels")?;
            ensure!((2..=1 << 16).contains(&levels), "its `levels` is {levels}, expected 2 to 65536");
            return Ok(DataKind::images(levels, &config.task));
        };
        let standardization: Standardization = serde_json::from_str(text).context("its `standardization`")?;
        let points = PointKind::unnamed(standardization);
        let optional = |key: &str| self.0.get(key).map(String::as_str);
        let columns = optional("columns").map(serde_json::from_str::<Vec<String>>).transpose().context("its `columns`")?;
        let noise = optional("noise").map(serde_json::from_str::<Vec<f64>>).transpose().context("its `noise`")?;
        let points = PointKind { columns, noise: noise.unwrap_or_else(|| points.noise.clone()), ..points };
        let PointKind { standardization: Standardization { mean, std }, columns, noise } = &points;
        let names = columns.as_ref().map_or(mean.len(), Vec::len);
        let fits = [mean.len(), std.len(), names, noise.len(), shape.iter().product()] == [shape[0]; 5];
        if !fits || !mean.iter().all(|mean| mean.is_finite()) || !std.iter().all(|std| std.is_finite() && *std > 0.0) {
            bail!("its `standardization`, `columns` or `noise` does not fit points of {} dimensions", shape[0]);
        }
        ensure!(noise.iter().all(|width| width.is_finite() && *width >= 0.0), "its `noise` holds a width that is none");
        Ok(DataKind::Points(points))
    }

    /// A number of things that a run has done.
    fn count(&self, key: &str) -> Result<u64> {
        const MOST: u64 = 1_000_000_000_000_000;
        let count = self.number(key)?;
        if count > MOST { bail!("its `{key}` is {count}, expected at most {MOST}") } else { Ok(count) }
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Result<T> {
        let text = self.get(key)?;
        text.parse().map_err(|_| anyhow!("its `{key}` is `{text}`, expected a number"))
    }
}
