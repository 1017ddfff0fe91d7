//! The ZIP format of `torch.save`: `<name>/data.pkl` is the pickle, `<name>/data/<key>` the storages, all uncompressed.
//!
//! Entries are used where they lie in the file, by the central directory at its end; what the headers before them
//! repeat is not looked at, but for its length. Sizes and positions beyond 4 GiB are in extra fields (ZIP64).

use super::{Storage, TorchFile};
use anyhow::{Context, Result, bail, ensure};
use datasets::io::pickle::Pickle;
use std::collections::HashMap;

/// Finds the pickle and the storages.
pub(super) fn parse(bytes: &[u8]) -> Result<TorchFile<'_>> {
    let entries = entries(bytes)?;
    let mut roots = entries.keys().filter_map(|name| name.strip_suffix("/data.pkl"));
    let root = roots.next().context("it is a ZIP archive without an entry `<name>/data.pkl`: it is not one of torch.save")?;
    ensure!(roots.next().is_none(), "it has more than one entry `<name>/data.pkl`: it is not one of torch.save");
    let within = |name: &str| Some(name.strip_prefix(root)?.strip_prefix('/')?.to_string());
    let mut parts: HashMap<String, Storage> =
        entries.iter().filter_map(|(name, entry)| Some((within(name)?, entry.clone()))).collect();
    let order = parts.remove("byteorder").map(|entry| entry.bytes);
    ensure!(
        order.is_none_or(|order| order == b"little"),
        "its numbers are not little-endian; save it again on a little-endian machine"
    );
    let pickle = parts.remove("data.pkl").context("it has no entry `data.pkl`")?;
    let place = || format!("{root}/data.pkl, at byte {} of the file", pickle.offset);
    pickle.check().with_context(place)?;
    let storages = parts.into_iter().filter_map(|(name, entry)| Some((name.strip_prefix("data/")?.to_string(), entry)));
    Ok(TorchFile { storages: storages.collect(), pickle: Pickle::parse(pickle.bytes).with_context(place)? })
}

/// All entries by name. Checksums are compared when an entry is used.
fn entries(bytes: &[u8]) -> Result<HashMap<&str, Storage<'_>>> {
    let directory = directory(bytes)?;
    let mut at = directory.start;
    let mut entries = HashMap::new();
    for index in 0..directory.entries {
        let (name, entry, next) = entry(bytes, at).with_context(|| format!("entry {index} of its directory, at byte {at}"))?;
        ensure!(entries.insert(name, entry).is_none(), "it has two entries `{name}`");
        at = next;
    }
    Ok(entries)
}

/// Where the central directory is.
struct Directory {
    start: usize,
    entries: usize,
}

const END: &[u8] = b"PK\x05\x06";
const END_LEN: usize = 22;
const END_64_PLACE: &[u8] = b"PK\x06\x07";
const END_64_PLACE_LEN: usize = 20;
const END_64: &[u8] = b"PK\x06\x06";
const ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
/// A number of 32 bits whose true value is in an extra field.
const ELSEWHERE: usize = 0xffff_ffff;

fn directory(bytes: &[u8]) -> Result<Directory> {
    // The end record is the last of its kind; only a comment can follow, which torch.save does not write.
    let end = bytes.len().checked_sub(END_LEN).filter(|&at| bytes[at..].starts_with(END));
    let end = end.context("it begins like a ZIP archive, but lacks its end: it was cut short or changed; copy it again")?;
    let place = end.checked_sub(END_64_PLACE_LEN).filter(|&at| bytes[at..].starts_with(END_64_PLACE));
    match place {
        None => Ok(Directory { entries: number(bytes, end + 10, 2)?, start: number(bytes, end + 16, 4)? }),
        Some(place) => {
            let end = number(bytes, place + 8, 8)?;
            expect(bytes, end, END_64)?;
            Ok(Directory { entries: number(bytes, end.saturating_add(32), 8)?, start: number(bytes, end.saturating_add(48), 8)? })
        }
    }
}

/// An entry of the directory: its name, its contents, and where the next one begins.
fn entry(bytes: &[u8], at: usize) -> Result<(&str, Storage<'_>, usize)> {
    expect(bytes, at, ENTRY)?;
    let (flags, method) = (number(bytes, at + 8, 2)?, number(bytes, at + 10, 2)?);
    let crc = number(bytes, at + 16, 4)? as u32;
    let [name_len, extra_len, comment_len] = [28, 30, 32].map(|field| number(bytes, at + field, 2));
    let (name_len, extra_len, comment_len) = (name_len?, extra_len?, comment_len?);
    let name = slice(bytes, at + 46, name_len)?;
    let name = std::str::from_utf8(name).context("its name is not text")?;
    let mut wide = Wide { extra: slice(bytes, at + 46 + name_len, extra_len)?, taken: 0 };
    // In this order in the extra field.
    let size = wide.or(number(bytes, at + 24, 4)?)?;
    let stored = wide.or(number(bytes, at + 20, 4)?)?;
    let local = wide.or(number(bytes, at + 42, 4)?)?;
    ensure!(
        method == 0 && flags & 1 == 0 && stored == size,
        "`{name}` is compressed or encrypted, which torch.save never does; unpack the archive and store it again"
    );
    expect(bytes, local, LOCAL)?;
    let start = local + 30 + number(bytes, local + 26, 2)? + number(bytes, local + 28, 2)?;
    let contents = slice(bytes, start, size).with_context(|| format!("`{name}`"))?;
    Ok((name, Storage::new(contents, start, Some(crc)), at + 46 + name_len + extra_len + comment_len))
}

/// The numbers of 64 bits in an entry's extra fields, taken one after the other.
struct Wide<'a> {
    extra: &'a [u8],
    taken: usize,
}

impl Wide<'_> {
    fn or(&mut self, narrow: usize) -> Result<usize> {
        if narrow != ELSEWHERE {
            return Ok(narrow);
        }
        let mut at = 0;
        while at < self.extra.len() {
            let (tag, len) = (number(self.extra, at, 2)?, number(self.extra, at + 2, 2)?);
            if tag == 1 {
                ensure!(self.taken + 8 <= len, "its extra field lacks a number");
                let value = number(self.extra, at + 4 + self.taken, 8)?;
                self.taken += 8;
                return Ok(value);
            }
            at += 4 + len;
        }
        bail!("it lacks the extra field for large files")
    }
}

fn slice(bytes: &[u8], at: usize, len: usize) -> Result<&[u8]> {
    let found = at.checked_add(len).and_then(|end| bytes.get(at..end));
    found.with_context(|| {
        format!(
            "{len} bytes are needed at {at}, but there are only {}: the file was cut short or changed; copy it again",
            bytes.len()
        )
    })
}

/// A little-endian number of up to 8 bytes; none that a file could have is too large.
fn number(bytes: &[u8], at: usize, len: usize) -> Result<usize> {
    let number = slice(bytes, at, len)?.iter().rev().fold(0u64, |n, &byte| n << 8 | u64::from(byte));
    usize::try_from(number)
        .ok()
        .filter(|&n| n <= isize::MAX as usize)
        .with_context(|| format!("the number at byte {at} is {number}"))
}

fn expect(bytes: &[u8], at: usize, signature: &[u8]) -> Result<()> {
    let found = slice(bytes, at, signature.len())?;
    ensure!(
        found == signature,
        "expected {signature:02x?} at byte {at}, found {found:02x?}: the file was cut short or changed; copy it again"
    );
    Ok(())
}
