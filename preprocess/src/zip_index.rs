//! Zip archives whose members are unpacked one by one, by several threads at once.

use crate::large_file::LargeFile;
use crate::left_out::shown;
use crate::picture::MAX_FILE;
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zip::ZipArchive;

/// An ordinary file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZipMember {
    /// Its path in the archive, with `/` between parts.
    pub name: String,
    /// Its number in the archive.
    pub index: usize,
    /// Its length when it is unpacked, as the archive says.
    pub len: u64,
}

/// An archive whose members have been found.
pub struct ZipIndex {
    path: PathBuf,
    archive: ZipArchive<At>,
    members: Vec<ZipMember>,
}

impl ZipIndex {
    /// Finds the members of an archive.
    ///
    /// # Errors
    /// If it is no archive, damaged, cut short, or has members whose paths leave the folder.
    pub fn open(path: &Path) -> Result<Self> {
        let file = LargeFile::open(path)?;
        let place = || format!("{}: the zip archive is damaged or cut short; download it again", path.display());
        let at = At { len: file.len(), at: 0, file: Arc::new(file.file().try_clone().with_context(place)?) };
        let mut archive = ZipArchive::new(at).with_context(place)?;
        let mut members = Vec::new();
        for index in 0..archive.len() {
            let member = archive.by_index_raw(index).with_context(place)?;
            if member.is_dir() {
                continue;
            }
            let name = member.name().with_context(place)?.into_owned();
            ensure!(
                member.enclosed_name().is_some() && !member.is_symlink(),
                "{}: member {} is a link or leaves the folder; unpack the archive yourself",
                path.display(),
                shown(&name)
            );
            ensure!(!member.encrypted(), "{}: member {} is encrypted; unpack the archive first", path.display(), shown(&name));
            members.push(ZipMember { name, index, len: member.size() });
        }
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(ZipIndex { path: path.into(), archive, members })
    }

    /// The archive's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The members, ordered by name.
    pub fn members(&self) -> &[ZipMember] {
        &self.members
    }

    /// The first bytes of a member, `most` at most.
    ///
    /// # Errors
    /// If they cannot be unpacked.
    pub fn start(&self, member: &ZipMember, most: u64, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        // What is known of the members is shared, not copied.
        let mut archive = self.archive.clone();
        let unpacked = archive.by_index(member.index).map_err(io::Error::from).and_then(|file| file.take(most).read_to_end(out));
        unpacked.map(drop).with_context(|| format!("cannot unpack {}, {}", self.path.display(), shown(&member.name)))
    }

    /// The contents of a member, whose checksum is compared.
    ///
    /// # Errors
    /// If they cannot be unpacked, are damaged, or longer than the archive says or than [`MAX_FILE`].
    pub fn read(&self, member: &ZipMember, out: &mut Vec<u8>) -> Result<()> {
        let place = || format!("{}, {}", self.path.display(), shown(&member.name));
        if member.len > MAX_FILE {
            bail!("{}: {} bytes are too many for a picture, at most {MAX_FILE} are read", place(), member.len);
        }
        // One more than announced, for the checksum to be compared, and for lies to be noticed.
        self.start(member, member.len + 1, out)?;
        ensure!(
            out.len() as u64 == member.len,
            "{}: {} bytes are announced, {} or more are there",
            place(),
            member.len,
            out.len()
        );
        Ok(())
    }
}

/// A position in a file that several threads read at their own positions.
#[derive(Clone)]
struct At {
    file: Arc<File>,
    at: u64,
    len: u64,
}

impl Read for At {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(out, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for At {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a position before the beginning"))?;
        Ok(self.at)
    }
}
