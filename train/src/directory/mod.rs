//! The directory of a run: what is in it, who may write there, and the rule that no run overwrites another, or anything that
//! no run has written.

mod lock;
mod written;

pub use lock::Lock;
pub use written::{BEST, LAST, Written};

use crate::config::Config;
use anyhow::{Context, Result, bail, ensure};
use datasets::io::output::{self, Existing, UNFINISHED};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use written::{CHECKPOINTS, IMAGES, OF_CHECKPOINTS, OF_TRAINING, names_of_run};

/// Whether a directory is that of a run.
pub fn is_run(dir: &Path) -> bool {
    Written::of(dir).is_ok_and(|written| written.is_some())
}

/// Notes that a command writes a file at its own place into the directory of a run.
///
/// # Errors
/// If the run's list cannot be read or written.
pub fn note_file(dir: &Path, name: &str) -> Result<()> {
    match Written::of(dir)? {
        Some(written) => written.begin().and_then(|()| written.add([name.into()])),
        None => Ok(()),
    }
}

/// A run's directory.
pub struct RunDir {
    root: PathBuf,
    written: Arc<Written>,
    /// `None` where another process writes.
    _lock: Option<Lock>,
}

impl RunDir {
    /// Makes the directory, locks it, and writes the resolved configuration into it.
    ///
    /// # Errors
    /// If files cannot be written, another process writes there, files are in the way that no run has written, or there is a
    /// run already and `force` is not set; with it, the files that its list names are removed, and no others.
    pub fn create(root: &Path, config: &Config, force: bool) -> Result<Self> {
        // Before anything is written.
        removable(root, force)?;
        fs::create_dir_all(root).with_context(|| format!("cannot make the directory {}", root.display()))?;
        let lock = Lock::acquire(root)?;
        for path in removable(root, force)? {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        let dir = Self { root: root.into(), written: Arc::new(Written::none(root)), _lock: Some(lock) };
        dir.fill(config)?;
        Ok(dir)
    }

    /// The directory of a run that goes on, with its settings as they are now.
    ///
    /// # Errors
    /// If files cannot be written.
    pub fn reopen(root: &Path, config: &Config, lock: Lock) -> Result<Self> {
        let written = Written::of(root)?.unwrap_or_else(|| Written::none(root));
        written.begin()?;
        let dir = Self { root: root.into(), written: Arc::new(written), _lock: Some(lock) };
        dir.remove_unfinished()?;
        dir.refuse_foreign_checkpoints()?;
        dir.fill(config)?;
        Ok(dir)
    }

    /// The directory of a run into which another process writes.
    pub fn of_another(root: &Path) -> Self {
        Self { root: root.into(), written: Arc::new(Written::none(root)), _lock: None }
    }

    fn fill(&self, config: &Config) -> Result<()> {
        for name in [CHECKPOINTS, IMAGES] {
            let path = self.root.join(name);
            fs::create_dir_all(&path).with_context(|| format!("cannot make the directory {}", path.display()))?;
        }
        for path in OF_TRAINING.map(|name| self.file(name)) {
            let is_other = fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file());
            ensure!(!is_other, "{} is not a regular file; move it away", path.display());
        }
        self.written.add(OF_TRAINING.map(String::from))?;
        self.write("config.toml", &config.to_toml()?)
    }

    /// Refuses to go on where a file of somebody else has the name of a checkpoint: of a run of an earlier version, which gave none
    /// there.
    fn refuse_foreign_checkpoints(&self) -> Result<()> {
        let is_foreign = |name: &&str| fs::symlink_metadata(self.file(name)).is_ok() && !self.written.has(name);
        match OF_CHECKPOINTS.iter().find(|name| is_foreign(name)) {
            Some(name) => bail!(
                "{} has the name of a checkpoint of the run, which has not written it; move it away",
                self.file(name).display()
            ),
            None => Ok(()),
        }
    }

    /// Removes what a killed process was about to write.
    fn remove_unfinished(&self) -> Result<()> {
        for dir in [self.root.clone(), self.file(CHECKPOINTS), self.file(IMAGES)] {
            for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(UNFINISHED)
                    && entry.file_type().is_ok_and(|kind| kind.is_file())
                {
                    fs::remove_file(entry.path()).with_context(|| format!("cannot remove {}", entry.path().display()))?;
                }
            }
        }
        Ok(())
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The list of the files that the run writes.
    pub fn written(&self) -> &Arc<Written> {
        &self.written
    }

    /// Writes a text file of the run, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        self.written.add([name.into()])?;
        output::write(&self.file(name), Existing::Own, |out| Ok(out.write_all(text.as_bytes())?))
    }
}

/// The files of an earlier run that make place for another.
fn removable(root: &Path, force: bool) -> Result<Vec<PathBuf>> {
    let written = Written::of(root)?;
    let files = written.as_ref().map_or_else(Vec::new, |written| written.present());
    if !files.is_empty() && !force {
        let root = root.display();
        bail!(
            "{root} holds a run already; go on with it with --resume {root}, replace it with --force, or choose another directory with \
             --out"
        );
    }
    let mut there: Vec<String> = OF_TRAINING.iter().chain(&OF_CHECKPOINTS).map(|name| name.to_string()).collect();
    there.retain(|name| fs::symlink_metadata(root.join(name)).is_ok());
    for folder in [IMAGES, CHECKPOINTS] {
        there.extend(names_of_run(root, folder)?);
    }
    if let Some(name) = there.into_iter().find(|name| !written.as_ref().is_some_and(|written| written.has(name))) {
        bail!(
            "{} has the name of a file of a run, but no run is known to have written it; move it away, or choose another \
             directory with --out",
            root.join(name).display()
        );
    }
    let list = root.join(written::NAME);
    Ok(files.into_iter().chain(list.exists().then_some(list)).collect())
}
