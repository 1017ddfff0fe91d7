//! Files that are either absent or complete.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// What the names of files begin with while they are written; they remain when the program is killed.
pub const UNFINISHED: &str = ".unfinished-";

/// Writes a file under a temporary name in its directory, syncs it, and gives it its name.
///
/// # Errors
/// If it cannot be written, or `contents` fails; nothing is left of it then.
pub fn write(path: &Path, contents: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>) -> Result<()> {
    let write = || -> Result<()> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(UNFINISHED).suffix(".tmp");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let mut file = builder.tempfile_in(dir)?;
        let mut out = BufWriter::with_capacity(1 << 16, file.as_file_mut());
        contents(&mut out)?;
        out.flush()?;
        drop(out);
        file.as_file().sync_all()?;
        file.persist(path)?;
        if cfg!(unix) {
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
