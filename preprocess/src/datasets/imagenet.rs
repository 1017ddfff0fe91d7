//! Downsampled ImageNet (32x32 or 64x64) of A. van den Oord et al.: `.npy` files, the original tar archives, or the folders
//! unpacked from them. Where these are not, image-net.org's [batches](crate::datasets::imagenet_batches) are looked for.

use crate::conversion::counts::{Counts, check_counts};
use crate::conversion::find::InputArgs;
use crate::conversion::output::{Inputs, Output, OutputArgs};
use crate::datasets::imagenet_batches::{self, Batches};
use crate::sources::npy_images::NpyImages;
use crate::sources::pictures::{Pictures, PicturesSplit};
use anyhow::{Context, Result};
use datasets::io::console;
use datasets::shards::build::{ImageSource, Sink};
use datasets::{ImageShape, Provenance, Split};
use process_group::ProcessGroup;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Images of the two splits of the 32x32 and 64x64 sets, as published.
const PUBLISHED: [usize; 2] = [1_281_149, 49_999];

/// Options of this data set.
#[derive(clap::Args, Clone, Debug)]
pub struct ImagenetArgs {
    /// Side of the images: 32 or 64 for the published sets.
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u64).range(1..=4096))]
    size: u64,
    /// Numbers of training and test images, if not 1281149,49999 (1281167,50000 of image-net.org's batches).
    #[arg(long, value_name = "TRAIN,TEST")]
    counts: Option<Counts>,
}

/// Converts both splits.
///
/// # Errors
/// If an input cannot be found, is damaged, or does not hold what was published.
pub fn run(input: &InputArgs, args: &ImagenetArgs, output: &OutputArgs, group: &ProcessGroup) -> Result<()> {
    let size = usize::try_from(args.size)?;
    let name = format!("imagenet{size}");
    let mut inputs = Inputs::default();
    let paths = match [find(input, &name, "train", size), find(input, &name, "valid", size)] {
        [Err(missing), Err(_)] => match Batches::find(input, size)? {
            Some(batches) => return imagenet_batches::run(&batches, size, args.counts, output, group),
            None => {
                let told = format!(
                    "neither the older set nor image-net.org's batches (Imagenet{size}_train_npz.zip, or parts of it) are there"
                );
                return Err(missing).context(told);
            }
        },
        [train, valid] => [train?, valid?],
    };
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
    if group.is_root() {
        console::print(format_args!("reading {} and {}", train.display(), test.display()))?;
    }
    let output_set = Output::new(output, name, provenance)?;
    let shape = ImageShape { channels: 3, height: size, width: size };
    let sources = splits.map(|source| Limited { count: output.limit(source.available()), source });
    let [train, test] = &sources;
    output_set.write(group, shape, 256, inputs, &[train, test])
}

/// The input of one split: in each place a `.npy` file, an archive (tar or zip) or a folder, in this order.
fn find(input: &InputArgs, name: &str, prefix: &str, size: usize) -> Result<PathBuf> {
    let stem = format!("{prefix}_{size}x{size}");
    let names = [".npy", ".tar", ".zip", ""].map(|end| format!("{stem}{end}"));
    let names: Vec<_> = names.iter().cloned().chain(names.iter().map(|n| format!("{name}/{n}"))).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    input.resolve_in(&names)
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
            Source::Npy(npy, _) => npy.copy(range, sink),
            Source::Pictures(pictures) => pictures.read(range, sink),
        }
    }
}
