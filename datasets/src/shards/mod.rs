//! The shard format: images in safetensors files, with checksums and a manifest for each split. `FORMAT.md` beside this crate
//! describes the bytes.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`mod@format`], [`shape`], [`codec`], [`manifest`] | names and version, shapes, encodings, the description of a split |
//! | [`dataset`], [`reader`] | random access to the images of a split |
//! | [`writer`] | shards from a stream of images |
//! | [`build`], [`staging`] | whole data sets, made in parallel, that survive interruption |
//! | [`synthetic`] | images that carry their own index, for tests |

pub mod build;
pub mod codec;
pub mod dataset;
pub mod format;
pub mod manifest;
pub mod reader;
pub mod shape;
pub mod staging;
pub mod synthetic;
pub mod writer;

mod container;
mod journal;
mod shard;
