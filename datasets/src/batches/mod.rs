//! From stored samples to batches. Every random choice (order, crop, flip, noise) is a pure function of a seed and a number, so
//! that a run can be continued at any batch.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`batch`], [`source`] | a batch, and what training and evaluation ask of anything that makes batches |
//! | [`batcher`] | batches of images from shards |
//! | [`order`] | the order of an epoch, and the random streams |
//! | [`crop`], [`dequantization`] | what happens to an image on its way |
//! | [`prefetch`] | batches made in the background |

pub mod batch;
pub mod batcher;
pub mod crop;
pub mod dequantization;
pub mod order;
pub mod prefetch;
pub mod source;
