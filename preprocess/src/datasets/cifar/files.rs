//! Where the batch files of CIFAR-10 and CIFAR-100 come from: a directory or a tar archive, of the binary or of the Python version.

use super::kit::Kit;
use crate::conversion::find::directory_of;
use crate::formats::packed::Packed;
use crate::formats::tar_index::{Budget, HEADER_BUDGET, refuse_other_formats};
use anyhow::{Context, Result, bail, ensure};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The two published forms of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Records of classes and pixels.
    Binary,
    /// Pickled dictionaries.
    Python,
}

/// The batch files: those for training, then the one for testing.
pub struct Batches {
    /// The directory or archive they are from.
    pub place: PathBuf,
    /// The archive, or the files that were found.
    pub paths: Vec<PathBuf>,
    /// Their form.
    pub version: Version,
    /// Their contents; `None` for a missing file.
    pub files: Vec<Option<Packed>>,
}

impl Batches {
    /// File name of batch `i`.
    pub fn name(&self, kit: &Kit, i: usize) -> String {
        name(kit, self.version, i)
    }

    /// Names of the missing files.
    pub fn missing(&self, kit: &Kit) -> Vec<String> {
        (0..kit.stems.len()).filter(|&i| self.files[i].is_none()).map(|i| self.name(kit, i)).collect()
    }
}

fn name(kit: &Kit, version: Version, i: usize) -> String {
    match version {
        Version::Binary => format!("{}.bin", kit.stems[i]),
        Version::Python => kit.stems[i].into(),
    }
}

/// The version and number that a file name stands for.
fn recognise(kit: &Kit, file_name: &str) -> Option<(Version, usize)> {
    let mut all = [Version::Binary, Version::Python].into_iter().flat_map(|v| (0..kit.stems.len()).map(move |i| (v, i)));
    all.find(|&(version, i)| name(kit, version, i) == file_name)
}

/// Finds the batch files at `path`: an archive, the directory extracted from it, one of the files in it, or a directory holding
/// one of these.
///
/// # Errors
/// If there are none, of two kinds, or damaged.
pub fn read(kit: &Kit, path: &Path) -> Result<Batches> {
    if !path.is_dir() {
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(_) = recognise(kit, &file_name) else { return read_archive(kit, path) };
        return read_dir(kit, &directory_of(path))?.with_context(|| format!("{} cannot be found", path.display()));
    }
    if let Some(batches) = read_dir(kit, path)? {
        return Ok(batches);
    }
    match published_in(kit, path)?.as_slice() {
        [] => bail!(
            "{} holds neither {}'s batch files nor a {}*.tar.gz; download {} or {}",
            path.display(),
            kit.title,
            kit.prefix,
            kit.names[0],
            kit.names[2]
        ),
        [dir] if dir.is_dir() => match read_dir(kit, dir)? {
            Some(batches) => Ok(batches),
            None => bail!("{} holds none of {}'s batch files", dir.display(), kit.title),
        },
        [archive] => read_archive(kit, archive),
        several => unpacked(kit, several),
    }
}

/// The archives and directories in a directory that are named as published.
fn published_in(kit: &Kit, path: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))? {
        let entry = entry.with_context(|| format!("cannot list {}", path.display()))?.path();
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let archive = [".tar.gz", ".tgz", ".tar"].iter().any(|end| name.ends_with(end));
        if name.starts_with(kit.prefix) && (archive || entry.is_dir()) {
            found.push(entry);
        }
    }
    found.sort();
    Ok(found)
}

/// The one directory among archives of the same version, beside which other programs leave what they unpacked it from.
fn unpacked(kit: &Kit, several: &[PathBuf]) -> Result<Batches> {
    let (dirs, archives): (Vec<_>, Vec<_>) = several.iter().partition(|path| path.is_dir());
    if let [dir] = dirs.as_slice()
        && let Some(batches) = read_dir(kit, dir)?
    {
        let word = if batches.version == Version::Python { "python" } else { "binary" };
        if archives.iter().all(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(word))) {
            return Ok(batches);
        }
    }
    let names: Vec<_> = several.iter().map(|p| p.display().to_string()).collect();
    bail!("several versions of {} are there, name one of them: {}", kit.title, names.join(", "))
}

