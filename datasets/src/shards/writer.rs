//! Writes one split of a data set: images in, shards and their manifest out.

use crate::error::DatasetError;
use crate::io::atomic;
use crate::shards::codec::CodecKind;
use crate::shards::format;
use crate::shards::manifest::{Manifest, Provenance, ShardEntry};
use crate::shards::shape::ImageShape;
use crate::shards::shard::{ShardEncoder, ShardSpec};
use crate::split::Split;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// The properties of the split that a [`ShardWriter`] writes.
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
    /// The origin of the images.
    pub provenance: Provenance,
    /// Images in a shard; `None`: as many as make 64 MB of pixels, at most 10,000.
    pub images_per_shard: Option<usize>,
    /// Replace a complete split that is there already, instead of refusing to.
    pub overwrite: bool,
}

/// Writes the shards of one split from images that come one after the other. Nothing has its final name until
/// [`ShardWriter::finish`]; a writer that is dropped before leaves nothing behind. For large sets see
/// [`build`](crate::shards::build::build), which is parallel and can be interrupted.
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
    /// Made with the first image, which decides whether there are labels.
    encoder: Option<(bool, ShardEncoder)>,
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
        let spec = spec(&config, false);
        spec.validate()?;
        let per_shard = spec.images_per_shard(config.images_per_shard)?;
        std::fs::create_dir_all(dir).map_err(DatasetError::io("create directory", dir))?;
        let path = format::manifest_path(dir, config.split);
        let exists = path.try_exists().map_err(DatasetError::io("look for", &path))?;
        if exists && !config.overwrite {
            return Err(DatasetError::Exists { path });
        }
        atomic::remove_leftovers(dir)?;
        Ok(ShardWriter { dir: dir.to_path_buf(), config, per_shard, encoder: None, count: 0, shards: Vec::new() })
    }

    /// Adds an image, pixels in the order `[channels, height, width]`, with its class if the set has classes.
    ///
    /// # Errors
    /// [`DatasetError::ImageLen`] or [`DatasetError::PixelValue`] for an image that does not fit the configuration,
    /// [`DatasetError::MixedLabels`] if only some images have labels, [`DatasetError::Io`] if a full shard cannot be
    /// written.
    pub fn push(&mut self, image: &[u8], label: Option<u32>) -> Result<(), DatasetError> {
        let (_, encoder) = match &mut self.encoder {
            Some(encoder) => encoder,
            empty => empty.insert((label.is_some(), ShardEncoder::new(spec(&self.config, label.is_some()))?)),
        };
        encoder.push(image, label, &[], self.count, &self.dir)?;
        self.count += 1;
        if encoder.len() == self.per_shard {
            self.shards.push(encoder.finish(&self.dir)?);
        }
        Ok(())
    }

    /// Images pushed so far.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Writes the remaining images, gives the shards their names and writes the manifest last.
    ///
    /// # Errors
    /// [`DatasetError::Empty`] without images, [`DatasetError::Io`] if a file cannot be written; there is then no
    /// manifest, and the split cannot be opened.
    pub fn finish(mut self) -> Result<Manifest, DatasetError> {
        let labelled = match &mut self.encoder {
            Some((labelled, encoder)) if self.count > 0 => {
                if encoder.len() > 0 {
                    self.shards.push(encoder.finish(&self.dir)?);
                }
                *labelled
            }
            _ => return Err(DatasetError::Empty { dir: self.dir, split: self.config.split }),
        };
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
            labelled,
            attributes: 0,
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
        atomic::remove_if_there(&path)?;
        atomic::sync_dir(&self.dir)?;
        // An unreadable manifest names no shards; files that stay behind are not part of any data set.
        for shard in previous.map(|m| m.shards).unwrap_or_default() {
            atomic::remove_if_there(&self.dir.join(shard.file))?;
        }
        Ok(())
    }
}

fn spec(config: &ShardWriterConfig, labelled: bool) -> ShardSpec {
    ShardSpec {
        name: config.name.clone(),
        split: config.split,
        shape: config.shape,
        levels: config.levels,
        codec: config.codec,
        provenance: config.provenance.clone(),
        labelled,
        n_attributes: 0,
    }
}
