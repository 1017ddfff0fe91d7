//! Kuzushiji-MNIST: characters of old Japanese handwriting, in files named as those of MNIST; and Kuzushiji-49, with more of them,
//! in `.npz` files.

use crate::conversion::counts::{Counts, check_counts};
use crate::conversion::find::InputArgs;
use crate::conversion::output::{Inputs, Output, OutputArgs};
use crate::datasets::idx_set::{self, IdxSet};
use crate::formats::npz::Npz;
use crate::sources::sequence::{Layout, Sequence, Strip};
use anyhow::{Context, Result, ensure};
use datasets::{ImageShape, Provenance, Split};
use process_group::ProcessGroup;
use std::path::Path;

const SOURCE: &str = "http://codh.rois.ac.jp/kmnist/";
const LICENCE: &str = "CC BY-SA 4.0, KMNIST Dataset (created by CODH), adapted from Kuzushiji Dataset (created by NIJL and others), \
                       doi:10.20676/00000341";

/// Converts the idx files of Kuzushiji-MNIST.
///
/// # Errors
/// If one is missing or damaged.
pub fn run(input: &InputArgs, args: &OutputArgs, group: &ProcessGroup) -> Result<()> {
    let set = IdxSet {
        name: "kmnist".into(),
        title: "Kuzushiji-MNIST",
        source: "Kuzushiji-MNIST, http://codh.rois.ac.jp/kmnist/",
        licence: LICENCE,
        prefixes: ["train".into(), "t10k".into()],
        counts: [60_000, 10_000],
        classes: 0..=9,
        transposed: false,
        notes: String::new(),
        places: &["kmnist", "KMNIST/raw", "KMNIST"],
    };
    idx_set::run(&set, input, args, group)
}

const SHAPE: ImageShape = ImageShape { channels: 1, height: 28, width: 28 };

/// Options of Kuzushiji-49.
#[derive(clap::Args, Clone, Debug)]
pub struct K49Args {
    /// Numbers of training and test images, if not 232365,38547.
    #[arg(long, value_name = "TRAIN,TEST")]
    counts: Option<Counts>,
}

/// Converts the `.npz` files of Kuzushiji-49.
///
/// # Errors
/// If one is missing, damaged, or does not hold what was published.
pub fn run_k49(input: &InputArgs, args: &K49Args, output: &OutputArgs, group: &ProcessGroup) -> Result<()> {
    let mut inputs = Inputs::default();
    let mut open = |split: &str| {
        let [images, labels] = ["imgs", "labels"].map(|what| {
            let name = format!("k49-{split}-{what}.npz");
            let path = input.resolve_in(&[&name, &format!("k49/{name}"), &format!("kmnist/{name}")])?;
            inputs.add(&path)?;
            Ok::<_, anyhow::Error>(path)
        });
        let (images, labels) = (images?, labels?);
        Ok::<_, anyhow::Error>((images.display().to_string(), read_k49(&images, &labels)?))
    };
    let ((train_place, train), (test_place, test)) = (open("train")?, open("test")?);
    let described = [(train_place, train.labels.len(), String::new()), (test_place, test.labels.len(), String::new())];
    let notes = check_counts(described, args.counts.unwrap_or(Counts([232_365, 38_547])), args.counts.is_some())?;
    let provenance =
        Provenance { source: format!("Kuzushiji-49, {SOURCE}"), licence: LICENCE.into(), notes, ..Provenance::default() };
    let set = Output::new(output, "k49", provenance)?;
    let [train, test] = [(Split::Train, train), (Split::Test, test)].map(|(split, strip)| {
        let count = output.limit(strip.labels.len());
        Sequence::new(split, vec![strip], Layout::Planes).limited(count)
    });
    set.write(group, SHAPE, 256, inputs, &[&train, &test])
}

/// Images and classes, each the array `arr_0` of its file.
fn read_k49(images: &Path, labels: &Path) -> Result<Strip> {
    let place = || images.display().to_string();
    let pixels = Npz::open(images)?.array("arr_0")?;
    pixels.header.expect_bytes("[n, 28, 28]").with_context(place)?;
    let [n, 28, 28] = pixels.header.shape[..] else {
        anyhow::bail!("{}: shape {:?}, expected [n, 28, 28]", place(), pixels.header.shape)
    };
    pixels.check_len(1)?;
    let classes = Npz::open(labels)?.array("arr_0")?.whole_numbers()?;
    ensure!(classes.len() == n && n > 0, "{} holds {n} images, but {} holds {} labels", place(), labels.display(), classes.len());
    let class = |(i, &class): (usize, &i64)| {
        ensure!((0..49).contains(&class), "{}: label {i} is {class}, expected 0 to 48", labels.display());
        Ok(class as u32)
    };
    let labels = classes.iter().enumerate().map(class).collect::<Result<_>>()?;
    let start = pixels.header.offset as u64;
    Ok(Strip { bytes: pixels.bytes, start, record: SHAPE.len(), pixels: 0..SHAPE.len(), labels })
}
