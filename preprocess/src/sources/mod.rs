//! Where the images of a split come from: each an [`ImageSource`](datasets::shards::build::ImageSource), or what one is made of.
//!
//! | module | images |
//! | --- | --- |
//! | [`indexed`] | in memory, by number |
//! | [`npy_images`] | in one `.npy` file |
//! | [`sequence`] | one after the other in streams, such as compressed files |
//! | [`pictures`], [`picture_search`], [`left_out`] | picture files in folders and archives, and what lies beside them |
//! | [`part`] | some of those of another source |
//! | [`interleave`] | the order of their values |

pub mod indexed;
pub mod interleave;
pub mod left_out;
pub mod npy_images;
pub mod part;
pub mod picture_search;
pub mod pictures;
pub mod sequence;
