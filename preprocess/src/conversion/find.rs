//! Where inputs are looked for.

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// Options of every converter that say where its input is.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct InputArgs {
    /// The archive or directory to convert [default: the published names in `data` and in the current directory].
    pub path: Option<PathBuf>,
    /// Directory to look in instead of `data` and the current one.
    #[arg(long, value_name = "DIR")]
    pub input: Option<PathBuf>,
}

impl InputArgs {
    /// The directories in which names are looked up, in order.
    pub fn places(&self) -> Vec<PathBuf> {
        match &self.input {
            Some(file) if file.is_file() => vec![directory_of(file)],
            Some(dir) => vec![dir.clone()],
            None => vec!["data".into(), ".".into()],
        }
    }

    /// The path that was given, wherever it is, or else the first of `names` that exists, place by place.
    ///
    /// # Errors
    /// If there is none; the message lists the places.
    pub fn resolve(&self, names: &[&str]) -> Result<PathBuf> {
        let Some(path) = &self.path else {
            let candidates = self.places().into_iter().flat_map(|place| names.iter().map(move |name| place.join(name)));
            return first(candidates.collect());
        };
        let mut candidates = Vec::new();
        if path.is_relative() {
            candidates.extend(self.places().iter().map(|place| place.join(path)));
        }
        candidates.insert(if self.input.is_some() { candidates.len() } else { 0 }, path.clone());
        first(candidates)
    }
}

impl InputArgs {
    /// [`InputArgs::resolve`] for inputs that are one file: a directory is looked into.
    ///
    /// # Errors
    /// If there is none.
    pub fn resolve_file(&self, names: &[&str]) -> Result<PathBuf> {
        let path = self.resolve(names)?;
        if path.is_dir() { first(names.iter().map(|name| path.join(name)).collect()) } else { Ok(path) }
    }
}

impl InputArgs {
    /// Where files are looked up that are needed together. A directory that was given is the only place, and of a file that was
    /// given, such as one of them, the directory it is in.
    ///
    /// # Errors
    /// If what was given does not exist.
    pub fn directories(&self) -> Result<Vec<PathBuf>> {
        if self.path.is_none() {
            return Ok(self.places());
        }
        let path = self.resolve(&[])?;
        Ok(vec![if path.is_dir() { path } else { directory_of(&path) }])
    }

    /// The first of `names` in [`InputArgs::directories`].
    ///
    /// # Errors
    /// If there is none; the message lists the places.
    pub fn resolve_in(&self, names: &[&str]) -> Result<PathBuf> {
        let places = self.directories()?;
        first(places.iter().flat_map(|place| names.iter().map(move |name| place.join(name))).collect())
    }
}

/// The directory that a file is in.
pub fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.into(),
        _ => ".".into(),
    }
}

/// The first path that exists.
fn first(candidates: Vec<PathBuf>) -> Result<PathBuf> {
    if let Some(found) = candidates.iter().find(|path| path.exists()) {
        return Ok(tidy(found));
    }
    let mut tried: Vec<String> = Vec::new();
    for path in candidates.iter().map(|path| tidy(path).display().to_string()) {
        if !tried.contains(&path) {
            tried.push(path);
        }
    }
    bail!("the input was not found: none of {} exists; download it, or say where it is (--input DIR)", tried.join(", "))
}

/// A path without a leading `./`.
fn tidy(path: &Path) -> PathBuf {
    match path.strip_prefix(".") {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.into(),
        _ => path.into(),
    }
}
