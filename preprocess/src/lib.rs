//! Public image data sets to tensor shards: the parts of the `preprocess` program, a library so that benchmarks, fuzz
//! tests and the program share them.
//!
//! | modules | idea |
//! | --- | --- |
//! | [`cli`], [`find`], [`output`], [`progress`], [`fault`] | the command line: options, where inputs are, how results are written, exit codes |
//! | [`imagenet`], [`imagenet_batches`], [`celeba_tfr`], [`celeba_5bit`], [`svhn`], [`images`], [`mnist`], [`fashion_mnist`], [`kmnist`], [`emnist`], [`cifar10`], [`cifar100`], [`digits`] | one data set each |
//! | [`idx_set`], [`cifar`], [`cifar_source`], [`counts`] | what several data sets have in common |
//! | [`npy`], [`npz`], [`idx`], [`tar_index`], [`zip_file`], [`tfrecord`], [`example_proto`], [`mat`], [`picture`], [`pickle`], [`pickle_outline`] | one file format each |
//! | [`large_file`], [`packed`], [`sequence`], [`source`], [`interleave`] | from bytes to images, whatever the size of the files |
//! | [`picture_source`], [`picture_search`], [`left_out`] | many pictures: where they are, and what is beside them |
//! | [`inspect`], [`verify`], [`export`] | what can be done with shards |
//! | [`synth`] | inputs without downloads |
//!
//! # Adding a data set
//! 1. A file of its own: what is known of it (name, source, licence, published numbers), and where its images are. Files that are
//!    read from their beginning become a [`sequence::Sequence`]; those that can be read anywhere an
//!    [`ImageSource`](datasets::build::ImageSource) of their own. Sets of idx files and relatives of CIFAR are a description only.
//! 2. Its command in [`cli`], and its `mod` line here.
//! 3. Its layout in [`synth`], and with it a test.
//! 4. Its row in `README.md`.

pub mod celeba_5bit;
pub mod celeba_tfr;
pub mod cifar;
pub mod cifar10;
pub mod cifar100;
pub mod cifar_source;
pub mod cli;
pub mod counts;
pub mod digits;
pub mod emnist;
pub mod example_proto;
pub mod export;
pub mod fashion_mnist;
pub mod fault;
pub mod files;
pub mod find;
pub mod idx;
pub mod idx_set;
pub mod imagenet;
pub mod imagenet_batches;
pub mod images;
pub mod inspect;
pub mod interleave;
pub mod kmnist;
pub mod large_file;
pub mod left_out;
pub mod mat;
pub mod mnist;
pub mod npy;
pub mod npz;
pub mod output;
pub mod packed;
pub mod pickle;
pub mod pickle_outline;
pub mod picture;
pub mod picture_search;
pub mod picture_source;
pub mod progress;
pub mod sequence;
pub mod sheet;
pub mod source;
pub mod svhn;
pub mod synth;
pub mod tar_index;
pub mod tfrecord;
pub mod verify;
pub mod zip_file;
