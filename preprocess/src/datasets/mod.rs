//! One data set each: its names, numbers, licence, and how its images are read. [`idx_set`] and [`cifar`] hold what several share.
//!
//! # Adding a data set
//! 1. A file of its own here. Files that are read from their beginning become a
//!    [`Sequence`](crate::sources::sequence::Sequence); those that can be read anywhere an
//!    [`ImageSource`](::datasets::shards::build::ImageSource) of their own. Sets of idx files and relatives of CIFAR are a
//!    description only.
//! 2. Its `mod` line below, its command in `DataSet`, and the arm that runs it.
//! 3. Its row in `README.md`.
//! 4. A test: files as they are published, in `tests/published.rs`.
//!
//! [`synth`](crate::commands::synth) may make up its files, for people without the download.

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

use crate::conversion::find::InputArgs;
use crate::conversion::output::OutputArgs;
use anyhow::Result;
use celeba_5bit::Celeba5bitArgs;
use celeba_tfr::CelebaTfrArgs;
use cifar100::Cifar100Args;
use emnist::EmnistArgs;
use imagenet::ImagenetArgs;
use images::ImagesArgs;
use kmnist::K49Args;
use process_group::ProcessGroup;
use svhn::SvhnArgs;

/// The data sets, each with its options.
#[derive(clap::Subcommand)]
pub(crate) enum DataSet {
    /// Downsampled ImageNet: train_SxS and valid_SxS as .npy, .tar or folder, or image-net.org's batches.
    #[command(after_help = "Examples:
  preprocess imagenet --size 64
  preprocess imagenet ~/downloads --size 32 --out data/imagenet32")]
    Imagenet {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        args: ImagenetArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// CelebA-HQ as published with Glow: celeba-tfr.tar, read in place, or unpacked.
    #[command(after_help = "Examples:
  preprocess celeba-tfr celeba-tfr.tar")]
    CelebaTfr {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        args: CelebaTfrArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// CelebA-HQ 64x64 with 5 bits: celeba_full_64x64_5bit.npy.
    #[command(after_help = "Examples:
  preprocess celeba-5bit ~/downloads --out data/celebahq64_5bit")]
    #[command(name = "celeba-5bit")]
    Celeba5bit {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        args: Celeba5bitArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// MNIST: the four idx files, gzipped or not.
    #[command(after_help = "Examples:
  preprocess mnist ~/downloads/mnist --out data/mnist")]
    Mnist {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Fashion-MNIST: four idx files named as those of MNIST.
    #[command(after_help = "Examples:
  preprocess fashion-mnist ~/downloads/fashion")]
    FashionMnist {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Kuzushiji-MNIST: four idx files named as those of MNIST.
    #[command(after_help = "Examples:
  preprocess kmnist ~/downloads/kmnist")]
    Kmnist {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Kuzushiji-49: four .npz files, such as k49-train-imgs.npz.
    #[command(after_help = "Examples:
  preprocess k49 ~/downloads/k49")]
    K49 {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        args: K49Args,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// EMNIST, handwritten digits and letters: idx files of a selection, or gzip.zip.
    #[command(after_help = "Examples:
  preprocess emnist ~/downloads/gzip.zip --split letters")]
    Emnist {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        args: EmnistArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// CIFAR-10: the binary or the Python version, as published or extracted.
    #[command(after_help = "Examples:
  preprocess cifar10 cifar-10-binary.tar.gz --out data/cifar10")]
    Cifar10 {
        #[command(flatten)]
        input: InputArgs,
        /// Take the batch files that are there, even if some are missing or incomplete.
        #[arg(long)]
        partial: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// CIFAR-100: the binary or the Python version, as published or extracted.
    #[command(after_help = "Examples:
  preprocess cifar100 cifar-100-python.tar.gz")]
    Cifar100 {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        args: Cifar100Args,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Street View House Numbers: train_32x32.mat and test_32x32.mat, with --extra extra_32x32.mat.
    #[command(after_help = "Examples:
  preprocess svhn ~/downloads --extra")]
    Svhn {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        args: SvhnArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Your own pictures (PNG, JPEG, WebP, BMP, GIF, TIFF): their centres, resampled.
    #[command(after_help = "Examples:
  preprocess images pictures --size 64 --out data/mine
  preprocess images pictures.zip --size 64x48 --classes folders --dry-run")]
    Images {
        #[command(flatten)]
        args: ImagesArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// The small digits that ship with this project: two .npy files.
    #[command(after_help = "Examples:
  preprocess digits optdigits")]
    Digits {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
}

impl DataSet {
    /// Converts the data set, each process of the group its part.
    ///
    /// # Errors
    /// If an input cannot be found, is damaged, or does not hold what was published, or the output cannot be written.
    pub(crate) fn run(&self, group: &ProcessGroup) -> Result<()> {
        match self {
            DataSet::Imagenet { input, args, output } => imagenet::run(input, args, output, group),
            DataSet::CelebaTfr { input, args, output } => celeba_tfr::run(input, args, output, group),
            DataSet::Celeba5bit { input, args, output } => celeba_5bit::run(input, args, output, group),
            DataSet::Mnist { input, output } => mnist::run(input, output, group),
            DataSet::FashionMnist { input, output } => fashion_mnist::run(input, output, group),
            DataSet::Kmnist { input, output } => kmnist::run(input, output, group),
            DataSet::K49 { input, args, output } => kmnist::run_k49(input, args, output, group),
            DataSet::Emnist { input, args, output } => emnist::run(input, args, output, group),
            DataSet::Cifar100 { input, args, output } => cifar100::run(input, args, output, group),
            DataSet::Cifar10 { input, partial, output } => cifar10::run(input, *partial, output, group),
            DataSet::Svhn { input, args, output } => svhn::run(input, args, output, group),
            DataSet::Images { args, output } => images::run(args, output, group),
            DataSet::Digits { input, output } => digits::run(input, output, group),
        }
    }
}
