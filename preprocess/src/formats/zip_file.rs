//! Zip archives, on disk or within another archive: where their members are, and their contents.

use crate::formats::large_file::LargeFile;
use crate::formats::packed::{self, Checked, Packed, Stream, buffered};
use crate::messages::text::shown;
use anyhow::{Context, Result, bail, ensure};
use flate2::bufread::DeflateDecoder;
use std::collections::HashSet;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use zip::{CompressionMethod, ZipArchive};

/// Files in an archive at most.
const MAX_MEMBERS: usize = 100_000;

/// Uncompressed and deflated, as numbers in the files.
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// A file in an archive.
pub struct Member {
    /// Its path in the archive.
    pub name: String,
    /// Its contents.
    pub contents: Packed,
}

/// Whether these are the first bytes of a zip archive.
pub fn is_zip(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06")
}

/// A file that an archive on disk lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its path in the archive, with `/` between parts.
    pub name: String,
    /// Its length when it is unpacked, as the archive says.
    pub len: u64,
    /// Whether it is a link, or its path leaves the folder.
    pub leads_elsewhere: bool,
    is_encrypted: bool,
    method: CompressionMethod,
    /// Where it is stored, and in how many bytes; `None` if that is unknown.
    start: Option<u64>,
    stored: u64,
    crc: u32,
}

/// An archive on disk whose files are unpacked one by one, by several threads at once.
pub struct Listing {
    file: Arc<LargeFile>,
    files: Vec<Listed>,
}

