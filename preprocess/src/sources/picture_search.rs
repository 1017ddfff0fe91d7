//! Finds the pictures below a folder.

use crate::formats::picture::kind::{Kind, Named, named};
use crate::messages::text::shown;
use crate::sources::left_out::{LeftOut, Reason};
use anyhow::{Context, Result, ensure};
use datasets::{Manifest, Split};
use indicatif::ProgressBar;
use std::collections::{HashSet, VecDeque};
use std::fs::{DirEntry, File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Folders within folders at most.
const MAX_DEPTH: usize = 64;
/// As many bytes as tell the formats apart.
pub const START: usize = 32;

/// The reason to leave out a file or folder of this name, if there is one.
pub fn left_out_by_name(name: &str) -> Option<Reason> {
    const HIDDEN: [&str; 10] = [
        "__macosx",
        "@eadir",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
    ];
    let small = name.to_ascii_lowercase();
    // Macs leave files such as ._a.png beside a.png; notebooks, version control and desktops keep copies in folders.
    (name.starts_with('.') || HIDDEN.contains(&small.as_str())).then_some(Reason::Hidden)
}

/// Whether a folder of this name holds thumbnails of other pictures.
pub fn is_thumbnail_folder(name: &str) -> bool {
    const NAMES: [&str; 8] =
        ["thumbnails", "thumbnail", "thumbs", "thumb", "_thumbs", "_thumbnails", "thumbnail_cache", "__thumbnails__"];
    NAMES.contains(&name.to_ascii_lowercase().as_str())
}

/// Whether a file is the contact sheet that `preprocess inspect --sheet` draws beside the shards in a folder: where pictures lie
/// beside the data set that was made of them, it is none of them.
fn is_sheet(dir: &Path, name: &str) -> bool {
    Split::POSSIBLE.into_iter().any(|split| name == format!("{split}.png") && Manifest::read(dir, split).is_ok())
}

/// A picture, by its name or its first bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its path, beginning with that of the folder that was searched.
    pub path: PathBuf,
    /// The length of the file.
    pub len: u64,
}

/// All pictures below `root`, ordered by their paths, and what was left out. Links are followed; a picture that is reached by its
/// own path and by a link is found by its own path.
///
/// # Errors
/// If a folder cannot be listed or a file cannot be inspected.
pub fn search(root: &Path, bar: &ProgressBar) -> Result<(Vec<Found>, LeftOut)> {
    let mut search = Search {
        root,
        bar,
        found: Vec::new(),
        left_out: LeftOut::default(),
        files: HashSet::new(),
        folders: HashSet::new(),
        links: VecDeque::new(),
    };
    // A link to a folder around this one leads in a circle.
    let around = root.canonicalize().with_context(|| format!("cannot inspect {}", root.display()))?;
    for folder in around.ancestors().skip(1) {
        let metadata = inspect(folder)?;
        search.folders.insert((metadata.dev(), metadata.ino()));
    }
    search.folder(root, 0)?;
    while let Some((link, depth)) = search.links.pop_front() {
        search.link(&link, depth)?;
    }
    search.found.sort_by(|a, b| a.path.as_os_str().as_encoded_bytes().cmp(b.path.as_os_str().as_encoded_bytes()));
    Ok((search.found, search.left_out))
}

/// A file or folder of the machine.
type Id = (u64, u64);

struct Search<'a> {
    root: &'a Path,
    bar: &'a ProgressBar,
    found: Vec<Found>,
    left_out: LeftOut,
    files: HashSet<Id>,
    folders: HashSet<Id>,
    /// Links that are still to be followed, with the number of folders around them.
    links: VecDeque<(PathBuf, usize)>,
}

