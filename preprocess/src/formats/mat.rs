//! Matlab's version 5 files: numeric arrays by name, compressed or not, of any size. Values are read where they are; nothing is
//! held in memory but names and dimensions.

use crate::formats::packed::{self, Packed, Stream, buffered};
use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::bufread::ZlibDecoder;
use flate2::write::ZlibEncoder;
use std::io::{self, BufRead, Read, Write};

const HEADER: usize = 128;
/// Uncompressed bytes of one array at most (SVHN's largest has 1.6 GB).
const MAX_ARRAY: u64 = 2 << 30;
/// Arrays in a file at most.
const MAX_ARRAYS: usize = 1000;
/// Bytes of a name or of dimensions at most.
const MAX_SHORT: u64 = 1024;

const INT8: u32 = 1;
const UINT8: u32 = 2;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const DOUBLE: u32 = 9;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// An array, its first dimension running fastest, whose values have not been read.
pub struct Array {
    /// Its name.
    pub name: String,
    /// Its dimensions.
    pub dims: Vec<usize>,
    /// How its values are stored.
    pub kind: Kind,
    /// What its values are in.
    pub bytes: Packed,
    /// Where they begin.
    pub start: u64,
}

/// How values of the two types that occur are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Unsigned bytes.
    U8,
    /// Floating-point numbers.
    F64,
}

impl Array {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All values.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn values(&self) -> Result<Vec<f64>> {
        let mut bytes = Vec::new();
        let len = self.len() as u64 * self.kind.width();
        let read = self.bytes.open_at(self.start)?.take(len).read_to_end(&mut bytes);
        read.with_context(|| format!("cannot read array `{}`", self.name))?;
        Ok(match self.kind {
            Kind::U8 => bytes.into_iter().map(f64::from).collect(),
            Kind::F64 => bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        })
    }
}

impl Kind {
    fn width(self) -> u64 {
        match self {
            Kind::U8 => 1,
            Kind::F64 => 8,
        }
    }
}

/// Finds all arrays of a file, and checks that they are whole.
///
/// # Errors
/// With the position in the file, if it is of another version, byte order or kind, cut short, or damaged.
pub fn read(file: &Packed) -> Result<Vec<Array>> {
    let mut stream = Counted { stream: file.open()?, at: 0 };
    check_header(&mut stream)?;
    let mut arrays = Vec::new();
    while !stream.stream.fill_buf().context("cannot be read")?.is_empty() {
        let at = stream.at;
        let place = || format!("element {} at byte {at}", arrays.len());
        // Compressed elements are not padded to a multiple of eight.
        let (kind, len) = stream.tag().with_context(place)?;
        let (source, start, len) = (file.clone(), stream.at, len);
        let raw = move || anyhow::Ok(source.open_at(start)?.take(len));
        let contents = match kind {
            COMPRESSED => Packed::new(file.place(), move || Ok(buffered(ZlibDecoder::new(raw()?)))),
            MATRIX => Packed::new(file.place(), move || Ok(buffered(raw()?))),
            _ => bail!("{}: type {kind}, expected an array", place()),
        };
        let array = array(contents, (kind == MATRIX).then_some(len)).with_context(place)?;
        arrays.push(array);
        ensure!(arrays.len() <= MAX_ARRAYS, "more than {MAX_ARRAYS} arrays");
        packed::skip(&mut stream, len)
            .with_context(|| format!("{len} bytes should follow byte {start}: the file is cut short"))?;
    }
    Ok(arrays)
}

fn check_header(stream: &mut Counted) -> Result<()> {
    let mut bytes = Vec::new();
    stream.take(HEADER as u64).read_to_end(&mut bytes).context("cannot be read")?;
    ensure!(
        !bytes.starts_with(b"\x89HDF") && !bytes.starts_with(b"MATLAB 7.3"),
        "a Matlab file of version 7.3 (HDF5), expected version 5; save it again with the option -v7 or -v6"
    );
    ensure!(bytes.len() == HEADER, "{} bytes, a Matlab file begins with a header of {HEADER}: it is cut short", bytes.len());
    let (version, order) = (u16::from_le_bytes([bytes[124], bytes[125]]), &bytes[126..128]);
    ensure!(order != b"MI", "a big-endian Matlab file, expected little-endian; save it again on another machine");
    ensure!(order == b"IM" && version == 0x0100, "not a Matlab file of version 5 (version {version:#06x}, byte order {order:?})");
    Ok(())
}

