//! Finds CIFAR-10's six batch files: in a directory or a tar archive, of the binary or the Python version.

use anyhow::{Context, Result, bail, ensure};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Largest batch file to be read; the published ones have 31 MB.
const MAX_FILE: u64 = 100_000_000;

/// The two published forms of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Records of label and pixels.
    Binary,
    /// Pickled dictionaries.
    Python,
}

/// The batch files, in memory: five for training, then the one for testing.
pub struct Batches {
    /// The directory or archive they are from.
    pub place: PathBuf,
    /// The archive, or the files that were read.
    pub paths: Vec<PathBuf>,
    /// Which form they have.
    pub version: Version,
    /// Their contents; `None` for a missing file.
    pub files: [Option<Vec<u8>>; 6],
}

impl Batches {
    /// File name of batch `i`.
    pub fn name(&self, i: usize) -> String {
        name(self.version, i)
    }

    /// Names of the missing files.
    pub fn missing(&self) -> Vec<String> {
        (0..6).filter(|&i| self.files[i].is_none()).map(|i| self.name(i)).collect()
    }
}

fn name(version: Version, i: usize) -> String {
    let stem = match i {
        5 => "test_batch".into(),
        _ => format!("data_batch_{}", i + 1),
    };
    match version {
        Version::Binary => format!("{stem}.bin"),
        Version::Python => stem,
    }
}

/// The version and number that a file name stands for.
fn recognise(file_name: &str) -> Option<(Version, usize)> {
    let all = [Version::Binary, Version::Python].into_iter().flat_map(|v| (0..6).map(move |i| (v, i)));
    all.into_iter().find(|&(version, i)| name(version, i) == file_name)
}

/// Reads the batch files at `path`: an archive, the directory extracted from it, or a directory holding one of these.
///
/// # Errors
/// If there are none, of two kinds, or damaged.
pub fn read(path: &Path) -> Result<Batches> {
    if !path.is_dir() {
        return read_archive(path);
    }
    if let Some(batches) = read_dir(path)? {
        return Ok(batches);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))? {
        let entry = entry.with_context(|| format!("cannot list {}", path.display()))?.path();
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let archive = [".tar.gz", ".tgz", ".tar"].iter().any(|end| name.ends_with(end));
        if name.starts_with("cifar-10-") && (archive || entry.is_dir()) {
            found.push(entry);
        }
    }
    found.sort();
    match found.as_slice() {
        [] => bail!(
            "{} holds neither CIFAR-10's batch files nor a cifar-10-*.tar.gz; download cifar-10-binary.tar.gz or \
             cifar-10-python.tar.gz",
            path.display()
        ),
        [dir] if dir.is_dir() => match read_dir(dir)? {
            Some(batches) => Ok(batches),
            None => bail!("{} holds none of CIFAR-10's batch files", dir.display()),
        },
        [archive] => read_archive(archive),
        several => {
            let names: Vec<_> = several.iter().map(|p| p.display().to_string()).collect();
            bail!("several versions of CIFAR-10 are there, name one of them: {}", names.join(", "))
        }
    }
}

/// The batch files in a directory, or `None` if there is not a single one.
fn read_dir(dir: &Path) -> Result<Option<Batches>> {
    let mut files = Collected::default();
    for version in [Version::Binary, Version::Python] {
        for i in 0..6 {
            let path = dir.join(name(version, i));
            if path.is_file() {
                let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
                files.add(version, i, file, &path)?;
                files.paths.push(path);
            }
        }
    }
    files.into_batches(dir)
}

fn read_archive(path: &Path) -> Result<Batches> {
    let cannot_read = || format!("cannot read {}: the archive is damaged or cut short, download it again", path.display());
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut file = BufReader::with_capacity(1 << 16, file);
    let start = file.fill_buf().with_context(cannot_read)?;
    let reader: Box<dyn Read> = match start.starts_with(&[0x1f, 0x8b]) {
        true => Box::new(MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    let mut archive = tar::Archive::new(reader);
    let mut files = Collected::default();
    for entry in archive.entries().with_context(cannot_read)? {
        let entry = entry.with_context(cannot_read)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let member = entry.path().with_context(cannot_read)?.into_owned();
        let file_name = member.file_name().unwrap_or_default().to_string_lossy();
        if let Some((version, i)) = recognise(&file_name) {
            files.add(version, i, entry, &path.join(&member)).with_context(cannot_read)?;
        }
    }
    // To the end of the compressed stream, so that its checksum is compared.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).with_context(cannot_read)?;
    files.paths.push(path.to_path_buf());
    match files.into_batches(path)? {
        Some(batches) => Ok(batches),
        None => bail!("{} is not an archive of CIFAR-10: none of its batch files is in it", path.display()),
    }
}

/// Batch files found so far.
#[derive(Default)]
struct Collected {
    paths: Vec<PathBuf>,
    version: Option<Version>,
    files: [Option<Vec<u8>>; 6],
}

impl Collected {
    fn add(&mut self, version: Version, i: usize, reader: impl Read, path: &Path) -> Result<()> {
        let path = path.display();
        ensure!(
            *self.version.get_or_insert(version) == version,
            "{path}: files of the binary and of the Python version are mixed; keep one of them"
        );
        ensure!(self.files[i].is_none(), "{path} is there twice");
        let mut bytes = Vec::new();
        reader.take(MAX_FILE + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {path}"))?;
        ensure!(bytes.len() as u64 <= MAX_FILE, "{path} has more than {MAX_FILE} bytes: not a batch of CIFAR-10");
        self.files[i] = Some(bytes);
        Ok(())
    }

    fn into_batches(self, place: &Path) -> Result<Option<Batches>> {
        let place = place.to_path_buf();
        let (files, paths) = (self.files, self.paths);
        Ok(self.version.map(|version| Batches { place, paths, version, files }))
    }
}
