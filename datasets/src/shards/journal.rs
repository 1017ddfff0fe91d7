//! The lists of whole shards beside the shards of an unfinished data set: one of each process that makes them.

use crate::error::DatasetError;
use crate::shards::manifest::ShardEntry;
use crate::split::Split;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The journal of the first process.
pub(crate) const FIRST: &str = "journal.jsonl";
/// Before the numbers of the others.
const OTHER: &str = "journal-";

/// Whole shards by split and number.
pub(crate) type Shards = BTreeMap<(Split, usize), ShardEntry>;

/// Whether a file is a journal, by its name.
pub(crate) fn is_name(name: &str) -> bool {
    name == FIRST || name.starts_with(OTHER)
}

/// The first line of a journal.
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

/// The journal of this process.
pub(crate) struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    /// Goes on with the first process's journal of this job in `dir`, or begins it in place of another job's; with the shards
    /// in it. `None` if another process has it locked.
    pub(crate) fn open(dir: &Path, job: &str) -> Result<Option<(Self, Shards)>, DatasetError> {
        let path = dir.join(FIRST);
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = options.map_err(DatasetError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(DatasetError::io("lock", &path)(e)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(DatasetError::io("read", &path))?;
        let (shards, len) = parse(&bytes, job);
        // A line that was cut short goes, and with it nothing: its shard is made again.
        file.set_len(len as u64).and_then(|()| file.seek(SeekFrom::End(0))).map_err(DatasetError::io("write", &path))?;
        let journal = Journal { path, file: Mutex::new(file) };
        if len == 0 {
            journal.append(&Job { job: job.into() })?;
        }
        Ok(Some((journal, shards)))
    }

    /// Begins the journal of process `rank`.
    pub(crate) fn of_another(dir: &Path, job: &str, rank: usize) -> Result<Self, DatasetError> {
        let path = dir.join(format!("{OTHER}{rank}.jsonl"));
        let file = File::create(&path).map_err(DatasetError::io("create", &path))?;
        let journal = Journal { path, file: Mutex::new(file) };
        journal.append(&Job { job: job.into() })?;
        Ok(journal)
    }

    /// Lists a whole shard.
    pub(crate) fn list(&self, split: Split, index: usize, entry: &ShardEntry) -> Result<(), DatasetError> {
        self.append(&Line { split, index, entry: entry.clone() })
    }

    fn append(&self, line: &impl Serialize) -> Result<(), DatasetError> {
        let mut bytes = serde_json::to_vec(line).map_err(|e| DatasetError::io("write", &self.path)(e.into()))?;
        bytes.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        file.write_all(&bytes).map_err(DatasetError::io("write", &self.path))
    }

    /// Makes sure that other machines see all of it.
    pub(crate) fn sync(&self) -> Result<(), DatasetError> {
        let file = self.file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        file.sync_all().map_err(DatasetError::io("sync", &self.path))
    }
}

/// The shards in a journal; `None` if it belongs to another job.
pub(crate) fn listed(path: &Path, job: &str) -> Result<Option<Shards>, DatasetError> {
    let (shards, len) = parse(&read(path)?, job);
    Ok((len > 0).then_some(shards))
}

/// The job that a journal belongs to, empty if that is unreadable.
pub(crate) fn job(path: &Path) -> Result<String, DatasetError> {
    let text = read(path)?;
    let first = text.split(|&b| b == b'\n').next().unwrap_or_default();
    Ok(serde_json::from_slice(first).map_or_else(|_| String::new(), |found: Job| found.job))
}

fn read(path: &Path) -> Result<Vec<u8>, DatasetError> {
    std::fs::read(path).map_err(DatasetError::io("read", path))
}

/// The shards in a journal of `job`, and the length of its intact lines; nothing if it belongs to another job.
fn parse(bytes: &[u8], job: &str) -> (Shards, usize) {
    let mut shards = Shards::new();
    let mut len = 0;
    for line in bytes.split_inclusive(|&b| b == b'\n').take_while(|line| line.ends_with(b"\n")) {
        if len == 0 {
            if !serde_json::from_slice::<Job>(line).is_ok_and(|found| found.job == job) {
                break;
            }
        } else {
            let Ok(Line { split, index, entry }) = serde_json::from_slice(line) else { break };
            shards.insert((split, index), entry);
        }
        len += line.len();
    }
    (shards, len)
}
