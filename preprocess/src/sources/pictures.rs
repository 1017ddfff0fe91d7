//! Many pictures, in a folder or an archive, in the order of their names.

use crate::conversion::output::Inputs;
use crate::formats::large_file::LargeFile;
use crate::formats::picture::kind::{Kind, Named, ending, kind, named};
use crate::formats::picture::{MAX_FILE, decode_exact};
use crate::formats::tar_index::TarIndex;
use crate::formats::zip_file;
use crate::messages::text::shown;
use crate::sources::interleave::split_channels;
use crate::sources::left_out::{LeftOut, Reason};
use crate::sources::picture_search::{START, is_thumbnail_folder, left_out_by_name, search};
use anyhow::{Context, Result, bail, ensure};
use datasets::Split;
use datasets::shards::build::Sink;
use indicatif::ProgressBar;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

/// Where the pictures are.
enum Store {
    /// In files, which `paths` names.
    Folder,
    Tar(TarIndex),
    Zip(zip_file::Listing),
}

/// One picture.
struct Entry {
    /// Its path, of an archive within that.
    path: PathBuf,
    /// Its number in the archive.
    member: usize,
    len: u64,
}

/// Pictures that have been found, but not looked at.
pub struct Pictures {
    source: PathBuf,
    store: Store,
    entries: Vec<Entry>,
    left_out: LeftOut,
    /// Folders around all pictures of an archive.
    wrapped: usize,
}

impl Pictures {
    /// Finds the pictures in a folder (and its subfolders) or an archive, tar or zip.
    ///
    /// # Errors
    /// If it cannot be read or there are none.
    pub fn open(path: &Path) -> Result<Self> {
        Pictures::search(path, &ProgressBar::hidden())
    }

    /// The same, counted by `bar`.
    ///
    /// # Errors
    /// If it cannot be read or there are none.
    pub fn search(path: &Path, bar: &ProgressBar) -> Result<Self> {
        let mut pictures = if path.is_dir() {
            let (found, left_out) = search(path, bar)?;
            let entries = found.into_iter().map(|found| Entry { path: found.path, member: 0, len: found.len }).collect();
            Pictures { source: path.into(), store: Store::Folder, entries, left_out, wrapped: 0 }
        } else {
            Pictures::archive(path, bar)?
        };
        pictures.check_some()?;
        pictures.wrapped = pictures.folders_around_all();
        Ok(pictures)
    }

    fn archive(path: &Path, bar: &ProgressBar) -> Result<Self> {
        let store = open_archive(path)?;
        let members: Vec<(String, u64)> = match &store {
            Store::Folder => Vec::new(),
            Store::Tar(tar) => tar.members().iter().map(|member| (member.name.clone(), member.len)).collect(),
            Store::Zip(zip) => {
                if let Some(file) = zip.files().iter().find(|file| file.leads_elsewhere) {
                    let name = shown(&file.name);
                    bail!("{}: member {name} is a link or leaves the folder; unpack the archive yourself", path.display());
                }
                zip.files().iter().map(|file| (file.name.clone(), file.len)).collect()
            }
        };
        let mut pictures = Pictures { source: path.into(), store, entries: Vec::new(), left_out: LeftOut::default(), wrapped: 0 };
        for (member, (name, len)) in members.into_iter().enumerate() {
            let (folders, last) = name.rsplit_once('/').unwrap_or(("", &name));
            let mut folders = folders.split('/').filter(|part| *part != ".");
            let by_name = folders.clone().chain([last]).find_map(left_out_by_name);
            let reason = by_name.or_else(|| folders.any(is_thumbnail_folder).then_some(Reason::Thumbnail));
            let reason = match (reason, named(last)) {
                (Some(reason), _) => Some(reason),
                (None, Named::Picture) => None,
                (None, Named::OtherPicture) => Some(Reason::OtherPicture),
                (None, Named::NoEnding) if pictures.begins_as_picture(member)? => None,
                (None, _) => Some(Reason::Other),
            };
            match reason {
                Some(reason) => pictures.left_out.add(reason, &name),
                None => {
                    if let Store::Zip(zip) = &pictures.store {
                        zip.contents(&zip.files()[member])?;
                    }
                    pictures.entries.push(Entry { path: name.into(), member, len });
                }
            }
            bar.inc(1);
        }
        Ok(pictures)
    }

