//! One shard being filled: images in, one file out. Shared by the two writers.

use crate::error::DatasetError;
use crate::io::atomic;
use crate::shards::codec::Codec;
use crate::shards::codec::CodecKind;
use crate::shards::container::{self, Metadata};
use crate::shards::format;
use crate::shards::manifest::{Provenance, ShardEntry};
use crate::shards::shape::ImageShape;
use crate::split::Split;
use safetensors::Dtype;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use tempfile::NamedTempFile;
use twox_hash::xxhash3_128::Hasher as Xxh3;

/// The properties that all shards of a split share.
#[derive(Clone, Debug)]
pub(crate) struct ShardSpec {
    pub(crate) name: String,
    pub(crate) split: Split,
    pub(crate) shape: ImageShape,
    pub(crate) levels: u32,
    pub(crate) codec: CodecKind,
    pub(crate) provenance: Provenance,
    pub(crate) labelled: bool,
    pub(crate) n_attributes: usize,
}

impl ShardSpec {
    pub(crate) fn validate(&self) -> Result<(), DatasetError> {
        self.shape.validate()?;
        format::check_levels(self.levels)
    }

    /// Images in a shard if nobody asks for another number: as many as make 64 MB of pixels, at most 10,000.
    pub(crate) fn images_per_shard(&self, wanted: Option<usize>) -> Result<usize, DatasetError> {
        match wanted {
            None => Ok((64_000_000 / self.shape.len()).clamp(1, 10_000)),
            Some(n @ 1..) => Ok(n),
            Some(0) => Err(DatasetError::Setting { key: "images_per_shard", expected: "at least 1".into(), got: "0".into() }),
        }
    }

    /// The header of a shard of `count` images whose pixels take `data_len` bytes.
    fn header(&self, count: usize, data_len: usize, min_len: usize) -> Result<Vec<u8>, DatasetError> {
        let mut tensors = vec![(format::CRC32C, Dtype::U32, vec![count])];
        if self.labelled {
            tensors.push((format::LABELS, Dtype::U32, vec![count]));
        }
        if self.n_attributes > 0 {
            tensors.push((format::ATTRIBUTES, Dtype::I8, vec![count, self.n_attributes]));
        }
        if self.codec.has_offsets() {
            tensors.insert(0, (format::OFFSETS, Dtype::U64, vec![count + 1]));
            tensors.push((format::DATA, Dtype::U8, vec![data_len]));
        } else {
            let ImageShape { channels, height, width } = self.shape;
            tensors.push((format::IMAGES, Dtype::U8, vec![count, channels, height, width]));
        }
        container::header(self.metadata(count), tensors, min_len)
            .map_err(|e| DatasetError::io("describe a shard of", Path::new(&self.name))(e.into()))
    }

    /// Bytes that a shard of `count` images keeps for its header: enough, however well the images are compressed.
    fn header_len(&self, count: usize) -> Result<usize, DatasetError> {
        Ok(self.header(count, count.saturating_mul(Codec::max_len(self.codec, self.shape)), 0)?.len())
    }

    /// Bytes between header and pixels in a shard of `count` images.
    fn tables_len(&self, count: usize) -> usize {
        let offsets = if self.codec.has_offsets() { 8 * (count + 1) } else { 0 };
        let labels = if self.labelled { 4 * count } else { 0 };
        offsets + 4 * count + labels + self.n_attributes * count
    }

