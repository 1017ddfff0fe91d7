//! Matlab's version 5 files: numeric arrays by name, compressed or not. Everything is checked against the bytes that are
//! there before memory is reserved.

use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use std::borrow::Cow;
use std::io::{Read, Write};

const HEADER: usize = 128;
/// Uncompressed bytes of one array at most (SVHN's largest file has 1.6 GB).
const MAX_ARRAY: u64 = 2 << 30;

const INT8: u32 = 1;
const UINT8: u32 = 2;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const DOUBLE: u32 = 9;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// An array, its first dimension running fastest.
#[derive(Debug, PartialEq)]
pub struct Array {
    /// Its name.
    pub name: String,
    /// Its dimensions.
    pub dims: Vec<usize>,
    /// Its values.
    pub values: Values,
}

/// Values of the two types that occur.
#[derive(Debug, PartialEq)]
pub enum Values {
    /// Unsigned bytes.
    U8(Vec<u8>),
    /// Floating-point numbers.
    F64(Vec<f64>),
}

/// Reads all arrays of a file.
///
/// # Errors
/// With the position in the file, if it is of another version, byte order or kind, cut short, or damaged.
pub fn read(bytes: &[u8]) -> Result<Vec<Array>> {
    ensure!(bytes.len() >= HEADER, "{} bytes, a Matlab file begins with a header of {HEADER}: it is cut short", bytes.len());
    ensure!(
        !bytes.starts_with(b"\x89HDF") && !bytes.starts_with(b"MATLAB 7.3"),
        "a Matlab file of version 7.3 (HDF5), expected version 5; save it again with the option -v7 or -v6"
    );
    let (version, order) = (u16::from_le_bytes([bytes[124], bytes[125]]), &bytes[126..128]);
    ensure!(order != b"MI", "a big-endian Matlab file, expected little-endian; save it again on another machine");
    ensure!(order == b"IM" && version == 0x0100, "not a Matlab file of version 5 (version {version:#06x}, byte order {order:?})");
    let mut arrays = Vec::new();
    let mut cursor = Cursor { bytes, at: HEADER };
    while cursor.at < bytes.len() {
        let at = cursor.at;
        let place = || format!("element {} at byte {at}", arrays.len());
        // Compressed elements are not padded to a multiple of eight.
        let (kind, contents) = cursor.element(false).with_context(place)?;
        let contents = match kind {
            COMPRESSED => Cow::Owned(inflate(contents).with_context(place)?),
            MATRIX => Cow::Borrowed(contents),
            _ => bail!("{}: type {kind}, expected an array", place()),
        };
        let array = array(&contents).with_context(place)?;
        arrays.push(array);
    }
    Ok(arrays)
}

/// The contents of the one array in a compressed element.
fn inflate(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut decoder = ZlibDecoder::new(bytes);
    let mut tag = [0; 8];
    decoder.read_exact(&mut tag).context("cannot be decompressed")?;
    let (kind, len) = (u32_at(&tag, 0), u32_at(&tag, 4));
    ensure!(
        kind == MATRIX && u64::from(len) <= MAX_ARRAY,
        "type {kind} of {len} bytes, expected an array of at most {MAX_ARRAY}"
    );
    let mut contents = Vec::new();
    decoder.by_ref().take(u64::from(len)).read_to_end(&mut contents).context("cannot be decompressed")?;
    ensure!(contents.len() == len as usize, "{} bytes after decompression, expected {len}", contents.len());
    // Reading on makes the decoder compare its checksum.
    let rest = decoder.read(&mut [0]).context("cannot be decompressed")?;
    ensure!(rest == 0, "more than the {len} bytes that are announced");
    Ok(contents)
}