    fn begins_as_picture(&self, member: usize) -> Result<bool> {
        let mut start = Vec::new();
        match &self.store {
            Store::Folder => {}
            Store::Tar(tar) => {
                let member = &tar.members()[member];
                start.resize(START.min(member.len as usize), 0);
                tar.file().read(member.offset, &mut start)?;
            }
            Store::Zip(zip) => {
                let contents = zip.contents(&zip.files()[member])?;
                let read = contents.open()?.take(START as u64).read_to_end(&mut start);
                read.with_context(|| format!("cannot unpack {}", contents.place()))?;
            }
        }
        Ok(Kind::of(&start).is_some())
    }

    /// Archives are often packed with the folder around the pictures.
    fn folders_around_all(&self) -> usize {
        if matches!(self.store, Store::Folder) {
            return 0;
        }
        let folders = |entry: &Entry| -> Vec<std::ffi::OsString> {
            let names = entry.path.parent().into_iter().flat_map(Path::components).filter(|part| *part != Component::CurDir);
            names.map(|part| part.as_os_str().to_owned()).collect()
        };
        let mut common = self.entries.first().map(folders).unwrap_or_default();
        for entry in &self.entries {
            let same = common.iter().zip(folders(entry)).take_while(|(a, b)| **a == *b).count();
            common.truncate(same);
        }
        common.len().min(1)
    }

    /// Number of pictures; never 0 unless some were left out later.
    #[expect(clippy::len_without_is_empty, reason = "empty only if the caller made it so")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Checks that there are any.
    ///
    /// # Errors
    /// If there are none; the message says what was left out.
    pub fn check_some(&self) -> Result<()> {
        let left_out = self.left_out.lines();
        let left_out = if left_out.is_empty() { "it is empty".into() } else { left_out.join("; ") };
        ensure!(
            !self.entries.is_empty(),
            "{} holds no pictures to take (PNG, JPEG, WebP, BMP, GIF or TIFF files): {left_out}",
            self.source.display()
        );
        Ok(())
    }

    /// The files found beside them.
    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// Leaves out more of them: those for which `reason` has one.
    pub fn leave_out(&mut self, reason: impl Fn(&Self, usize) -> Option<Reason>) {
        let reasons: Vec<_> = (0..self.len()).map(|i| reason(self, i)).collect();
        for (i, reason) in reasons.iter().enumerate() {
            if let Some(reason) = reason {
                let name = self.within(i).to_string_lossy().into_owned();
                self.left_out.add(*reason, &name);
            }
        }
        let mut reasons = reasons.into_iter();
        self.entries.retain(|_| reasons.next().flatten().is_none());
    }

    /// The length of a picture's file.
    pub fn file_len(&self, i: usize) -> u64 {
        self.entries[i].len
    }

    /// A picture's path within the folder or the archive, or within the one folder that an archive consists of.
    pub fn within(&self, i: usize) -> &Path {
        let path = self.entries[i].path.as_path();
        match self.store {
            Store::Folder => path.strip_prefix(&self.source).unwrap_or(path),
            _ => {
                let mut parts = path.components();
                if path.starts_with(".") {
                    parts.next();
                }
                for _ in 0..self.wrapped {
                    parts.next();
                }
                parts.as_path()
            }
        }
    }

    /// Adds everything that decides the contents.
    ///
    /// # Errors
    /// If a file cannot be inspected.
    pub fn describe(&self, inputs: &mut Inputs) -> Result<()> {
        match self.store {
            Store::Folder => self.entries.iter().try_for_each(|entry| inputs.add(&entry.path)),
            _ => inputs.add(&self.source),
        }
    }

