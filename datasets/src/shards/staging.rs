//! A data set on its way to completion.
//!
//! While a data set is being made, its shards gather in `.unfinished`, a directory inside the data set's own, beside a
//! journal that lists those that are whole. Whatever ends the process, the next run for the same job keeps them. When
//! all shards and manifests are there, the directory is renamed to `.complete`; from this moment the new data set is
//! certain, and moving its files into place can be repeated until it succeeds. Readers refuse a data set with a
//! `.complete` directory, so nobody sees half of an old and half of a new one.
//!
//! Several processes can make a data set together, on machines that share its directory. The first opens and commits it;
//! each of the others lists its shards in a journal of its own. The next run takes over all of them.

use crate::error::DatasetError;
use crate::io::atomic;
use crate::shards::format;
use crate::shards::journal::{self, Journal, Shards};
use crate::shards::manifest::{Manifest, ShardEntry};
use crate::split::Split;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use twox_hash::xxhash3_128::Hasher as Xxh3;

/// The prefix, before the number of a shard that cannot be made.
const FAULT: &str = "fault-";

/// Removes an unfinished data set. A complete one in the same place is not touched.
///
/// # Errors
/// [`DatasetError::Io`] if files cannot be removed.
pub fn discard(dir: &Path) -> Result<(), DatasetError> {
    let unfinished = format::unfinished_dir(dir);
    match fs::remove_dir_all(&unfinished) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(DatasetError::io("remove", &unfinished)(e)),
        _ => Ok(()),
    }
}

/// The `.unfinished` directory of a data set, locked for this process and those that work with it.
pub(crate) struct Staging {
    dir: PathBuf,
    unfinished: PathBuf,
    job: String,
    journal: Journal,
    /// The shards of an earlier run.
    whole: Shards,
}

impl Staging {
    /// Continues the unfinished data set of the same job, or starts a new one in place of another job's.
    pub(crate) fn open(dir: &Path, job: &str) -> Result<Self, DatasetError> {
        let unfinished = format::unfinished_dir(dir);
        fs::create_dir_all(&unfinished).map_err(DatasetError::io("create directory", &unfinished))?;
        let (journal, whole) = Journal::open(&unfinished, job)?.ok_or_else(|| DatasetError::Busy { dir: dir.to_path_buf() })?;
        let mut staging = Staging { dir: dir.to_path_buf(), unfinished, job: job.into(), journal, whole };
        staging.take_over()?;
        staging.remove_strangers()?;
        atomic::remove_leftovers(dir)?;
        Ok(staging)
    }

    /// Joins the process that has opened the data set, as process `rank` of those that make it together.
    pub(crate) fn join(dir: &Path, job: &str, rank: usize) -> Result<Self, DatasetError> {
        let unfinished = format::unfinished_dir(dir);
        let whole = journal::listed(&unfinished.join(journal::FIRST), job)?;
        let whole = whole.ok_or_else(|| DatasetError::OtherInputs { dir: dir.to_path_buf() })?;
        let journal = Journal::of_another(&unfinished, job, rank)?;
        Ok(Staging { dir: dir.to_path_buf(), unfinished, job: job.into(), journal, whole })
    }

    /// Copies what other processes of an earlier run have listed to the journal of this one.
    fn take_over(&mut self) -> Result<(), DatasetError> {
        for ((split, index), entry) in self.listed()? {
            if self.whole.get(&(split, index)) != Some(&entry) {
                self.journal.list(split, index, &entry)?;
                self.whole.insert((split, index), entry);
            }
        }
        Ok(())
    }

    /// The shards that the journals list, those of other processes last.
    fn listed(&self) -> Result<Shards, DatasetError> {
        let mut names = self.names()?;
        names.retain(|name| journal::is_name(name));
        names.sort_by_key(|name| name != journal::FIRST);
        let mut all = Shards::new();
        for name in names {
            all.extend(journal::listed(&self.unfinished.join(name), &self.job)?.unwrap_or_default());
        }
        Ok(all)
    }

    /// The shards of all processes, which have ended: [`Staging::finish`].
    pub(crate) fn entries<'a>(
        &self,
        shards: impl IntoIterator<Item = (Split, usize, &'a str)>,
    ) -> Result<Vec<ShardEntry>, DatasetError> {
        let listed = self.listed()?;
        let entry = |(split, index, file): (Split, usize, &str)| match listed.get(&(split, index)) {
            Some(entry) => Ok(entry.clone()),
            None => Err(DatasetError::Unlisted { dir: self.unfinished.clone(), file: file.into() }),
        };
        shards.into_iter().map(entry).collect()
    }

    /// Makes sure that other machines see what this process has listed.
    pub(crate) fn finish(&self) -> Result<(), DatasetError> {
        self.journal.sync()
    }

    /// Tells other processes that a shard cannot be made, so that those after it are of no use.
    pub(crate) fn report_fault(&self, task: usize) {
        // They find out in the end, if not by this file.
        let _ = File::create(self.unfinished.join(format!("{FAULT}{task}")));
    }

