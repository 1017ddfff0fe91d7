//! The directory of a run: what is in it, and the rule that no run overwrites another.

use crate::config::Config;
use crate::tensorboard::PREFIX;
use anyhow::{Context, Result, bail};
use datasets::output::{self, Existing};
use std::fs;
use std::path::{Path, PathBuf};

/// Whether a directory is that of a run.
pub fn is_run(dir: &Path) -> bool {
    ["config.toml", "metrics.jsonl", "sessions.jsonl"].iter().all(|name| dir.join(name).is_file())
}

/// A run's directory.
pub struct RunDir {
    root: PathBuf,
}

const FILES: [&str; 7] =
    ["config.toml", "metrics.jsonl", "timings.jsonl", "sessions.jsonl", "curve.svg", "summary.json", "report.html"];
const DIRECTORIES: [(&str, &str); 2] = [("checkpoints", "safetensors"), ("images", "png")];

impl RunDir {
    /// Makes the directory and writes the resolved configuration into it.
    ///
    /// # Errors
    /// If files cannot be written, or there is a run already and `force` is not set; with it, the files of the earlier
    /// run are removed, and no others.
    pub fn create(root: &Path, config: &Config, force: bool) -> Result<Self> {
        let dir = Self { root: root.to_path_buf() };
        if FILES.iter().any(|file| dir.file(file).exists()) {
            if !force {
                bail!("{} holds a run already; choose another directory with --out, or replace it with --force", root.display());
            }
            dir.clear()?;
        }
        dir.fill(config)?;
        Ok(dir)
    }

    /// The directory of a run that goes on, with its settings as they are now.
    ///
    /// # Errors
    /// If files cannot be written.
    pub fn reopen(root: &Path, config: &Config) -> Result<Self> {
        let dir = Self { root: root.to_path_buf() };
        dir.fill(config)?;
        Ok(dir)
    }

    /// The directory of a run into which another process writes.
    pub fn of_another(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    fn fill(&self, config: &Config) -> Result<()> {
        for (name, _) in DIRECTORIES {
            let path = self.root.join(name);
            fs::create_dir_all(&path).with_context(|| format!("cannot make the directory {}", path.display()))?;
        }
        self.write("config.toml", &config.to_toml()?)
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Writes a text file of the run, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        output::write(&self.file(name), Existing::Own, |out| Ok(out.write_all(text.as_bytes())?))
    }

    /// Removes what an earlier run wrote.
    fn clear(&self) -> Result<()> {
        let mut files: Vec<PathBuf> = FILES.iter().map(|file| self.file(file)).filter(|path| path.exists()).collect();
        for (name, extension) in DIRECTORIES {
            let Ok(entries) = fs::read_dir(self.root.join(name)) else { continue };
            let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
            files.extend(paths.filter(|path| path.extension().is_some_and(|found| found == extension)));
        }
        let events = fs::read_dir(&self.root).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        files.extend(events.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))));
        for path in files {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }
}