    fn metadata(&self, count: usize) -> Metadata {
        Metadata::from([
            (format::KEY_FORMAT, format::FORMAT.into()),
            (format::KEY_VERSION, format::VERSION.to_string()),
            (format::KEY_NAME, self.name.clone()),
            (format::KEY_SPLIT, self.split.to_string()),
            (format::KEY_CODEC, self.codec.to_string()),
            (format::KEY_LEVELS, self.levels.to_string()),
            (format::KEY_CHANNELS, self.shape.channels.to_string()),
            (format::KEY_HEIGHT, self.shape.height.to_string()),
            (format::KEY_WIDTH, self.shape.width.to_string()),
            (format::KEY_COUNT, count.to_string()),
            (format::KEY_SOURCE, self.provenance.source.clone()),
            (format::KEY_LICENCE, self.provenance.licence.clone()),
            (format::KEY_NOTES, self.provenance.notes.clone()),
            (format::KEY_TOOL, self.provenance.tool.clone()),
        ])
    }
}

/// Encoded images gather up to this many bytes, which fit a cache, before they are written.
const PIECE: usize = 1 << 18;
/// Images of at least this many bytes that need no encoding are written without gathering.
const DIRECT: usize = 1 << 16;

/// The contents of a shard so far. Where the number of images is known beforehand, pixels go to the file as they come;
/// only the index is kept.
pub(crate) struct ShardEncoder {
    spec: ShardSpec,
    codec: Codec,
    /// Encoded images that are not in the file yet.
    data: Vec<u8>,
    offsets: Vec<u64>,
    crc32c: Vec<u32>,
    labels: Vec<u32>,
    attributes: Vec<i8>,
    checksum: Xxh3,
    file: Option<NamedTempFile>,
}

impl ShardEncoder {
    pub(crate) fn new(spec: ShardSpec) -> Result<Self, DatasetError> {
        let codec = Codec::new(spec.codec, spec.shape).map_err(DatasetError::io("prepare to encode", Path::new(&spec.name)))?;
        Ok(ShardEncoder {
            spec,
            codec,
            data: Vec::new(),
            offsets: vec![0],
            crc32c: Vec::new(),
            labels: Vec::new(),
            attributes: Vec::new(),
            checksum: Xxh3::new(),
            file: None,
        })
    }

    /// Begins a shard of `count` images in a temporary file in `dir`, forgetting another one that was not finished.
    pub(crate) fn start(&mut self, dir: &Path, count: usize) -> Result<(), DatasetError> {
        self.clear();
        self.file = Some(self.create(dir, count)?);
        Ok(())
    }

    /// A file with room for the index of `count` images.
    fn create(&self, dir: &Path, count: usize) -> Result<NamedTempFile, DatasetError> {
        let index = self.spec.header_len(count)? + self.spec.tables_len(count);
        let mut file = atomic::create_temp(dir)?;
        file.seek(SeekFrom::Start(index as u64)).map_err(DatasetError::io("write", file.path()))?;
        Ok(file)
    }

    /// Images since the last shard was finished.
    pub(crate) fn len(&self) -> usize {
        self.crc32c.len()
    }

    /// Adds an image; `index` is its number for error messages, `place` the output, for error messages too.
    pub(crate) fn push(
        &mut self,
        image: &[u8],
        label: Option<u32>,
        attributes: &[i8],
        index: usize,
        place: &Path,
    ) -> Result<(), DatasetError> {
        let spec = &self.spec;
        let expected = spec.shape.len();
        if image.len() != expected {
            return Err(DatasetError::ImageLen { index, expected, got: image.len() });
        }
        if let Some((position, value)) = above_levels(image, spec.levels) {
            let place = format!("{} split for {}", spec.split, place.display());
            return Err(DatasetError::PixelValue { place, index, position, value, levels: spec.levels });
        }
        if spec.labelled != label.is_some() {
            let word = |labelled| if labelled { "a" } else { "no" };
            return Err(DatasetError::MixedLabels { index, expected: word(spec.labelled), got: word(!spec.labelled) });
        }
        if spec.n_attributes != attributes.len() {
            return Err(DatasetError::Attributes { index, expected: spec.n_attributes, got: attributes.len() });
        }
        self.crc32c.push(crc32c::crc32c(image));
        self.labels.extend(label);
        self.attributes.extend_from_slice(attributes);
        let len = self.store(image, place)?;
        let start = self.offsets.last().copied().unwrap_or(0);
        self.offsets.push(start + len as u64);
        Ok(())
    }

