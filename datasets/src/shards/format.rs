//! The names, keys and version number of the format: the only place that knows them. `FORMAT.md` explains them.

use crate::error::DatasetError;
use crate::split::Split;
use std::path::{Path, PathBuf};

/// The value of the key `format` in manifests and shards.
pub const FORMAT: &str = "image-shards";
/// The version that is written. All versions from 1 on are read.
pub const VERSION: u32 = 3;

/// Pixels of all images, `U8 [n, channels, height, width]` (codec `raw`).
pub const IMAGES: &str = "images";
/// Encoded images one after the other, `U8 [bytes]` (codec `med-zstd1`).
pub const DATA: &str = "data";
/// Where each image begins and ends in [`DATA`], `U64 [n + 1]` (codec `med-zstd1`).
pub const OFFSETS: &str = "offsets";
/// CRC32C of the pixels of each image, `U32 [n]`.
pub const CRC32C: &str = "crc32c";
/// Class of each image, `U32 [n]`; absent in sets without labels.
pub const LABELS: &str = "labels";

/// Yes-no attributes of each image and the like, `I8 [n, attributes]`; absent in sets without them.
pub const ATTRIBUTES: &str = "attributes";

/// Metadata key of the format name.
pub const KEY_FORMAT: &str = "format";
/// Metadata key of the format version.
pub const KEY_VERSION: &str = "version";
/// Metadata key of the data set's name.
pub const KEY_NAME: &str = "name";
/// Metadata key of the split.
pub const KEY_SPLIT: &str = "split";
/// Metadata key of the codec.
pub const KEY_CODEC: &str = "codec";
/// Metadata key of the number of levels.
pub const KEY_LEVELS: &str = "levels";
/// Metadata key of the number of channels.
pub const KEY_CHANNELS: &str = "channels";
/// Metadata key of the number of rows.
pub const KEY_HEIGHT: &str = "height";
/// Metadata key of the number of columns.
pub const KEY_WIDTH: &str = "width";
/// Metadata key of the number of images in the shard.
pub const KEY_COUNT: &str = "count";
/// Metadata key of the origin of the images.
pub const KEY_SOURCE: &str = "source";
/// Metadata key of licence and attribution.
pub const KEY_LICENCE: &str = "licence";
/// Metadata key of remarks, such as how the splits were made.
pub const KEY_NOTES: &str = "notes";
/// Metadata key of the program that wrote the file, with its version.
pub const KEY_TOOL: &str = "tool";

/// The directory, within the data set's own, in which the shards of an unfinished data set wait.
pub fn unfinished_dir(dir: &Path) -> PathBuf {
    dir.join(".unfinished")
}

/// The directory with a finished data set whose files are still being moved into place.
pub(crate) fn complete_dir(dir: &Path) -> PathBuf {
    dir.join(".complete")
}

/// Whether the files of a finished data set are still being moved into place.
pub(crate) fn is_half_committed(dir: &Path) -> bool {
    complete_dir(dir).exists()
}

/// The file with the description of a split: `train.json` or `test.json` in the data set's directory.
pub fn manifest_path(dir: &Path, split: Split) -> PathBuf {
    dir.join(format!("{split}.json"))
}

/// The file name of shard `index` of `total`, counted from 0.
///
/// # Examples
/// ```
/// use datasets::{Split, shards::format::shard_name};
/// assert_eq!(shard_name(Split::Train, 0, 4), "train-00000-of-00004.safetensors");
/// ```
pub fn shard_name(split: Split, index: usize, total: usize) -> String {
    format!("{split}-{index:05}-of-{total:05}.safetensors")
}

/// Whether `name` is that of a shard of any split, of whatever number.
pub(crate) fn is_shard_name(name: &str) -> bool {
    Split::POSSIBLE.iter().any(|split| {
        let rest = name.strip_prefix(&format!("{split}-")).and_then(|r| r.strip_suffix(".safetensors"));
        let numbers = rest.and_then(|r| r.split_once("-of-"));
        let number = |n: &str| n.len() >= 5 && n.bytes().all(|b| b.is_ascii_digit());
        numbers.is_some_and(|(index, total)| number(index) && number(total))
    })
}

/// Refuses every format and version but those this crate reads, by name.
pub(crate) fn check_version(path: &Path, format: &str, version: &str) -> Result<(), DatasetError> {
    if format == FORMAT && (1..=VERSION).any(|v| version == v.to_string()) {
        return Ok(());
    }
    Err(DatasetError::Version {
        path: path.to_path_buf(),
        found: format!("{format} version {version}"),
        supported: format!("{FORMAT} version 1 to {VERSION}"),
    })
}

/// Numbers of levels the format can hold.
pub(crate) fn check_levels(levels: u32) -> Result<(), DatasetError> {
    if (2..=256).contains(&levels) {
        return Ok(());
    }
    Err(DatasetError::Setting { key: "levels", expected: "2 to 256".into(), got: levels.to_string() })
}
