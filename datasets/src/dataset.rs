//! Random access to the images of one split.

use crate::codec::Codec;
use crate::reader::Shard;
use crate::{DatasetError, ImageShape, Manifest, Split};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// One split of a data set, opened for reading; share it between threads as it is.
///
/// Opening maps the shards into memory and checks their indices; pixels are read, decoded and checked when asked for,
/// in any order.
///
/// # Examples
/// ```
/// use datasets::{synthetic, CodecKind, ImageDataset, ImageShape, Split};
///
/// # fn main() -> Result<(), datasets::DatasetError> {
/// # let temp = tempfile::tempdir().expect("a temporary directory");
/// # let dir = temp.path();
/// let shape = ImageShape { channels: 1, height: 8, width: 8 };
/// synthetic::write_dataset(dir, Split::Test, shape, 17, 30, CodecKind::Raw)?;
///
/// let dataset = ImageDataset::open(dir, Split::Test)?;
/// assert_eq!((dataset.len(), dataset.levels(), dataset.shape()), (30, 17, shape));
/// assert!(dataset.image(29)?.iter().all(|&k| k < 17));
/// assert!(dataset.image(30).is_err());
/// # Ok(())
/// # }
/// ```
pub struct ImageDataset {
    dir: PathBuf,
    manifest: Manifest,
    shards: Vec<Shard>,
    /// Index of the first image of each shard.
    starts: Vec<usize>,
}

impl ImageDataset {
    /// Opens a split: reads its manifest, maps its shards, and checks that they belong together.
    ///
    /// # Errors
    /// [`DatasetError`] with the file at fault if anything is missing, cut short, damaged in its index, of an unknown
    /// version, or does not fit the manifest.
    pub fn open(dir: &Path, split: Split) -> Result<Self, DatasetError> {
        let manifest = Manifest::read(dir, split)?;
        let mut shards = Vec::with_capacity(manifest.shards.len());
        let mut starts = Vec::with_capacity(manifest.shards.len());
        let mut start = 0;
        for entry in &manifest.shards {
            let shard = Shard::open(dir, &manifest, entry)?;
            starts.push(start);
            start += shard.count();
            shards.push(shard);
        }
        let dir = dir.to_path_buf();
        Ok(ImageDataset { dir, manifest, shards, starts })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.manifest.count
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of every image.
    pub fn shape(&self) -> ImageShape {
        self.manifest.shape
    }

    /// Number of values a pixel can take; all pixels are below it.
    pub fn levels(&self) -> u32 {
        self.manifest.levels
    }

    /// The data set's name, such as `cifar10`.
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// The split that was opened.
    pub fn split(&self) -> Split {
        self.manifest.split
    }

    /// The data set's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The split's description.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Reads image `index`: its pixels in the order `[channels, height, width]`.
    ///
    /// # Errors
    /// See [`ImageDataset::read_into`].
    pub fn image(&self, index: usize) -> Result<Vec<u8>, DatasetError> {
        let mut image = vec![0; self.shape().len()];
        self.read_into(index, &mut image)?;
        Ok(image)
    }

    /// Reads image `index` into `out`, whose length must be that of an image.
    ///
    /// # Errors
    /// [`DatasetError::ImageIndex`] beyond the end, [`DatasetError::ImageLen`] for a buffer of another length,
    /// [`DatasetError::Decode`], [`DatasetError::ImageChecksum`] or [`DatasetError::PixelValue`] if the stored image is
    /// damaged; `out` then holds no image.
    pub fn read_into(&self, index: usize, out: &mut [u8]) -> Result<(), DatasetError> {
        thread_local! {
            /// The codec this thread used last.
            static CODEC: RefCell<Option<Codec>> = const { RefCell::new(None) };
        }
        let (shard, within) = self.locate(index)?;
        let expected = self.shape().len();
        if out.len() != expected {
            let got = out.len();
            return Err(DatasetError::ImageLen { index, expected, got });
        }
        let parameters = (self.manifest.codec, self.shape());
        CODEC.with_borrow_mut(|slot| {
            let codec = match slot {
                Some(codec) if codec.parameters() == parameters => codec,
                _ => slot.insert(Codec::new(parameters.0, parameters.1).map_err(DatasetError::io("decode", shard.path()))?),
            };
            shard.read_into(within, self.levels(), codec, out)
        })
    }

    /// The class of image `index`; `None` in sets without classes and beyond the end.
    pub fn label(&self, index: usize) -> Option<u32> {
        let (shard, within) = self.locate(index).ok()?;
        shard.label(within)
    }

    /// The attributes of image `index`, as many as the manifest says; `None` beyond the end.
    pub fn attributes(&self, index: usize) -> Option<Vec<i8>> {
        let (shard, within) = self.locate(index).ok()?;
        Some(shard.attributes(within))
    }

    /// Compares the SHA-256 of shard `index` of the manifest, reading the whole file.
    ///
    /// # Errors
    /// [`DatasetError::Mismatch`] if the file is not the one the manifest describes.
    ///
    /// # Panics
    /// If the manifest has no such shard.
    pub fn verify_shard(&self, index: usize) -> Result<(), DatasetError> {
        let (shard, entry) = (&self.shards[index], &self.manifest.shards[index]);
        let got = crate::shard::hex(&Sha256::digest(shard.bytes()));
        if got != entry.sha256 {
            return Err(DatasetError::mismatch(shard.path(), "sha256", &entry.sha256, got));
        }
        Ok(())
    }

    /// The shard of an image, and the image's position in it.
    fn locate(&self, index: usize) -> Result<(&Shard, usize), DatasetError> {
        if index >= self.len() {
            let (split, len) = (self.split(), self.len());
            return Err(DatasetError::ImageIndex { index, split, len });
        }
        let shard = self.starts.partition_point(|&start| start <= index) - 1;
        Ok((&self.shards[shard], index - self.starts[shard]))
    }
}
