//! The checkpoints of a run: written by a background thread, the latest and a few with the lowest loss in evaluations kept.
//!
//! `checkpoints/step0000100.safetensors` is the run after 100 steps. `last.safetensors`, there and in the run's directory,
//! `checkpoints/best-step0000100-bits1.9.safetensors`, and `best.safetensors` in the run's directory are further names of such
//! files, not copies, where the file system can do that.

use crate::checkpoint::state::{Evaluated, TrainingState};
use crate::checkpoint::{self, Checkpoint, sync_dir};
use crate::directory::{BEST, LAST, Written};
use anyhow::{Context, Result, anyhow, ensure};
use burn::tensor::Device;
use datasets::io::console::note;
use datasets::io::output::{Existing, UNFINISHED};
use residual_flows::io::Weights;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

/// The folder of all.
const FOLDER: &str = "checkpoints";

/// The checkpoints of one run.
pub struct Checkpoints {
    files: Files,
    keep_best: usize,
    /// Lowest loss first.
    best: Vec<Evaluated>,
    writing: Option<JoinHandle<Result<()>>>,
}

impl Checkpoints {
    /// In a run's directory: the latest `keep`, and of evaluated ones the best `keep_best`, at least one, of which some may be there
    /// already. Only files that the run has written are removed.
    pub fn new(root: &Path, keep: usize, keep_best: usize, mut best: Vec<Evaluated>, written: Arc<Written>) -> Self {
        let keep_best = keep_best.max(1);
        best.truncate(keep_best);
        Self { files: Files { dir: root.join(FOLDER), keep, written }, keep_best, best, writing: None }
    }

    /// Where the last one is.
    pub fn last(&self) -> PathBuf {
        last_of(&self.files.dir)
    }

    /// The averaged weights of the best one, from its file.
    ///
    /// # Errors
    /// If it cannot be read, or an earlier one could not be written.
    pub fn best_average(&mut self, device: &Device) -> Result<Checkpoint> {
        self.finish()?;
        let best = self.best.first().context("no checkpoint was evaluated")?;
        let of_step = step_path(&self.files.dir, best.step);
        let named = newest_first(&self.files.dir)?.into_iter().find(|path| best_step(path) == Some(best.step));
        let path = named.unwrap_or(of_step);
        let loaded = checkpoint::load_alone(&path, Weights::Average, device);
        loaded.context("the best checkpoint, which is to be evaluated on the test samples")
    }

    /// Those with the lowest loss, best first.
    pub fn best(&self) -> &[Evaluated] {
        &self.best
    }

    /// Takes a place among the best, if the loss is low enough.
    pub fn rank(&mut self, evaluated: Evaluated) {
        let loss = |evaluated: &Evaluated| evaluated.loss;
        self.best.retain(|other| other.step != evaluated.step);
        let position = self.best.partition_point(|better| loss(better) <= loss(&evaluated));
        self.best.insert(position, evaluated);
        self.best.truncate(self.keep_best);
    }

    /// Begins to write a state in the background, after the logs whose lengths it holds; waits for an earlier one to be
    /// written.
    ///
    /// # Errors
    /// If the earlier one could not be written.
    pub fn save(&mut self, state: TrainingState, logs: Vec<File>) -> Result<()> {
        self.finish()?;
        let files = self.files.clone();
        let write = move || {
            logs.iter().try_for_each(File::sync_data).context("cannot sync the logs")?;
            files.save(&state)
        };
        let thread = std::thread::Builder::new().spawn(write);
        self.writing = Some(thread.context("cannot start the thread that writes checkpoints")?);
        Ok(())
    }

    /// Whether nothing is being written.
    ///
    /// # Errors
    /// If what was written last has failed.
    pub fn is_idle(&mut self) -> Result<bool> {
        let done = self.writing.as_ref().is_none_or(JoinHandle::is_finished);
        if done {
            self.finish()?;
        }
        Ok(done)
    }

