//! Anybody's own pictures.

use crate::output::{Inputs, Output, OutputArgs};
use crate::picture_source::{Fit, Pictures, PicturesSplit};
use anyhow::{Result, ensure};
use datasets::build::{ImageSource, Sink};
use datasets::{ImageShape, Provenance, Split};
use std::ops::Range;
use std::path::PathBuf;
use team::Team;

/// Options of this data set.
#[derive(clap::Args, Clone, Debug)]
pub struct ImagesArgs {
    /// Folder (with its subfolders) or tar archive of PNG and JPEG files.
    path: PathBuf,
    /// Side of the images to make.
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u64).range(1..=4096))]
    size: u64,
    /// Every N-th picture, in the order of their names, is for testing.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    test_every: u64,
}

/// Converts the pictures.
///
/// # Errors
/// If there are too few, or one is damaged.
pub fn run(args: &ImagesArgs, output: &OutputArgs, team: &Team) -> Result<()> {
    let (size, every) = (usize::try_from(args.size)?, usize::try_from(args.test_every)?);
    let pictures = Pictures::open(&args.path)?;
    let n = pictures.len();
    ensure!(
        n >= every,
        "{} holds {n} pictures, too few for one of every {every} to be for testing; lower --test-every",
        args.path.display()
    );
    let provenance = Provenance {
        source: args.path.file_name().map_or_else(|| "pictures".into(), |name| name.to_string_lossy().into_owned()),
        licence: String::new(),
        notes: format!(
            "Largest centred square, resampled with a Lanczos-3 kernel to {size}x{size}. Of every {every} pictures in the \
             order of names the last is for testing."
        ),
        ..Provenance::default()
    };
    let set = Output::new(output, format!("images{size}"), provenance)?;
    let mut inputs = Inputs::default();
    pictures.describe(&mut inputs)?;
    let part = |split, test: bool| {
        let mut numbers: Vec<_> = (0..n).filter(|i| (i % every == every - 1) == test).collect();
        numbers.truncate(output.limit(numbers.len()));
        Part(PicturesSplit { pictures: &pictures, split, size, fit: Fit::Resize, numbers: Some(numbers) })
    };
    let (train, test) = (part(Split::Train, false), part(Split::Test, true));
    set.write(team, ImageShape { channels: 3, height: size, width: size }, 256, inputs, &[&train, &test])
}

struct Part<'a>(PicturesSplit<&'a Pictures>);

impl ImageSource<anyhow::Error> for Part<'_> {
    fn split(&self) -> Split {
        self.0.split
    }

    fn count(&self) -> usize {
        self.0.available()
    }

    fn labelled(&self) -> bool {
        false
    }

    fn read(&self, range: Range<usize>, sink: &mut Sink<'_>) -> Result<()> {
        self.0.read(range, sink)
    }
}
