//! Writes one split of a data set: images in, shards and their manifest out.

use crate::codec::Codec;
use crate::container::{self, Metadata, Tensor};
use crate::{CodecKind, DatasetError, ImageShape, Manifest, Provenance, ShardEntry, Split, atomic, format};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// What a [`ShardWriter`] has to know about the split it writes.
#[derive(Clone, Debug)]
pub struct ShardWriterConfig {
    /// The data set's name, such as `cifar10`.
    pub name: String,
    /// The split.
    pub split: Split,
    /// Shape of every image.
    pub shape: ImageShape,
    /// Number of values a pixel can take, 2 to 256; every pixel must be below it.
    pub levels: u32,
    /// How images are stored.
    pub codec: CodecKind,
    /// Where the images come from.
    pub provenance: Provenance,
    /// Images in a shard; `None`: as many as make 64 MB of pixels, at most 10,000.
    pub images_per_shard: Option<usize>,
    /// Replace a complete split that is there already, instead of refusing to.
    pub overwrite: bool,
}

/// Writes the shards of one split. Nothing has its final name until [`ShardWriter::finish`]; a writer that is dropped
/// before leaves nothing behind.
///
/// Images are encoded in parallel, shard by shard; the files do not depend on the number of threads.
///
/// # Examples
/// ```
/// use datasets::{CodecKind, ImageDataset, ImageShape, Provenance, ShardWriter, ShardWriterConfig, Split};
///
/// # fn main() -> Result<(), datasets::DatasetError> {
/// # let temp = tempfile::tempdir().expect("a temporary directory");
/// # let dir = temp.path();
/// let mut writer = ShardWriter::create(dir, ShardWriterConfig {
///     name: "ramps".into(),
///     split: Split::Test,
///     shape: ImageShape { channels: 1, height: 2, width: 3 },
///     levels: 256,
///     codec: CodecKind::MedZstd1,
///     provenance: Provenance::default(),
///     images_per_shard: None,
///     overwrite: false,
/// })?;
/// writer.push(&[0, 1, 2, 3, 4, 5], Some(9))?;
/// let manifest = writer.finish()?;
///
/// assert_eq!(manifest.count, 1);
/// assert_eq!(ImageDataset::open(dir, Split::Test)?.label(0), Some(9));
/// # Ok(())
/// # }
/// ```
pub struct ShardWriter {
    dir: PathBuf,
    config: ShardWriterConfig,
    per_shard: usize,
    pixels: Vec<u8>,
    labels: Vec<u32>,
    labelled: Option<bool>,
    count: usize,
    shards: Vec<(NamedTempFile, ShardEntry)>,
}

impl ShardWriter {
    /// Starts a split in `dir`, which is made if it does not exist.
    ///
    /// # Errors
    /// [`DatasetError::Setting`] for a configuration outside the format's limits, [`DatasetError::Exists`] if a complete
    /// split is there and `overwrite` is not set, [`DatasetError::Io`] if the directory cannot be made.
    pub fn create(dir: &Path, config: ShardWriterConfig) -> Result<Self, DatasetError> {
        config.shape.validate()?;
        format::check_levels(config.levels)?;
        let per_shard = match config.images_per_shard {
            None => (64_000_000 / config.shape.len()).clamp(1, 10_000),
            Some(n @ 1..) => n,
            Some(0) => {
                return Err(DatasetError::Setting { key: "images_per_shard", expected: "at least 1".into(), got: "0".into() });
            }
        };
        std::fs::create_dir_all(dir).map_err(DatasetError::io("create directory", dir))?;
        let path = format::manifest_path(dir, config.split);
        let exists = path.try_exists().map_err(DatasetError::io("look for", &path))?;
        if exists && !config.overwrite {
            return Err(DatasetError::Exists { path });
        }
        Ok(ShardWriter {
            dir: dir.to_path_buf(),
            config,
            per_shard,
            pixels: Vec::new(),
            labels: Vec::new(),
            labelled: None,
            count: 0,
            shards: Vec::new(),
        })
    }

