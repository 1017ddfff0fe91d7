//! Makes a whole data set from sources that can be read in any order: in parallel over shards, by one process or several, and
//! so that it can be interrupted at any moment and continued.

use crate::error::DatasetError;
use crate::io::atomic;
use crate::shards::codec::CodecKind;
use crate::shards::format;
use crate::shards::manifest::{Manifest, Provenance};
use crate::shards::shape::ImageShape;
use crate::shards::shard::{ShardEncoder, ShardSpec};
use crate::shards::staging::{self, Staging};
use crate::split::Split;
use process_group::{ProcessGroup, ProcessGroupError};
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The properties that all splits of a data set share, and how to make it.
#[derive(Clone, Debug)]
pub struct BuildConfig {
    /// The data set's name, such as `cifar10`.
    pub name: String,
    /// Shape of every image.
    pub shape: ImageShape,
    /// Number of values a pixel can take, 2 to 256; every pixel must be below it.
    pub levels: u32,
    /// How images are stored.
    pub codec: CodecKind,
    /// The origin of the images.
    pub provenance: Provenance,
    /// Images in a shard; `None`: as many as make 64 MB of pixels, at most 10,000.
    pub images_per_shard: Option<usize>,
    /// Replace a complete data set, once the new one is complete too, instead of refusing to.
    pub overwrite: bool,
    /// Shards that each process makes at the same time; 0: one for each processor.
    pub jobs: usize,
    /// Says which inputs are being converted, such as names, sizes and dates of files. Shards of an interrupted run are
    /// kept by the next one only if this and all settings that decide the bytes are the same.
    pub inputs: String,
}

/// The images of one split, readable from any position by several threads at once.
pub trait ImageSource<E>: Sync {
    /// The split they belong to.
    fn split(&self) -> Split;
    /// Number of images.
    fn count(&self) -> usize;
    /// Whether every image has a label.
    fn labelled(&self) -> bool;
    /// Attributes of every image.
    fn n_attributes(&self) -> usize {
        0
    }
    /// Hands the images in `range` to `sink`, in order.
    ///
    /// # Errors
    /// Whatever is wrong with them; the conversion stops.
    fn read(&self, range: Range<usize>, sink: &mut Sink<'_>) -> Result<(), E>;
}

/// Takes the images of one shard.
pub struct Sink<'a> {
    encoder: &'a mut ShardEncoder,
    first: usize,
    dir: &'a Path,
    observer: &'a (dyn Fn(Progress) + Sync),
}

impl Sink<'_> {
    /// Adds an image, pixels in the order `[channels, height, width]`, with its class and attributes if the set has
    /// any.
    ///
    /// # Errors
    /// [`DatasetError`] for an image that does not fit the data set.
    pub fn push(&mut self, image: &[u8], label: Option<u32>, attributes: &[i8]) -> Result<(), DatasetError> {
        let index = self.first + self.encoder.len();
        self.encoder.push(image, label, attributes, index, self.dir)?;
        (self.observer)(Progress::Image);
        Ok(())
    }
}

/// An event that the observer of [`build`] receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// One more image was encoded.
    Image,
    /// A shard of an interrupted run, with this many images, was found whole and kept.
    Kept(usize),
}

/// One shard to be made.
struct Task {
    source: usize,
    index: usize,
    images: Range<usize>,
    file: String,
}