    /// The bytes of a picture's file.
    ///
    /// # Errors
    /// If they cannot be read, or are more than [`MAX_FILE`].
    pub fn read(&self, i: usize, out: &mut Vec<u8>) -> Result<()> {
        let Entry { path, member, len } = &self.entries[i];
        ensure!(*len <= MAX_FILE, "{}: {len} bytes are too many for a picture, at most {MAX_FILE} are read", self.place(i));
        match &self.store {
            Store::Folder => {
                out.clear();
                // A file may grow meanwhile.
                let read = File::open(path).and_then(|file| file.take(MAX_FILE).read_to_end(out));
                read.map(drop).with_context(|| format!("cannot read {}", self.place(i)))
            }
            Store::Tar(tar) => tar.read(&tar.members()[*member], out),
            Store::Zip(zip) => {
                out.clear();
                let contents = zip.contents(&zip.files()[*member])?;
                let read = contents.open()?.read_to_end(out);
                read.map(drop).with_context(|| format!("cannot unpack {}", contents.place()))
            }
        }
    }

    /// Where a picture is, in a message.
    pub fn place(&self, i: usize) -> String {
        let Entry { path, member, .. } = &self.entries[i];
        let name = shown(&path.to_string_lossy());
        match &self.store {
            Store::Folder => name,
            Store::Tar(tar) => format!("{}, {name} (byte {})", self.source.display(), tar.members()[*member].offset),
            Store::Zip(_) => format!("{}, {name}", self.source.display()),
        }
    }
}

fn open_archive(path: &Path) -> Result<Store> {
    let mut start = [0; 512];
    let n = LargeFile::open(path)?.file().read_at(&mut start, 0).with_context(|| format!("cannot read {}", path.display()))?;
    let start = &start[..n];
    if let Some(kind) = Kind::of(start) {
        bail!("{} is one {kind} picture; give the folder that holds your pictures, or an archive of them", path.display());
    }
    // Archives that unpack themselves begin with a program.
    if zip_file::is_zip(start) || ending(&path.to_string_lossy()).as_deref() == Some("zip") {
        return Ok(Store::Zip(zip_file::Listing::open(path)?));
    }
    match start {
        [b'R', b'a', b'r', b'!', ..] => bail!("{} is a RAR archive, which is not read; unpack it first", path.display()),
        [b'7', b'z', 0xbc, 0xaf, ..] => bail!("{} is a 7z archive, which is not read; unpack it first", path.display()),
        _ => {}
    }
    let is_tar = start.get(257..262) == Some(b"ustar")
        || [b"\x1f\x8b".as_slice(), b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"].iter().any(|magic| start.starts_with(magic));
    if !is_tar && let Named::Picture | Named::OtherPicture = named(&path.to_string_lossy()) {
        kind(start).with_context(|| format!("{} is neither a folder nor an archive", path.display()))?;
    }
    Ok(Store::Tar(TarIndex::open(path)?))
}

/// Pictures of the right size that make up one split.
pub struct PicturesSplit {
    /// All of them.
    pub pictures: Pictures,
    /// The split.
    pub split: Split,
    /// Side of the images.
    pub size: usize,
}

impl PicturesSplit {
    /// Pictures in the split.
    pub fn available(&self) -> usize {
        self.pictures.len()
    }

    /// Decodes pictures and hands them on.
    ///
    /// # Errors
    /// With the name of the picture at fault.
    pub fn read(&self, range: Range<usize>, sink: &mut Sink<'_>) -> Result<()> {
        let mut file = Vec::new();
        let mut image = vec![0; 3 * self.size * self.size];
        for i in range {
            self.pictures.read(i, &mut file)?;
            let pixels = decode_exact(&file, self.size).with_context(|| self.pictures.place(i))?;
            split_channels(&pixels, &mut image);
            sink.push(&image, None, &[])?;
        }
        Ok(())
    }
}