    /// Adds an image, pixels in the order `[channels, height, width]`, with its class if the set has classes.
    ///
    /// # Errors
    /// [`DatasetError::ImageLen`] or [`DatasetError::PixelValue`] for an image that does not fit the configuration,
    /// [`DatasetError::MixedLabels`] if only some images have labels, [`DatasetError::Io`] if a full shard cannot be
    /// written.
    pub fn push(&mut self, image: &[u8], label: Option<u32>) -> Result<(), DatasetError> {
        let (index, expected) = (self.count, self.config.shape.len());
        if image.len() != expected {
            let got = image.len();
            return Err(DatasetError::ImageLen { index, expected, got });
        }
        if let Some((position, value)) = above_levels(image, self.config.levels) {
            return Err(DatasetError::PixelValue {
                place: format!("{} split for {}", self.config.split, self.dir.display()),
                index,
                position,
                value,
                levels: self.config.levels,
            });
        }
        let labelled = *self.labelled.get_or_insert(label.is_some());
        if labelled != label.is_some() {
            let word = |labelled| if labelled { "a" } else { "no" };
            return Err(DatasetError::MixedLabels { index, expected: word(labelled), got: word(!labelled) });
        }
        self.pixels.extend_from_slice(image);
        self.labels.extend(label);
        self.count += 1;
        if self.pixels.len() >= self.per_shard.saturating_mul(expected) {
            self.write_shard()?;
        }
        Ok(())
    }

    /// Images pushed so far.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Writes what is left, gives the shards their names and writes the manifest, last of all.
    ///
    /// # Errors
    /// [`DatasetError::Empty`] without images, [`DatasetError::Io`] if a file cannot be written; there is then no
    /// manifest, and the split cannot be opened.
    pub fn finish(mut self) -> Result<Manifest, DatasetError> {
        if self.count == 0 {
            return Err(DatasetError::Empty { dir: self.dir, split: self.config.split });
        }
        if !self.pixels.is_empty() {
            self.write_shard()?;
        }
        self.remove_previous()?;
        let total = self.shards.len();
        let mut shards = Vec::with_capacity(total);
        for (i, (file, mut entry)) in std::mem::take(&mut self.shards).into_iter().enumerate() {
            entry.file = format::shard_name(self.config.split, i, total);
            atomic::persist(file, &self.dir.join(&entry.file))?;
            shards.push(entry);
        }
        atomic::sync_dir(&self.dir)?;
        let manifest = Manifest {
            format: format::FORMAT.into(),
            version: format::VERSION,
            name: self.config.name,
            split: self.config.split,
            levels: self.config.levels,
            shape: self.config.shape,
            count: self.count,
            labelled: self.labelled == Some(true),
            codec: self.config.codec,
            provenance: self.config.provenance,
            shards,
        };
        manifest.write(&self.dir)?;
        Ok(manifest)
    }

    /// Removes an earlier version of the split, its manifest first.
    fn remove_previous(&self) -> Result<(), DatasetError> {
        let previous = Manifest::read(&self.dir, self.config.split);
        let path = format::manifest_path(&self.dir, self.config.split);
        remove_if_there(&path)?;
        atomic::sync_dir(&self.dir)?;
        // An unreadable manifest names no shards; files that stay behind are not part of any data set.
        for shard in previous.map(|m| m.shards).unwrap_or_default() {
            remove_if_there(&self.dir.join(shard.file))?;
        }
        Ok(())
    }