/// Makes the data set in `dir`. Its files have no names there before all of them are complete.
///
/// The bytes written depend neither on the number of processes and threads nor on interruptions. Processes that work together
/// need the same sources, settings and directory, and see all files of it; of `n` processes, each makes every `n`-th shard.
///
/// # Errors
/// [`DatasetError::Exists`] if a complete data set is there and `overwrite` is not set, [`DatasetError::Busy`] if
/// another process is writing it, [`DatasetError::Empty`] for a source without images, and whatever a source reports:
/// of several faults the first in order, with any number of processes and threads. Finished shards wait in
/// [`format::unfinished_dir`] for another call; [`staging::discard`] removes them. Only the process with the fault returns
/// from a call that failed: it has to see to it that all end, as [`ProcessGroup::run`] does.
///
/// # Examples
/// ```
/// use datasets::shards::build::{build, BuildConfig, ImageSource, Sink};
/// use datasets::{CodecKind, DatasetError, ImageDataset, ImageShape, Provenance, Split};
/// use process_group::ProcessGroup;
///
/// struct Ramps(Split);
/// impl ImageSource<DatasetError> for Ramps {
///     fn split(&self) -> Split { self.0 }
///     fn count(&self) -> usize { 5 }
///     fn labelled(&self) -> bool { false }
///     fn read(&self, range: std::ops::Range<usize>, sink: &mut Sink<'_>) -> Result<(), DatasetError> {
///         for i in range {
///             sink.push(&[i as u8, 2 * i as u8], None, &[])?;
///         }
///         Ok(())
///     }
/// }
///
/// # fn main() -> Result<(), DatasetError> {
/// # let temp = tempfile::tempdir().expect("a temporary directory");
/// # let dir = temp.path();
/// let config = BuildConfig {
///     name: "ramps".into(),
///     shape: ImageShape { channels: 1, height: 1, width: 2 },
///     levels: 256,
///     codec: CodecKind::Raw,
///     provenance: Provenance::default(),
///     images_per_shard: Some(2),
///     overwrite: false,
///     jobs: 0,
///     inputs: String::new(),
/// };
/// build(dir, &config, &[&Ramps(Split::Train)], &ProcessGroup::alone(), &|_| {})?;
/// assert_eq!(ImageDataset::open(dir, Split::Train)?.image(4)?, [4, 8]);
/// # Ok(())
/// # }
/// ```
pub fn build<E: From<DatasetError> + Send>(
    dir: &Path,
    config: &BuildConfig,
    sources: &[&dyn ImageSource<E>],
    group: &ProcessGroup,
    observer: &(dyn Fn(Progress) + Sync),
) -> Result<Vec<Manifest>, E> {
    let specs: Vec<_> = sources.iter().map(|source| spec(config, *source)).collect();
    for (spec, source) in specs.iter().zip(sources) {
        spec.validate()?;
        if source.count() == 0 {
            return Err(DatasetError::Empty { dir: dir.to_path_buf(), split: spec.split }.into());
        }
    }
    let tasks = tasks(config, &specs, sources)?;
    let job = job(config, &specs, sources);
    // Nothing is written before all processes have got here.
    barrier(group)?;
    if let Some(staging) = open(dir, config.overwrite, &job, group)? {
        Workers { staging: &staging, specs: &specs, sources, tasks: &tasks, group, observer }.run(config)?;
        staging.finish()?;
        barrier(group)?;
        if group.is_root() {
            commit(staging, specs, &tasks)?;
        }
    }
    barrier(group)?;
    sources.iter().map(|source| Ok(Manifest::read(dir, source.split())?)).collect()
}

/// Waits for the other processes.
fn barrier(group: &ProcessGroup) -> Result<(), DatasetError> {
    Ok(group.barrier()?)
}

/// Opens the directory in which the shards gather; `None` if an earlier run of the same job has finished, but for moving
/// files, which this does.
fn open(dir: &Path, overwrite: bool, job: &str, group: &ProcessGroup) -> Result<Option<Staging>, DatasetError> {
    let mine = if group.is_root() { open_first(dir, overwrite, job)? } else { None };
    if !group.any(mine.is_some())? {
        return Ok(None);
    }
    let staging = match mine {
        None => Some(Staging::join(dir, job, group.rank())?),
        mine => mine,
    };
    barrier(group)?;
    Ok(staging)
}