    /// Waits for the last state to be written.
    ///
    /// # Errors
    /// If it could not be written.
    pub fn finish(&mut self) -> Result<()> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        writing.join().map_err(|_| anyhow!("the thread that writes checkpoints has panicked"))?
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            note(format_args!("warning: {error:#}"));
        }
    }
}

/// The directory, for the background thread.
#[derive(Clone)]
struct Files {
    dir: PathBuf,
    keep: usize,
    written: Arc<Written>,
}

impl Files {
    /// Writes a state and gives it its further names; then removes files that are kept no longer.
    fn save(&self, state: &TrainingState) -> Result<()> {
        let (step, unit) = (state.description.step, state.description.kind.loss_unit().short());
        let path = step_path(&self.dir, step);
        let best: Vec<(u64, PathBuf)> = state.log.best.iter().map(|best| (best.step, best_path(&self.dir, unit, best))).collect();
        let of_step = best.iter().filter(|(of, _)| *of == step).map(|(_, name)| name.clone());
        let root = root_of(&self.dir);
        let is_best = state.log.best.first().is_some_and(|best| best.step == step);
        let of_root = std::iter::once(root.join(LAST)).chain(is_best.then(|| root.join(BEST)));
        let names: Vec<PathBuf> = std::iter::once(last_of(&self.dir)).chain(of_step).chain(of_root).collect();
        self.written.add(names.iter().chain([&path]).map(|path| listed(path)))?;
        checkpoint::save(&path, Existing::Own, state).context("the run cannot be saved")?;
        names.iter().try_for_each(|name| link(&path, name))?;
        self.written.saved(step)?;
        self.prune(&best.into_iter().map(|(_, path)| path).collect::<Vec<_>>())?;
        sync_dir(&self.dir).with_context(|| format!("cannot sync {}", self.dir.display()))
    }

    fn prune(&self, best: &[PathBuf]) -> Result<()> {
        let old = steps(&self.dir)?.into_iter().rev().skip(self.keep).map(|(_, path)| path);
        let beaten = list(&self.dir)?.into_iter().filter(|path| name(path).starts_with("best-step") && !best.contains(path));
        old.chain(beaten).filter(|path| self.written.has(&listed(path))).try_for_each(|path| remove(&path))
    }
}

/// Makes a directory of checkpoints fit a state that training goes on from: later checkpoints are of steps that will be
/// made again, and those of the best whose files are gone are forgotten. Only files that the run has written are removed.
///
/// # Errors
/// If files cannot be listed, removed or linked.
pub fn rewind(dir: &Path, checkpoint: &Path, state: &mut TrainingState, written: &Arc<Written>) -> Result<()> {
    let (step, unit) = (state.description.step, state.description.kind.loss_unit().short());
    let later = |(of, path): &(u64, PathBuf)| *of > step && written.has(&listed(path));
    let later: Vec<_> = steps(dir)?.into_iter().filter(later).collect();
    if let (Some((first, _)), Some((last, _))) = (later.first(), later.last()) {
        let n = later.len();
        note(format_args!("going back to step {step}: {n} checkpoints, of the steps {first} to {last}, are removed"));
    }
    let lasts = [last_of(dir), root_of(dir).join(LAST)];
    written.add(lasts.iter().map(|last| listed(last)))?;
    lasts.iter().try_for_each(|last| link(checkpoint, last))?;
    later.iter().try_for_each(|(_, path)| remove(path))?;
    for best in state.log.best.iter().filter(|best| best.step == step) {
        link(checkpoint, &best_path(dir, unit, best))?;
    }
    state.log.best.retain(|best| best_path(dir, unit, best).exists());
    let best: Vec<PathBuf> = state.log.best.iter().map(|best| best_path(dir, unit, best)).collect();
    let best_of_all = root_of(dir).join(BEST);
    match best.first() {
        Some(first) => {
            written.add([listed(&best_of_all)])?;
            link(first, &best_of_all)?;
        }
        // What has this name is of steps that will be made again.
        None if written.has(&listed(&best_of_all)) => remove(&best_of_all)?,
        None => {}
    }
    Files { dir: dir.into(), keep: usize::MAX, written: written.clone() }.prune(&best)
}

