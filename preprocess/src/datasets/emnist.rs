//! EMNIST: handwritten digits and letters, in six selections. The images in the files have their rows and columns exchanged.

use crate::conversion::find::InputArgs;
use crate::conversion::output::OutputArgs;
use crate::datasets::idx_set::{self, IdxSet};
use anyhow::{Result, bail};
use clap::ValueEnum;
use process_group::ProcessGroup;

/// Options of this data set.
#[derive(clap::Args, Clone, Debug)]
pub struct EmnistArgs {
    /// Which of the selections to convert [default: the one that is there].
    #[arg(long, value_enum)]
    split: Option<Selection>,
}

/// The selections of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Selection {
    /// 47 classes, those of letters that look alike in both cases merged, as many images of each.
    Balanced,
    /// All images, 62 classes.
    Byclass,
    /// All images, 47 classes.
    Bymerge,
    /// Letters, both cases in one of 26 classes.
    Letters,
    /// Digits, as many images of each.
    Digits,
    /// Digits, as many as in MNIST.
    Mnist,
}

impl Selection {
    fn name(self) -> &'static str {
        match self {
            Selection::Balanced => "balanced",
            Selection::Byclass => "byclass",
            Selection::Bymerge => "bymerge",
            Selection::Letters => "letters",
            Selection::Digits => "digits",
            Selection::Mnist => "mnist",
        }
    }

    /// Numbers of images, and the last class.
    fn published(self) -> ([usize; 2], u8) {
        match self {
            Selection::Balanced => ([112_800, 18_800], 46),
            Selection::Byclass => ([697_932, 116_323], 61),
            Selection::Bymerge => ([697_932, 116_323], 46),
            Selection::Letters => ([124_800, 20_800], 26),
            Selection::Digits => ([240_000, 40_000], 9),
            Selection::Mnist => ([60_000, 10_000], 9),
        }
    }

    fn set(self) -> IdxSet {
        let name = self.name();
        let (counts, last) = self.published();
        let letters = self == Selection::Letters;
        let classes = if letters { " Classes are those of the files less 1: 0 is a, 25 is z." } else { "" };
        IdxSet {
            name: format!("emnist_{name}"),
            title: "EMNIST",
            source: "EMNIST, https://www.nist.gov/itl/products-and-services/emnist-dataset",
            licence: "none stated (NIST Special Database 19); G. Cohen, S. Afshar, J. Tapson, A. van Schaik, EMNIST (2017)",
            prefixes: ["train", "test"].map(|part| format!("emnist-{name}-{part}")),
            counts,
            classes: u8::from(letters)..=last,
            transposed: true,
            notes: format!(
                "The selection `{name}`, upright: rows and columns of the images in the files were exchanged.{classes}"
            ),
            places: &[
                "emnist",
                "EMNIST/raw",
                "EMNIST",
                "gzip",
                "raw",
                "emnist/gzip",
                "EMNIST/raw/gzip",
                "gzip.zip",
                "emnist-gzip.zip",
                "raw/gzip.zip",
                "emnist/gzip.zip",
                "EMNIST/raw/gzip.zip",
            ],
        }
    }
}

/// Converts the idx files of a selection.
///
/// # Errors
/// If one is missing or damaged, or it is not said which of several selections is meant.
pub fn run(input: &InputArgs, args: &EmnistArgs, output: &OutputArgs, group: &ProcessGroup) -> Result<()> {
    let selection = match args.split {
        Some(selection) => selection,
        None => {
            let there: Vec<_> =
                Selection::value_variants().iter().copied().filter(|s| idx_set::is_there(&s.set(), input)).collect();
            match there.as_slice() {
                [one] => *one,
                [] => bail!(
                    "no files of EMNIST were found, such as emnist-letters-train-images-idx3-ubyte.gz or gzip.zip; say where they are"
                ),
                several => {
                    let names: Vec<_> = several.iter().map(|s| s.name()).collect();
                    bail!("several selections of EMNIST are there; name one of them with --split: {}", names.join(", "))
                }
            }
        }
    };
    idx_set::run(&selection.set(), input, output, group)
}
