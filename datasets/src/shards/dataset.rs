//! Random access to the images of one split.

use crate::error::DatasetError;
use crate::shards::codec::Codec;
use crate::shards::manifest::{Manifest, ShardEntry};
use crate::shards::reader::{Shard, Source};
use crate::shards::shape::ImageShape;
use crate::shards::shard::hex;
use crate::split::Split;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use twox_hash::xxhash3_128::Hasher as Xxh3;

/// One split of a data set, opened for reading; share it between threads as it is.
///
/// Opening reads the shards' indices and checks them; pixels are read, decoded and checked when asked for,
/// in any order.
///
/// # Examples
/// ```
/// use datasets::shards::synthetic;
/// use datasets::{CodecKind, ImageDataset, ImageShape, Split};
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
    /// Opens a split: reads its manifest, opens its shards, and checks that they belong together.
    ///
    /// # Errors
    /// [`DatasetError`] with the file at fault if anything is missing, cut short, damaged in its index, of an unknown
    /// version, or does not fit the manifest.
    pub fn open(dir: &Path, split: Split) -> Result<Self, DatasetError> {
        let manifest = Manifest::read(dir, split)?;
        let shards = manifest.shards.iter().map(|entry| Shard::open(dir, &manifest, entry)).collect::<Result<_, _>>()?;
        Ok(Self::new(dir.to_path_buf(), manifest, shards))
    }

    /// A split whose shards are in memory, in the manifest's order: for data that is part of a program, and for tests.
    ///
    /// # Errors
    /// Those of [`ImageDataset::open`].
    ///
    /// # Examples
    /// ```
    /// use datasets::shards::{format, synthetic};
    /// use datasets::{CodecKind, ImageDataset, ImageShape, Manifest, Split};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let temp = tempfile::tempdir()?;
    /// # let dir = temp.path();
    /// # let shape = ImageShape { channels: 1, height: 8, width: 8 };
    /// # synthetic::write_dataset(dir, Split::Test, shape, 256, 5, CodecKind::Raw)?;
    /// let shard = std::fs::read(dir.join(format::shard_name(Split::Test, 0, 1)))?;
    /// let dataset = ImageDataset::from_memory(Manifest::read(dir, Split::Test)?, vec![shard])?;
    /// assert_eq!(dataset.image(3)?, synthetic::image(shape, 256, 3));
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_memory(manifest: Manifest, shards: Vec<Vec<u8>>) -> Result<Self, DatasetError> {
        let place = Path::new(&manifest.name);
        manifest.check(place, manifest.split)?;
        if shards.len() != manifest.shards.len() {
            return Err(DatasetError::mismatch(place, "shards", manifest.shards.len(), shards.len()));
        }
        let shard =
            |(entry, bytes): (&ShardEntry, _)| Shard::new(entry.file.clone().into(), Source::Memory(bytes), &manifest, entry);
        let shards = manifest.shards.iter().zip(shards).map(shard).collect::<Result<_, _>>()?;
        Ok(Self::new(PathBuf::new(), manifest, shards))
    }

    fn new(dir: PathBuf, manifest: Manifest, shards: Vec<Shard>) -> Self {
        let ends = shards.iter().scan(0, |end, shard: &Shard| {
            *end += shard.count();
            Some(*end)
        });
        let starts = std::iter::once(0).chain(ends).take(shards.len()).collect();
        ImageDataset { dir, manifest, shards, starts }
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

    /// What tells these images and classes from others, whatever files they are stored in: a checksum of the shape, the
    /// levels, and all images' checksums and classes in order.
    pub fn fingerprint(&self) -> String {
        let ImageShape { channels, height, width } = self.shape();
        let mut checksum = Xxh3::new();
        for number in [channels, height, width, self.levels() as usize] {
            checksum.write(&(number as u64).to_le_bytes());
        }
        for (shard, index) in self.shards.iter().flat_map(|shard| (0..shard.count()).map(move |index| (shard, index))) {
            checksum.write(&shard.checksum(index).to_le_bytes());
            checksum.write(&shard.label(index).unwrap_or(u32::MAX).to_le_bytes());
        }
        format!("{:032x}", checksum.finish_128())
    }

    /// Compares the checksum of all pixels of shard `index` of the manifest. (That of its index was compared when it was
    /// opened.)
    ///
    /// # Errors
    /// [`DatasetError::Mismatch`] if the file is not the one the manifest describes.
    ///
    /// # Panics
    /// If the manifest has no such shard.
    pub fn verify_shard(&self, index: usize) -> Result<(), DatasetError> {
        let (shard, entry) = (&self.shards[index], &self.manifest.shards[index]);
        let (key, expected, got) = match (&entry.xxh3, &entry.sha256) {
            (Some(xxh3), _) => {
                let mut checksum = Xxh3::new();
                shard.each_piece_of_pixels(|piece| checksum.write(piece))?;
                ("xxh3", xxh3.as_str(), format!("{:032x}", checksum.finish_128()))
            }
            (None, sha256) => {
                let mut checksum = Sha256::new();
                shard.each_piece_of_file(|piece| checksum.update(piece))?;
                ("sha256", sha256.as_deref().unwrap_or_default(), hex(&checksum.finalize()))
            }
        };
        if got != expected {
            return Err(DatasetError::mismatch(shard.path(), key, expected, got));
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
