//! Training, by the program's own run.

use crate::arrays::Numbers;
use crate::compute::attended;
use crate::errors::{breakdown, exception};
use anyhow::{Context, Result, ensure};
use datasets::io::output::Existing;
use datasets::points::{FileKind, Points};
use pyo3::prelude::*;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;
use train::config::{Config, shipped};
use train::reporting::progress::Progress;
use train::run::fit::{Start, fit as run};
use train::system::signals::Stop;
use train::training::parallel::ProcessGroup;

/// Trains a model as a configuration says: a file or a shipped one by its name, or settings in JSON. Everything is written into the
/// directory `out`. Records of the run go to `hear`, as JSON; where it returns `False`, training ends as by a signal. Returns the
/// summary as JSON.
#[pyfunction]
pub fn fit(
    py: Python<'_>,
    config: PathBuf,
    json: Option<String>,
    settings: Vec<String>,
    out: PathBuf,
    overwrite: bool,
    hear: Bound<'_, PyAny>,
) -> PyResult<String> {
    let hear = hear.unbind();
    let stop = Stop::default();
    let (give, take) = channel::<String>();
    let listener = Arc::new(move |record: &Value| {
        // Who has stopped listening does not stop the run.
        let _ = give.send(record.to_string());
    });
    let start = || -> Result<Start> {
        let (mut config, source) = match json {
            None => Config::load(&config, &settings)?,
            Some(json) => Config::of_json("the settings", &serde_json::from_str(&json)?, &settings)?,
        };
        config.settle(&source);
        let group = Arc::new(ProcessGroup::alone());
        let device = config.device.open(&group).with_context(|| source.place("device"))?;
        config.validate_device(&device, &source)?;
        let start = Start::new(config, source, device, &group, &out, overwrite, &mut Progress::new().seen(false))?;
        Ok(Start { listener: Some(listener), ..start })
    };
    // What is wrong from the start is the fault of what was given; what goes wrong later is not.
    let train = || start().map(|start| run(start, &stop).and_then(|summary| Ok(serde_json::to_string(&summary)?)));
    let attend = move |py: Python<'_>| -> PyResult<bool> {
        for record in take.try_iter() {
            if !hear.call1(py, (record,))?.extract::<bool>(py)? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let summary = attended(py, &stop.flag(), train, attend)?.map_err(exception)?;
    summary.map_err(|error| breakdown(py, error))
}

/// Writes a table with the names of its columns, for training.
#[pyfunction]
pub fn write_table(py: Python<'_>, path: PathBuf, x: Numbers<'_>, columns: Vec<String>, overwrite: bool) -> PyResult<()> {
    let view = x.view().map_err(exception)?;
    let write = || -> Result<()> {
        let expected = columns.len();
        ensure!(
            expected > 0 && matches!(view.shape, [_, d] if *d == expected),
            "the shape is {:?}, expected [n, {expected}]",
            view.shape
        );
        let points = Points::new(expected, view.double()).named(columns);
        Ok(points.write(&path, FileKind::Csv, Existing::replaced_if(overwrite))?)
    };
    py.detach(write).map_err(exception)
}

/// Names of the shipped configurations.
#[pyfunction]
pub fn shipped_configurations() -> Vec<&'static str> {
    shipped::names().collect()
}
