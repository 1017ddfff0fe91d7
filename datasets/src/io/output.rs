//! The files that programs write for people: whole or not at all, and never in place of what somebody may still want.
//!
//! | the name belongs to | action |
//! | --- | --- |
//! | nothing, or a regular file | written under another name in the same directory, synced, renamed |
//! | a symbolic link | what it points to is written, by the same rules; a link to nothing is refused |
//! | a device, a FIFO or a socket | written through: it is neither replaced nor cut off |
//! | a directory | refused |
//!
//! [`check`] and [`check_all`] refuse before long work what [`write()`] would refuse after it.

use crate::error::DatasetError;
use crate::io::atomic;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tempfile::NamedTempFile;

/// What the names of files begin with while they are written; they remain where a program is killed, unless it [removes
/// them](remove_unfinished).
pub const UNFINISHED: &str = atomic::PREFIX;

/// Files that are being written, under their temporary names.
static BEING_WRITTEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes the files that are not finished, for a program that is about to end at once. Nothing else is to be done with them then.
pub fn remove_unfinished() {
    for path in BEING_WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        // It may just have been renamed, and is whole then.
        let _ = fs::remove_file(path);
    }
}

/// A hidden file in a directory that vanishes unless it is renamed.
fn temporary(dir: &Path) -> Result<(NamedTempFile, Unfinished), DatasetError> {
    let file = atomic::create_temp(dir)?;
    let unfinished = Unfinished::new(file.path());
    Ok((file, unfinished))
}

/// A file that is known as one that is being written, as long as this lives.
struct Unfinished(PathBuf);

impl Unfinished {
    fn new(path: &Path) -> Self {
        BEING_WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).push(path.into());
        Self(path.into())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        BEING_WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).retain(|path| *path != self.0);
    }
}

/// Links from name to name that are followed, as many as Linux follows.
const MAX_LINKS: usize = 40;

/// The treatment of a file that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays: writing another in its place is an error.
    Keep,
    /// It is replaced.
    Replace,
    /// It is replaced, being a file of the program's own, at a place of its own; there, anything but a regular file is refused.
    Own,
}

impl Existing {
    /// [`Existing::Replace`] if `force` is set.
    pub fn replaced_if(force: bool) -> Self {
        if force { Self::Replace } else { Self::Keep }
    }
}

/// Writes a file with these contents. Where there was a file, it is whole at every moment: the earlier or the new one.
///
/// # Errors
/// [`DatasetError::OutputExists`] and [`DatasetError::Output`] for what may not be written (see the module),
/// [`DatasetError::Io`] if the system refuses, and the error of `contents`; a regular file is then as it was before.
pub fn write<E: From<DatasetError>>(
    path: &Path,
    existing: Existing,
    contents: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    match Target::of(path, existing)? {
        Target::File(path) => write_whole(&path, existing, contents),
        Target::Stream(stream) => fill(open_stream(&stream).map_err(DatasetError::io("open", path))?, path, contents),
    }
}

/// Finds out whether a file can be written under this name, without writing it.
///
/// # Errors
/// Those that [`write()`] would end with, as far as they can be known.
pub fn check(path: &Path, existing: Existing) -> Result<(), DatasetError> {
    match Target::of(path, existing)? {
        // It vanishes at once.
        Target::File(path) => temporary(parent(&path)).map(drop),
        Target::Stream(_) => Ok(()),
    }
}

/// Checks all that a command is about to write, [each by itself](check) and against the command's own inputs, which are
/// never overwritten.
///
/// # Errors
/// Also [`DatasetError::Output`] for a file that is an input, or another output, under whatever name.
pub fn check_all(outputs: &[&Path], inputs: &[&Path], existing: Existing) -> Result<(), DatasetError> {
    for (index, path) in outputs.iter().enumerate() {
        if let Some(input) = inputs.iter().find(|input| is_same(path, input)) {
            let name = if path == input { String::new() } else { format!(", under the name {}", input.display()) };
            return Err(refused(path, format!("it is an input of this command{name}; choose another name")));
        }
        check(path, existing)?;
        if !is_stream(path) && outputs[..index].iter().any(|other| is_same(path, other)) {
            return Err(refused(path, "two results would be written to it; give each a name of its own".into()));
        }
    }
    Ok(())
}

/// Refuses a name that says that other contents are in the file; devices and FIFOs may have any name.
///
/// # Errors
/// [`DatasetError::Output`] unless the name ends in one of `known`, or has no extension.
pub fn check_extension(path: &Path, known: &[&str]) -> Result<(), DatasetError> {
    let is_known = |extension: &std::ffi::OsStr| known.iter().any(|known| extension.eq_ignore_ascii_case(known));
    if is_stream(path) || path.extension().is_none_or(is_known) {
        return Ok(());
    }
    let known: Vec<_> = known.iter().map(|known| format!(".{known}")).collect();
    Err(refused(path, format!("expected a name that ends in {}", known.join(" or "))))
}