    /// Encodes the pixels; returns how many bytes they take.
    fn store(&mut self, image: &[u8], place: &Path) -> Result<usize, DatasetError> {
        if !self.spec.codec.has_offsets()
            && image.len() >= DIRECT
            && let Some(file) = &mut self.file
        {
            write_piece(&mut self.data, &mut self.checksum, file)?;
            write_pixels(image, &mut self.checksum, file)?;
            return Ok(image.len());
        }
        let before = self.data.len();
        self.codec.encode(image, &mut self.data).map_err(DatasetError::io("encode an image for", place))?;
        let len = self.data.len() - before;
        if self.data.len() >= PIECE
            && let Some(file) = &mut self.file
        {
            write_piece(&mut self.data, &mut self.checksum, file)?;
        }
        Ok(len)
    }

    /// Completes the shard and syncs its temporary file, which is in `dir`. The entry has no file name yet.
    pub(crate) fn finish(&mut self, dir: &Path) -> Result<(NamedTempFile, ShardEntry), DatasetError> {
        let count = self.len();
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.create(dir, count)?,
        };
        write_piece(&mut self.data, &mut self.checksum, &mut file)?;
        let data_len = self.offsets.last().copied().unwrap_or(0);
        let index = self.index(data_len)?;
        let write = |file: &mut NamedTempFile| {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&index)?;
            file.as_file().sync_all()
        };
        write(&mut file).map_err(DatasetError::io("write", file.path()))?;
        let entry = ShardEntry {
            file: String::new(),
            count,
            bytes: index.len() as u64 + data_len,
            xxh3: Some(format!("{:032x}", self.checksum.finish_128())),
            sha256: None,
            index_bytes: index.len() as u64,
            index_crc32c: crc32c::crc32c(&index),
        };
        self.clear();
        Ok((file, entry))
    }

    /// Header, offsets, checksums, labels and attributes as they are in the file.
    fn index(&self, data_len: u64) -> Result<Vec<u8>, DatasetError> {
        let (spec, count) = (&self.spec, self.len());
        let mut index = spec.header(count, data_len as usize, spec.header_len(count)?)?;
        if spec.codec.has_offsets() {
            index.extend(self.offsets.iter().flat_map(|v| v.to_le_bytes()));
        }
        index.extend(self.crc32c.iter().chain(&self.labels).flat_map(|v| v.to_le_bytes()));
        index.extend(self.attributes.iter().flat_map(|v| v.to_le_bytes()));
        Ok(index)
    }

    /// Forgets the images since the last shard was finished.
    fn clear(&mut self) {
        self.file = None;
        self.checksum = Xxh3::new();
        self.data.clear();
        self.offsets.truncate(1);
        self.crc32c.clear();
        self.labels.clear();
        self.attributes.clear();
    }
}

/// Moves `data` to the end of the file.
fn write_piece(data: &mut Vec<u8>, checksum: &mut Xxh3, file: &mut NamedTempFile) -> Result<(), DatasetError> {
    write_pixels(data, checksum, file)?;
    data.clear();
    Ok(())
}

fn write_pixels(pixels: &[u8], checksum: &mut Xxh3, file: &mut NamedTempFile) -> Result<(), DatasetError> {
    checksum.write(pixels);
    file.write_all(pixels).map_err(DatasetError::io("write", file.path()))
}

/// The first pixel that is not below `levels`, with its position.
pub(crate) fn above_levels(image: &[u8], levels: u32) -> Option<(usize, u8)> {
    if levels > 255 {
        return None;
    }
    let max = image.iter().fold(0, |max, &v| v.max(max));
    if u32::from(max) < levels {
        return None;
    }
    let position = image.iter().position(|&v| u32::from(v) >= levels)?;
    Some((position, image[position]))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