impl Listing {
    /// Finds the files of an archive.
    ///
    /// # Errors
    /// If it is no archive, damaged, cut short, or holds several files of one name.
    pub fn open(path: &Path) -> Result<Self> {
        let file = Arc::new(LargeFile::open(path)?);
        let place = || format!("{}: the zip archive is damaged or cut short; download it again", path.display());
        let mut archive = ZipArchive::new(file.file()).with_context(place)?;
        // Of which only the last would be listed.
        ensure!(
            !archive.has_duplicate_names(),
            "{}: several members of the zip archive have one name, so it is not known which is meant; pack it anew",
            path.display()
        );
        let mut files = Vec::new();
        for i in 0..archive.len() {
            let member = archive.by_index_raw(i).with_context(place)?;
            if member.is_dir() {
                continue;
            }
            files.push(Listed {
                name: member.name().with_context(place)?.into_owned(),
                len: member.size(),
                leads_elsewhere: member.enclosed_name().is_none() || member.is_symlink(),
                is_encrypted: member.encrypted(),
                method: member.compression(),
                start: member.data_start(),
                stored: member.compressed_size(),
                crc: member.crc32(),
            });
        }
        // Some programs of Windows write `\\` between the parts of paths.
        if files.iter().all(|file| !file.name.contains('/')) {
            files.iter_mut().for_each(|file| file.name = file.name.replace('\\', "/"));
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Listing { file, files })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The files, ordered by name.
    pub fn files(&self) -> &[Listed] {
        &self.files
    }

    /// The contents of a file, which are checked as they are read: their length and their checksum.
    ///
    /// # Errors
    /// If it is encrypted, or compressed in a way that is not known.
    pub fn contents(&self, file: &Listed) -> Result<Packed> {
        let place = format!("{}, {}", self.path().display(), shown(&file.name));
        ensure!(!file.is_encrypted, "{place} is encrypted; unpack the archive with its password first");
        let method = match file.method {
            CompressionMethod::STORE => STORED,
            CompressionMethod::DEFLATE => DEFLATED,
            other => bail!("{place} is compressed in an uncommon way ({other:?}); unpack the archive first"),
        };
        let start = file.start.with_context(|| format!("{place}: its position is unknown"))?;
        let raw = Packed::section(place.clone(), &self.file, start, file.stored);
        Ok(unpacked(place, raw, 0, file.stored, method, file.len, file.crc))
    }
}

/// The files in an archive on disk.
///
/// # Errors
/// If it is damaged, or a file in it is encrypted or compressed in a way that is not known.
pub fn members(path: &Path) -> Result<Vec<Member>> {
    let listing = Listing::open(path)?;
    let n = listing.files.len();
    ensure!(n <= MAX_MEMBERS, "{} has {n} members, expected at most {MAX_MEMBERS}", path.display());
    let member = |file: &Listed| Ok(Member { name: file.name.clone(), contents: listing.contents(file)? });
    listing.files.iter().map(member).collect()
}

/// What is stored in `len` bytes of `raw` from `start` on.
fn unpacked(place: String, raw: Packed, start: u64, len: u64, method: u16, size: u64, crc: u32) -> Packed {
    Packed::new(place, move || {
        let stored = raw.open_at(start)?.take(len);
        Ok(match method {
            STORED => buffered(Checked::new(stored, size, crc)),
            _ => buffered(Checked::new(DeflateDecoder::new(stored), size, crc)),
        })
    })
}

/// The files in an archive that is itself packed, found by reading it once from its beginning to its end.
///
/// # Errors
/// If it is damaged, or can only be read from its end.
pub fn members_of_packed(archive: &Packed) -> Result<Vec<Member>> {
    let mut stream = archive.open()?;
    let mut members: Vec<Member> = Vec::new();
    let mut names = HashSet::new();
    let mut at = 0;
    let fault = |at: u64| format!("{}: the zip archive is damaged or cut short at byte {at}", archive.place());
    while let Some(header) = Header::read(&mut stream).with_context(|| fault(at))? {
        let place = format!("{}, {}", archive.place(), header.name);
        ensure!(members.len() < MAX_MEMBERS, "{} has more than {MAX_MEMBERS} members", archive.place());
        ensure!(names.insert(header.name.clone()), "{place} is there twice, so it is not known which is meant; pack it anew");
        ensure!(header.flags & 1 == 0, "{place} is encrypted; unpack the archive with its password first");
        ensure!(
            header.flags & 8 == 0 && matches!(header.method, STORED | DEFLATED),
            "{place} is packed in a way that can only be read from the archive's end; unpack the outer archive first"
        );
        let start = at + header.len;
        packed::skip(&mut stream, header.compressed).with_context(|| fault(start))?;
        at = start + header.compressed;
        let Header { method, compressed, size, crc, name, .. } = header;
        members.push(Member { name, contents: unpacked(place, archive.clone(), start, compressed, method, size, crc) });
    }
    ensure!(!members.is_empty(), "{} is not a zip archive", archive.place());
    // To the end, so that the checksum of the archive is compared.
    io::copy(&mut stream, &mut io::sink()).with_context(|| fault(at))?;
    Ok(members)
}

/// What precedes a member.
struct Header {
    flags: u16,
    method: u16,
    crc: u32,
    compressed: u64,
    size: u64,
    name: String,
    /// Its own length.
    len: u64,
}

impl Header {
    /// The next header; `None` where the directory begins, which follows the last member.
    fn read(stream: &mut Stream) -> Result<Option<Self>> {
        let mut fixed = [0; 30];
        stream.read_exact(&mut fixed[..4])?;
        match &fixed[..4] {
            b"PK\x03\x04" => stream.read_exact(&mut fixed[4..])?,
            b"PK\x01\x02" | b"PK\x05\x06" | b"PK\x06\x06" => return Ok(None),
            other => bail!("a member or the directory was expected, not the bytes {other:02x?}"),
        }
        let u16_at = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
        let u32_at = |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let mut name = vec![0; usize::from(u16_at(26))];
        stream.read_exact(&mut name)?;
        let mut extra = vec![0; usize::from(u16_at(28))];
        stream.read_exact(&mut extra)?;
        let mut sizes = [u64::from(u32_at(22)), u64::from(u32_at(18))];
        let mut wide = zip64(&extra).into_iter();
        for size in sizes.iter_mut().filter(|size| **size == u64::from(u32::MAX)) {
            *size = wide.next().context("a length is missing in a header")?;
        }
        let [size, compressed] = sizes;
        ensure!(size < 1 << 62 && compressed < 1 << 62, "a length of {size} bytes in a header");
        Ok(Some(Header {
            flags: u16_at(6),
            method: u16_at(8),
            crc: u32_at(14),
            compressed,
            size,
            name: String::from_utf8_lossy(&name).into_owned(),
            len: (30 + name.len() + extra.len()) as u64,
        }))
    }
}

/// The numbers of 64 bits in a header's extra fields.
fn zip64(mut extra: &[u8]) -> Vec<u64> {
    while let [a, b, c, d, rest @ ..] = extra {
        let len = usize::from(u16::from_le_bytes([*c, *d])).min(rest.len());
        if [*a, *b] == [1, 0] {
            return rest[..len].as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        }
        extra = &rest[len..];
    }
    Vec::new()
}
