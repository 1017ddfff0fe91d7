//! A data set on its way to completion.
//!
//! While a data set is being made, its shards gather in `.unfinished`, a directory inside the data set's own, beside a
//! journal that lists those that are whole. Whatever ends the process, the next run for the same job keeps them. When
//! all shards and manifests are there, the directory is renamed to `.complete`; from this moment the new data set is
//! certain, and moving its files into place can be repeated until it succeeds. Readers refuse a data set with a
//! `.complete` directory, so nobody sees half of an old and half of a new one.

use crate::{DatasetError, Manifest, ShardEntry, Split, atomic, format};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use twox_hash::xxhash3_128::Hasher as Xxh3;

const UNFINISHED: &str = ".unfinished";
const COMPLETE: &str = ".complete";
const JOURNAL: &str = "journal.jsonl";

/// Whether the files of a finished data set are still being moved into place.
pub(crate) fn is_half_committed(dir: &Path) -> bool {
    dir.join(COMPLETE).exists()
}

/// The directory in which the shards of an unfinished data set wait.
pub fn unfinished_dir(dir: &Path) -> PathBuf {
    dir.join(UNFINISHED)
}

/// Removes an unfinished data set. A complete one in the same place is not touched.
///
/// # Errors
/// [`DatasetError::Io`] if files cannot be removed.
pub fn discard(dir: &Path) -> Result<(), DatasetError> {
    let unfinished = unfinished_dir(dir);
    match fs::remove_dir_all(&unfinished) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(DatasetError::io("remove", &unfinished)(e)),
        _ => Ok(()),
    }
}

/// The first line of the journal.
#[derive(Serialize, Deserialize)]
struct Job {
    job: String,
}

/// A line for every whole shard.
#[derive(Serialize, Deserialize)]
struct Line {
    split: Split,
    index: usize,
    entry: ShardEntry,
}

/// The `.unfinished` directory of a data set, locked for this process.
pub(crate) struct Staging {
    dir: PathBuf,
    unfinished: PathBuf,
    journal: Mutex<File>,
    whole: BTreeMap<(String, usize), ShardEntry>,
}

impl Staging {
    /// Continues the unfinished data set of the same job, or starts a new one in place of another job's.
    pub(crate) fn open(dir: &Path, job: &str) -> Result<Self, DatasetError> {
        let unfinished = unfinished_dir(dir);
        fs::create_dir_all(&unfinished).map_err(DatasetError::io("create directory", &unfinished))?;
        let path = unfinished.join(JOURNAL);
        let mut journal = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(DatasetError::io("open", &path))?;
        match journal.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DatasetError::Busy { dir: dir.to_path_buf() }),
            Err(TryLockError::Error(e)) => return Err(DatasetError::io("lock", &path)(e)),
        }
        let mut bytes = Vec::new();
        journal.read_to_end(&mut bytes).map_err(DatasetError::io("read", &path))?;
        let (whole, len) = read_journal(&bytes, job);
        // A line that was cut short goes, and with it nothing: its shard is made again.
        journal.set_len(len as u64).and_then(|()| journal.seek(SeekFrom::End(0))).map_err(DatasetError::io("write", &path))?;
        let staging = Staging { dir: dir.to_path_buf(), unfinished, journal: Mutex::new(journal), whole };
        staging.remove_strangers()?;
        atomic::remove_leftovers(dir)?;
        if len == 0 {
            staging.append(&Job { job: job.into() })?;
        }
        Ok(staging)
    }

    /// Everything but the journal and the shards it lists.
    fn remove_strangers(&self) -> Result<(), DatasetError> {
        let known: HashSet<_> = self.whole.values().map(|entry| entry.file.as_str()).chain([JOURNAL]).collect();
        for entry in fs::read_dir(&self.unfinished).map_err(DatasetError::io("list", &self.unfinished))? {
            let entry = entry.map_err(DatasetError::io("list", &self.unfinished))?;
            if !entry.file_name().to_str().is_some_and(|name| known.contains(name)) {
                atomic::remove_if_there(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Where new shards go.
    pub(crate) fn path(&self) -> &Path {
        &self.unfinished
    }

    /// The shard as an earlier run made it, if it is there and its bytes are the ones that were written.
    pub(crate) fn whole_shard(&self, split: Split, index: usize) -> Option<ShardEntry> {
        let entry = self.whole.get(&(split.to_string(), index))?;
        let file = File::open(self.unfinished.join(&entry.file)).ok()?;
        is_whole(file, entry).ok()?.then(|| entry.clone())
    }

    /// Notes that a shard is whole; its file must have its name.
    pub(crate) fn record(&self, split: Split, index: usize, entry: &ShardEntry) -> Result<(), DatasetError> {
        self.append(&Line { split, index, entry: entry.clone() })
    }

    fn append(&self, line: &impl Serialize) -> Result<(), DatasetError> {
        let path = self.unfinished.join(JOURNAL);
        let mut bytes = serde_json::to_vec(line).map_err(|e| DatasetError::io("write", &path)(e.into()))?;
        bytes.push(b'\n');
        let mut journal = self.journal.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        journal.write_all(&bytes).map_err(DatasetError::io("write", &path))
    }

    /// Makes the data set the one in its directory.
    pub(crate) fn commit(self, manifests: &[Manifest]) -> Result<(), DatasetError> {
        manifests.iter().try_for_each(|manifest| manifest.write(&self.unfinished))?;
        let complete = self.dir.join(COMPLETE);
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

/// The shards in a journal of `job`, and the length of its intact lines; nothing if it belongs to another job.
fn read_journal(bytes: &[u8], job: &str) -> (BTreeMap<(String, usize), ShardEntry>, usize) {
    let mut whole = BTreeMap::new();
    let mut len = 0;
    for line in bytes.split_inclusive(|&b| b == b'\n').take_while(|line| line.ends_with(b"\n")) {
        if len == 0 {
            if !serde_json::from_slice::<Job>(line).is_ok_and(|found| found.job == job) {
                break;
            }
        } else {
            let Ok(Line { split, index, entry }) = serde_json::from_slice(line) else { break };
            whole.insert((split.to_string(), index), entry);
        }
        len += line.len();
    }
    (whole, len)
}

/// Moves a finished data set into place, if there is one; returns its job and manifests. May be repeated.
pub(crate) fn finish_commit(dir: &Path) -> Result<Option<(String, Vec<Manifest>)>, DatasetError> {
    let complete = dir.join(COMPLETE);
    if !complete.exists() {
        return Ok(None);
    }
    let journal = complete.join(JOURNAL);
    let text = fs::read(&journal).map_err(DatasetError::io("read", &journal))?;
    let first = text.split(|&b| b == b'\n').next().unwrap_or_default();
    let job = serde_json::from_slice(first).map_or_else(|_| String::new(), |found: Job| found.job);
    let mut manifests = Vec::new();
    for split in Split::ALL {
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
    for split in Split::ALL {
        match manifests.iter().find(|m| m.split == split) {
            Some(manifest) => manifest.write(dir)?,
            None => atomic::remove_if_there(&format::manifest_path(dir, split))?,
        }
    }
    atomic::sync_dir(dir)?;
    // One step ends the commit; what is left to remove means nothing under its other name.
    let unfinished = unfinished_dir(dir);
    discard(dir)?;
    fs::rename(&complete, &unfinished).map_err(DatasetError::io("rename", &complete))?;
    discard(dir)?;
    atomic::sync_dir(dir)?;
    Ok(Some((job, manifests)))
}
