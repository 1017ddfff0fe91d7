//! Tar archives that are read in place: where each member is, found in one pass over the headers.

use crate::formats::large_file::LargeFile;
use crate::formats::zip_file::is_zip;
use anyhow::{Context, Result, bail, ensure};
use std::cell::Cell;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path};
use std::rc::Rc;

/// Bytes of one member's headers at most: its name, and what else is said of it.
pub const HEADER_BUDGET: u64 = 1 << 20;

/// Bytes of a member's name at most.
const MAX_NAME: usize = 1 << 12;

/// An ordinary file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its path in the archive, with `/` between parts.
    pub name: String,
    /// Where its contents begin in the archive.
    pub offset: u64,
    /// Their length.
    pub len: u64,
}

/// An archive whose members have been found.
#[derive(Debug)]
pub struct TarIndex {
    file: LargeFile,
    members: Vec<Member>,
}

impl TarIndex {
    /// Finds the members of an archive.
    ///
    /// # Errors
    /// If it is compressed, no archive, damaged in a header, cut short anywhere, has members whose paths leave the
    /// folder, or one name twice.
    pub fn open(path: &Path) -> Result<Self> {
        let file = LargeFile::open(path)?;
        let place = || path.display().to_string();
        let mut start = [0; 8];
        let n = file.file().read_at(&mut start, 0).with_context(place)?;
        refuse_other_formats(&start[..n], path)?;
        let members = index(BufReader::with_capacity(1 << 12, file.file()), file.len()).with_context(place)?;
        Ok(TarIndex { file, members })
    }

    /// The archive.
    pub fn file(&self) -> &LargeFile {
        &self.file
    }

    /// The members, ordered by name.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The contents of a member.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn read(&self, member: &Member, out: &mut Vec<u8>) -> Result<()> {
        out.resize(usize::try_from(member.len).context("a member too large for this machine")?, 0);
        let place = || format!("cannot read {}, {} (byte {})", self.file.path().display(), member.name, member.offset);
        self.file.file().read_exact_at(out, member.offset).with_context(place)
    }
}

/// Names the format of a file that is no tar archive.
///
/// # Errors
/// If `start`, its first bytes, are those of a compressed file, another kind of archive or a picture.
pub fn refuse_other_formats(start: &[u8], path: &Path) -> Result<()> {
    let path = path.display();
    for (magic, program) in
        [(&[0x1f, 0x8b][..], "gunzip"), (b"BZh", "bunzip2"), (b"\xfd7zXZ", "unxz"), (&[0x28, 0xb5, 0x2f, 0xfd], "unzstd")]
    {
        ensure!(!start.starts_with(magic), "{path} is compressed, so it cannot be read in place; unpack it with {program} first");
    }
    ensure!(!is_zip(start), "{path} is a zip archive, expected a tar archive; unpack it with unzip, and give the folder");
    for (magic, format) in [
        (&b"7z\xbc\xaf\x27\x1c"[..], "a 7-Zip archive"),
        (b"Rar!", "a RAR archive"),
        (b"\x89PNG", "a PNG picture"),
        (b"\xff\xd8\xff", "a JPEG picture"),
        (b"GIF8", "a GIF picture"),
        (b"\x93NUMPY", "a .npy file"),
        (b"\x89HDF", "an HDF5 file"),
    ] {
        ensure!(!start.starts_with(magic), "{path} is {format}, expected a tar archive");
    }
    Ok(())
}

/// A reader that gives no more bytes than it is allowed to: a member of a tar archive can announce a name of gigabytes.
pub struct Budget<R> {
    reader: R,
    left: Rc<Cell<u64>>,
}

impl<R> Budget<R> {
    /// A reader, and the number of bytes it may still give, which is to be set anew for each member.
    pub fn new(reader: R) -> (Self, Rc<Cell<u64>>) {
        let left = Rc::new(Cell::new(HEADER_BUDGET));
        (Budget { reader, left: Rc::clone(&left) }, left)
    }
}

