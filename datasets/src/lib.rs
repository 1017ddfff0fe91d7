//! Images in tensor shards, points in the plane and in files, and the batches that training and evaluation draw from them.
//!
//! A data set is a directory: safetensors files ("shards") with one independently readable image per entry, and a
//! manifest for each split that names the shards, their sizes and their checksums. `FORMAT.md` beside this crate
//! describes the bytes. Pixels are whole numbers below `levels` (256 for ordinary images, 32 for 5-bit ones, 17 for
//! the small digits), stored channel by channel (`[channels, height, width]`).
//!
//! | module | idea |
//! | --- | --- |
//! | [`writer`], [`reader`], [`manifest`], [`codec`] | the files: [`ShardWriter`] makes them, [`ImageDataset`] reads them |
//! | [`build`], [`staging`] | whole data sets, made in parallel, that survive interruption |
//! | [`order`], [`dequantization`], [`batcher`], [`source`], [`prefetch`] | from images to batches, every random choice a pure function of a seed |
//! | [`output`], [`console`] | what programs write for people: files and lines |
//! | [`points`] | two-dimensional distributions, files of points, and batches of either |
//! | [`pickle`] | Python's pickles as inert data, for the files of others |
//! | [`npy`] | numpy's arrays, before they are read |
//! | [`input`], [`message`] | what is read whole, and how what it says is printed |
//! | [`program`] | the threads that a program computes with |
//! | [`record`] | the framing of TFRecord and TensorBoard files |
//! | [`synthetic`] | images that carry their own index, for tests |
//!
//! Nothing damaged is ever returned as an image: every byte of a shard is covered by a checksum that is compared when
//! the shard is opened (header, index, labels) or when the image is read (pixels).
//!
//! # Examples
//! ```
//! use datasets::{synthetic, BatchConfig, BatchSource, Batcher, CodecKind, ImageDataset, ImageShape, Split};
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

pub mod batcher;
pub mod build;
pub mod codec;
pub mod console;
pub mod crop;
pub mod dataset;
pub mod dequantization;
pub mod error;
pub mod format;
pub mod input;
pub mod manifest;
pub mod message;
pub mod npy;
pub mod order;
pub mod output;
pub mod pickle;
pub mod points;
pub mod prefetch;
pub mod program;
pub mod reader;
pub mod record;
pub mod shape;
pub mod source;
pub mod staging;
pub mod synthetic;
pub mod writer;

mod atomic;
mod container;
mod journal;
mod shard;

pub use batcher::{Batch, BatchConfig, Batcher};
pub use codec::CodecKind;
pub use crop::{Outside, RandomCrop};
pub use dataset::ImageDataset;
pub use dequantization::Dequantization;
pub use error::DatasetError;
pub use manifest::{Manifest, Provenance, ShardEntry};
pub use order::permutation;
pub use prefetch::Prefetch;
pub use process_group::Part;
pub use shape::{ImageShape, Split};
pub use source::BatchSource;
pub use writer::{ShardWriter, ShardWriterConfig};