    fn write_shard(&mut self) -> Result<(), DatasetError> {
        let len = self.config.shape.len();
        let count = self.pixels.len() / len;
        let crc32c = (self.pixels.par_chunks(len)).map(crc32c::crc32c).collect::<Vec<u32>>();
        let mut tensors = vec![Tensor::u32(format::CRC32C, &crc32c)];
        if self.labelled == Some(true) {
            tensors.push(Tensor::u32(format::LABELS, &self.labels));
        }
        match self.config.codec {
            CodecKind::Raw => {
                let ImageShape { channels, height, width } = self.config.shape;
                let shape = vec![count, channels, height, width];
                let pixels = std::mem::take(&mut self.pixels);
                tensors.push(Tensor::u8(format::IMAGES, shape, pixels));
            }
            CodecKind::MedZstd1 => {
                let (data, offsets) = self.encode()?;
                tensors.insert(0, Tensor::u64(format::OFFSETS, &offsets));
                tensors.push(Tensor::u8(format::DATA, vec![data.len()], data));
            }
        }
        let (bytes, index_bytes) = container::serialize(self.metadata(count), tensors)
            .map_err(|e| DatasetError::io("describe a shard in", &self.dir)(e.into()))?;
        let entry = ShardEntry {
            file: String::new(),
            count,
            bytes: bytes.len() as u64,
            sha256: hex(&Sha256::digest(&bytes)),
            index_bytes: index_bytes as u64,
            index_crc32c: crc32c::crc32c(&bytes[..index_bytes]),
        };
        self.shards.push((atomic::write_temp(&self.dir, &bytes)?, entry));
        self.pixels.clear();
        self.labels.clear();
        Ok(())
    }

    /// All buffered images encoded one after the other, and where each begins and ends.
    fn encode(&self) -> Result<(Vec<u8>, Vec<u64>), DatasetError> {
        /// Images given to a thread at once.
        const BLOCK: usize = 64;
        let (kind, shape) = (self.config.codec, self.config.shape);
        let blocks = self
            .pixels
            .par_chunks(BLOCK * shape.len())
            .map_init(
                || Codec::new(kind, shape),
                |codec, images| {
                    let codec = codec.as_mut().map_err(|e| std::io::Error::other(e.to_string()))?;
                    let (mut data, mut ends) = (Vec::with_capacity(images.len()), Vec::new());
                    for image in images.chunks_exact(shape.len()) {
                        codec.encode(image, &mut data)?;
                        ends.push(data.len());
                    }
                    Ok((data, ends))
                },
            )
            .collect::<Result<Vec<_>, _>>()
            .map_err(DatasetError::io("encode images for", &self.dir))?;
        let mut data = Vec::with_capacity(blocks.iter().map(|(data, _)| data.len()).sum());
        let mut offsets = vec![0];
        for (block, ends) in blocks {
            offsets.extend(ends.iter().map(|end| (data.len() + end) as u64));
            data.extend_from_slice(&block);
        }
        Ok((data, offsets))
    }

    fn metadata(&self, count: usize) -> Metadata {
        let config = &self.config;
        Metadata::from([
            (format::KEY_FORMAT, format::FORMAT.into()),
            (format::KEY_VERSION, format::VERSION.to_string()),
            (format::KEY_NAME, config.name.clone()),
            (format::KEY_SPLIT, config.split.to_string()),
            (format::KEY_CODEC, config.codec.to_string()),
            (format::KEY_LEVELS, config.levels.to_string()),
            (format::KEY_CHANNELS, config.shape.channels.to_string()),
            (format::KEY_HEIGHT, config.shape.height.to_string()),
            (format::KEY_WIDTH, config.shape.width.to_string()),
            (format::KEY_COUNT, count.to_string()),
            (format::KEY_SOURCE, config.provenance.source.clone()),
            (format::KEY_LICENCE, config.provenance.licence.clone()),
            (format::KEY_NOTES, config.provenance.notes.clone()),
            (format::KEY_TOOL, config.provenance.tool.clone()),
        ])
    }
}

/// The first pixel that is not below `levels`, with its position.
pub(crate) fn above_levels(image: &[u8], levels: u32) -> Option<(usize, u8)> {
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

fn remove_if_there(path: &Path) -> Result<(), DatasetError> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(DatasetError::io("remove", path)(e)),
        _ => Ok(()),
    }
}
