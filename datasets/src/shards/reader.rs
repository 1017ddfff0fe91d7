//! One shard, its index in memory, its pixels read when asked for: the mirror image of [`writer`](crate::shards::writer).
//!
//! Files are read, not mapped: of a mapped file that is cut short meanwhile, the system ends the program by a signal.

use crate::error::DatasetError;
use crate::shards::codec::Codec;
use crate::shards::format;
use crate::shards::manifest::{Manifest, ShardEntry};
use crate::shards::shard::above_levels;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Shards of a data set whose files stay open; systems allow a process about a thousand.
const MAX_OPEN: usize = 256;
/// Bytes that are read at a time where a file is read as a whole.
const PIECE: usize = 1 << 20;
/// Bytes before the header, its length.
const LENGTH: usize = 8;

/// The storage of a shard's bytes.
pub(crate) enum Source {
    /// An open file.
    Open(File),
    /// In a file that is opened for every image, of which there are too many to keep them open.
    Closed(PathBuf),
    /// Memory.
    Memory(Vec<u8>),
}

impl Source {
    fn len(&self) -> io::Result<u64> {
        match self {
            Self::Open(file) => Ok(file.metadata()?.len()),
            Self::Closed(path) => Ok(std::fs::metadata(path)?.len()),
            Self::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Open(file) => read_exact_at(file, offset, out),
            Self::Closed(path) => read_exact_at(&File::open(path)?, offset, out),
            Self::Memory(bytes) => {
                let rest = usize::try_from(offset).ok().and_then(|start| bytes.get(start..)?.get(..out.len()));
                out.copy_from_slice(rest.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, offset: u64, out: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut offset: u64, mut out: &mut [u8]) -> io::Result<()> {
    while !out.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, out, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => (out, offset) = (&mut out[n..], offset + n as u64),
        }
    }
    Ok(())
}

/// An opened shard. Its index (header, offsets, checksums, labels) has been compared with the manifest.
pub(crate) struct Shard {
    path: PathBuf,
    source: Source,
    /// Length of the file.
    len: u64,
    /// The beginning of the file, all but the pixels.
    index: Vec<u8>,
    count: usize,
    /// Image `i` is at `offsets[i]..offsets[i + 1]` of the file; empty for codecs without offsets.
    offsets: Range<usize>,
    crc32c: Range<usize>,
    labels: Option<Range<usize>>,
    attributes: Range<usize>,
    pixels: Range<usize>,
}

impl Shard {
    pub(crate) fn open(dir: &Path, manifest: &Manifest, entry: &ShardEntry) -> Result<Self, DatasetError> {
        let path = dir.join(&entry.file);
        let file = File::open(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => DatasetError::MissingShard { path: path.clone() },
            _ => DatasetError::io("open", &path)(e),
        })?;
        let source = if manifest.shards.len() > MAX_OPEN { Source::Closed(path.clone()) } else { Source::Open(file) };
        Self::new(path, source, manifest, entry)
    }

    /// The shard with these bytes; `path` is for error messages.
    pub(crate) fn new(path: PathBuf, source: Source, manifest: &Manifest, entry: &ShardEntry) -> Result<Self, DatasetError> {
        let got = source.len().map_err(DatasetError::io("read", &path))?;
        if got != entry.bytes {
            let expected = entry.bytes;
            return Err(DatasetError::ShardSize { path, expected, got });
        }
        let (header_len, header) = read_header(&path, &source, got)?;
        check_metadata(&path, &header, manifest, entry)?;
        let index = read_index(&path, &source, entry)?;
        let tensors = Tensors { path: &path, header: &header, start: LENGTH + header_len, index_len: index.len() };

        let count = entry.count;
        let crc32c = tensors.range(format::CRC32C, Dtype::U32, &[count])?;
        let labels = match manifest.labelled {
            true => Some(tensors.range(format::LABELS, Dtype::U32, &[count])?),
            false => None,
        };
        let attributes = match manifest.attributes {
            0 => 0..0,
            n => tensors.range(format::ATTRIBUTES, Dtype::I8, &[count, n])?,
        };
        let shape = manifest.shape;
        let (offsets, pixels) = if manifest.codec.has_offsets() {
            let offsets = tensors.range(format::OFFSETS, Dtype::U64, &[count + 1])?;
            (offsets, tensors.vector(format::DATA, Dtype::U8)?)
        } else {
            let shape = [count, shape.channels, shape.height, shape.width];
            (0..0, tensors.range(format::IMAGES, Dtype::U8, &shape)?)
        };
        if pixels.start as u64 > entry.index_bytes {
            let got = entry.index_bytes;
            return Err(DatasetError::mismatch(&path, "index_bytes", pixels.start, got));
        }
        let shard = Shard { path, source, len: entry.bytes, index, count, offsets, crc32c, labels, attributes, pixels };
        shard.check_offsets()?;
        Ok(shard)
    }

    /// Images in the shard.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Hands out the bytes of all images, piece by piece.
    pub(crate) fn each_piece_of_pixels(&self, take: impl FnMut(&[u8])) -> Result<(), DatasetError> {
        self.each_piece(self.pixels.start as u64..self.pixels.end as u64, take)
    }

    /// Hands out the bytes of the whole file, piece by piece.
    pub(crate) fn each_piece_of_file(&self, take: impl FnMut(&[u8])) -> Result<(), DatasetError> {
        self.each_piece(0..self.len, take)
    }

    fn each_piece(&self, range: Range<u64>, mut take: impl FnMut(&[u8])) -> Result<(), DatasetError> {
        let mut piece = vec![0; PIECE];
        for start in range.clone().step_by(PIECE) {
            let piece = &mut piece[..PIECE.min((range.end - start) as usize)];
            self.read(start, piece)?;
            take(piece);
        }
        Ok(())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), DatasetError> {
        self.source.read(offset, out).map_err(|error| match self.source.len() {
            Ok(got) if got != self.len => DatasetError::ShardSize { path: self.path.clone(), expected: self.len, got },
            _ => DatasetError::io("read", &self.path)(error),
        })
    }

    /// The checksum of the pixels of image `index`, which must be below `count`.
    pub(crate) fn checksum(&self, index: usize) -> u32 {
        u32_at(&self.index[self.crc32c.clone()], index)
    }

    /// The class of image `index`, which must be below `count`.
    pub(crate) fn label(&self, index: usize) -> Option<u32> {
        let labels = &self.index[self.labels.clone()?];
        Some(u32_at(labels, index))
    }

    /// The attributes of image `index`, which must be below `count`.
    pub(crate) fn attributes(&self, index: usize) -> Vec<i8> {
        let n = self.attributes.len() / self.count;
        let attributes = &self.index[self.attributes.clone()][n * index..n * (index + 1)];
        attributes.iter().map(|&b| i8::from_le_bytes([b])).collect()
    }

    /// Decodes image `index`, which must be below `count`, and compares its checksum and range.
    pub(crate) fn read_into(&self, index: usize, levels: u32, codec: &mut Codec, out: &mut [u8]) -> Result<(), DatasetError> {
        thread_local! {
            static ENCODED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let range = self.image_range(index, out.len());
        let offset = range.start as u64;
        ENCODED.with_borrow_mut(|encoded| {
            encoded.resize(range.len(), 0);
            self.read(offset, encoded)?;
            let fault = |e: io::Error| DatasetError::Decode { path: self.path.clone(), index, offset, reason: e.to_string() };
            codec.decode(encoded, out).map_err(fault)
        })?;
        let (expected, got) = (self.checksum(index), crc32c::crc32c(out));
        if got != expected {
            let path = self.path.clone();
            return Err(DatasetError::ImageChecksum { path, index, offset, expected, got });
        }
        match above_levels(out, levels) {
            None => Ok(()),
            Some((position, value)) => {
                Err(DatasetError::PixelValue { place: self.path.display().to_string(), index, position, value, levels })
            }
        }
    }

    /// The range of image `index` in the file.
    fn image_range(&self, index: usize, image_len: usize) -> Range<usize> {
        let (start, end) = match self.offsets.is_empty() {
            true => (index * image_len, (index + 1) * image_len),
            false => (self.offset(index) as usize, self.offset(index + 1) as usize),
        };
        self.pixels.start + start..self.pixels.start + end
    }

    fn offset(&self, index: usize) -> u64 {
        let bytes = &self.index[self.offsets.clone()][8 * index..8 * index + 8];
        u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
    }

    /// Offsets must start at 0, not decrease, and end with the data, so that every image lies inside the file.
    fn check_offsets(&self) -> Result<(), DatasetError> {
        if self.offsets.is_empty() {
            return Ok(());
        }
        let end = self.pixels.len() as u64;
        let wrong = |key: String, expected: String, got: u64| Err(DatasetError::mismatch(&self.path, key, expected, got));
        let mut previous = 0;
        for i in 0..=self.count {
            let offset = self.offset(i);
            if offset < previous || offset > end || (i == 0 && offset != 0) {
                let expected = format!("{previous} to {end}");
                return wrong(format!("{}[{i}]", format::OFFSETS), expected, offset);
            }
            previous = offset;
        }
        if previous != end {
            return wrong(format!("{}[{}]", format::OFFSETS, self.count), end.to_string(), previous);
        }
        Ok(())
    }
}

/// The header's length, and what it says.
fn read_header(path: &Path, source: &Source, len: u64) -> Result<(usize, Metadata), DatasetError> {
    let wrong = |reason: String| DatasetError::mismatch(path, "header", "a safetensors header", reason);
    let mut header_len = [0; LENGTH];
    source.read(0, &mut header_len).map_err(|e| wrong(e.to_string()))?;
    let header_len = u64::from_le_bytes(header_len);
    if header_len > len.saturating_sub(LENGTH as u64) {
        return Err(wrong(format!("one of {header_len} bytes in a file of {len}")));
    }
    let mut header = vec![0; header_len as usize];
    source.read(LENGTH as u64, &mut header).map_err(DatasetError::io("read", path))?;
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|e| wrong(e.to_string()))?;
    let (expected, got) = (len - LENGTH as u64 - header_len, metadata.data_len() as u64);
    if expected != got {
        return Err(wrong(format!("one of {got} bytes of tensors before {expected}")));
    }
    Ok((header_len as usize, metadata))
}

/// The header must say the same as the manifest, version first.
fn check_metadata(path: &Path, header: &Metadata, manifest: &Manifest, entry: &ShardEntry) -> Result<(), DatasetError> {
    let get = |key: &str| {
        let value = header.metadata().as_ref().and_then(|m| m.get(key));
        value.map_or("", String::as_str)
    };
    format::check_version(path, get(format::KEY_FORMAT), get(format::KEY_VERSION))?;
    let expected = [
        (format::KEY_VERSION, manifest.version.to_string()),
        (format::KEY_NAME, manifest.name.clone()),
        (format::KEY_SPLIT, manifest.split.to_string()),
        (format::KEY_CODEC, manifest.codec.to_string()),
        (format::KEY_LEVELS, manifest.levels.to_string()),
        (format::KEY_CHANNELS, manifest.shape.channels.to_string()),
        (format::KEY_HEIGHT, manifest.shape.height.to_string()),
        (format::KEY_WIDTH, manifest.shape.width.to_string()),
        (format::KEY_COUNT, entry.count.to_string()),
    ];
    for (key, expected) in expected {
        if get(key) != expected {
            return Err(DatasetError::mismatch(path, key, expected, format!("`{}`", get(key))));
        }
    }
    Ok(())
}

/// Everything before the pixels, its checksum compared.
fn read_index(path: &Path, source: &Source, entry: &ShardEntry) -> Result<Vec<u8>, DatasetError> {
    if entry.index_bytes > entry.bytes {
        let expected = format!("at most {}", entry.bytes);
        return Err(DatasetError::mismatch(path, "index_bytes", expected, entry.index_bytes));
    }
    let mut index = vec![0; entry.index_bytes as usize];
    source.read(0, &mut index).map_err(DatasetError::io("read", path))?;
    let got = crc32c::crc32c(&index);
    if got != entry.index_crc32c {
        return Err(DatasetError::IndexChecksum {
            path: path.to_path_buf(),
            len: entry.index_bytes,
            expected: entry.index_crc32c,
            got,
        });
    }
    Ok(index)
}

/// The tensors of one file, by name, with their types and shapes checked.
struct Tensors<'a> {
    path: &'a Path,
    header: &'a Metadata,
    /// The position of the first tensor.
    start: usize,
    /// Bytes that are in memory, where all but pixels must be.
    index_len: usize,
}

