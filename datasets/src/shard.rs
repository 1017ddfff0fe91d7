//! One shard being filled: images in, one file out. Shared by the two writers.

use crate::codec::Codec;
use crate::container::{self, Metadata, Tensor};
use crate::{CodecKind, DatasetError, ImageShape, Provenance, ShardEntry, Split, atomic, format};
use sha2::{Digest, Sha256};
use std::path::Path;
use tempfile::NamedTempFile;

/// What all shards of a split have in common.
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

    fn metadata(&self, count: usize) -> Metadata {
        Metadata::from([
            (format::KEY_FORMAT, format::FORMAT.into()),
            (format::KEY_VERSION, format::version(self.n_attributes).to_string()),
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

/// The contents of a shard so far; keeps its memory from one shard to the next.
pub(crate) struct ShardEncoder {
    spec: ShardSpec,
    codec: Codec,
    data: Vec<u8>,
    offsets: Vec<u64>,
    crc32c: Vec<u32>,
    labels: Vec<u32>,
    attributes: Vec<i8>,
}

impl ShardEncoder {
    pub(crate) fn new(spec: ShardSpec) -> Result<Self, DatasetError> {
        let codec = Codec::new(spec.codec, spec.shape).map_err(DatasetError::io("prepare to encode", Path::new(&spec.name)))?;
        let (data, crc32c, labels, attributes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Ok(ShardEncoder { spec, codec, data, offsets: vec![0], crc32c, labels, attributes })
    }

    /// Images since the last shard was written.
    pub(crate) fn len(&self) -> usize {
        self.crc32c.len()
    }

    /// Adds an image; `index` is its number for error messages, `place` what is being written.
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
        self.codec.encode(image, &mut self.data).map_err(DatasetError::io("encode an image for", place))?;
        self.offsets.push(self.data.len() as u64);
        self.crc32c.push(crc32c::crc32c(image));
        self.labels.extend(label);
        self.attributes.extend_from_slice(attributes);
        Ok(())
    }

    /// Writes the images to a temporary file in `dir` and starts anew. The entry has no file name yet.
    pub(crate) fn write(&mut self, dir: &Path) -> Result<(NamedTempFile, ShardEntry), DatasetError> {
        let (spec, count) = (&self.spec, self.len());
        let mut tensors = vec![Tensor::u32(format::CRC32C, &self.crc32c)];
        if spec.labelled {
            tensors.push(Tensor::u32(format::LABELS, &self.labels));
        }
        if spec.n_attributes > 0 {
            tensors.push(Tensor::i8(format::ATTRIBUTES, vec![count, spec.n_attributes], &self.attributes));
        }
        let pixels = match spec.codec {
            CodecKind::Raw => {
                let ImageShape { channels, height, width } = spec.shape;
                (format::IMAGES, vec![count, channels, height, width])
            }
            CodecKind::MedZstd1 => {
                tensors.insert(0, Tensor::u64(format::OFFSETS, &self.offsets));
                (format::DATA, vec![self.data.len()])
            }
        };
        let head = container::head(spec.metadata(count), tensors, pixels)
            .map_err(|e| DatasetError::io("describe a shard in", dir)(e.into()))?;
        let file = atomic::write_temp(dir, &[&head, &self.data])?;
        let entry = ShardEntry {
            file: String::new(),
            count,
            bytes: (head.len() + self.data.len()) as u64,
            sha256: hex(&Sha256::new().chain_update(&head).chain_update(&self.data).finalize()),
            index_bytes: head.len() as u64,
            index_crc32c: crc32c::crc32c(&head),
        };
        self.clear();
        Ok((file, entry))
    }

    /// Begins a shard of `count` images. Its memory is reserved at once where its size is known.
    pub(crate) fn start(&mut self, count: usize) {
        self.clear();
        if self.spec.codec == CodecKind::Raw {
            self.data.reserve_exact(count * self.spec.shape.len());
        }
    }

    /// Forgets the images since the last shard was written.
    fn clear(&mut self) {
        self.data.clear();
        self.offsets.truncate(1);
        self.crc32c.clear();
        self.labels.clear();
        self.attributes.clear();
    }
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