/// Gives a checkpoint that cannot be read a name that no checkpoint has; returns it.
///
/// # Errors
/// If it cannot be renamed.
pub fn set_aside(path: &Path) -> Result<PathBuf> {
    let numbered = |number: u32| path.with_file_name(format!("{}.damaged{number}", name(path)));
    let aside = (1..u32::MAX).map(numbered).find(|name| fs::symlink_metadata(name).is_err()).context("too many damaged files")?;
    fs::rename(path, &aside).with_context(|| format!("cannot rename {}", path.display()))?;
    Ok(aside)
}

/// All checkpoints in a directory but the last one, newest first; of one step, that with the step's name first. None if there
/// is no directory.
///
/// # Errors
/// If it cannot be listed.
pub fn newest_first(dir: &Path) -> Result<Vec<PathBuf>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let best = list(dir)?.into_iter().filter_map(|path| Some((best_step(&path)?, false, path)));
    let mut all: Vec<_> = steps(dir)?.into_iter().map(|(step, path)| (step, true, path)).chain(best).collect();
    all.sort();
    Ok(all.into_iter().rev().map(|(_, _, path)| path).collect())
}

/// The name of the last checkpoint in a directory.
pub fn last_of(dir: &Path) -> PathBuf {
    dir.join(LAST)
}

/// The step in the name of one of the best checkpoints.
fn best_step(path: &Path) -> Option<u64> {
    name(path).strip_prefix("best-step")?.split('-').next()?.parse().ok()
}

/// The loss in the name of one of the best checkpoints.
fn best_loss(path: &Path) -> Option<f64> {
    let name = name(path);
    let loss = name.strip_prefix("best-step")?.split_once('-')?.1.strip_suffix(".safetensors")?;
    loss.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '_').parse().ok()
}

/// The directory of the run that a folder of checkpoints belongs to.
fn root_of(dir: &Path) -> PathBuf {
    dir.parent().map(Path::to_path_buf).unwrap_or_default()
}

/// The checkpoint to use of a run in a directory, and which one it is, in words: the best one, or the last one if none was
/// evaluated. Runs of earlier versions have their best ones in the folder of checkpoints.
///
/// # Errors
/// If there is none.
pub fn of_run(root: &Path) -> Result<(PathBuf, &'static str)> {
    const BEST_ONE: &str = "the one with the lowest loss in evaluations";
    const LAST_ONE: &str = "the last one, as none was evaluated";
    let dir = root.join(FOLDER);
    let best = root.join(BEST);
    if best.is_file() {
        return Ok((best, BEST_ONE));
    }
    let named = if dir.is_dir() { list(&dir)? } else { Vec::new() };
    let named = named.into_iter().filter_map(|path| Some((best_loss(&path)?, path)));
    if let Some((_, path)) = named.min_by(|a, b| a.0.total_cmp(&b.0)) {
        return Ok((path, BEST_ONE));
    }
    for last in [root.join(LAST), last_of(&dir)] {
        if last.is_file() {
            return Ok((last, LAST_ONE));
        }
    }
    let newest = newest_first(&dir)?.into_iter().next();
    let root = root.display();
    newest
        .map(|path| (path, LAST_ONE))
        .with_context(|| format!("{root} has no checkpoint: expected one, or the directory of a run"))
}

/// The latest checkpoint in the same directory that can be read, other than this one.
pub fn another_whole_one(checkpoint: &Path) -> Option<PathBuf> {
    let dir = checkpoint.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let others = steps(dir).ok()?.into_iter().rev().map(|(_, path)| path);
    others.filter(|path| name(path) != name(checkpoint)).find(|path| checkpoint::read_alone(path).is_ok())
}