impl Search<'_> {
    fn leave_out(&mut self, reason: Reason, path: &Path) {
        self.left_out.add(reason, &path.strip_prefix(self.root).unwrap_or(path).to_string_lossy());
    }

    fn folder(&mut self, dir: &Path, depth: usize) -> Result<()> {
        ensure!(
            depth < MAX_DEPTH,
            "{}: more than {MAX_DEPTH} folders are within each other; give a folder further down, or move the pictures up",
            shown(&dir.to_string_lossy())
        );
        let metadata = inspect(dir)?;
        if !self.folders.insert((metadata.dev(), metadata.ino())) {
            self.leave_out(Reason::Again, dir);
            return Ok(());
        }
        for entry in list(dir)? {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let kind = entry.file_type().with_context(|| format!("cannot inspect {}", path.display()))?;
            if let Some(reason) = left_out_by_name(&name) {
                self.without(reason, &path, kind.is_dir())?;
            } else if kind.is_symlink() {
                self.links.push_back((path, depth));
            } else if kind.is_dir() && is_thumbnail_folder(&name) {
                self.without(Reason::Thumbnail, &path, true)?;
            } else if kind.is_dir() {
                self.folder(&path, depth + 1)?;
            } else if is_sheet(dir, &name) {
                self.leave_out(Reason::Sheet, &path);
            } else {
                self.file(path, &name)?;
            }
        }
        Ok(())
    }

    fn link(&mut self, path: &Path, depth: usize) -> Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() && is_thumbnail_folder(&name) => self.leave_out(Reason::Thumbnail, path),
            Ok(metadata) if metadata.is_dir() => self.folder(path, depth + 1)?,
            Ok(_) => self.file(path.into(), &name)?,
            // Links in a circle have no kind of their own.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound || e.raw_os_error() == Some(ELOOP) => {
                self.leave_out(Reason::DeadLink, path);
            }
            Err(e) => return Err(e).with_context(|| format!("cannot inspect {}", path.display())),
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf, name: &str) -> Result<()> {
        let kind = named(name);
        match kind {
            Named::OtherPicture => self.leave_out(Reason::OtherPicture, &path),
            Named::Other => self.leave_out(Reason::Other, &path),
            Named::Picture | Named::NoEnding => {
                let metadata = inspect(&path)?;
                if !metadata.is_file() {
                    self.leave_out(Reason::Special, &path);
                } else if kind == Named::NoEnding && !begins_as_picture(&path)? {
                    self.leave_out(Reason::Other, &path);
                } else if !self.files.insert((metadata.dev(), metadata.ino())) {
                    self.leave_out(Reason::Again, &path);
                } else {
                    self.bar.inc(1);
                    self.found.push(Found { path, len: metadata.len() });
                }
            }
        }
        Ok(())
    }

    /// Leaves out a file or a folder, in which the pictures are counted.
    fn without(&mut self, reason: Reason, path: &Path, is_dir: bool) -> Result<()> {
        self.leave_out(reason, path);
        if is_dir {
            let pictures = count(path, 0);
            self.left_out.add_within(reason, pictures);
        }
        Ok(())
    }
}

/// "Too many levels of symbolic links".
const ELOOP: i32 = 40;

fn inspect(path: &Path) -> Result<Metadata> {
    std::fs::metadata(path).with_context(|| format!("cannot inspect {}", path.display()))
}

fn list(dir: &Path) -> Result<Vec<DirEntry>> {
    let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = entries.with_context(|| format!("cannot list {}", dir.display()))?;
    entries.sort_by_key(DirEntry::file_name);
    Ok(entries)
}

/// Pictures by their names in a folder that is not searched, as far as it can be listed.
fn count(dir: &Path, depth: usize) -> usize {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let count = |entry: DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() && depth < MAX_DEPTH => count(&entry.path(), depth + 1),
        Ok(kind) if kind.is_file() => usize::from(named(&entry.file_name().to_string_lossy()) == Named::Picture),
        _ => 0,
    };
    entries.flatten().map(count).sum()
}

fn begins_as_picture(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(START as u64).read_to_end(&mut start));
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Kind::of(&start).is_some())
}