/// Whether what has this name takes bytes as they come: a device, a FIFO or a socket.
pub fn is_stream(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// The destination of the bytes.
enum Target {
    /// A regular file, or none yet; not a link.
    File(PathBuf),
    /// Anything else that can be written.
    Stream(PathBuf),
}

impl Target {
    /// Follows links, and refuses what may not be written.
    fn of(path: &Path, existing: Existing) -> Result<Self, DatasetError> {
        if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(refused(path, "it is not the name of a file".into()));
        }
        let mut place = path.to_path_buf();
        for link in 0..MAX_LINKS {
            let metadata = match fs::symlink_metadata(&place) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::absent(path, place, link > 0),
                metadata => metadata.map_err(DatasetError::io("write", path))?,
            };
            if !metadata.is_symlink() {
                return Self::present(path, place, &metadata, existing);
            }
            if is_descriptor(&place) {
                return Ok(Self::Stream(place));
            }
            let target = fs::read_link(&place).map_err(DatasetError::io("follow", &place))?;
            place = parent(&place).join(target);
        }
        Err(refused(path, "its links lead in a circle".into()))
    }

    fn absent(path: &Path, place: PathBuf, is_linked: bool) -> Result<Self, DatasetError> {
        if is_linked {
            return Err(refused(path, format!("it is a link to {}, which does not exist; remove the link", place.display())));
        }
        let dir = parent(&place);
        if !dir.is_dir() {
            return Err(refused(path, format!("there is no directory {}", dir.display())));
        }
        Ok(Self::File(place))
    }

    fn present(path: &Path, place: PathBuf, metadata: &Metadata, existing: Existing) -> Result<Self, DatasetError> {
        let is_file = metadata.is_file();
        if metadata.is_dir() {
            return Err(refused(path, "it is a directory; name a file in it".into()));
        }
        match existing {
            Existing::Keep if is_file || is_block_device(metadata) => Err(DatasetError::OutputExists { path: path.into() }),
            Existing::Own if !is_file => Err(refused(path, "it is not a regular file; move it away".into())),
            _ => Ok(if is_file { Self::File(place) } else { Self::Stream(place) }),
        }
    }
}

/// Writes a file under a temporary name in its directory, syncs it, and gives it its name.
fn write_whole<E: From<DatasetError>>(
    path: &Path,
    existing: Existing,
    contents: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let dir = parent(path);
    let (mut file, _unfinished) = temporary(dir)?;
    fill(file.as_file_mut(), path, contents)?;
    if let Some(permissions) = permissions_of(path) {
        file.as_file().set_permissions(permissions).map_err(DatasetError::io("write", path))?;
    }
    file.as_file().sync_all().map_err(DatasetError::io("write", path))?;
    let named = match existing {
        Existing::Keep => file.persist_noclobber(path),
        Existing::Replace | Existing::Own => file.persist(path),
    };
    named.map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => DatasetError::OutputExists { path: path.into() },
        _ => DatasetError::io("rename a finished file to", path)(error.error),
    })?;
    Ok(atomic::sync_dir(dir)?)
}

/// Has `contents` written into an open file. Where writing fails, that is the error, whatever `contents` makes of it.
fn fill<E: From<DatasetError>>(
    file: impl Write,
    path: &Path,
    contents: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let mut sink = Sink { out: BufWriter::with_capacity(1 << 18, file), fault: None };
    let made = contents(&mut sink);
    if made.is_ok() {
        // A failure is remembered.
        let _ = sink.flush();
    }
    match sink.fault {
        Some(fault) => Err(DatasetError::io("write", path)(fault).into()),
        None => made,
    }
}

/// Passes bytes on, and remembers the first failure.
struct Sink<W: Write> {
    out: BufWriter<W>,
    fault: Option<io::Error>,
}

impl<W: Write> Sink<W> {
    fn remember<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
            && self.fault.is_none()
        {
            let copy = error.raw_os_error().map(io::Error::from_raw_os_error);
            self.fault = Some(copy.unwrap_or_else(|| io::Error::new(error.kind(), error.to_string())));
        }
        result
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes);
        self.remember(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.remember(flushed)
    }
}

/// The permissions of a file that is replaced: what was private stays so.
fn permissions_of(path: &Path) -> Option<Permissions> {
    Some(fs::metadata(path).ok()?.permissions())
}

fn open_stream(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::fd::{AsFd, OwnedFd};
        use std::os::unix::fs::FileTypeExt;
        // It shares the position with other writers of the same file.
        match path.file_name().and_then(|name| name.to_str()).filter(|_| is_descriptor(path)) {
            Some("1") => return Ok(io::stdout().as_fd().try_clone_to_owned()?.into()),
            Some("2") => return Ok(io::stderr().as_fd().try_clone_to_owned()?.into()),
            _ => {}
        }
        if fs::metadata(path)?.file_type().is_socket() {
            return Ok(OwnedFd::from(std::os::unix::net::UnixStream::connect(path)?).into());
        }
    }
    OpenOptions::new().append(is_descriptor(path)).write(true).open(path)
}

/// Whether a link stands for a file that a process has open, as `/dev/stdout` and `/dev/fd/3` lead to.
fn is_descriptor(link: &Path) -> bool {
    fs::canonicalize(parent(link)).is_ok_and(|dir| dir.starts_with("/proc"))
}

#[cfg(unix)]
fn is_block_device(metadata: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_block_device(&metadata.file_type())
}

#[cfg(not(unix))]
fn is_block_device(_: &Metadata) -> bool {
    false
}

/// Whether two names are of the same file, or would be.
fn is_same(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    if let (Ok(a), Ok(b)) = (fs::metadata(a), fs::metadata(b)) {
        use std::os::unix::fs::MetadataExt;
        return (a.dev(), a.ino()) == (b.dev(), b.ino());
    }
    let full = |path: &Path| {
        fs::canonicalize(path)
            .or_else(|_| Ok::<_, io::Error>(fs::canonicalize(parent(path))?.join(path.file_name().unwrap_or_default())))
    };
    matches!((full(a), full(b)), (Ok(a), Ok(b)) if a == b)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn refused(path: &Path, reason: String) -> DatasetError {
    DatasetError::Output { path: path.into(), reason }
}

#[cfg(test)]
mod tests;
