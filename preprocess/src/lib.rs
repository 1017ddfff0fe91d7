//! Public image data sets to tensor shards: the parts of the `preprocess` program, a library so that benchmarks, fuzz
//! tests and the program share them.
//!
//! | modules | idea |
//! | --- | --- |
//! | [`cli`], [`find`], [`output`], [`progress`], [`fault`] | the command line: options, where inputs are, how results are written, exit codes |
//! | [`imagenet`], [`celeba_tfr`], [`celeba_5bit`], [`svhn`], [`images`], [`mnist`], [`cifar10`], [`digits`] | one data set each |
//! | [`npy`], [`tar_index`], [`zip_index`], [`tfrecord`], [`example_proto`], [`mat`], [`picture`], [`pickle`] | one file format each |
//! | [`picture_source`], [`picture_search`], [`left_out`] | many pictures: where they are, and what is beside them |
//! | [`inspect`], [`verify`], [`export`] | what can be done with shards |
//! | [`synth`] | inputs without downloads |

pub mod celeba_5bit;
pub mod celeba_tfr;
pub mod cifar10;
pub mod cifar10_source;
pub mod cli;
pub mod digits;
pub mod example_proto;
pub mod export;
pub mod fault;
pub mod files;
pub mod find;
pub mod imagenet;
pub mod images;
pub mod inspect;
pub mod interleave;
pub mod large_file;
pub mod left_out;
pub mod mat;
pub mod mnist;
pub mod npy;
pub mod output;
pub mod pickle;
pub mod picture;
pub mod picture_search;
pub mod picture_source;
pub mod progress;
pub mod sheet;
pub mod source;
pub mod svhn;
pub mod synth;
pub mod tar_index;
pub mod tfrecord;
pub mod verify;
pub mod zip_index;
