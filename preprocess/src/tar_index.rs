//! Tar archives that are read in place: where each member is, found in one pass over the headers.

use crate::large_file::LargeFile;
use anyhow::{Context, Result, bail, ensure};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path};

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
        let mut start = [0; 6];
        let n = file.file().read_at(&mut start, 0).with_context(place)?;
        for (magic, program) in
            [(&[0x1f, 0x8b][..], "gunzip"), (b"BZh", "bunzip2"), (b"\xfd7zXZ", "unxz"), (&[0x28, 0xb5, 0x2f, 0xfd], "unzstd")]
        {
            let zipped = start[..n].starts_with(magic);
            ensure!(!zipped, "{} is compressed, so it cannot be read in place; unpack it with {program} first", place());
        }
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

/// The members of the archive in `reader`, which has `len` bytes, ordered by name.
///
/// # Errors
/// See [`TarIndex::open`].
pub fn index(reader: impl Read + Seek, len: u64) -> Result<Vec<Member>> {
    const AGAIN: &str = "the archive is damaged or cut short; download it again";
    let mut archive = tar::Archive::new(reader);
    let mut members = Vec::new();
    let mut end = 0;
    for entry in archive.entries_with_seek().context(AGAIN)? {
        let entry = entry.with_context(|| format!("after byte {end}: {AGAIN}"))?;
        let offset = entry.raw_file_position();
        let path = String::from_utf8(entry.path_bytes().into_owned());
        let name = path.map_err(|e| anyhow::anyhow!("the name of the member at byte {offset} is not UTF-8: {e}"))?;
        let kind = entry.header().entry_type();
        let size = entry.size();
        end = offset.checked_add(size.next_multiple_of(512)).filter(|_| size < 1 << 62).unwrap_or(u64::MAX);
        ensure!(
            end <= len || kind.is_dir(),
            "member {name}: {size} bytes at byte {offset} are announced, the archive has {len} bytes: {AGAIN}"
        );
        if kind.is_dir() {
            end = offset;
            continue;
        }
        if Path::new(&name).components().any(|c| !matches!(c, Component::Normal(_) | Component::CurDir)) {
            bail!("member {name} at byte {offset}: its path leaves the folder; this is not a published archive");
        }
        if !kind.is_file() && !kind.is_contiguous() {
            bail!(
                "member {name} at byte {offset} is not an ordinary file (type {:?}); pack the archive without links",
                char::from(kind.as_byte())
            );
        }
        members.push(Member { name, offset, len: size });
    }
    check_end(archive.into_inner(), end, len)?;
    members.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = members.windows(2).find(|pair| pair[0].name == pair[1].name) {
        bail!("member {} is there twice, at bytes {} and {}", pair[0].name, pair[0].offset, pair[1].offset);
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
