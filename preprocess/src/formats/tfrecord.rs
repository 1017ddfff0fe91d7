//! The records of TFRecord files; [`datasets::io::record`] describes their framing.

use anyhow::{Context, Result, bail, ensure};
use datasets::io::record::frame;
pub use datasets::io::record::mask;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

/// Bytes before and after a payload.
pub const FRAME: u64 = 16;
const HEAD: u64 = 12;

/// Where a record's payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Position of the payload.
    pub offset: u64,
    /// Its length.
    pub len: u64,
}

/// Writes a record.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write(payload: &[u8], out: &mut impl Write) -> io::Result<()> {
    out.write_all(&frame(payload))
}

/// Finds the records between `start` and `end` of a file, whose lengths and length checksums must be right; payloads
/// are not read.
///
/// # Errors
/// At the first fault, with the number of the record and its position in the file.
pub fn index(file: &impl FileExt, start: u64, end: u64) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut at = start;
    while at < end {
        let place = || format!("record {}, byte {at}", records.len());
        let left = end - at;
        ensure!(left >= FRAME, "{}: {left} bytes are left, a record has at least {FRAME}: the file is cut short", place());
        let mut head = [0; HEAD as usize];
        file.read_exact_at(&mut head, at).with_context(|| format!("{}: cannot read", place()))?;
        let (len, crc) = head.split_at(8);
        let (len, stored) = (u64::from_le_bytes(len.try_into()?), u32::from_le_bytes(crc.try_into()?));
        let got = mask(crc32c::crc32c(&head[..8]));
        if got != stored {
            bail!(
                "{}: the checksum of the length is {got:08x}, expected {stored:08x}: the file is damaged, or no TFRecord file",
                place()
            );
        }
        if len > left - FRAME {
            bail!("{}: {len} bytes are announced, {} are left: the file is cut short", place(), left - FRAME);
        }
        records.push(Record { offset: at + HEAD, len });
        at += len + FRAME;
    }
    Ok(records)
}

/// The payload of a record, given its payload and checksum as they are in the file.
///
/// # Errors
/// If the checksum is not that of the payload.
pub fn payload(framed: &[u8]) -> Result<&[u8]> {
    let Some((payload, stored)) = framed.split_last_chunk::<4>() else {
        bail!("{} bytes, a record has at least {FRAME}", framed.len());
    };
    let (stored, got) = (u32::from_le_bytes(*stored), mask(crc32c::crc32c(payload)));
    ensure!(got == stored, "the checksum of the contents is {got:08x}, expected {stored:08x}: the file is damaged");
    Ok(payload)
}