impl<R: Read> Read for Budget<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = usize::try_from(self.left.get()).map_or(out.len(), |left| left.min(out.len()));
        if len == 0 && !out.is_empty() {
            return Err(io::Error::other("a member has longer headers, or contents, than any published one: more is not read"));
        }
        let n = self.reader.read(&mut out[..len])?;
        self.left.set(self.left.get() - n as u64);
        Ok(n)
    }
}

impl<R: Seek> Seek for Budget<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.reader.seek(to)
    }
}

/// The members of the archive in `reader`, which has `len` bytes, ordered by name.
///
/// # Errors
/// See [`TarIndex::open`].
pub fn index(reader: impl Read + Seek, len: u64) -> Result<Vec<Member>> {
    const AGAIN: &str = "the archive is damaged or cut short; download it again";
    let (reader, budget) = Budget::new(reader);
    let mut archive = tar::Archive::new(reader);
    let mut members = Vec::new();
    let mut end = 0;
    let mut entries = archive.entries_with_seek().context(AGAIN)?;
    loop {
        budget.set(HEADER_BUDGET);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.with_context(|| format!("after byte {end}: {AGAIN}"))?;
        let offset = entry.raw_file_position();
        let path = String::from_utf8(entry.path_bytes().into_owned());
        let name = path.map_err(|e| anyhow::anyhow!("the name of the member at byte {offset} is not UTF-8: {e}"))?;
        ensure!(
            name.len() <= MAX_NAME,
            "the member at byte {offset} has a name of {} bytes, expected at most {MAX_NAME}",
            name.len()
        );
        let shown = name.escape_debug().to_string();
        let kind = entry.header().entry_type();
        let size = entry.size();
        end = offset.checked_add(size.next_multiple_of(512)).filter(|_| size < 1 << 62).unwrap_or(u64::MAX);
        ensure!(
            end <= len || kind.is_dir(),
            "member {shown}: {size} bytes at byte {offset} are announced, the archive has {len} bytes: {AGAIN}"
        );
        if kind.is_dir() {
            end = offset;
            continue;
        }
        // What is said of all members, such as the revision that `git archive` packed.
        if kind.is_pax_global_extensions() {
            continue;
        }
        if Path::new(&name).components().any(|c| !matches!(c, Component::Normal(_) | Component::CurDir)) {
            bail!("member {shown} at byte {offset}: its path leaves the folder; this is not a published archive");
        }
        if !kind.is_file() && !kind.is_contiguous() {
            bail!(
                "member {shown} at byte {offset} is not an ordinary file (type {:?}); pack the archive without links",
                char::from(kind.as_byte())
            );
        }
        let sparse = entry
            .pax_extensions()
            .ok()
            .flatten()
            .is_some_and(|all| all.flatten().any(|extension| extension.key_bytes().starts_with(b"GNU.sparse")));
        ensure!(!sparse, "member {shown} at byte {offset} is stored with its holes left out; pack the archive without --sparse");
        members.push(Member { name, offset, len: size });
    }
    budget.set(u64::MAX);
    check_end(archive.into_inner(), end, len)?;
    members.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = members.windows(2).find(|pair| pair[0].name == pair[1].name) {
        bail!("member {} is there twice, at bytes {} and {}", pair[0].name.escape_debug(), pair[0].offset, pair[1].offset);
    }
    Ok(members)
}

/// After the last member, two blocks of zeros end an archive: an archive that was cut between members lacks them.
fn check_end(mut reader: impl Read + Seek, end: u64, len: u64) -> Result<()> {
    let mut mark = Vec::new();
    let read = reader.seek(SeekFrom::Start(end)).and_then(|_| reader.by_ref().take(1024).read_to_end(&mut mark));
    read.with_context(|| format!("cannot read the end of the archive at byte {end}"))?;
    ensure!(
        mark.len() == 1024 && mark.iter().all(|&b| b == 0),
        "expected the end mark of the archive (1024 zeros) at byte {end} of {len}: it is no tar archive, or was cut short; download it again"
    );
    Ok(())
}