/// The one array in `contents`, of `len` bytes, or, where that is `None`, of as many as are announced in them.
fn array(contents: Packed, len: Option<u64>) -> Result<Array> {
    let mut stream = Counted { stream: contents.open()?, at: 0 };
    let end = match len {
        Some(len) => len,
        None => {
            let (kind, len) = stream.tag().context("cannot be decompressed")?;
            ensure!(kind == MATRIX, "type {kind}, expected an array");
            stream.at + len
        }
    };
    ensure!(end <= MAX_ARRAY, "an array of {end} bytes, expected at most {MAX_ARRAY}");
    let (name, dims) = stream.describe()?;
    let len = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).context("dimensions whose product is too large")?;
    let at = stream.at;
    let (kind, data) = stream.tag()?;
    let told = name.escape_debug();
    let kind = match kind {
        UINT8 => Kind::U8,
        DOUBLE => Kind::F64,
        _ => bail!(
            "array `{told}`: values of type {kind} at byte {at} of the array, expected {UINT8} (bytes) or {DOUBLE} (doubles)"
        ),
    };
    ensure!(
        (len as u64).checked_mul(kind.width()) == Some(data),
        "array `{told}` of dimensions {dims:?} has {data} bytes of values, expected {} for each",
        kind.width()
    );
    let start = stream.at;
    drop(stream);
    // To the end, so that the checksum of the compressed data is compared.
    let there = contents.count_from(0, end).context("the array is damaged or cut short")?;
    ensure!(there >= end.max(start + data), "{there} bytes, expected {end}: the file is cut short");
    ensure!(there == end, "more than the {end} bytes that are announced");
    Ok(Array { name, dims, kind, bytes: contents, start })
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

/// A stream that knows its position.
struct Counted {
    stream: Stream,
    at: u64,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(out)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Counted {
    fn word(&mut self) -> Result<u32> {
        let mut bytes = [0; 4];
        self.read_exact(&mut bytes)
            .with_context(|| format!("an element should be at byte {}: the file is cut short", self.at))?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Type and length of the next element. Up to four bytes fit into the tag itself.
    fn tag(&mut self) -> Result<(u32, u64)> {
        let first = self.word()?;
        match first >> 16 {
            0 => Ok((first, self.word()?.into())),
            len @ 1..=4 => Ok((first & 0xffff, len.into())),
            len => bail!("{len} bytes are announced in a tag, which has room for 4: the file is damaged"),
        }
    }

    /// The contents of a short element. Within an array, elements are padded to multiples of eight bytes.
    fn short(&mut self, kind: u32, what: &str) -> Result<Vec<u8>> {
        let at = self.at;
        let (got, len) = self.tag()?;
        ensure!(got == kind, "{what} of type {got} at byte {at} of the array, expected {kind}");
        ensure!(len <= MAX_SHORT, "{what} of {len} bytes at byte {at} of the array, expected at most {MAX_SHORT}");
        let padded = (self.at + len).next_multiple_of(8) - self.at;
        let mut bytes = vec![0; padded as usize];
        self.read_exact(&mut bytes).with_context(|| format!("{what} at byte {at} of the array: the file is cut short"))?;
        bytes.truncate(len as usize);
        Ok(bytes)
    }

    /// Name and dimensions of an array.
    fn describe(&mut self) -> Result<(String, Vec<usize>)> {
        let flags = self.short(UINT32, "flags")?;
        ensure!(flags.len() == 8, "flags of {} bytes, expected 8", flags.len());
        ensure!(flags[1] & 0x08 == 0, "complex numbers, expected real ones");
        let dims = self.short(INT32, "dimensions")?;
        let dims: Option<Vec<_>> = dims.as_chunks().0.iter().map(|d| usize::try_from(i32::from_le_bytes(*d)).ok()).collect();
        let dims = dims.context("a negative dimension")?;
        ensure!((1..=8).contains(&dims.len()), "{} dimensions, expected 1 to 8", dims.len());
        let name = self.short(INT8, "name")?;
        Ok((String::from_utf8_lossy(&name).into_owned(), dims))
    }
}
