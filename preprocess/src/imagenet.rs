//! Downsampled ImageNet (32x32 or 64x64): `.npy` files, the original tar archives, or the folders unpacked from them.

use crate::fault;
use crate::find::InputArgs;
use crate::interleave::split_channels;
use crate::large_file::PIECE;
use crate::npy::NpyImages;
use crate::output::{Inputs, Output, OutputArgs};
use crate::picture_source::{Pictures, PicturesSplit};
use crate::progress::thousands;
use anyhow::{Result, ensure};
use datasets::build::{ImageSource, Sink};
use datasets::console;
use datasets::{ImageShape, Provenance, Split};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use team::Team;

/// Images of the two splits of the 32x32 and 64x64 sets, as published.
const PUBLISHED: [usize; 2] = [1_281_149, 49_999];

/// Numbers of training and test images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts(pub [usize; 2]);

impl FromStr for Counts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |n: &str| n.trim().parse().map_err(|e| format!("`{n}`: {e}"));
        match text.split_once(',') {
            Some((train, test)) => Ok(Counts([number(train)?, number(test)?])),
            None => Err("expected two numbers, such as 27000,3000".into()),
        }
    }
}

/// Options of this data set.
#[derive(clap::Args, Clone, Debug)]
pub struct ImagenetArgs {
    /// Side of the images: 32 or 64 for the published sets.
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u64).range(1..=4096))]
    size: u64,
    /// Numbers of training and test images, if not 1281149,49999.
    #[arg(long, value_name = "TRAIN,TEST")]
    counts: Option<Counts>,
}

/// Compares numbers of images with those expected; each split comes with its description and a detail for the message.
/// Returns the note that a data set with numbers of its own gets.
///
/// # Errors
/// If a number differs.
pub fn check_counts(splits: [(String, usize, String); 2], Counts(expected): Counts, given: bool) -> Result<String> {
    for ((place, got, detail), expected) in splits.into_iter().zip(expected) {
        ensure!(
            got == expected,
            "{place} holds {} images, expected {}{detail}: files are missing or cut short; download it again, or give --counts if \
             this is another selection of images",
            thousands(got),
            thousands(expected)
        );
    }
    let [train, test] = expected.map(thousands);
    Ok(if given { format!("Numbers of images given by hand: {train} and {test}.") } else { String::new() })
}

/// Converts both splits.
///
/// # Errors
/// If an input cannot be found, is damaged, or does not hold what was published.
pub fn run(input: &InputArgs, args: &ImagenetArgs, output: &OutputArgs, team: &Team) -> Result<()> {
    let size = usize::try_from(args.size)?;
    let name = format!("imagenet{size}");
    let mut inputs = Inputs::default();
    let paths = [find(input, &name, "train", size)?, find(input, &name, "valid", size)?];
    let [train, test] = &paths;
    let splits = [Source::open(train, Split::Train, size, &mut inputs)?, Source::open(test, Split::Test, size, &mut inputs)?];
    let [n_train, n_test] = splits.each_ref().map(Source::available);
    let expected = match args.counts {
        Some(counts) => counts,
        None if [32, 64].contains(&size) => Counts(PUBLISHED),
        None => Counts([n_train, n_test]),
    };
    let described = [(train, n_train), (test, n_test)].map(|(path, n)| (path.display().to_string(), n, String::new()));
    let notes = check_counts(described, expected, args.counts.is_some())?;
    let files = paths.each_ref().map(|p| p.file_name().unwrap_or_default().to_string_lossy());
    let provenance = Provenance {
        source: format!("Downsampled ImageNet (A. van den Oord et al., 2016), {}", files.join(" and ")),
        licence: "none stated; images for non-commercial research, see https://image-net.org/download".into(),
        notes,
        ..Provenance::default()
    };
    if team.is_first() {
        console::print(format_args!("reading {} and {}", train.display(), test.display()))?;
    }
    let output_set = Output::new(output, name, provenance)?;
    let shape = ImageShape { channels: 3, height: size, width: size };
    let sources = splits.map(|source| Limited { count: output.limit(source.available()), source });
    let [train, test] = &sources;
    output_set.write(team, shape, 256, inputs, &[train, test])
}

/// The input of one split: in each place a `.npy` file, an archive or a folder, in this order.
fn find(input: &InputArgs, name: &str, prefix: &str, size: usize) -> Result<PathBuf> {
    let stem = format!("{prefix}_{size}x{size}");
    let names = [".npy", ".tar", ""].map(|end| format!("{stem}{end}"));
    let names: Vec<_> = names.iter().cloned().chain(names.iter().map(|n| format!("{name}/{n}"))).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let place = InputArgs { path: None, input: input.path.clone().or(input.input.clone()) };
    place.resolve(&names)
}

/// Images in one of the three forms.
enum Source {
    Npy(NpyImages, Split),
    Pictures(PicturesSplit),
}

/// The first images of a source.
struct Limited {
    source: Source,
    count: usize,
}

impl Source {
    fn open(path: &Path, split: Split, size: usize, inputs: &mut Inputs) -> Result<Self> {
        if path.extension().is_some_and(|e| e == "npy") {
            inputs.add(path)?;
            return Ok(Source::Npy(NpyImages::open(path, size)?, split));
        }
        let pictures = Pictures::open(path)?;
        pictures.describe(inputs)?;
        Ok(Source::Pictures(PicturesSplit { pictures, split, size }))
    }

    fn available(&self) -> usize {
        match self {
            Source::Npy(npy, _) => npy.count(),
            Source::Pictures(pictures) => pictures.available(),
        }
    }
}

impl ImageSource<anyhow::Error> for Limited {
    fn split(&self) -> Split {
        match &self.source {
            Source::Npy(_, split) => *split,
            Source::Pictures(pictures) => pictures.split,
        }
    }

    fn count(&self) -> usize {
        self.count
    }

    fn labelled(&self) -> bool {
        false
    }

    fn read(&self, range: Range<usize>, sink: &mut Sink<'_>) -> Result<()> {
        match &self.source {
            Source::Npy(npy, _) => copy_npy(npy, range, sink),
            Source::Pictures(pictures) => pictures.read(range, sink),
        }
    }
}

/// Hands images of a `.npy` file on, channel by channel.
///
/// # Errors
/// If the file cannot be read, or the data set takes no such image.
pub fn copy_npy(npy: &NpyImages, range: Range<usize>, sink: &mut Sink<'_>) -> Result<()> {
    let len = npy.image_len();
    let per_piece = (PIECE / len).max(1);
    let (mut pixels, mut image) = (vec![0; per_piece * len], vec![0; len]);
    for first in range.clone().step_by(per_piece) {
        let pixels = &mut pixels[..per_piece.min(range.end - first) * len];
        npy.read(first, pixels)?;
        for (i, pixels) in pixels.chunks_exact(len).enumerate() {
            split_channels(pixels, &mut image);
            let pushed = sink.push(&image, None, &[]).map_err(anyhow::Error::from);
            fault::in_input(pushed, || format!("{}, image {}", npy.path().display(), first + i))?;
        }
    }
    Ok(())
}
