//! Files that are either absent or complete: written under a temporary name, synced, renamed.

use crate::DatasetError;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use tempfile::NamedTempFile;

/// Writes `bytes` to a new hidden file in `dir`, synced to disk; it vanishes on drop unless persisted.
pub(crate) fn write_temp(dir: &Path, bytes: &[u8]) -> Result<NamedTempFile, DatasetError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".unfinished-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.tempfile_in(dir).map_err(DatasetError::io("create a file in", dir))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(DatasetError::io("write", file.path()))?;
    Ok(file)
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
