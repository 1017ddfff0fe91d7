//! One file format each, and the bytes they are read from. Nothing here knows a data set.
//!
//! | module | what it reads |
//! | --- | --- |
//! | [`large_file`], [`packed`] | bytes: at any position of a file, or from the beginning of whatever they are packed in |
//! | [`tar_index`], [`zip_file`] | archives, in place |
//! | [`npy`], [`npz`], [`idx`], [`mat`] | arrays |
//! | [`numpy_pickle`], [`pickle_outline`] | arrays in pickles, which [`datasets::io::pickle`] parses without running them |
//! | [`tfrecord`], [`example_proto`] | TensorFlow's records and the messages in them |
//! | [`picture`] | PNG, JPEG, WebP, BMP, GIF and TIFF |

pub mod example_proto;
pub mod idx;
pub mod large_file;
pub mod mat;
pub mod npy;
pub mod npz;
pub mod numpy_pickle;
pub mod packed;
pub mod pickle_outline;
pub mod picture;
pub mod tar_index;
pub mod tfrecord;
pub mod zip_file;

/// Images in a file at most: more than any published set has, and few enough for their labels to be in memory.
pub const MAX_IMAGES: usize = 20_000_000;
