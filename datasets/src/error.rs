//! Everything that can go wrong with a data set, said so that the reader knows what to do next.

use crate::split::Split;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The error of every fallible function of this crate: what, where, what was expected, what was found, what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The operating system refused to open, map, write or rename a file.
    #[error("cannot {action} {path}", path = path.display())]
    Io {
        /// The action that failed, as a verb: "open", "write", ….
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The reason the system gave.
        source: std::io::Error,
    },
    /// There is a file where one is to be written.
    #[error("{path} exists; choose another name, or replace it with --force", path = path.display())]
    OutputExists {
        /// The file.
        path: PathBuf,
    },
    /// The output cannot be written under this name, or must not be.
    #[error("cannot write {path}: {reason}", path = path.display())]
    Output {
        /// The name.
        path: PathBuf,
        /// The reason, with advice.
        reason: String,
    },
    /// A result was not delivered.
    #[error("cannot write to standard output")]
    StandardOutput(#[source] std::io::Error),
    /// There is no manifest for the requested split.
    #[error(
        "no {split} data in {dir}: {dir}/{split}.json does not exist; make the data set with the `preprocess` program \
         or correct the path",
        dir = dir.display()
    )]
    NotFound {
        /// The data set's directory.
        dir: PathBuf,
        /// The requested split.
        split: Split,
    },
    /// A manifest is not the JSON it should be.
    #[error("{path} is not a manifest of image shards: {reason}; make the data set again", path = path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// The fault, with line and column where known.
        reason: String,
    },
    /// A file was written by a version of the format that this program does not know.
    #[error(
        "{path} has format `{found}`, this program reads `{supported}`; make the data set again, or use the program \
         version that wrote it",
        path = path.display()
    )]
    Version {
        /// The manifest or shard.
        path: PathBuf,
        /// Format name and version found in the file.
        found: String,
        /// Format name and version this program reads.
        supported: String,
    },
    /// A shard named by the manifest is not there.
    #[error("shard {path}, named by its manifest, does not exist; copy it again or make the data set again", path = path.display())]
    MissingShard {
        /// The absent file.
        path: PathBuf,
    },
    /// A shard has another length than the manifest says.
    #[error(
        "shard {path} has {got} bytes, its manifest says {expected}: it was cut short or changed; copy it again or make \
         the data set again",
        path = path.display()
    )]
    ShardSize {
        /// The shard.
        path: PathBuf,
        /// Bytes according to the manifest.
        expected: u64,
        /// Bytes on disk.
        got: u64,
    },
    /// A shard's header, offsets, checksums or labels are damaged.
    #[error(
        "the index of shard {path} (its first {len} bytes) has CRC32C {got:08x}, its manifest says {expected:08x}: \
         the file is damaged; copy it again or make the data set again",
        path = path.display()
    )]
    IndexChecksum {
        /// The shard.
        path: PathBuf,
        /// Length of the index in bytes.
        len: u64,
        /// CRC32C according to the manifest.
        expected: u32,
        /// CRC32C of the bytes on disk.
        got: u32,
    },
    /// A shard and its manifest (or two parts of one shard) contradict each other.
    #[error("{path}: `{key}` should be {expected}, found {got}; make the data set again", path = path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Metadata key, tensor name or manifest field.
        key: String,
        /// The value that the rest of the data set requires.
        expected: String,
        /// The value in the file.
        got: String,
    },
    /// The stored bytes of one image cannot be decoded.
    #[error(
        "image {index} in {path} (byte {offset}) cannot be decoded: {reason}; the file is damaged: copy it again or make \
         the data set again",
        path = path.display()
    )]
    Decode {
        /// The shard.
        path: PathBuf,
        /// Position of the image within the shard.
        index: usize,
        /// The position of the image's first byte in the file.
        offset: u64,
        /// The decoder's reason.
        reason: String,
    },
    /// One image decodes to other pixels than those that were written.
    #[error(
        "image {index} in {path} (byte {offset}) has CRC32C {got:08x}, expected {expected:08x}: the file is damaged; \
         copy it again or make the data set again",
        path = path.display()
    )]
    ImageChecksum {
        /// The shard.
        path: PathBuf,
        /// Position of the image within the shard.
        index: usize,
        /// The position of the image's first byte in the file.
        offset: u64,
        /// The stored checksum.
        expected: u32,
        /// The checksum of the decoded pixels.
        got: u32,
    },
    /// A pixel is not below the number of levels.
    #[error("{place}, image {index}: pixel {position} is {value}, but {levels} levels allow 0 to {max} only", max = levels - 1)]
    PixelValue {
        /// The data set directory being written, or the shard being read.
        place: String,
        /// The image.
        index: usize,
        /// Position within the image, channel by channel and row by row.
        position: usize,
        /// The value found.
        value: u8,
        /// The data set's number of levels.
        levels: u32,
    },
    /// An image handed to the writer, or a buffer handed to the reader, has the wrong length.
    #[error("image {index}: the buffer holds {got} values, the data set's images have {expected}")]
    ImageLen {
        /// The image.
        index: usize,
        /// Values in one image.
        expected: usize,
        /// Values in the buffer.
        got: usize,
    },
    /// Some images have a label and others have none.
    #[error("image {index} has {got} label although the images before it have {expected}; label all images or none")]
    MixedLabels {
        /// The first image that differs.
        index: usize,
        /// "a" or "no".
        expected: &'static str,
        /// "a" or "no".
        got: &'static str,
    },
    /// An image index beyond the end.
    #[error("there is no image {index}: the {split} split holds {len} images, numbered from 0")]
    ImageIndex {
        /// The requested image.
        index: usize,
        /// The split.
        split: Split,
        /// Its number of images.
        len: usize,
    },
    /// A batch index beyond the end of the epoch.
    #[error(
        "there is no batch {index}: {len} images in batches of {batch_size} make {batches}; lower the batch size or set \
         `drop_last = false` if whole batches are missing"
    )]
    BatchIndex {
        /// The requested batch.
        index: usize,
        /// Batches in an epoch.
        batches: usize,
        /// Images in the split.
        len: usize,
        /// Images in a batch.
        batch_size: usize,
    },
    /// A file of points that does not hold a table of numbers.
    #[error("{path}, {place}: {reason}", path = path.display())]
    Points {
        /// The file.
        path: PathBuf,
        /// Line and column, as far as known.
        place: String,
        /// The fault, with advice.
        reason: String,
    },
    /// A setting outside its range.
    #[error("`{key}` must be {expected}, not {got}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// The allowed values.
        expected: String,
        /// The given value.
        got: String,
    },
    /// There is a complete data set where one is to be written.
    #[error("{path} exists: a complete data set is there already; remove it, choose another directory, or overwrite it", path = path.display())]
    Exists {
        /// The manifest that is in the way.
        path: PathBuf,
    },
    /// A finished data set was not moved into its place completely.
    #[error(
        "the data set in {dir} is complete but was interrupted while its files were given their names; give the \
         command that made it again: that takes a moment",
        dir = dir.display()
    )]
    Interrupted {
        /// The data set's directory.
        dir: PathBuf,
    },
    /// Another process is writing the same data set.
    #[error("another process is writing a data set to {dir}; wait for it, or choose another directory", dir = dir.display())]
    Busy {
        /// The data set's directory.
        dir: PathBuf,
    },
    /// Processes that make a data set together are not making the same one.
    #[error(
        "this process reads other inputs, or has other options, than the first one, which writes to {dir}; let all processes \
         read the same files (copies have other dates)",
        dir = dir.display()
    )]
    OtherInputs {
        /// The data set's directory.
        dir: PathBuf,
    },
    /// Another of the processes that make a data set together did not finish its shards.
    #[error("{dir} does not list shard {file}, which another process made; let all processes write to the same directory", dir = dir.display())]
    Unlisted {
        /// The directory in which the shards gather.
        dir: PathBuf,
        /// The missing shard.
        file: String,
    },
    /// Another of the processes that make a data set together is lost.
    #[error(transparent)]
    ProcessGroup(#[from] process_group::ProcessGroupError),
    /// A source delivered another number of images than it had announced.
    #[error("{split} images {first} to {last} were asked for, {got} came; this is a mistake of the program that reads them", last = first + expected - 1)]
    SourceCount {
        /// The split.
        split: Split,
        /// The first image asked for.
        first: usize,
        /// How many were asked for.
        expected: usize,
        /// How many came.
        got: usize,
    },
    /// An image with another number of attributes than announced.
    #[error("image {index} has {got} attributes, expected {expected}")]
    Attributes {
        /// The image.
        index: usize,
        /// Attributes of every image.
        expected: usize,
        /// Attributes of this one.
        got: usize,
    },
    /// A split without a single image cannot be written.
    #[error("no image was written to the {split} split of {dir}", dir = dir.display())]
    Empty {
        /// The data set's directory.
        dir: PathBuf,
        /// The split.
        split: Split,
    },
}

impl DatasetError {
    /// For `map_err` on file operations: `DatasetError::io("open", path)`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| DatasetError::Io { action, path, source }
    }

    /// A contradiction between `path` and the rest of its data set.
    pub(crate) fn mismatch(path: &Path, key: impl Into<String>, expected: impl ToString, got: impl ToString) -> Self {
        DatasetError::Mismatch { path: path.to_path_buf(), key: key.into(), expected: expected.to_string(), got: got.to_string() }
    }
}
