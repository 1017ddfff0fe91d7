//! The list of the files that a run has written, `files.jsonl` in its directory: what it may remove and replace, and nothing
//! else.

use crate::config::Config;
use crate::reporting::tensorboard::PREFIX;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The list.
pub const NAME: &str = "files.jsonl";
/// What training writes into the directory itself; event files have names of their own.
pub const OF_TRAINING: [&str; 6] =
    ["config.toml", "metrics.jsonl", "timings.jsonl", "sessions.jsonl", "curve.svg", "summary.json"];
/// The name of the checkpoint with the lowest loss in evaluations.
pub const BEST: &str = "best.safetensors";
/// The name of the last one.
pub const LAST: &str = "last.safetensors";
/// Names of checkpoints there.
pub const OF_CHECKPOINTS: [&str; 2] = [BEST, LAST];
/// What other commands write there.
const OF_OTHERS: [&str; 3] = ["report.html", "training.gif", "evaluation.json"];
/// Where checkpoints are.
pub const CHECKPOINTS: &str = "checkpoints";
/// Where pictures are.
pub const IMAGES: &str = "images";

/// A line of the list.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    /// A file is about to be written, by its path from the run's directory.
    File { file: String },
    /// A checkpoint was finished.
    Saved { saved_step: u64 },
}

/// The files that a run has written.
#[derive(Default)]
pub struct Written {
    root: PathBuf,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    files: BTreeSet<String>,
    has_saved: bool,
}

impl Written {
    /// Those of the run in a directory, as its list says. In runs of earlier versions, which have no list: what has a name that
    /// a run gives. `None` if there is no run.
    ///
    /// # Errors
    /// If the list or the directory cannot be read.
    pub fn of(root: &Path) -> Result<Option<Self>> {
        let mut known = Known::default();
        match File::open(root.join(NAME)) {
            Ok(list) => known.read(list).with_context(|| format!("cannot read {}", root.join(NAME).display()))?,
            Err(_) if is_run_of_earlier_version(root) => known.guess(root)?,
            Err(_) => return Ok(None),
        }
        Ok(Some(Self { root: root.into(), known: Mutex::new(known) }))
    }

    /// None yet.
    pub fn none(root: &Path) -> Self {
        Self { root: root.into(), known: Mutex::default() }
    }

    /// Notes files that are about to be written, by their paths from the run's directory.
    ///
    /// # Errors
    /// If the list cannot be written.
    pub fn add(&self, files: impl IntoIterator<Item = String>) -> Result<()> {
        let mut known = self.known();
        let new: Vec<String> = files.into_iter().filter(|file| !known.files.contains(file)).collect();
        self.append(new.iter().map(|file| Line::File { file: file.clone() }))?;
        known.files.extend(new);
        Ok(())
    }

    /// Notes that a checkpoint was finished, once for all.
    ///
    /// # Errors
    /// If the list cannot be written.
    pub fn saved(&self, saved_step: u64) -> Result<()> {
        let mut known = self.known();
        if !known.has_saved {
            self.append([Line::Saved { saved_step }])?;
            known.has_saved = true;
        }
        Ok(())
    }

    /// Whether the run has finished a checkpoint at some time.
    pub fn has_saved(&self) -> bool {
        self.known().has_saved
    }

    /// Whether the run wrote a file, by its path from the run's directory.
    pub fn has(&self, file: &str) -> bool {
        self.known().files.contains(file)
    }

    /// Those that are there.
    pub fn present(&self) -> Vec<PathBuf> {
        let files = self.known().files.iter().map(|file| self.root.join(file)).collect::<Vec<_>>();
        files.into_iter().filter(|path| fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_dir())).collect()
    }

    /// Writes all that is known into a list where there is none.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn begin(&self) -> Result<()> {
        let known = self.known();
        if self.root.join(NAME).exists() {
            return Ok(());
        }
        let saved = known.has_saved.then_some(Line::Saved { saved_step: 0 });
        self.append(known.files.iter().map(|file| Line::File { file: file.clone() }).chain(saved))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, lines: impl IntoIterator<Item = Line>) -> Result<()> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, &line)?;
            text.push(b'\n');
        }
        let path = self.root.join(NAME);
        let write = || File::options().create(true).append(true).open(&path)?.write_all(&text);
        if text.is_empty() { Ok(()) } else { write().with_context(|| format!("cannot write {}", path.display())) }
    }
}

impl Known {
    /// A line that was cut short, or names what no run writes, counts as none.
    fn read(&mut self, list: File) -> Result<()> {
        for line in BufReader::new(list).lines() {
            match serde_json::from_str(&line?) {
                Ok(Line::File { file }) if is_name_of_run(&file) => drop(self.files.insert(file)),
                Ok(Line::Saved { .. }) => self.has_saved = true,
                _ => {}
            }
        }
        Ok(())
    }

