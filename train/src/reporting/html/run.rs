//! What a report knows of one run.

use crate::data::loss_unit::LossUnit;
use crate::reporting::history::History;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A run's directory, read.
pub struct Run {
    /// Its directory's name.
    pub name: String,
    /// `metrics.jsonl`
    pub metrics: History,
    /// `timings.jsonl`
    pub timings: History,
    /// Resolved settings by `section.key`.
    pub settings: BTreeMap<String, String>,
    /// Every start of the program, `sessions.jsonl`.
    pub sessions: Vec<Value>,
    /// `summary.json`; `None` while the run goes on.
    pub summary: Option<Value>,
    /// Pictures in the order in which they were drawn.
    pub pictures: Vec<PathBuf>,
}

impl Run {
    /// Reads a directory.
    ///
    /// # Errors
    /// If it is not that of a run, or a file of it cannot be read.
    pub fn read(dir: &Path) -> Result<Self> {
        let run = Self::read_as_it_grows(dir)?;
        run.metrics.warn_of_damage(&dir.join("metrics.jsonl"));
        run.timings.warn_of_damage(&dir.join("timings.jsonl"));
        Ok(run)
    }

    /// Reads a directory into which a program may be writing: lines that are not whole yet are left out without a word.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_as_it_grows(dir: &Path) -> Result<Self> {
        let config = dir.join("config.toml");
        if !config.is_file() {
            bail!("{} is not the directory of a run: it has no config.toml", dir.display());
        }
        let text = fs::read_to_string(&config).with_context(|| format!("cannot read {}", config.display()))?;
        let table: toml::Table = text.parse().with_context(|| format!("{} is not TOML", config.display()))?;
        let mut settings = BTreeMap::new();
        flatten("", &toml::Value::Table(table), &mut settings);
        let full = fs::canonicalize(dir).unwrap_or_else(|_| dir.into());
        Ok(Self {
            name: full.file_name().map_or_else(|| dir.display().to_string(), |name| name.to_string_lossy().into_owned()),
            metrics: History::quietly(&dir.join("metrics.jsonl"))?,
            timings: History::quietly(&dir.join("timings.jsonl"))?,
            settings,
            sessions: lines(&dir.join("sessions.jsonl")),
            summary: fs::read(dir.join("summary.json")).ok().and_then(|text| serde_json::from_slice(&text).ok()),
            pictures: pictures(&dir.join("images")),
        })
    }

    /// The files that were read, of the run in this directory.
    pub fn files(&self, dir: &Path) -> Vec<PathBuf> {
        let texts = ["config.toml", "metrics.jsonl", "timings.jsonl", "sessions.jsonl", "summary.json"];
        texts.iter().map(|name| dir.join(name)).chain(self.pictures.iter().cloned()).collect()
    }

    /// Whether it goes on, as far as its files say.
    pub fn state(&self) -> &'static str {
        match self.summary.as_ref().and_then(|summary| summary["finished"].as_bool()) {
            Some(true) => "finished",
            Some(false) => "stopped",
            None => "going on",
        }
    }

    /// The loss that the run minimises.
    pub fn loss(&self) -> LossUnit {
        let measured = |loss: &LossUnit| !self.metrics.get(loss.key()).is_empty();
        LossUnit::ALL.into_iter().find(measured).unwrap_or(LossUnit::BitsPerDim)
    }
}

/// `section.key` for every value that is no table.
fn flatten(path: &str, value: &toml::Value, into: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, into);
            }
        }
        value => drop(into.insert(path.into(), value.to_string())),
    }
}

/// The objects of a file that need not be there.
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// `start`, then those of epochs, then `end`.
fn pictures(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut pictures: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "png")).collect();
    pictures.sort_by_key(|path| {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let rank = match name.as_str() {
            "start" => 0,
            "end" => 2,
            _ => 1,
        };
        (rank, name)
    });
    pictures
}
