//! One writer at a time: the lock of a run's directory, which the system takes back when the process ends, however it ends.

use crate::system;
use anyhow::{Context, Result, bail, ensure};
use datasets::io::console::note;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

const NAME: &str = ".lock";
/// What is shown of another process's note at the most.
const SHOWN: u64 = 200;

/// A directory that no other process writes into while this exists.
pub struct Lock {
    /// Closing it unlocks.
    _file: File,
}

impl Lock {
    /// Locks a directory that exists.
    ///
    /// # Errors
    /// If another process has it locked, which is named, or the file of the lock cannot be written.
    pub fn acquire(dir: &Path) -> Result<Self> {
        let path = dir.join(NAME);
        let is_other = fs::symlink_metadata(&path).is_ok_and(|metadata| !metadata.is_file());
        ensure!(!is_other, "{} is not a regular file; move it away", path.display());
        let open = || File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open().with_context(|| format!("cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds the lock is no secret, but need not be known.
                let _ = file.take(SHOWN).read_to_string(&mut holder);
                let holder: String = holder.chars().filter(|c| !c.is_control()).collect();
                let holder = if holder.is_empty() { "another process" } else { &holder };
                bail!("{holder} is writing into {}; wait for it, or choose another directory with --out", dir.display());
            }
            Err(TryLockError::Error(error)) => {
                note(format_args!("warning: {} cannot be locked ({error}); let no other process write into it", dir.display()));
            }
        }
        let host = system::host().map_or_else(String::new, |host| format!(" on {host}"));
        let holder = format!("process {}{host}", std::process::id());
        let write = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(holder.as_bytes()));
        write.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_locked_until_the_lock_is_dropped() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let lock = Lock::acquire(dir.path())?;
        let message = Lock::acquire(dir.path()).err().context("it is locked")?.to_string();
        assert!(message.starts_with(&format!("process {}", std::process::id())), "{message}");
        drop(lock);
        Lock::acquire(dir.path())?;
        Ok(())
    }
}
