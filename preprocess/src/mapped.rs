//! Pieces of large files mapped into memory, a shard's worth at a time: memory in use stays small, whatever the size of
//! the file.

use anyhow::{Context, Result, bail, ensure};
use memmap2::{Mmap, MmapOptions};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Pieces up to this size are read as a whole when they are mapped, not page by page when they are used.
const READ_AT_ONCE: usize = 128 << 20;

/// A large file that stays as it is while it is read.
#[derive(Debug)]
pub struct MappedFile {
    path: PathBuf,
    file: File,
    len: u64,
}

impl MappedFile {
    /// Opens a file, which must be one that can be read at any position.
    ///
    /// # Errors
    /// If it cannot be opened, or is a pipe, a device or a directory.
    pub fn open(path: &Path) -> Result<Self> {
        // Looked at before it is opened: opening a pipe would wait for its other end.
        let metadata = std::fs::metadata(path).with_context(|| format!("cannot open {}", path.display()))?;
        if !metadata.is_file() {
            bail!(
                "{} is not an ordinary file, which is needed because it is read at many places; save it to disk first",
                path.display()
            );
        }
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let len = file.metadata().with_context(|| format!("cannot inspect {}", path.display()))?.len();
        Ok(MappedFile { path: path.into(), file, len })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's length when it was opened.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is not a single byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The open file, for reading with a position.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Maps a piece of the file.
    ///
    /// # Errors
    /// If the piece is not within the file (which may have been cut since it was opened) or cannot be mapped.
    pub fn map(&self, range: Range<u64>) -> Result<Mmap> {
        let path = self.path.display();
        let now = self.file.metadata().with_context(|| format!("cannot inspect {path}"))?.len();
        ensure!(
            range.start <= range.end && range.end <= now && now == self.len,
            "{path}: bytes {} to {} are needed, the file had {} bytes and has {now}; do not change it while it is read",
            range.start,
            range.end,
            self.len
        );
        let len = usize::try_from(range.end - range.start).with_context(|| format!("{path} is too large for this machine"))?;
        let mut options = MmapOptions::new();
        options.offset(range.start).len(len);
        if len <= READ_AT_ONCE {
            options.populate();
        }
        // SAFETY: the mapping is only read, and lives for one shard. Whoever cuts the file meanwhile ends this process;
        // whoever changes it gets other pixels, as with any way of reading.
        unsafe { options.map(&self.file) }.with_context(|| format!("cannot map {path}"))
    }
}
