//! One shard, mapped into memory: the mirror image of [`writer`](crate::writer).

use crate::codec::Codec;
use crate::shard::above_levels;
use crate::{CodecKind, DatasetError, Manifest, ShardEntry, format};
use memmap2::Mmap;
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The bytes of a file, in memory or mapped into it.
pub(crate) type FileBytes = Box<dyn AsRef<[u8]> + Send + Sync>;

/// An opened shard. Its index (header, offsets, checksums, labels) has been compared with the manifest.
pub(crate) struct Shard {
    path: PathBuf,
    bytes: FileBytes,
    count: usize,
    /// Image `i` is at `offsets[i]..offsets[i + 1]` of the file with codec `med-zstd1`; empty with `raw`.
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
        // SAFETY: the mapping is private to this struct and only read. Shards are never written in place: writers
        // rename complete files over them, which leaves the mapped file untouched.
        let map = unsafe { Mmap::map(&file) }.map_err(DatasetError::io("map", &path))?;
        Self::new(path, Box::new(map), manifest, entry)
    }

    /// The shard of which these are all bytes; `path` is for error messages.
    pub(crate) fn new(path: PathBuf, bytes: FileBytes, manifest: &Manifest, entry: &ShardEntry) -> Result<Self, DatasetError> {
        let all = (*bytes).as_ref();
        let got = all.len() as u64;
        if got != entry.bytes {
            let expected = entry.bytes;
            return Err(DatasetError::ShardSize { path, expected, got });
        }
        let (header_len, header) = read_header(&path, all)?;
        check_metadata(&path, &header, manifest, entry)?;
        check_index(&path, all, entry)?;
        let tensors = Tensors { path: &path, header: &header, start: 8 + header_len };

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
        let (offsets, pixels) = match manifest.codec {
            CodecKind::Raw => {
                let shape = [count, shape.channels, shape.height, shape.width];
                (0..0, tensors.range(format::IMAGES, Dtype::U8, &shape)?)
            }
            CodecKind::MedZstd1 => {
                let offsets = tensors.range(format::OFFSETS, Dtype::U64, &[count + 1])?;
                (offsets, tensors.vector(format::DATA, Dtype::U8)?)
            }
        };
        if pixels.start as u64 > entry.index_bytes {
            let got = entry.index_bytes;
            return Err(DatasetError::mismatch(&path, "index_bytes", pixels.start, got));
        }
        let shard = Shard { path, bytes, count, offsets, crc32c, labels, attributes, pixels };
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

    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }

    /// The bytes of all images.
    pub(crate) fn pixels(&self) -> &[u8] {
        &self.bytes()[self.pixels.clone()]
    }

    /// The class of image `index`, which must be below `count`.
    pub(crate) fn label(&self, index: usize) -> Option<u32> {
        let labels = &self.bytes()[self.labels.clone()?];
        Some(u32_at(labels, index))
    }

    /// The attributes of image `index`, which must be below `count`.
    pub(crate) fn attributes(&self, index: usize) -> Vec<i8> {
        let n = self.attributes.len() / self.count;
        let attributes = &self.bytes()[self.attributes.clone()][n * index..n * (index + 1)];
        attributes.iter().map(|&b| i8::from_le_bytes([b])).collect()
    }

    /// Decodes image `index`, which must be below `count`, and compares its checksum and range.
    pub(crate) fn read_into(&self, index: usize, levels: u32, codec: &mut Codec, out: &mut [u8]) -> Result<(), DatasetError> {
        let range = self.image_range(index, out.len());
        let offset = range.start as u64;
        codec.decode(&self.bytes()[range], out).map_err(|e| DatasetError::Decode {
            path: self.path.clone(),
            index,
            offset,
            reason: e.to_string(),
        })?;
        let (expected, got) = (u32_at(&self.bytes()[self.crc32c.clone()], index), crc32c::crc32c(out));
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

    /// Where image `index` is in the file.
    fn image_range(&self, index: usize, image_len: usize) -> Range<usize> {
        let (start, end) = match self.offsets.is_empty() {
            true => (index * image_len, (index + 1) * image_len),
            false => (self.offset(index) as usize, self.offset(index + 1) as usize),
        };
        self.pixels.start + start..self.pixels.start + end
    }

    fn offset(&self, index: usize) -> u64 {
        let bytes = &self.bytes()[self.offsets.clone()][8 * index..8 * index + 8];
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

fn read_header(path: &Path, bytes: &[u8]) -> Result<(usize, Metadata), DatasetError> {
    SafeTensors::read_metadata(bytes).map_err(|e| DatasetError::mismatch(path, "header", "a safetensors header", e))
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

/// Compares the checksum of everything before the pixels.
fn check_index(path: &Path, bytes: &[u8], entry: &ShardEntry) -> Result<(), DatasetError> {
    let index = usize::try_from(entry.index_bytes).ok().and_then(|n| bytes.get(..n));
    let Some(index) = index else {
        let expected = format!("at most {}", bytes.len());
        return Err(DatasetError::mismatch(path, "index_bytes", expected, entry.index_bytes));
    };
    let got = crc32c::crc32c(index);
    if got != entry.index_crc32c {
        return Err(DatasetError::IndexChecksum {
            path: path.to_path_buf(),
            len: entry.index_bytes,
            expected: entry.index_crc32c,
            got,
        });
    }
    Ok(())
}

/// The tensors of one file, by name, with their types and shapes checked.
struct Tensors<'a> {
    path: &'a Path,
    header: &'a Metadata,
    start: usize,
}

impl Tensors<'_> {
    fn info(&self, name: &str, dtype: Dtype) -> Result<&TensorInfo, DatasetError> {
        match self.header.info(name) {
            Some(info) if info.dtype == dtype => Ok(info),
            Some(info) => Err(DatasetError::mismatch(self.path, name, format!("{dtype:?}"), format!("{:?}", info.dtype))),
            None => Err(DatasetError::mismatch(self.path, name, "a tensor", "none")),
        }
    }

    /// Where a tensor of known shape lies in the file.
    fn range(&self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<Range<usize>, DatasetError> {
        let info = self.info(name, dtype)?;
        if info.shape != shape {
            let (expected, got) = (format!("of shape {shape:?}"), format!("{:?}", info.shape));
            return Err(DatasetError::mismatch(self.path, name, expected, got));
        }
        Ok(self.start + info.data_offsets.0..self.start + info.data_offsets.1)
    }

    /// Where a tensor of one dimension lies in the file.
    fn vector(&self, name: &str, dtype: Dtype) -> Result<Range<usize>, DatasetError> {
        let len = self.info(name, dtype)?.shape.iter().product();
        self.range(name, dtype, &[len])
    }
}

fn u32_at(bytes: &[u8], index: usize) -> u32 {
    u32::from_le_bytes(bytes[4 * index..4 * index + 4].try_into().expect("four bytes"))
}
