//! Going on with a run: from its directory, from one of its checkpoints, or from a checkpoint of the research code.

use crate::checkpoint;
use crate::config::{Config, Source};
use crate::data::DataSet;
use crate::data_kind::DataKind;
use crate::position::Position;
use crate::research::import;
use crate::retention::{last_of, rewind};
use crate::run_dir::RunDir;
use crate::state::{Description, TrainingState};
use anyhow::{Context, Result, bail, ensure};
use burn::tensor::Device;
use std::fs;
use std::path::{Path, PathBuf};

/// What there is to go on with.
pub struct Resumption {
    /// The settings to go on with, and where they come from.
    pub config: Config,
    /// See [`Config::load`].
    pub source: Source,
    /// The checkpoint and what is in it; `None` if the run was stopped before its first one.
    pub from: Option<(PathBuf, TrainingState)>,
    /// The directory of the run that the checkpoint is of, unless it lies elsewhere.
    pub home: Option<PathBuf>,
}

impl Resumption {
    /// Of a run's directory, or of a checkpoint; with other settings than the run's if there is a file of them, and
    /// with `section.key=value` settings that take precedence.
    ///
    /// # Errors
    /// If there is no run, its checkpoint cannot be read, or the settings are wrong.
    pub fn open(target: &Path, config: Option<&Path>, settings: &[String]) -> Result<Self> {
        let (checkpoint, home) = locate(target)?;
        let from = match checkpoint {
            Some(path) => Some((path.clone(), checkpoint::read_either(&path, &Device::flex())?)),
            None => None,
        };
        let (config, source) = match (config, &from, &home) {
            (Some(file), _, _) => Config::load(file, settings)?,
            (None, Some((path, state)), _) => {
                let name = format!("the settings in {}", path.display());
                let source = Source::new(name, state.description.config.to_toml()?, settings.to_vec());
                let config = source.parse()?;
                config.validate(&source)?;
                (config, source)
            }
            (None, None, Some(home)) => Config::load(&home.join("config.toml"), settings)?,
            (None, None, None) => bail!("{} is no run", target.display()),
        };
        Ok(Self { config, source, from, home })
    }

    /// What the checkpoint's model is a density of, if there is a checkpoint.
    pub fn kind(&self) -> Option<&DataKind> {
        self.from.as_ref().map(|(_, state)| &state.description.kind)
    }

    /// Makes the state to go on from fit the settings and the data that there are now.
    ///
    /// # Errors
    /// If the data do not fit the checkpoint.
    pub fn adapt(&mut self, train: &DataSet) -> Result<()> {
        let Some((path, state)) = &mut self.from else { return Ok(()) };
        let Description { shape, kind, .. } = &state.description;
        ensure!(
            train.shape() == *shape && train.kind.is_scored_as(kind),
            "{} was trained on {kind}, of shape {shape:?}; the data set has {}, of shape {:?}; use the same one",
            path.display(),
            train.kind,
            train.shape()
        );
        let Description { config: before, step, epoch, batch, .. } = &mut state.description;
        if import::is_likely(path) {
            // Where in the data the research code was follows from its steps.
            let position = Position::after(*step * before.optim.accumulate as u64, train);
            (*epoch, *batch) = (position.epoch, position.batch);
        } else {
            // With another batch size, the same images of the epoch count as used, up to a batch.
            *batch = *batch * before.optim.batch_size as u64 / self.config.optim.batch_size as u64;
        }
        before.clone_from(&self.config);
        Ok(())
    }

    /// Makes a directory ready to go on in: the run's own is put back to the checkpoint, another one becomes a new run
    /// that begins there. Returns the state to go on from, and the source of the settings.
    ///
    /// # Errors
    /// If files cannot be written.
    pub fn prepare(self, out: &Path, force: bool) -> Result<(RunDir, Option<TrainingState>, Source)> {
        let Self { config, source, from, home } = self;
        let in_place = home.as_deref().is_some_and(|home| same(home, out));
        let Some((path, mut state)) = from else {
            return Ok((RunDir::create(out, &config, force || in_place)?, None, source));
        };
        let config = &config;
        if in_place {
            let dir = RunDir::reopen(out, config)?;
            rewind(&dir.file("checkpoints"), &path, &mut state)?;
            return Ok((dir, Some(state), source));
        }
        let dir = RunDir::create(out, config, force)?;
        state.log.best.clear();
        for name in ["metrics.jsonl", "timings.jsonl"] {
            let of_home = home.as_ref().map(|home| home.join(name)).filter(|file| file.exists());
            let Some(file) = of_home else { continue };
            fs::copy(&file, dir.file(name)).with_context(|| format!("cannot copy {}", file.display()))?;
        }
        Ok((dir, Some(state), source))
    }

    /// [`prepare`](Self::prepare), where another process does what is to be done to files.
    pub fn prepared_by_another(self, out: &Path) -> (RunDir, Option<TrainingState>, Source) {
        (RunDir::of_another(out), self.from.map(|(_, state)| state), self.source)
    }
}

/// The checkpoint, if there is one yet, and the run's directory.
fn locate(target: &Path) -> Result<(Option<PathBuf>, Option<PathBuf>)> {
    if target.is_file() {
        let dir = fs::canonicalize(target).ok().and_then(|path| Some(path.parent()?.to_path_buf()));
        let dir = dir.filter(|dir| dir.ends_with("checkpoints") && !import::is_likely(target));
        let run = dir.and_then(|dir| Some(dir.parent()?.to_path_buf()));
        return Ok((Some(target.into()), run.filter(|run| run.join("config.toml").exists())));
    }
    ensure!(target.exists(), "cannot go on with {}: it does not exist", target.display());
    ensure!(
        target.join("config.toml").exists(),
        "{} is not the directory of a run: it has no config.toml; begin one with --config FILE --out {}",
        target.display(),
        target.display()
    );
    let last = last_of(&target.join("checkpoints"));
    Ok((last.exists().then_some(last), Some(target.into())))
}

fn same(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}
