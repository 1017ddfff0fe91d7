//! `preprocess synth`: inputs of the published layouts, of any size, for trying the other commands, a configuration or a
//! machine without the downloads. Their pictures are made up; the same command always makes the same files.

mod layout;
mod picture;

use crate::conversion::counts::Counts;
use crate::conversion::files;
use crate::messages::progress;
use anyhow::{Result, ensure};
use datasets::io::console::print;
use datasets::io::output::Existing;
use std::path::PathBuf;

pub use picture::{attributes, label, picture};

/// Options of `preprocess synth`.
#[derive(clap::Args, Clone, Debug)]
pub struct SynthArgs {
    /// What to make.
    #[arg(value_enum)]
    kind: Kind,
    /// Directory to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Numbers of training and test images.
    #[arg(long, default_value = "100,20", value_name = "TRAIN,TEST")]
    counts: Counts,
    /// Side of the images of ImageNet [default: 64] and celeba-tfr [default: 256].
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u64).range(1..=1024))]
    size: Option<u64>,
    /// Write into a directory that is not empty, over files of the same names.
    #[arg(long)]
    force: bool,
}

/// A published data set, in one of its forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// ImageNet as two .npy files.
    ImagenetNpy,
    /// ImageNet as two tar archives of PNGs.
    ImagenetTar,
    /// ImageNet as two folders of PNGs.
    ImagenetPng,
    /// ImageNet as image-net.org's batches: .npz files in zip archives.
    ImagenetNpz,
    /// CelebA-HQ as Glow's archive of record files.
    CelebaTfr,
    /// CelebA-HQ as the folder unpacked from that archive.
    CelebaTfrFolder,
    /// CelebA-HQ 64x64 with 5 bits as one .npy file.
    #[value(name = "celeba-5bit")]
    Celeba5bit,
    /// MNIST as four zipped idx files.
    Mnist,
    /// Fashion-MNIST as four zipped idx files.
    FashionMnist,
    /// Kuzushiji-MNIST as four zipped idx files.
    Kmnist,
    /// Kuzushiji-49 as four .npz files.
    K49,
    /// The letters of EMNIST as four zipped idx files.
    Emnist,
    /// CIFAR-10 as an archive of the binary version.
    Cifar10,
    /// CIFAR-100 as an archive of the binary version.
    Cifar100,
    /// SVHN as two Matlab files.
    Svhn,
    /// SVHN as three Matlab files, as many images in the additional one as for training.
    SvhnExtra,
}

/// Makes the files, and says how to convert them.
///
/// # Errors
/// If the directory is occupied, a number does not fit the layout, or a file cannot be written.
pub fn run(args: &SynthArgs) -> Result<()> {
    let celeba = matches!(args.kind, Kind::CelebaTfr | Kind::CelebaTfrFolder);
    let imagenet = matches!(args.kind, Kind::ImagenetNpy | Kind::ImagenetTar | Kind::ImagenetPng | Kind::ImagenetNpz);
    let size = usize::try_from(args.size.unwrap_or(if celeba { 256 } else { 64 }))?;
    ensure!(celeba || imagenet || args.size.is_none(), "--size: the images of this data set have one size");
    ensure!(!celeba || (size.is_power_of_two() && size > 1), "--size {size}: expected a power of two");
    let Counts([train, test]) = args.counts;
    ensure!(train > 0 && test > 0, "--counts {train},{test}: expected at least one image in each split");
    ensure!(args.kind != Kind::ImagenetNpz || train >= 10, "--counts {train},{test}: the ten batches need at least ten images");
    files::create_dir(&args.out, args.force)?;
    let bar = progress::bar(train + test, "synth");
    let existing = Existing::replaced_if(args.force);
    layout::Layout { out: &args.out, counts: [train, test], size, existing, bar: &bar }.write(args.kind)?;
    bar.finish_and_clear();
    let counts = format!("--counts {train},{test}");
    let options = match args.kind {
        _ if imagenet => format!("imagenet --size {size} {counts}"),
        _ if celeba => format!("celeba-tfr --resolution {size} {counts}"),
        Kind::Celeba5bit => format!("celeba-5bit --test-images {test}"),
        Kind::FashionMnist => "fashion-mnist".into(),
        Kind::Kmnist => "kmnist".into(),
        Kind::K49 => format!("k49 {counts}"),
        Kind::Emnist => "emnist --split letters".into(),
        Kind::Cifar10 => "cifar10 --partial".into(),
        Kind::Cifar100 => "cifar100 --partial".into(),
        Kind::Svhn => format!("svhn {counts}"),
        Kind::SvhnExtra => format!("svhn --extra --counts {},{test}", 2 * train),
        _ => "mnist".into(),
    };
    let out = args.out.display();
    Ok(print(format_args!("made up {train} + {test} images; convert them with\n  preprocess {options} --input {out}"))?)
}
