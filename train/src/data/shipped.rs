//! The shipped digits, which are part of the program.

use crate::config::shipped::DIGITS;
use datasets::{DatasetError, ImageDataset, Manifest, Split};
use std::path::Path;

/// A file of their directory.
macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../../data/digits/", $name))
    };
}

/// Opens a split of images: of a directory, or of the shipped ones.
///
/// # Errors
/// As [`ImageDataset::open`].
pub fn open(path: &Path, split: Split) -> Result<ImageDataset, DatasetError> {
    if path != Path::new(DIGITS) {
        return ImageDataset::open(path, split);
    }
    let (manifest, shard): (&[u8], &[u8]) = match split {
        Split::Train => (file!("train.json"), file!("train-00000-of-00001.safetensors")),
        Split::Test => (file!("test.json"), file!("test-00000-of-00001.safetensors")),
        Split::Validation => return Err(DatasetError::NotFound { dir: path.into(), split }),
    };
    ImageDataset::from_memory(Manifest::from_json(manifest, path, split)?, vec![shard.to_vec()])
}
