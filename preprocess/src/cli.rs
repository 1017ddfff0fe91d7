//! The command line.

use crate::commands::export::{self, ExportArgs};
use crate::commands::inspect::{self, InspectArgs};
use crate::commands::synth::{self, SynthArgs};
use crate::commands::verify;
use crate::conversion::find::InputArgs;
use crate::conversion::output::OutputArgs;
use crate::datasets::celeba_5bit::{self, Celeba5bitArgs};
use crate::datasets::celeba_tfr::{self, CelebaTfrArgs};
use crate::datasets::cifar10;
use crate::datasets::cifar100::{self, Cifar100Args};
use crate::datasets::digits;
use crate::datasets::emnist::{self, EmnistArgs};
use crate::datasets::fashion_mnist;
use crate::datasets::imagenet::{self, ImagenetArgs};
use crate::datasets::images::{self, ImagesArgs};
use crate::datasets::kmnist::{self, K49Args};
use crate::datasets::mnist;
use crate::datasets::svhn::{self, SvhnArgs};
use anyhow::Result;
use clap::{Parser, Subcommand};
use process_group::ProcessGroup;
use std::path::PathBuf;

/// Turn published image data sets into tensor shards, look at them, check them.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Downsampled ImageNet: train_SxS and valid_SxS as .npy, .tar or folder, or image-net.org's batches.
    Imagenet {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        args: ImagenetArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// CelebA-HQ as published with Glow: celeba-tfr.tar, read in place, or unpacked.
    CelebaTfr {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        args: CelebaTfrArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// CelebA-HQ 64x64 with 5 bits: celeba_full_64x64_5bit.npy.
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
    Mnist {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Fashion-MNIST: four idx files named as those of MNIST.
    FashionMnist {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Kuzushiji-MNIST: four idx files named as those of MNIST.
    Kmnist {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Kuzushiji-49: four .npz files, such as k49-train-imgs.npz.
    K49 {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        args: K49Args,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// EMNIST, handwritten digits and letters: idx files of a selection, or gzip.zip.
    Emnist {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        args: EmnistArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// CIFAR-10: the binary or the Python version, as published or extracted.
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
    Cifar100 {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        args: Cifar100Args,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Street View House Numbers: train_32x32.mat and test_32x32.mat, with --extra extra_32x32.mat.
    Svhn {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        args: SvhnArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Your own pictures (PNG, JPEG, WebP, BMP, GIF, TIFF): their centres, resampled.
    Images {
        #[command(flatten)]
        args: ImagesArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// The small digits that ship with this project: two .npy files.
    Digits {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Say what a directory of shards holds, and draw a contact sheet.
    Inspect {
        #[command(flatten)]
        args: InspectArgs,
    },
    /// Read everything in a directory of shards and compare it with its checksums.
    Verify {
        /// The data set's directory.
        dir: PathBuf,
    },
    /// Write shards as .npy or PNG files.
    Export {
        #[command(flatten)]
        args: ExportArgs,
    },
    /// Make up an input of a published layout, of any size, without downloading anything.
    Synth {
        #[command(flatten)]
        args: SynthArgs,
    },
}

impl Cli {
    /// Does what was asked for, with other processes if it is a conversion; everything else is done by the first of them.
    ///
    /// # Errors
    /// Whatever went wrong; [`fault`](crate::messages::fault) says whose fault it is.
    pub fn run(&self, group: &ProcessGroup) -> Result<()> {
        match &self.command {
            Command::Imagenet { input, args, output } => imagenet::run(input, args, output, group),
            Command::CelebaTfr { input, args, output } => celeba_tfr::run(input, args, output, group),
            Command::Celeba5bit { input, args, output } => celeba_5bit::run(input, args, output, group),
            Command::Mnist { input, output } => mnist::run(input, output, group),
            Command::FashionMnist { input, output } => fashion_mnist::run(input, output, group),
            Command::Kmnist { input, output } => kmnist::run(input, output, group),
            Command::K49 { input, args, output } => kmnist::run_k49(input, args, output, group),
            Command::Emnist { input, args, output } => emnist::run(input, args, output, group),
            Command::Cifar100 { input, args, output } => cifar100::run(input, args, output, group),
            Command::Cifar10 { input, partial, output } => cifar10::run(input, *partial, output, group),
            Command::Svhn { input, args, output } => svhn::run(input, args, output, group),
            Command::Images { args, output } => images::run(args, output, group),
            Command::Digits { input, output } => digits::run(input, output, group),
            _ if !group.is_root() => Ok(()),
            Command::Inspect { args } => inspect::run(args),
            Command::Verify { dir } => verify::run(dir),
            Command::Export { args } => export::run(args),
            Command::Synth { args } => synth::run(args),
        }
    }
}
