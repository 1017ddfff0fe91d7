//! Images in tensor shards, points in the plane and in files, and the batches that training and evaluation draw from them.
//!
//! A data set is a directory: safetensors files ("shards") with one independently readable image per entry, and a
//! manifest for each split that names the shards, their sizes and their checksums. `FORMAT.md` beside this crate
//! describes the bytes. Pixels are whole numbers below `levels` (256 for ordinary images, 32 for 5-bit ones, 17 for
//! the small digits), stored channel by channel (`[channels, height, width]`).
//!
//! | room | what it holds |
//! | --- | --- |
//! | [`shards`] | the files of images: [`ShardWriter`] and [`build`](shards::build::build) make them, [`ImageDataset`] reads them |
//! | [`points`] | two-dimensional distributions, tables of points, and their batches |
//! | [`held_out`] | which training samples are for validation |
//! | [`batches`] | from images to batches: order, crops, flips, dequantization, prefetching |
//! | [`io`] | what programs read and write: files, lines, numpy's arrays, pickles |
//!
//! Imports point one way: `points` and `batches` use `shards` and `io`, which use neither.
//!
//! Damaged bytes are never returned as an image: every byte of a shard is covered by a checksum that is compared when
//! the shard is opened (header, index, labels) or when the image is read (pixels).
//!
//! # Examples
//! ```
//! use datasets::shards::synthetic;
//! use datasets::{BatchConfig, BatchSource, Batcher, CodecKind, ImageDataset, ImageShape, Split};
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dir = tempfile::tempdir()?;
//! let shape = ImageShape { channels: 3, height: 4, width: 5 };
//! synthetic::write_dataset(dir.path(), Split::Train, shape, 256, 10, CodecKind::MedZstd1)?;
//!
//! let dataset = Arc::new(ImageDataset::open(dir.path(), Split::Train)?);
//! assert_eq!(dataset.image(7)?, synthetic::image(shape, 256, 7));
//!
//! let batcher = Batcher::new(dataset, BatchConfig { batch_size: 4, ..BatchConfig::default() })?;
//! let batch = batcher.train_batch(0, 0)?;
//! assert_eq!(batch.shape, [4, 3, 4, 5]);
//! assert!(batch.pixels.iter().all(|x| (0.0..1.0).contains(x)));
//! # Ok(())
//! # }
//! ```

pub mod batches;
pub mod error;
pub mod held_out;
pub mod io;
pub mod points;
pub mod shards;
pub mod split;

pub use batches::batch::Batch;
pub use batches::batcher::{BatchConfig, Batcher};
pub use batches::crop::{Outside, RandomCrop};
pub use batches::dequantization::Dequantization;
pub use batches::order::permutation;
pub use batches::prefetch::Prefetch;
pub use batches::source::BatchSource;
pub use error::DatasetError;
pub use held_out::HeldOut;
pub use process_group::Part;
pub use shards::codec::CodecKind;
pub use shards::dataset::ImageDataset;
pub use shards::manifest::{Manifest, Provenance, ShardEntry};
pub use shards::shape::ImageShape;
pub use shards::writer::{ShardWriter, ShardWriterConfig};
pub use split::Split;
