//! Public image data sets to tensor shards: the parts of the `preprocess` program, a library so that benchmarks, fuzz
//! tests and the program share them.
//!
//! | room | what it holds |
//! | --- | --- |
//! | [`cli`] | the command line |
//! | [`datasets`](mod@crate::datasets) | one data set each; the recipe for another one |
//! | [`commands`] | `inspect`, `verify`, `export` and `synth` |
//! | [`sources`] | where the images of a split come from |
//! | [`conversion`] | options of all converters, inputs, outputs, numbers of images |
//! | [`formats`] | one file format each |
//! | [`messages`] | errors with exit codes, progress, numbers and names |
//!
//! Each room uses those below it only.

pub mod cli;
pub mod commands;
pub mod conversion;
pub mod datasets;
pub mod formats;
pub mod messages;
pub mod sources;
