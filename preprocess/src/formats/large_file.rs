//! Large files that are read piece by piece, by several threads at once: memory in use stays small, whatever their size.

use anyhow::{Context, Result, bail};
use memmap2::Mmap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A good size of pieces: each of them stays in a processor's cache until it has been converted.
pub const PIECE: usize = 1 << 18;

/// A large file that stays as it is while it is read.
#[derive(Debug)]
pub struct LargeFile {
    path: PathBuf,
    file: File,
    len: u64,
}

impl LargeFile {
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
        Ok(LargeFile { path: path.into(), file, len })
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

    /// Fills `out` with the bytes from position `start` on.
    ///
    /// # Errors
    /// If there are not as many (any more), or they cannot be read.
    pub fn read(&self, start: u64, out: &mut [u8]) -> Result<()> {
        let len = out.len();
        let place = || format!("{}: cannot read {len} bytes at byte {start}", self.path.display());
        match self.file.read_exact_at(out, start) {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
                bail!("{}: the file had {} bytes and was cut; do not change it while it is read", place(), self.len)
            }
            result => result.with_context(place),
        }
    }

    /// Maps the whole file into memory, for a look at some places of it.
    ///
    /// # Errors
    /// If it is too large for this machine.
    pub fn map(&self) -> Result<Mmap> {
        // SAFETY: the mapping is only read. Whoever cuts the file meanwhile ends this process.
        unsafe { Mmap::map(&self.file) }.with_context(|| format!("cannot map {}", self.path.display()))
    }
}
