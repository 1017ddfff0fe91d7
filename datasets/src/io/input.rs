//! Inputs read whole, within limits: a device cannot take all memory, and a pipe is not waited for without end.

use std::fs::{File, Metadata};
use std::io::{self, Error, ErrorKind, Read};
use std::path::Path;
use system::{described, is_stream, opened};

/// Seconds that a pipe may keep its reader waiting.
const TIMEOUT_SECONDS: i64 = 10;

/// Opens a regular file for reading.
///
/// # Errors
/// If it cannot be opened, or is a directory, a pipe or a device. Nothing is waited for.
pub fn open(path: &Path) -> io::Result<File> {
    let metadata = std::fs::metadata(path)?;
    expect(metadata.is_file(), &metadata, "a file")?;
    let file = opened(path)?;
    // Another file may have its name by now.
    let metadata = file.metadata()?;
    expect(metadata.is_file(), &metadata, "a file")?;
    Ok(file)
}

/// Reads a regular file of at limit `limit` bytes.
///
/// # Errors
/// Those of [`open`], and if the file is larger or cannot be read.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let len = file.metadata()?.len();
    if len > limit {
        return Err(too_large(limit));
    }
    let mut bytes = Vec::with_capacity(len as usize);
    read_to(file, limit, &mut bytes)?;
    Ok(bytes)
}

/// Reads a file, a pipe or a terminal up to its end, at limit `limit` bytes.
///
/// # Errors
/// As [`read`], and if a pipe stays silent for ten seconds; directories, sockets and disks are refused.
pub fn read_stream(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_file() {
        return read(path, limit);
    }
    expect(is_stream(metadata.file_type()), &metadata, "a file or a pipe")?;
    let mut bytes = Vec::new();
    read_to(Patient(opened(path)?), limit, &mut bytes)?;
    Ok(bytes)
}

fn read_to(from: impl Read, limit: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    from.take(limit.saturating_add(1)).read_to_end(bytes)?;
    if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(()) }
}

fn too_large(limit: u64) -> Error {
    Error::new(ErrorKind::FileTooLarge, format!("it is larger than the {limit} bytes that are read at limit"))
}

fn expect(holds: bool, metadata: &Metadata, expected: &str) -> io::Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidInput, format!("it is {}, expected {expected}", described(metadata.file_type()))))
}

/// A file that is read as soon as there is something to read.
struct Patient(File);

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !system::wait(&self.0, TIMEOUT_SECONDS)? {
                let message = format!("nothing was written to it for {TIMEOUT_SECONDS} seconds; write to a file first");
                return Err(Error::new(ErrorKind::TimedOut, message));
            }
            match self.0.read(buffer) {
                Err(error) if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) => {}
                result => return result,
            }
        }
    }
}

#[cfg(unix)]
mod system {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;
    use std::fs::{File, FileType};
    use std::io;
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    use std::path::Path;

    /// A pipe is opened without waiting for a writer.
    pub fn opened(path: &Path) -> io::Result<File> {
        let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        File::options().read(true).custom_flags(flags).open(path)
    }

    /// Whether there is something to read, or an end, within `seconds`.
    pub fn wait(file: &File, seconds: i64) -> io::Result<bool> {
        let timeout = Timespec { tv_sec: seconds, tv_nsec: 0 };
        loop {
            match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&timeout)) {
                Err(Errno::INTR) => {}
                ready => return Ok(ready? > 0),
            }
        }
    }

    pub fn is_stream(kind: FileType) -> bool {
        kind.is_fifo() || kind.is_char_device()
    }

    pub fn described(kind: FileType) -> &'static str {
        match kind {
            kind if kind.is_dir() => "a directory",
            kind if kind.is_fifo() => "a pipe",
            kind if kind.is_char_device() || kind.is_block_device() => "a device",
            kind if kind.is_socket() => "a socket",
            _ => "something else",
        }
    }
}

#[cfg(not(unix))]
mod system {
    use std::fs::{File, FileType};
    use std::io;
    use std::path::Path;

    pub fn opened(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    pub fn wait(_: &File, _: i64) -> io::Result<bool> {
        Ok(true)
    }

    pub fn is_stream(_: FileType) -> bool {
        false
    }

    pub fn described(kind: FileType) -> &'static str {
        if kind.is_dir() { "a directory" } else { "no file" }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_read_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert!(read(&path, 4).unwrap_err().to_string().contains("4 bytes"));
        let message = |path: &Path| read(path, 1 << 20).unwrap_err().to_string();
        assert!(message(dir.path()).contains("a directory"));
        assert!(message(Path::new("/dev/zero")).contains("a device"));
        assert_eq!(read(&dir.path().join("none"), 9).unwrap_err().kind(), ErrorKind::NotFound);
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(message(&pipe).contains("a pipe"), "without waiting for a writer");
    }

    #[test]
    fn streams_are_read_up_to_a_limit() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let to = pipe.clone();
        let writer = std::thread::spawn(move || std::fs::write(to, vec![7; 1 << 17]));
        assert_eq!(read_stream(&pipe, 1 << 20).unwrap(), vec![7; 1 << 17]);
        writer.join().unwrap().unwrap();
        assert!(read_stream(Path::new("/dev/zero"), 1000).unwrap_err().to_string().contains("1000 bytes"));
        assert_eq!(read_stream(Path::new("/dev/null"), 1000).unwrap(), b"");
    }
}