fn open_first(dir: &Path, overwrite: bool, job: &str) -> Result<Option<Staging>, DatasetError> {
    std::fs::create_dir_all(dir).map_err(DatasetError::io("create directory", dir))?;
    if staging::finish_commit(dir)?.is_some_and(|(done, _)| done == job) {
        return Ok(None);
    }
    refuse_existing(dir, overwrite)?;
    Staging::open(dir, job).map(Some)
}

/// Puts the shards of all processes in their place.
fn commit(staging: Staging, specs: Vec<ShardSpec>, tasks: &[Task]) -> Result<(), DatasetError> {
    let shards = tasks.iter().map(|task| (specs[task.source].split, task.index, task.file.as_str()));
    let entries = staging.entries(shards)?;
    let mut manifests: Vec<_> = specs.into_iter().map(manifest).collect();
    for (task, entry) in tasks.iter().zip(entries) {
        manifests[task.source].count += entry.count;
        manifests[task.source].shards.push(entry);
    }
    staging.commit(&manifests)
}

/// Refuses a directory with a complete data set, unless it is to be replaced, or [`build`] has to finish it first.
///
/// # Errors
/// [`DatasetError::Exists`].
pub fn refuse_existing(dir: &Path, overwrite: bool) -> Result<(), DatasetError> {
    if format::is_half_committed(dir) {
        return Ok(());
    }
    for split in Split::POSSIBLE {
        let path = format::manifest_path(dir, split);
        if !overwrite && path.try_exists().map_err(DatasetError::io("look for", &path))? {
            return Err(DatasetError::Exists { path });
        }
    }
    Ok(())
}

fn spec<E>(config: &BuildConfig, source: &dyn ImageSource<E>) -> ShardSpec {
    ShardSpec {
        name: config.name.clone(),
        split: source.split(),
        shape: config.shape,
        levels: config.levels,
        codec: config.codec,
        provenance: config.provenance.clone(),
        labelled: source.labelled(),
        n_attributes: source.n_attributes(),
    }
}

fn tasks<E>(config: &BuildConfig, specs: &[ShardSpec], sources: &[&dyn ImageSource<E>]) -> Result<Vec<Task>, DatasetError> {
    let mut tasks = Vec::new();
    for (source, spec) in specs.iter().enumerate() {
        let (per_shard, count) = (spec.images_per_shard(config.images_per_shard)?, sources[source].count());
        let total = count.div_ceil(per_shard);
        for index in 0..total {
            let start = index * per_shard;
            let images = start..count.min(start.saturating_add(per_shard));
            tasks.push(Task { source, index, images, file: format::shard_name(spec.split, index, total) });
        }
    }
    Ok(tasks)
}

/// A text that is the same for two runs if, and only if, they make the same bytes of the same inputs.
fn job<E>(config: &BuildConfig, specs: &[ShardSpec], sources: &[&dyn ImageSource<E>]) -> String {
    use sha2::{Digest, Sha256};
    let counts: Vec<_> = sources.iter().map(|source| source.count()).collect();
    let text = format!("{} {specs:?} {counts:?} {:?} {}", format::VERSION, config.images_per_shard, config.inputs);
    crate::shards::shard::hex(&Sha256::digest(text))
}

fn manifest(spec: ShardSpec) -> Manifest {
    Manifest {
        format: format::FORMAT.into(),
        version: format::VERSION,
        name: spec.name,
        split: spec.split,
        levels: spec.levels,
        shape: spec.shape,
        count: 0,
        labelled: spec.labelled,
        attributes: spec.n_attributes,
        codec: spec.codec,
        provenance: spec.provenance,
        shards: Vec::new(),
    }
}

/// The threads that make shards, and what they share.
struct Workers<'a, E> {
    staging: &'a Staging,
    specs: &'a [ShardSpec],
    sources: &'a [&'a dyn ImageSource<E>],
    /// The shards of all processes.
    tasks: &'a [Task],
    group: &'a ProcessGroup,
    observer: &'a (dyn Fn(Progress) + Sync),
}