    /// Whether another process has reported a fault before this shard.
    pub(crate) fn has_fault_before(&self, task: usize) -> Result<bool, DatasetError> {
        let number = |name: &String| name.strip_prefix(FAULT)?.parse().ok();
        Ok(self.names()?.iter().filter_map(number).any(|fault: usize| fault < task))
    }

    fn names(&self) -> Result<Vec<String>, DatasetError> {
        let listed = |e| DatasetError::io("list", &self.unfinished)(e);
        let entries = fs::read_dir(&self.unfinished).map_err(listed)?;
        let names = entries.map(|entry| Ok(entry.map_err(listed)?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    /// Everything but the journal and the shards it lists.
    fn remove_strangers(&self) -> Result<(), DatasetError> {
        let known: HashSet<_> = self.whole.values().map(|entry| entry.file.as_str()).chain([journal::FIRST]).collect();
        let names = self.names()?;
        let mut strangers = names.iter().filter(|name| !known.contains(name.as_str()));
        strangers.try_for_each(|name| atomic::remove_if_there(&self.unfinished.join(name)))
    }

    /// The directory for new shards.
    pub(crate) fn path(&self) -> &Path {
        &self.unfinished
    }

    /// The shard as an earlier run made it, if it is there and its bytes are the ones that were written.
    pub(crate) fn whole_shard(&self, split: Split, index: usize) -> Option<ShardEntry> {
        let entry = self.whole.get(&(split, index))?;
        let file = File::open(self.unfinished.join(&entry.file)).ok()?;
        is_whole(file, entry).ok()?.then(|| entry.clone())
    }

    /// Notes that a shard is whole; its file must have its name.
    pub(crate) fn record(&self, split: Split, index: usize, entry: &ShardEntry) -> Result<(), DatasetError> {
        self.journal.list(split, index, entry)
    }

    /// Makes the data set the one in its directory.
    pub(crate) fn commit(self, manifests: &[Manifest]) -> Result<(), DatasetError> {
        manifests.iter().try_for_each(|manifest| manifest.write(&self.unfinished))?;
        let complete = format::complete_dir(&self.dir);
        fs::rename(&self.unfinished, &complete).map_err(DatasetError::io("rename a finished directory to", &complete))?;
        atomic::sync_dir(&self.dir)?;
        finish_commit(&self.dir).map(drop)
    }
}

/// Whether a shard's bytes are the ones that were written.
fn is_whole(mut file: File, entry: &ShardEntry) -> io::Result<bool> {
    if file.metadata()?.len() != entry.bytes || entry.index_bytes > entry.bytes {
        return Ok(false);
    }
    let mut index = Vec::new();
    (&file).take(entry.index_bytes).read_to_end(&mut index)?;
    let (mut checksum, mut piece) = (Xxh3::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece)? {
            0 => break,
            n => checksum.write(&piece[..n]),
        }
    }
    let xxh3 = format!("{:032x}", checksum.finish_128());
    Ok(crc32c::crc32c(&index) == entry.index_crc32c && Some(xxh3) == entry.xxh3)
}

/// Moves a finished data set into place, if there is one; returns its job and manifests. May be repeated.
pub(crate) fn finish_commit(dir: &Path) -> Result<Option<(String, Vec<Manifest>)>, DatasetError> {
    let complete = format::complete_dir(dir);
    if !complete.exists() {
        return Ok(None);
    }
    let job = journal::job(&complete.join(journal::FIRST))?;
    let mut manifests = Vec::new();
    for split in Split::POSSIBLE {
        match Manifest::read_unguarded(&complete, split) {
            Err(DatasetError::NotFound { .. }) => {}
            manifest => manifests.push(manifest?),
        }
    }
    let new: HashSet<_> = manifests.iter().flat_map(|m| &m.shards).map(|shard| shard.file.as_str()).collect();
    for file in &new {
        let (from, to) = (complete.join(file), dir.join(file));
        match fs::rename(&from, &to) {
            // An earlier attempt has moved it.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && to.exists() => {}
            result => result.map_err(DatasetError::io("rename a finished file to", &to))?,
        }
    }
    for entry in fs::read_dir(dir).map_err(DatasetError::io("list", dir))? {
        let name = entry.map_err(DatasetError::io("list", dir))?.file_name();
        if name.to_str().is_some_and(|name| format::is_shard_name(name) && !new.contains(name)) {
            atomic::remove_if_there(&dir.join(name))?;
        }
    }
    for split in Split::POSSIBLE {
        match manifests.iter().find(|m| m.split == split) {
            Some(manifest) => manifest.write(dir)?,
            None => atomic::remove_if_there(&format::manifest_path(dir, split))?,
        }
    }
    atomic::sync_dir(dir)?;
    // One rename ends the commit: readers ignore the directory under its other name.
    let unfinished = format::unfinished_dir(dir);
    discard(dir)?;
    fs::rename(&complete, &unfinished).map_err(DatasetError::io("rename", &complete))?;
    discard(dir)?;
    atomic::sync_dir(dir)?;
    Ok(Some((job, manifests)))
}