/// The batch files in a directory, or `None` if there is not a single one.
fn read_dir(kit: &Kit, dir: &Path) -> Result<Option<Batches>> {
    let mut files = Collected::new(kit);
    for version in [Version::Binary, Version::Python] {
        for i in 0..kit.stems.len() {
            let path = dir.join(name(kit, version, i));
            if path.is_file() {
                let len = std::fs::metadata(&path).with_context(|| format!("cannot inspect {}", path.display()))?.len();
                ensure!(
                    len <= kit.max_file(),
                    "{} has more than {} bytes: not a batch of {}",
                    path.display(),
                    kit.max_file(),
                    kit.title
                );
                files.add(version, i, Packed::file(&path)?)?;
                files.paths.push(path);
            }
        }
    }
    files.into_batches(dir)
}

fn read_archive(kit: &Kit, path: &Path) -> Result<Batches> {
    let cannot_read = || format!("cannot read {}: the archive is damaged or cut short, download it again", path.display());
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut file = BufReader::with_capacity(1 << 16, file);
    let start = file.fill_buf().with_context(cannot_read)?;
    let reader: Box<dyn Read> = match start.starts_with(&[0x1f, 0x8b]) {
        true => Box::new(MultiGzDecoder::new(file)),
        false => {
            refuse_other_formats(start, path)?;
            Box::new(file)
        }
    };
    // Enough for one batch at a time, whatever the archive unpacks to.
    let limit = kit.max_file() + HEADER_BUDGET;
    let (reader, budget) = Budget::new(reader);
    let mut archive = tar::Archive::new(reader);
    let mut files = Collected::new(kit);
    let mut entries = archive.entries().with_context(cannot_read)?;
    loop {
        budget.set(HEADER_BUDGET);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.with_context(cannot_read)?;
        budget.set(limit);
        let member = entry.path().with_context(cannot_read)?.into_owned();
        let file_name = member.file_name().unwrap_or_default().to_string_lossy();
        match recognise(kit, &file_name).filter(|_| entry.header().entry_type().is_file()) {
            Some((version, i)) => {
                let place = path.join(&member).display().to_string();
                let mut bytes = Vec::new();
                entry.by_ref().take(kit.max_file() + 1).read_to_end(&mut bytes).with_context(cannot_read)?;
                ensure!(
                    bytes.len() as u64 <= kit.max_file(),
                    "{place} has more than {} bytes: not a batch of {}",
                    kit.max_file(),
                    kit.title
                );
                files.add(version, i, Packed::memory(place, bytes))?;
            }
            None => drop(std::io::copy(&mut entry, &mut std::io::sink()).with_context(cannot_read)?),
        }
    }
    // To the end of the compressed stream, so that its checksum is compared.
    budget.set(limit);
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).with_context(cannot_read)?;
    files.paths.push(path.to_path_buf());
    match files.into_batches(path)? {
        Some(batches) => Ok(batches),
        None => bail!("{} is not an archive of {}: none of its batch files is in it", path.display(), kit.title),
    }
}

/// Batch files found so far.
struct Collected {
    paths: Vec<PathBuf>,
    version: Option<Version>,
    files: Vec<Option<Packed>>,
}

impl Collected {
    fn new(kit: &Kit) -> Self {
        Collected { paths: Vec::new(), version: None, files: vec![None; kit.stems.len()] }
    }

    fn add(&mut self, version: Version, i: usize, contents: Packed) -> Result<()> {
        let place = contents.place();
        ensure!(
            *self.version.get_or_insert(version) == version,
            "{place}: files of the binary and of the Python version are mixed; keep one of them"
        );
        ensure!(self.files[i].is_none(), "{place} is there twice");
        self.files[i] = Some(contents);
        Ok(())
    }

    fn into_batches(self, place: &Path) -> Result<Option<Batches>> {
        let place = place.to_path_buf();
        let (files, paths) = (self.files, self.paths);
        Ok(self.version.map(|version| Batches { place, paths, version, files }))
    }
}
