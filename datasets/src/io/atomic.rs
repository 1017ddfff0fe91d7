//! Files that are either absent or complete: written under a temporary name, synced, renamed.

use crate::error::DatasetError;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use tempfile::NamedTempFile;

pub(crate) const PREFIX: &str = ".unfinished-";
const SUFFIX: &str = ".tmp";

/// Makes a hidden file in `dir`, open to whom the user's mask opens files; it vanishes on drop unless persisted.
pub(crate) fn create_temp(dir: &Path) -> Result<NamedTempFile, DatasetError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(dir).map_err(DatasetError::io("create a file in", dir))
}

/// Writes `bytes` to a new hidden file in `dir`, synced to disk.
pub(crate) fn write_temp(dir: &Path, bytes: &[u8]) -> Result<NamedTempFile, DatasetError> {
    let mut file = create_temp(dir)?;
    let written = file.write_all(bytes).and_then(|()| file.as_file().sync_all());
    written.map_err(DatasetError::io("write", file.path()))?;
    Ok(file)
}

/// Removes what [`create_temp`] left in `dir` when its process was killed.
pub(crate) fn remove_leftovers(dir: &Path) -> Result<(), DatasetError> {
    for entry in std::fs::read_dir(dir).map_err(DatasetError::io("list", dir))? {
        let entry = entry.map_err(DatasetError::io("list", dir))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file, which need not exist.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), DatasetError> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(DatasetError::io("remove", path)(e)),
        _ => Ok(()),
    }
}

/// Gives a finished temporary file its name.
pub(crate) fn persist(file: NamedTempFile, path: &Path) -> Result<(), DatasetError> {
    file.persist(path).map(drop).map_err(|e| DatasetError::io("rename a finished file to", path)(e.error))
}

/// Makes renames and removals in `dir` durable (where directories can be synced).
pub(crate) fn sync_dir(dir: &Path) -> Result<(), DatasetError> {
    if cfg!(unix) {
        File::open(dir).and_then(|d| d.sync_all()).map_err(DatasetError::io("sync", dir))?;
    }
    Ok(())
}