fn array(bytes: &[u8]) -> Result<Array> {
    let mut cursor = Cursor { bytes, at: 0 };
    let flags = cursor.typed(&[UINT32], "flags")?.1;
    ensure!(flags.len() == 8, "flags of {} bytes, expected 8", flags.len());
    ensure!(flags[1] & 0x08 == 0, "complex numbers, expected real ones");
    let dims = cursor.typed(&[INT32], "dimensions")?.1;
    let dims: Option<Vec<_>> = dims.chunks_exact(4).map(|d| usize::try_from(u32_at(d, 0) as i32).ok()).collect();
    let dims = dims.context("a negative dimension")?;
    let len = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).context("dimensions whose product is too large")?;
    ensure!((1..=8).contains(&dims.len()), "{} dimensions, expected 1 to 8", dims.len());
    let name = String::from_utf8_lossy(cursor.typed(&[INT8], "name")?.1).into_owned();
    let (kind, data) = cursor.typed(&[UINT8, DOUBLE], "values").with_context(|| format!("array `{name}`"))?;
    let width = if kind == UINT8 { 1 } else { 8 };
    ensure!(
        len.checked_mul(width) == Some(data.len()),
        "array `{name}` of dimensions {dims:?} has {} bytes of values, expected {width} for each",
        data.len()
    );
    let values = match kind {
        UINT8 => Values::U8(data.to_vec()),
        _ => Values::F64(data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect()),
    };
    Ok(Array { name, dims, values })
}

/// The bytes of a file with arrays of unsigned bytes (name, dimensions, values), each compressed.
///
/// # Errors
/// If a name, a dimension or an array is too long for the format.
pub fn write(arrays: &[(&str, &[usize], &[u8])]) -> Result<Vec<u8>> {
    let mut file = format!("{:124}", "MATLAB 5.0 MAT-file").into_bytes();
    file.extend(b"\x00\x01IM");
    for (name, dims, values) in arrays {
        let dims = dims.iter().map(|&d| Ok(i32::try_from(d)?.to_le_bytes())).collect::<Result<Vec<_>>>()?.concat();
        let mut array = Vec::new();
        // Class 9: unsigned bytes.
        for (kind, contents) in
            [(UINT32, &[9, 0, 0, 0, 0, 0, 0, 0][..]), (INT32, &dims), (INT8, name.as_bytes()), (UINT8, values)]
        {
            array.extend(tag(kind, contents.len())?);
            array.extend(contents);
            array.resize(array.len().next_multiple_of(8), 0);
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        let compressed = encoder.write_all(&tag(MATRIX, array.len())?).and_then(|()| encoder.write_all(&array));
        let compressed = compressed.and_then(|()| encoder.finish()).context("cannot be compressed")?;
        file.extend(tag(COMPRESSED, compressed.len())?);
        file.extend(compressed);
    }
    Ok(file)
}

/// Type and length of an element.
fn tag(kind: u32, len: usize) -> Result<[u8; 8]> {
    let len = u32::try_from(len).context("an array of more than 4 GB")?;
    Ok((u64::from(len) << 32 | u64::from(kind)).to_le_bytes())
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The next element: its type and contents. Within an array, elements are padded to multiples of eight bytes.
    fn element(&mut self, padded: bool) -> Result<(u32, &'a [u8])> {
        let (at, left) = (self.at, self.bytes.len() - self.at);
        ensure!(left >= 8, "{left} bytes are left at byte {at}, an element has at least 8: the file is cut short");
        let first = u32_at(self.bytes, at);
        // Up to four bytes fit into the tag itself.
        let (kind, len, start, end) = match first >> 16 {
            0 => {
                let len = u32_at(self.bytes, at + 4) as usize;
                (first, len, at + 8, if padded { len.next_multiple_of(8) } else { len })
            }
            len => (first & 0xffff, len as usize, at + 4, 4),
        };
        ensure!(
            len <= self.bytes.len() - start && (start == at + 8 || len <= 4),
            "{len} bytes are announced at byte {at}, {} are left: the file is cut short",
            left - 8
        );
        self.at = (start + end).min(self.bytes.len());
        Ok((kind, &self.bytes[start..start + len]))
    }

    fn typed(&mut self, kinds: &[u32], what: &str) -> Result<(u32, &'a [u8])> {
        let at = self.at;
        let (kind, contents) = self.element(true)?;
        ensure!(kinds.contains(&kind), "{what} of type {kind} at byte {at} of the array, expected {kinds:?}");
        Ok((kind, contents))
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
