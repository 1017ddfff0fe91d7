//! CelebA-HQ at 64x64 with 5 bits, the one `.npy` file of the flow++ authors.

use crate::conversion::find::InputArgs;
use crate::conversion::output::{Inputs, Output, OutputArgs};
use crate::sources::npy_images::NpyImages;
use anyhow::{Result, ensure};
use datasets::shards::build::{ImageSource, Sink};
use datasets::{ImageShape, Provenance, Split};
use process_group::ProcessGroup;
use std::ops::Range;

const NAMES: [&str; 2] = ["celeba_full_64x64_5bit.npy", "celebahq64_5bit/celeba_full_64x64_5bit.npy"];
const SIZE: usize = 64;

/// Options of this data set.
#[derive(clap::Args, Clone, Debug)]
pub struct Celeba5bitArgs {
    /// The first N images are for testing, all others for training.
    #[arg(long, default_value_t = 5000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    test_images: u64,
}

/// Converts the file. The reference implementation tests on the first 5000 images, and trains on them too; here
/// they are for testing only.
///
/// # Errors
/// If it cannot be found, is damaged, or holds other values than 0 to 31.
pub fn run(input: &InputArgs, args: &Celeba5bitArgs, output: &OutputArgs, group: &ProcessGroup) -> Result<()> {
    let path = input.resolve_file(&NAMES)?;
    let npy = NpyImages::open(&path, SIZE)?;
    let n_test = usize::try_from(args.test_images)?;
    ensure!(
        n_test < npy.count(),
        "{} holds {} images: no training images are left when the first {n_test} are for testing; lower --test-images",
        path.display(),
        npy.count()
    );
    let provenance = Provenance {
        source: "CelebA-HQ 64x64 with 5 bits, https://github.com/aravindsrinivas/flowpp".into(),
        licence: "non-commercial research only; Z. Liu et al., CelebA (2015); T. Karras et al., CelebA-HQ (2018)".into(),
        notes: format!("The first {n_test} images of the file are for testing, the others for training."),
        ..Provenance::default()
    };
    let set = Output::new(output, "celebahq64_5bit", provenance)?;
    let mut inputs = Inputs::default();
    inputs.add(&path)?;
    let part = |split, all: Range<usize>| Part { npy: &npy, split, first: all.start, count: output.limit(all.len()) };
    let (train, test) = (part(Split::Train, n_test..npy.count()), part(Split::Test, 0..n_test));
    set.write(group, ImageShape { channels: 3, height: SIZE, width: SIZE }, 32, inputs, &[&train, &test])
}

struct Part<'a> {
    npy: &'a NpyImages,
    split: Split,
    first: usize,
    count: usize,
}

impl ImageSource<anyhow::Error> for Part<'_> {
    fn split(&self) -> Split {
        self.split
    }

    fn count(&self) -> usize {
        self.count
    }

    fn labelled(&self) -> bool {
        false
    }

    fn read(&self, range: Range<usize>, sink: &mut Sink<'_>) -> Result<()> {
        self.npy.copy(self.first + range.start..self.first + range.end, sink)
    }
}