impl Tensors<'_> {
    fn info(&self, name: &str, dtype: Dtype) -> Result<&TensorInfo, DatasetError> {
        match self.header.info(name) {
            Some(info) if info.dtype == dtype => Ok(info),
            Some(info) => Err(DatasetError::mismatch(self.path, name, format!("{dtype:?}"), format!("{:?}", info.dtype))),
            None => Err(DatasetError::mismatch(self.path, name, "a tensor", "none")),
        }
    }

    /// The range of a tensor of known shape in the file.
    fn range(&self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<Range<usize>, DatasetError> {
        let info = self.info(name, dtype)?;
        if info.shape != shape {
            let (expected, got) = (format!("of shape {shape:?}"), format!("{:?}", info.shape));
            return Err(DatasetError::mismatch(self.path, name, expected, got));
        }
        let size = match dtype {
            Dtype::U64 => 8,
            Dtype::U32 => 4,
            _ => 1,
        };
        let (start, end) = info.data_offsets;
        let len = shape.iter().try_fold(size, |len: usize, side| len.checked_mul(*side));
        if end.checked_sub(start) != len || end > self.header.data_len() {
            return Err(DatasetError::mismatch(self.path, name, format!("{len:?} bytes"), format!("{start} to {end}")));
        }
        let range = self.start + start..self.start + end;
        if name != format::IMAGES && name != format::DATA && range.end > self.index_len {
            return Err(DatasetError::mismatch(self.path, "index_bytes", format!("at least {}", range.end), self.index_len));
        }
        Ok(range)
    }

    /// The range of a tensor of one dimension in the file.
    fn vector(&self, name: &str, dtype: Dtype) -> Result<Range<usize>, DatasetError> {
        let len = self.info(name, dtype)?.shape.iter().product();
        self.range(name, dtype, &[len])
    }
}

fn u32_at(bytes: &[u8], index: usize) -> u32 {
    u32::from_le_bytes(bytes[4 * index..4 * index + 4].try_into().expect("four bytes"))
}
