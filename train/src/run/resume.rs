//! Going on with a run: from its directory, from one of its checkpoints, or from a checkpoint of the reference implementation.

use crate::checkpoint;
use crate::checkpoint::retention::{last_of, newest_first, rewind, set_aside};
use crate::checkpoint::state::{Description, RunLog, TrainingState};
use crate::config::{Config, Source, Validation};
use crate::data::kind::DataKind;
use crate::data::{DataSet, Splits};
use crate::directory::{BEST, LAST, Lock, RunDir, Written, is_run};
use crate::pytorch::import;
use crate::training::position::Position;
use anyhow::{Context, Result, bail, ensure};
use burn::tensor::Device;
use datasets::Split;
use datasets::io::console::note;
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
    /// Later checkpoints that cannot be read.
    damaged: Vec<PathBuf>,
    /// Whether the settings describe the checkpoint's model; if not, whether they fit is found out when the model is built.
    is_same_model: bool,
    /// Whether the state to go on from is as it was read.
    is_unchanged: bool,
    /// Why the last checkpoint is not the one to go on from, and which settings are not those of the run's file.
    warnings: Vec<String>,
}

impl Resumption {
    /// Of a run's directory, or of a checkpoint; with other settings than the run's if there is a file of them, and
    /// with `section.key=value` settings that take precedence.
    ///
    /// # Errors
    /// If there is no run, no checkpoint of it can be read although it has made some, or the settings are wrong.
    pub fn open(target: &Path, config: Option<&Path>, settings: &[String]) -> Result<Self> {
        let home = home_of(target)?;
        let Found { from, damaged, reason } = match target.is_file() {
            true => Found { from: Some((target.into(), checkpoint::read_either(target, &Device::flex())?)), ..Found::default() },
            false => Found::newest(target)?,
        };
        let mut warnings: Vec<String> = reason.into_iter().collect();
        if let (None, Some((path, state)), Some(home)) = (config, &from, &home) {
            warnings.extend(edited(home, path, &state.description.config));
        }
        let (config, source) = match (config, &from, &home) {
            (Some(file), from, _) => {
                let (mut config, source) = Config::load(file, settings)?;
                match from {
                    // What earlier versions did is not what new runs do.
                    Some((_, state)) => {
                        config.settle_like(&state.description.config);
                        config.choose_like(&source, &state.description.config)?;
                        config.validate(&source)?;
                    }
                    None => config.settle(&source),
                }
                (config, source)
            }
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
        let resumption = Self { config, source, from, home, damaged, warnings, is_same_model: true, is_unchanged: false };
        resumption.ensure_same_validation().map(|()| resumption)
    }

    /// Refuses settings by which other samples would be for training than were.
    fn ensure_same_validation(&self) -> Result<()> {
        let Some((path, state)) = &self.from else { return Ok(()) };
        let (before, now) = (state.description.config.data.validation(), self.config.data.validation());
        let are_files = matches!((before, now), (Validation::File(_), Validation::File(_)));
        ensure!(
            self.config.data.points.is_some() || are_files || before == now,
            "{}: {} was trained with other samples held out for validation; leave data.validation_fraction and the like as they \
             were, or begin a new run with --config",
            self.source.place("data"),
            path.display()
        );
        Ok(())
    }

    /// What is not as the run left it, a text each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Refuses settings of another model than the checkpoint's.
    ///
    /// # Errors
    /// Names the setting and what does not fit.
    pub fn ensure_model_fits(&self) -> Result<()> {
        let Some((path, state)) = self.from.as_ref().filter(|_| !self.is_same_model) else { return Ok(()) };
        let place = || {
            let place = self.source.place("model");
            format!("{place}: {} has another model; go on with its settings, or begin a new run with --config", path.display())
        };
        state.models(&Device::flex()).with_context(place).map(drop)
    }

    /// What the checkpoint's model is a density of, if there is a checkpoint.
    pub fn kind(&self) -> Option<&DataKind> {
        self.from.as_ref().map(|(_, state)| &state.description.kind)
    }

    /// Whether there is nothing about the state that its checkpoint does not say.
    pub fn is_unchanged(&self) -> bool {
        self.is_unchanged
    }

    /// Makes the state to go on from fit the settings and the data that there are now.
    ///
    /// # Errors
    /// If the data are not those of the checkpoint.
    pub fn adapt(&mut self, data: &Splits) -> Result<()> {
        let Some((path, state)) = &mut self.from else { return Ok(()) };
        let as_read = (state.description.clone(), state.log.clone());
        let train = &data.train;
        let Description { shape, kind, data: fingerprints, .. } = &state.description;
        ensure!(
            train.shape() == *shape && train.kind.is_scored_as(kind),
            "{} was trained on {kind}, of shape {shape:?}; the data set has {}, of shape {:?}; use the same one",
            path.display(),
            train.kind,
            train.shape()
        );
        // Of a distribution, the number of points that are not for training is a matter of taste.
        let is_drawn = self.config.data.points.is_some();
        for (split, now) in data.all() {
            let Some(before) = fingerprints.as_ref().and_then(|fingerprints| fingerprints.get(split)) else { continue };
            let (matters, now) = (split == Split::Train || !is_drawn, now.batches.fingerprint());
            let split = if split == Split::Train { "training".to_string() } else { split.to_string() };
            ensure!(
                !matters || *before == now,
                "{} was trained with other {split} data than those in {}: their fingerprint is {before}, here it is {now}; use the \
                 same data, or begin a new run with --config",
                path.display(),
                self.config.data.source()?
            );
        }
        let selects_by_test = |config: &Config| config.data.validation() == Validation::None;
        if selects_by_test(&state.description.config) != selects_by_test(&self.config) {
            // Losses of other samples cannot be compared with those to come.
            (state.log.best, state.log.selection, state.log.evaluated) = Default::default();
        }
        let Description { config: before, step, epoch, batch, .. } = &mut state.description;
        if import::is_likely(path) {
            // Where in the data the reference implementation was follows from its steps.
            let position = Position::after(*step * before.optim.accumulate as u64, train);
            (*epoch, *batch) = (position.epoch, position.batch);
        } else {
            // With another batch size, the same images of the epoch count as used, up to a batch.
            *batch = *batch * before.optim.batch_size as u64 / self.config.optim.batch_size as u64;
        }
        self.is_same_model = before.model == self.config.model;
        before.clone_from(&self.config);
        let is_at_end = self.has_no_steps_left(train) != Some(false);
        if let Some((_, state)) = &mut self.from {
            if is_at_end && state.log.evaluated.is_none() {
                // A run ends with an evaluation.
                state.log.pending = true;
            }
            self.is_unchanged = (&state.description, &state.log) == (&as_read.0, &as_read.1);
        }
        Ok(())
    }

    /// Whether the settings ask for nothing more than the run has done: for fewer steps, or as many and an evaluation.
    pub fn is_done(&self, train: &DataSet) -> bool {
        let Some((_, state)) = &self.from else { return false };
        let run = &self.config.run;
        let Description { step, epoch, .. } = state.description;
        let is_beyond = run.max_steps.is_some_and(|most| step > most) || epoch > run.epochs;
        let is_evaluated = state.log.evaluated.is_some() && !state.log.pending;
        self.is_same_model && (is_beyond || is_evaluated && self.has_no_steps_left(train) == Some(true))
    }

    fn has_no_steps_left(&self, train: &DataSet) -> Option<bool> {
        let (_, state) = self.from.as_ref()?;
        let (run, Description { step, epoch, batch, .. }) = (&self.config.run, &state.description);
        let in_time = run.max_seconds.is_none_or(|most| state.log.training_seconds < most);
        let left = Position::new(*epoch, *batch, train).batches_until(run.epochs);
        let is_out_of_patience = state.log.selection.is_out_of_patience(run.patience);
        Some(!in_time || left == 0 || is_out_of_patience || run.max_steps.is_some_and(|most| *step >= most))
    }

    /// Whether the run goes on in its own directory.
    pub fn is_in_place(&self, out: &Path) -> bool {
        self.home.as_deref().is_some_and(|home| same(home, out))
    }

    /// Makes a directory ready to go on in: the run's own, which is locked, is put back to the checkpoint; another one becomes
    /// a new run that begins there. Returns the state to go on from, and the source of the settings.
    ///
    /// # Errors
    /// If files cannot be written.
    pub fn prepare(self, out: &Path, force: bool, lock: Option<Lock>) -> Result<(RunDir, Option<TrainingState>, Source)> {
        let Self { config, source, from, home, damaged, warnings, .. } = self;
        warnings.iter().for_each(note);
        if let Some(lock) = lock {
            // Without a checkpoint it begins anew; its logs are cut back when they are opened, and nothing is removed.
            let dir = RunDir::reopen(out, &config, lock)?;
            for path in damaged {
                note(format_args!("set aside as {}", set_aside(&path)?.display()));
            }
            let Some((path, mut state)) = from else { return Ok((dir, None, source)) };
            rewind(&dir.file("checkpoints"), &path, &mut state, dir.written())?;
            return Ok((dir, Some(state), source));
        }
        let dir = RunDir::create(out, &config, force)?;
        let Some((_, mut state)) = from else { return Ok((dir, None, source)) };
        (state.log.best, state.log.selection) = Default::default();
        let RunLog { metrics_bytes, timings_bytes, .. } = &mut state.log;
        for (name, bytes) in [("metrics.jsonl", metrics_bytes), ("timings.jsonl", timings_bytes)] {
            let of_home = home.as_ref().map(|home| home.join(name)).filter(|file| file.exists());
            let Some(file) = of_home else {
                // The records of earlier steps lie elsewhere.
                *bytes = 0;
                continue;
            };
            fs::copy(&file, dir.file(name)).with_context(|| format!("cannot copy {}", file.display()))?;
        }
        Ok((dir, Some(state), source))
    }

    /// [`prepare`](Self::prepare), where another process does what is to be done to files.
    pub fn prepared_by_another(self, out: &Path) -> (RunDir, Option<TrainingState>, Source) {
        (RunDir::of_another(out), self.from.map(|(_, state)| state), self.source)
    }
}

/// The checkpoint of a run to go on from.
#[derive(Default)]
struct Found {
    from: Option<(PathBuf, TrainingState)>,
    damaged: Vec<PathBuf>,
    reason: Option<String>,
}

impl Found {
    /// The last one, or, if it is missing or damaged, the newest that can be read; none if the run has not made any yet.
    fn newest(run: &Path) -> Result<Self> {
        let dir = run.join("checkpoints");
        let last = last_of(&dir);
        let (mut damaged, mut reason) = (Vec::new(), format!("{} is missing", last.display()));
        if fs::symlink_metadata(&last).is_ok() {
            match checkpoint::read_alone(&last) {
                Ok(state) => return Ok(Self { from: Some((last, state)), ..Self::default() }),
                Err(error) => reason = format!("{error:#}"),
            }
            damaged.push(last);
        }
        // Their further names in the run's directory may be copies.
        let of_root = |name: &str| Some(run.join(name)).filter(|path| fs::symlink_metadata(path).is_ok());
        for path in of_root(LAST).into_iter().chain(newest_first(&dir)?).chain(of_root(BEST)) {
            let Ok(state) = checkpoint::read_alone(&path) else {
                damaged.push(path);
                continue;
            };
            let step = state.description.step;
            let reason =
                format!("warning: {reason}\ngoing on after {step} steps from {}, the newest whole checkpoint", path.display());
            return Ok(Self { from: Some((path, state)), damaged, reason: Some(reason) });
        }
        let (dir, run_dir) = (dir.display(), run.display());
        let anew = format!("begin anew in another directory, or with --config FILE --out {run_dir} --force");
        ensure!(damaged.is_empty(), "{reason}; none of the {} checkpoints in {dir} can be read: {anew}", damaged.len());
        let has_saved = Written::of(run)?.is_some_and(|written| written.has_saved());
        ensure!(!has_saved, "{dir} has no checkpoint, but the run has made some; put one back, or {anew}");
        Ok(Self::default())
    }
}

/// That the settings in a run's directory are not those of its checkpoint, which count.
fn edited(home: &Path, checkpoint: &Path, config: &Config) -> Option<String> {
    let (file, checkpoint) = (home.join("config.toml"), checkpoint.display());
    let advice = format!("the settings in {checkpoint} count; change them with --set SECTION.KEY=VALUE");
    let found = match Config::load(&file, &[]) {
        Ok((found, _)) => found,
        Err(error) => return Some(format!("warning: {error:#}; {advice}")),
    };
    let keys = config.differences(&found);
    let more = keys.len().saturating_sub(3);
    let shown = keys.iter().take(3).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!keys.is_empty()).then(|| format!("warning: {} has another {shown}{more}: {advice}", file.display()))
}

/// The directory of the run that a target of `--resume` is, or belongs to.
///
/// # Errors
/// If it is neither a file nor the directory of a run.
pub fn home_of(target: &Path) -> Result<Option<PathBuf>> {
    if target.is_file() {
        let dir = fs::canonicalize(target).ok().and_then(|path| Some(path.parent()?.to_path_buf()));
        let is_of_root = target.file_name().is_some_and(|name| [BEST, LAST].iter().any(|own| name == *own));
        if let Some(run) = dir.clone().filter(|dir| is_of_root && is_run(dir)) {
            return Ok(Some(run));
        }
        let dir = dir.filter(|dir| dir.ends_with("checkpoints") && !import::is_likely(target));
        let run = dir.and_then(|dir| Some(dir.parent()?.to_path_buf()));
        return Ok(run.filter(|run| run.join("config.toml").exists()));
    }
    ensure!(target.exists(), "cannot go on with {}: it does not exist", target.display());
    ensure!(
        target.join("config.toml").exists(),
        "{} is not the directory of a run: it has no config.toml; begin one with --config FILE --out {}",
        target.display(),
        target.display()
    );
    Ok(Some(target.into()))
}

/// Whether two names are of the same directory, which exists.
pub fn same(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}
