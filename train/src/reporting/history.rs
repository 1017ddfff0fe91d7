//! A file of metrics, read again: series of numbers by step.

use anyhow::{Context, Result};
use datasets::io::console::note;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// What a run measured so far.
#[derive(Default)]
pub struct History {
    /// `(step, value)` by the records' keys, in the order of the file.
    pub series: BTreeMap<String, Vec<(f64, f64)>>,
    /// Steps and texts of warnings.
    pub warnings: Vec<(u64, String)>,
    /// Numbers of the lines that were left out.
    damaged: Vec<usize>,
}

impl History {
    /// Reads `metrics.jsonl` or `timings.jsonl`; lines that are no JSON objects, as a full disk or a power cut leaves them, are
    /// left out with a warning.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let history = Self::quietly(path)?;
        history.warn_of_damage(path);
        Ok(history)
    }

    /// The same without a warning.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn quietly(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut history = Self::default();
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let lines = bytes.split(|byte| *byte == b'\n').filter(|_| !bytes.is_empty());
        for (number, line) in (1..).zip(lines) {
            match serde_json::from_slice::<Map<String, Value>>(line) {
                Ok(record) => history.add(&record),
                Err(_) => history.damaged.push(number),
            }
        }
        Ok(history)
    }

    /// Says which lines were left out.
    pub fn warn_of_damage(&self, path: &Path) {
        if let Some(first) = self.damaged.first() {
            let (path, n) = (path.display(), self.damaged.len());
            note(format_args!("warning: {path}: lines that are no JSON objects are left out: {n}, the first is line {first}"));
        }
    }

    fn add(&mut self, record: &Map<String, Value>) {
        let Some(step) = record.get("step").and_then(Value::as_u64) else { return };
        if let Some(warning) = record.get("warning").and_then(Value::as_str) {
            let layer = record.get("layer").and_then(Value::as_str).map_or(String::new(), |layer| format!(" (layer {layer})"));
            self.warnings.push((step, format!("{warning}{layer}")));
            return;
        }
        for (key, value) in record.iter().filter(|(key, _)| *key != "step") {
            if let Some(value) = value.as_f64() {
                self.series.entry(key.clone()).or_default().push((step as f64, value));
            }
        }
    }

    /// A series; empty if nothing of this name was measured.
    pub fn get(&self, key: &str) -> &[(f64, f64)] {
        self.series.get(key).map_or(&[], Vec::as_slice)
    }
}
