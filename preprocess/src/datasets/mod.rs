//! One data set each: its names, numbers, licence, and how its images are read. [`idx_set`] and [`cifar`] hold what several share.
//!
//! # Adding a data set
//! 1. A file of its own here, and its `mod` line. Files that are read from their beginning become a
//!    [`Sequence`](crate::sources::sequence::Sequence); those that can be read anywhere an
//!    [`ImageSource`](::datasets::shards::build::ImageSource) of their own. Sets of idx files and relatives of CIFAR are a
//!    description only.
//! 2. Its command in [`cli`](crate::cli).
//! 3. Its layout in [`synth`](crate::commands::synth), and with it a test.
//! 4. Its row in `README.md`.

pub mod celeba_5bit;
pub mod celeba_tfr;
pub mod cifar;
pub mod cifar10;
pub mod cifar100;
pub mod digits;
pub mod emnist;
pub mod fashion_mnist;
pub mod idx_set;
pub mod imagenet;
pub mod imagenet_batches;
pub mod images;
pub mod kmnist;
pub mod mnist;
pub mod svhn;
