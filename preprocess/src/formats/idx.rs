//! The idx files of MNIST and its relatives: unsigned bytes with up to three dimensions, zipped by gzip or not.

use crate::formats::MAX_IMAGES;
use crate::formats::packed::Packed;
use anyhow::{Result, anyhow, ensure};
use std::io::{ErrorKind, Read};

/// A file whose header has been read.
pub struct Idx {
    /// Its contents, unzipped.
    pub bytes: Packed,
    /// Its dimensions.
    pub dims: Vec<usize>,
}

impl Idx {
    /// Reads the header: magic number 0x0000_0800 + `rank`, then the dimensions, big-endian.
    ///
    /// # Errors
    /// If it is no such file, or cut short.
    pub fn open(file: Packed, rank: usize) -> Result<Self> {
        let bytes = file.gunzipped()?;
        let place = bytes.place();
        let mut stream = bytes.open()?;
        let mut at = 0;
        let mut read_u32 = || {
            let mut word = [0; 4];
            stream.read_exact(&mut word).map_err(|e| match e.kind() {
                ErrorKind::UnexpectedEof => too_early(place, 4, at),
                _ => anyhow!("cannot read {place} after byte {at} of the (unzipped) contents: {e}"),
            })?;
            at += 4;
            Ok::<_, anyhow::Error>(u32::from_be_bytes(word))
        };
        let (magic, expected) = (read_u32()?, 0x800 + rank as u32);
        ensure!(
            magic == expected,
            "{place} starts with {magic:#010x}, expected {expected:#010x}: not an idx file of bytes with {rank} dimensions"
        );
        let dims: Vec<usize> = (0..rank).map(|_| Ok(read_u32()? as usize)).collect::<Result<_>>()?;
        ensure!(
            dims[0] <= MAX_IMAGES,
            "{place} announces {} images or labels, more than the {MAX_IMAGES} that are accepted: the file is damaged",
            dims[0]
        );
        Ok(Idx { bytes, dims })
    }

    /// Where the values begin.
    pub fn start(&self) -> u64 {
        4 + 4 * self.dims.len() as u64
    }

    /// Reads everything once, for the length and, in a zipped file, the checksum.
    ///
    /// # Errors
    /// If there are more or fewer values than announced, or they are damaged.
    pub fn check_len(&self) -> Result<()> {
        let place = self.bytes.place();
        let len = self.dims.iter().try_fold(1u64, |n, &dim| n.checked_mul(dim as u64));
        let len = len.ok_or_else(|| anyhow!("{place} announces the dimensions {:?}: the file is damaged", self.dims))?;
        let got = self.bytes.count_from(self.start(), len)?;
        ensure!(got <= len, "{place} has more bytes than the {} its header calls for; download it again", self.start() + len);
        if got < len {
            return Err(too_early(place, len - got, self.start() + got));
        }
        Ok(())
    }

    /// All values, after [`Idx::check_len`].
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn values(&self) -> Result<Vec<u8>> {
        let mut values = Vec::new();
        let read = self.bytes.open_at(self.start())?.read_to_end(&mut values);
        read.map_err(|e| anyhow!("cannot read {}: {e}", self.bytes.place()))?;
        Ok(values)
    }
}

fn too_early(place: &str, missing: u64, at: u64) -> anyhow::Error {
    anyhow!("{place} ends too early: expected {missing} more bytes at byte {at} of the (unzipped) contents; download it again")
}