    fn guess(&mut self, root: &Path) -> Result<()> {
        for folder in ["", IMAGES, CHECKPOINTS] {
            // Earlier versions had no checkpoints in the directory itself.
            let names = names_of_run(root, folder)?.into_iter();
            self.files.extend(names.filter(|name| !OF_CHECKPOINTS.contains(&name.as_str())));
        }
        // Its first checkpoint was begun before its first step.
        self.has_saved = fs::metadata(root.join("metrics.jsonl")).is_ok_and(|metadata| metadata.len() > 0);
        Ok(())
    }
}

/// What has a name in a folder of a directory that a run gives, by its path from the directory.
///
/// # Errors
/// If the folder is there and cannot be listed.
pub fn names_of_run(root: &Path, folder: &str) -> Result<Vec<String>> {
    let dir = root.join(folder);
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let cannot = || format!("cannot list {}", dir.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&dir).with_context(cannot)? {
        let name = entry.with_context(cannot)?.file_name().to_string_lossy().into_owned();
        let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if is_name_of_run(&name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a run gives such names, by the path from its directory.
fn is_name_of_run(name: &str) -> bool {
    match name.split_once('/') {
        None => {
            OF_TRAINING.contains(&name) || OF_CHECKPOINTS.contains(&name) || OF_OTHERS.contains(&name) || name.starts_with(PREFIX)
        }
        Some((IMAGES, file)) => {
            let stem = file.strip_suffix(".png").unwrap_or_default();
            ["start", "end"].contains(&stem) || stem.strip_prefix("epoch").is_some_and(|epoch| is_number(epoch, 5))
        }
        Some((CHECKPOINTS, file)) => {
            let stem = file.strip_suffix(".safetensors").unwrap_or_default();
            let best = stem.strip_prefix("best-step").and_then(|rest| rest.split_once('-'));
            let is_of_step = stem.strip_prefix("step").is_some_and(|step| is_number(step, 7));
            stem == "last" || is_of_step || best.is_some_and(|(step, _)| is_number(step, 7))
        }
        Some(_) => false,
    }
}

/// Whether a text is a number of at least this many digits.
fn is_number(text: &str, digits: usize) -> bool {
    text.len() >= digits && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a directory without a list is that of a run: it has our settings and our records.
fn is_run_of_earlier_version(root: &Path) -> bool {
    let is_ours = || toml::from_str::<Config>(&fs::read_to_string(root.join("config.toml")).ok()?).ok();
    let first = |name: &str| BufReader::new(File::open(root.join(name)).ok()?).lines().next()?.ok();
    let has_step = |line: String| serde_json::from_str::<serde_json::Value>(&line).is_ok_and(|record| record["step"].is_u64());
    is_ours().is_some() && ["sessions.jsonl", "metrics.jsonl"].into_iter().filter_map(first).any(has_step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_runs_are_told_from_others() {
        for name in ["config.toml", "images/start.png", "images/epoch00010.png", "checkpoints/step0000100.safetensors"] {
            assert!(is_name_of_run(name), "{name}");
        }
        assert!(is_name_of_run("checkpoints/best-step0000100-bits1.9000.safetensors"));
        for name in [
            "notes.txt",
            "images/holiday.png",
            "images/holiday00002.png",
            "checkpoints/other_model.safetensors",
            "../config.toml",
            "/config.toml",
        ] {
            assert!(!is_name_of_run(name), "{name}");
        }
        for name in ["images/../config.toml", "checkpoints/step1.safetensors", "other/start.png", "checkpoints/step0000100.bin"] {
            assert!(!is_name_of_run(name), "{name}");
        }
    }

    #[test]
    fn the_list_is_read_as_it_was_written() -> Result<()> {
        let dir = tempfile::tempdir()?;
        assert!(Written::of(dir.path())?.is_none());
        let written = Written::none(dir.path());
        written.add(["config.toml".into(), "images/start.png".into()])?;
        written.add(["config.toml".into()])?;
        let read = |dir: &Path| Written::of(dir)?.context("a list");
        assert!(!read(dir.path())?.has_saved());
        written.saved(7)?;
        fs::write(dir.path().join("config.toml"), "")?;
        File::options().append(true).open(dir.path().join(NAME))?.write_all(b"{\"file\":\"/etc/passwd\"}\n{\"file\":\"summ")?;
        let again = read(dir.path())?;
        assert!(again.has_saved() && again.has("images/start.png") && !again.has("/etc/passwd"));
        assert_eq!(again.present(), [dir.path().join("config.toml")]);
        Ok(())
    }
}
