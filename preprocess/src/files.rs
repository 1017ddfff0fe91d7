//! Files that are either absent or whole.

use anyhow::{Context, Result, ensure};
use image::RgbImage;
use std::fs::File;
use std::io::{self, Cursor, Write};
use std::path::Path;

/// Makes a directory for results, which must be empty unless `force` is set.
///
/// # Errors
/// If it has contents, or cannot be made.
pub fn create_dir(dir: &Path, force: bool) -> Result<()> {
    let occupied = dir.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    ensure!(force || !occupied, "{} is not empty; choose another directory, or --force", dir.display());
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))
}

/// Writes a file under a temporary name, and gives it its own when it is whole and synced.
///
/// # Errors
/// If it cannot be written.
pub fn save(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".unfinished-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.tempfile_in(dir).with_context(cannot)?;
    write(file.as_file_mut()).and_then(|()| file.as_file().sync_all()).with_context(cannot)?;
    file.persist(path).map(drop).map_err(|e| e.error).with_context(cannot)
}

/// A picture as a PNG.
///
/// # Errors
/// If it cannot be encoded.
pub fn png(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).context("cannot encode a PNG")?;
    Ok(bytes.into_inner())
}

/// Writes a PNG, complete or not at all.
///
/// # Errors
/// If it cannot be written.
pub fn save_png(image: &RgbImage, path: &Path) -> Result<()> {
    let bytes = png(image)?;
    save(path, |file| file.write_all(&bytes))
}
