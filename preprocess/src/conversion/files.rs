//! Directories and files of results.

use anyhow::{Context, Result, ensure};
use datasets::io::output::{self, Existing};
use image::RgbImage;
use std::io::{self, Cursor, Write};
use std::path::Path;

/// Checks that a directory for results can be made, or is there.
///
/// # Errors
/// If something else is there.
pub fn check_dir(dir: &Path) -> Result<()> {
    ensure!(dir.is_dir() || !dir.exists(), "{} is there and is not a directory; choose another with --out", dir.display());
    Ok(())
}

/// Makes a directory for results, which must be empty unless `force` is set.
///
/// # Errors
/// If it has contents, or cannot be made.
pub fn create_dir(dir: &Path, force: bool) -> Result<()> {
    check_dir(dir)?;
    let occupied = dir.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    ensure!(force || !occupied, "{} is not empty; choose another directory, or --force", dir.display());
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))
}

/// Writes a file, as [`output::write`] does.
///
/// # Errors
/// If it cannot be written.
pub fn save(path: &Path, existing: Existing, contents: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    output::write(path, existing, |out| Ok(contents(out)?))
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

/// Writes a PNG, as [`output::write`] does.
///
/// # Errors
/// If it cannot be written.
pub fn save_png(image: &RgbImage, path: &Path, existing: Existing) -> Result<()> {
    let bytes = png(image)?;
    save(path, existing, |file| file.write_all(&bytes))
}
