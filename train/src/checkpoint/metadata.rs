//! What the header of a checkpoint says: what the library writes of a model, and what a run needs to go on; text by key.

use crate::checkpoint::state::{Description, Fingerprints, RunLog, TrainingState};
use crate::config::{Config, Source};
use crate::data::kind::{DataKind, PointKind};
use anyhow::{Context, Result, anyhow, bail};
use datasets::points::Standardization;
use residual_flows::io::{DataUnits, ModelDescription, PointUnits};
use residual_flows::optim::OptimizerState;
use residual_flows::optim::limits::MOST_STEPS;
use std::collections::BTreeMap;

/// Keys of the data's fingerprints; not every run has validation data.
const DATA: [&str; 3] = ["train_data", "test_data", "validation_data"];

/// The metadata of a state.
///
/// # Errors
/// If a number cannot be written as TOML.
pub fn write(state: &TrainingState) -> Result<BTreeMap<String, String>> {
    let TrainingState { description, optimizer, log, .. } = state;
    let Description { config, shape, kind, step, epoch, batch, data } = description;
    let mut metadata = ModelDescription { config: None, shape: *shape, units: units(kind) }.metadata();
    let mut of_run = vec![
        ("config", config.to_toml()?),
        ("step", step.to_string()),
        ("epoch", epoch.to_string()),
        ("batch", batch.to_string()),
        ("optimizer", serde_json::to_string(&optimizer.kind)?),
        ("optimizer_steps", optimizer.steps.to_string()),
        ("log", toml::to_string(log).context("cannot write the log's state as TOML")?),
    ];
    if let Some(Fingerprints { train, validation, test }) = data {
        let fingerprints = DATA.into_iter().zip([Some(train), Some(test), validation.as_ref()]);
        of_run.extend(fingerprints.filter_map(|(key, fingerprint)| Some((key, fingerprint?.clone()))));
    }
    metadata.extend(of_run.into_iter().map(|(key, text)| (key.to_string(), text)));
    Ok(metadata)
}

fn units(kind: &DataKind) -> DataUnits {
    match kind {
        DataKind::Images { levels, .. } => DataUnits::Images { levels: *levels },
        DataKind::Points(PointKind { standardization: Standardization { mean, std }, columns, noise }) => {
            DataUnits::Points(PointUnits { mean: mean.clone(), std: std.clone(), columns: columns.clone(), noise: noise.clone() })
        }
    }
}

fn kind(units: DataUnits, config: &Config) -> DataKind {
    match units {
        DataUnits::Images { levels } => DataKind::images(levels, &config.task),
        DataUnits::Points(PointUnits { mean, std, columns, noise }) => {
            DataKind::Points(PointKind { standardization: Standardization { mean, std }, columns, noise })
        }
    }
}

/// What the metadata say; the optimiser's state without its tensors. A model that another program has saved by the library has not
/// made any steps.
///
/// # Errors
/// If a key is missing, or its text is not what it should be.
pub fn read(metadata: &BTreeMap<String, String>) -> Result<(Description, RunLog, OptimizerState)> {
    let fields = Fields(metadata);
    let is_of_run = metadata.contains_key("step");
    let settings = match (is_of_run, metadata.get("config")) {
        (false, None) => bail!("its settings do not describe its layers: only the program that put them together can use it"),
        (false, Some(settings)) => format!("{settings}\n{}", data_of_nobody(metadata)),
        (true, _) => fields.get("config")?.into(),
    };
    let source = Source::new("its settings".into(), settings, Vec::new());
    let config = source.parse()?;
    config.validate(&source)?;
    let (shape, units) = ModelDescription::samples(metadata)?;
    config.validate_architecture(shape, &source)?;
    let kind = kind(units, &config);
    if !is_of_run {
        let optimizer = OptimizerState { kind: config.optim.optimizer, ..Default::default() };
        let description = Description { kind, config, shape, step: 0, epoch: 0, batch: 0, data: None };
        return Ok((description, RunLog::default(), optimizer));
    }
    let description = Description {
        kind,
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

/// In the place of the settings of data, of which a model that another program has saved says nothing.
fn data_of_nobody(metadata: &BTreeMap<String, String>) -> String {
    let key = if metadata.contains_key("standardization") { "file" } else { "path" };
    format!("[data]\n{key} = 'data that another program had'\n")
}

struct Fields<'a>(&'a BTreeMap<String, String>);

impl Fields<'_> {
    fn get(&self, key: &str) -> Result<&str> {
        self.0.get(key).map(String::as_str).ok_or_else(|| anyhow!("its metadata lack `{key}`"))
    }

    /// Not in checkpoints of earlier versions.
    fn data(&self) -> Option<Fingerprints> {
        let [train, test, validation] = DATA.map(|key| self.0.get(key).cloned());
        Some(Fingerprints { train: train?, validation, test: test? })
    }

    /// A number of things that a run has done.
    fn count(&self, key: &str) -> Result<u64> {
        let text = self.get(key)?;
        let count = text.parse().map_err(|_| anyhow!("its `{key}` is `{text}`, expected a number"))?;
        if count > MOST_STEPS { bail!("its `{key}` is {count}, expected at most {MOST_STEPS}") } else { Ok(count) }
    }
}