fn step_path(dir: &Path, step: u64) -> PathBuf {
    dir.join(format!("step{step:07}.safetensors"))
}

fn best_path(dir: &Path, unit: &str, best: &Evaluated) -> PathBuf {
    dir.join(format!("best-step{:07}-{unit}{:.4}.safetensors", best.step, best.loss))
}

/// The files called after their step, earliest first.
fn steps(dir: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let step = |path: &Path| name(path).strip_prefix("step")?.strip_suffix(".safetensors")?.parse().ok();
    let mut steps: Vec<_> = list(dir)?.into_iter().filter_map(|path| Some((step(&path)?, path))).collect();
    steps.sort();
    Ok(steps)
}

fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    entries.map(|entry| Ok(entry.with_context(|| format!("cannot list {}", dir.display()))?.path())).collect()
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// How a checkpoint is called in the run's list of files: by its path from the run's directory.
fn listed(path: &Path) -> String {
    let is_in_folder = path.parent().is_some_and(|dir| dir.ends_with(FOLDER));
    if is_in_folder { format!("{FOLDER}/{}", name(path)) } else { name(path) }
}

/// Gives a file another name in place of what has it, at once.
fn link(file: &Path, name: &Path) -> Result<()> {
    if file == name {
        return Ok(());
    }
    let temporary = name.with_file_name(format!("{UNFINISHED}{}.tmp", self::name(name)));
    let link = || -> Result<()> {
        let is_other = fs::symlink_metadata(name).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_symlink());
        ensure!(!is_other, "it is not a regular file; move it away");
        remove(&temporary)?;
        if fs::hard_link(file, &temporary).is_err() {
            fs::copy(file, &temporary)?;
            File::open(&temporary)?.sync_all()?;
        }
        fs::rename(&temporary, name)?;
        // Renaming one name of a file to another name of the same file does nothing.
        remove(&temporary)
    };
    link().with_context(|| format!("cannot write the checkpoint {}", name.display()))
}

/// Removes a file, which need not be there.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_ordered_and_few() {
        let mut checkpoints = Checkpoints::new(Path::new(""), 2, 2, Vec::new(), Arc::default());
        for (step, bits) in [(1, 3.0), (2, 2.0), (3, 2.5), (2, 2.6), (4, 9.0)] {
            checkpoints.rank(Evaluated { step, loss: bits });
        }
        let steps: Vec<u64> = checkpoints.best().iter().map(|best| best.step).collect();
        assert_eq!(steps, [3, 2]);
    }

    #[test]
    fn the_best_of_a_run_is_found_in_every_layout() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let (root, touch) = (dir.path(), |name: &str| fs::write(dir.path().join(name), ""));
        fs::create_dir(root.join(FOLDER))?;
        assert!(of_run(root).unwrap_err().to_string().contains("no checkpoint"));
        let used = || Ok::<_, anyhow::Error>(of_run(root)?.0.strip_prefix(root)?.display().to_string());
        for (name, want) in [
            ("checkpoints/step0000007.safetensors", "checkpoints/step0000007.safetensors"),
            ("checkpoints/last.safetensors", "checkpoints/last.safetensors"),
            // Those of earlier versions, of densities and of points, whose losses may be negative.
            ("checkpoints/best-step0000003-nats2.5000.safetensors", "checkpoints/best-step0000003-nats2.5000.safetensors"),
            ("checkpoints/best-step0000005-nats-0.5000.safetensors", "checkpoints/best-step0000005-nats-0.5000.safetensors"),
            ("checkpoints/best-step0000006-nats0.1000.safetensors", "checkpoints/best-step0000005-nats-0.5000.safetensors"),
            ("last.safetensors", "checkpoints/best-step0000005-nats-0.5000.safetensors"),
            ("best.safetensors", "best.safetensors"),
        ] {
            touch(name)?;
            assert_eq!(used()?, want, "{name}");
        }
        Ok(())
    }
}