impl<E: From<DatasetError> + Send> Workers<'_, E> {
    /// Makes this process's shards, each thread taking the next one that nobody has taken.
    ///
    /// Of several faults, that of the first shard ends the processes, so only the one that has it returns.
    fn run(&self, config: &BuildConfig) -> Result<(), E> {
        let fault = match self.make(config) {
            Ok(fault) => fault,
            // Before any shard.
            Err(error) => Some((0, error.into())),
        };
        // The shard, counted from 1.
        let mut faults = vec![0.0; self.group.size()];
        if let Some((i, _)) = &fault {
            faults[self.group.rank()] = *i as f64 + 1.0;
        }
        let faults = self.group.all_reduce(faults).map_err(DatasetError::from)?;
        let first = (0..faults.len()).filter(|&rank| faults[rank] > 0.0).min_by(|&a, &b| faults[a].total_cmp(&faults[b]));
        match (first, fault) {
            (None, _) => Ok(()),
            (Some(rank), Some((_, error))) if rank == self.group.rank() => Err(error),
            // This process waits until the one with the fault ends all.
            _ => Err(DatasetError::from(self.group.barrier().err().unwrap_or(ProcessGroupError::Closed)).into()),
        }
    }

    /// The fault of the first of this process's shards that could not be made, and its number.
    fn make(&self, config: &BuildConfig) -> Result<Option<(usize, E)>, DatasetError> {
        let mine: Vec<_> = self.tasks.iter().enumerate().skip(self.group.rank()).step_by(self.group.size()).collect();
        let wanted = if config.jobs == 0 { rayon::current_num_threads() } else { config.jobs };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(wanted.min(mine.len().max(1))).build();
        let pool = pool.map_err(|e| DatasetError::io("start threads for", self.staging.path())(std::io::Error::other(e)))?;
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let first_fault = Mutex::new(None);
        pool.broadcast(|_| {
            let mut encoders: Vec<Option<ShardEncoder>> = self.specs.iter().map(|_| None).collect();
            while !failed.load(Ordering::Relaxed) {
                let Some(&(i, task)) = mine.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                let made = self.is_of_use(i).map_err(E::from).and_then(|is_of_use| match is_of_use {
                    true => self.shard(task, &mut encoders[task.source]),
                    false => Ok(()),
                });
                let Err(error) = made else { continue };
                failed.store(true, Ordering::Relaxed);
                if self.group.size() > 1 {
                    self.staging.report_fault(i);
                }
                let mut first = first_fault.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                // Shards are taken in order, so every shard before the first faulty one is tried.
                if first.as_ref().is_none_or(|(earlier, _)| i < *earlier) {
                    *first = Some((i, error));
                }
            }
        });
        Ok(first_fault.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// Whether no process has failed before this shard.
    fn is_of_use(&self, task: usize) -> Result<bool, DatasetError> {
        Ok(self.group.size() == 1 || !self.staging.has_fault_before(task)?)
    }

    fn shard(&self, task: &Task, encoder: &mut Option<ShardEncoder>) -> Result<(), E> {
        let spec = &self.specs[task.source];
        if let Some(entry) = self.staging.whole_shard(spec.split, task.index) {
            (self.observer)(Progress::Kept(entry.count));
            return Ok(());
        }
        let encoder = match encoder {
            Some(encoder) => encoder,
            empty => empty.insert(ShardEncoder::new(spec.clone())?),
        };
        let (first, dir) = (task.images.start, self.staging.path());
        encoder.start(dir, task.images.len())?;
        self.sources[task.source].read(task.images.clone(), &mut Sink { encoder, first, dir, observer: self.observer })?;
        if encoder.len() != task.images.len() {
            let (expected, got) = (task.images.len(), encoder.len());
            return Err(DatasetError::SourceCount { split: spec.split, first, expected, got }.into());
        }
        let (file, mut entry) = encoder.finish(dir)?;
        entry.file.clone_from(&task.file);
        atomic::persist(file, &dir.join(&task.file))?;
        Ok(self.staging.record(spec.split, task.index, &entry)?)
    }
}
