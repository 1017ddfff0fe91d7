//! Many pictures, in a folder or a tar archive, in the order of their names.

use crate::interleave::split_channels;
use crate::output::Inputs;
use crate::picture::{decode_exact, decode_fitted, is_picture};
use crate::tar_index::{Member, TarIndex};
use anyhow::{Context, Result, bail, ensure};
use datasets::Split;
use datasets::build::Sink;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Folders within folders at most.
const MAX_DEPTH: usize = 64;

/// Where the pictures are.
pub enum Pictures {
    /// Files below a folder, ordered by their paths within it.
    Folder(Vec<PathBuf>),
    /// Members of an archive, ordered by name.
    Tar(TarIndex, Vec<Member>),
}

impl Pictures {
    /// Finds the pictures in a folder (and its subfolders) or an archive.
    ///
    /// # Errors
    /// If it cannot be read or there are none.
    pub fn open(path: &Path) -> Result<Self> {
        let pictures = if path.is_dir() {
            let mut found = Vec::new();
            list(path, &mut found, 0)?;
            found.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
            Pictures::Folder(found)
        } else {
            let archive = TarIndex::open(path)?;
            let members = archive.members().iter().filter(|member| is_picture(&member.name)).cloned().collect();
            Pictures::Tar(archive, members)
        };
        ensure!(pictures.len() > 0, "{} holds no pictures (.png, .jpg or .jpeg)", path.display());
        Ok(pictures)
    }

    /// Number of pictures; never 0.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        match self {
            Pictures::Folder(paths) => paths.len(),
            Pictures::Tar(_, members) => members.len(),
        }
    }

    /// Adds everything that decides the contents.
    ///
    /// # Errors
    /// If a file cannot be inspected.
    pub fn describe(&self, inputs: &mut Inputs) -> Result<()> {
        match self {
            Pictures::Folder(paths) => paths.iter().try_for_each(|path| inputs.add(path)),
            Pictures::Tar(archive, _) => inputs.add(archive.file().path()),
        }
    }

    fn read(&self, i: usize, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Pictures::Folder(paths) => {
                use std::io::Read;
                out.clear();
                let read = std::fs::File::open(&paths[i]).and_then(|mut file| file.read_to_end(out));
                read.map(drop).with_context(|| format!("cannot read {}", paths[i].display()))
            }
            Pictures::Tar(archive, members) => archive.read(&members[i], out),
        }
    }

    fn place(&self, i: usize) -> String {
        match self {
            Pictures::Folder(paths) => paths[i].display().to_string(),
            Pictures::Tar(archive, members) => {
                format!("{}, {} (byte {})", archive.file().path().display(), members[i].name, members[i].offset)
            }
        }
    }
}

fn list(dir: &Path, found: &mut Vec<PathBuf>, depth: usize) -> Result<()> {
    ensure!(depth < MAX_DEPTH, "{}: more than {MAX_DEPTH} folders within each other", dir.display());
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let entry = entry.with_context(|| format!("cannot list {}", dir.display()))?;
        let (path, kind) = (entry.path(), entry.file_type().with_context(|| format!("cannot list {}", dir.display()))?);
        if kind.is_dir() {
            list(&path, found, depth + 1)?;
        } else if is_picture(&entry.file_name().to_string_lossy()) {
            if !path.is_file() {
                bail!("{} is not an ordinary file; remove or replace it", path.display());
            }
            found.push(path);
        }
    }
    Ok(())
}

/// What is done to a picture of another size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is refused.
    Exact,
    /// It is cropped and resampled, see [`decode_fitted`].
    Resize,
}

/// Pictures that make up one split.
pub struct PicturesSplit<P = Pictures> {
    /// All pictures.
    pub pictures: P,
    /// The split.
    pub split: Split,
    /// Side of the images.
    pub size: usize,
    /// How they get it.
    pub fit: Fit,
    /// Which pictures are in the split; `None`: all.
    pub numbers: Option<Vec<usize>>,
}

impl<P: std::borrow::Borrow<Pictures>> PicturesSplit<P> {
    /// Pictures in the split.
    pub fn available(&self) -> usize {
        self.numbers.as_ref().map_or_else(|| self.pictures.borrow().len(), Vec::len)
    }

    /// Decodes pictures and hands them on.
    ///
    /// # Errors
    /// With the name of the picture at fault.
    pub fn read(&self, range: Range<usize>, sink: &mut Sink<'_>) -> Result<()> {
        let pictures = self.pictures.borrow();
        let mut file = Vec::new();
        let mut image = vec![0; 3 * self.size * self.size];
        for i in range {
            let number = self.numbers.as_ref().map_or(i, |numbers| numbers[i]);
            pictures.read(number, &mut file)?;
            let pixels = match self.fit {
                Fit::Exact => decode_exact(&file, self.size),
                Fit::Resize => decode_fitted(&file, self.size),
            };
            split_channels(&pixels.with_context(|| pictures.place(number))?, &mut image);
            sink.push(&image, None, &[])?;
        }
        Ok(())
    }
}
