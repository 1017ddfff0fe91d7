//! Street View House Numbers, cropped digits: `train_32x32.mat`, `test_32x32.mat` and, if asked for, `extra_32x32.mat`.

use crate::conversion::counts::{Counts, check_counts};
use crate::conversion::find::InputArgs;
use crate::conversion::output::{Inputs, Output, OutputArgs};
use crate::formats::MAX_IMAGES;
use crate::formats::mat::{self, Kind};
use crate::formats::packed::Packed;
use crate::sources::sequence::{Layout, Sequence, Strip};
use anyhow::{Context, Result, bail, ensure};
use datasets::{ImageShape, Provenance, Split};
use process_group::ProcessGroup;
use std::path::Path;

const SHAPE: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };
const PUBLISHED: Counts = Counts([73_257, 26_032]);
/// Images of the additional training set.
const EXTRA: usize = 531_131;

/// Options of this data set.
#[derive(clap::Args, Clone, Debug)]
pub struct SvhnArgs {
    /// Add the easier images of extra_32x32.mat to those for training.
    #[arg(long)]
    extra: bool,
    /// Numbers of training and test images, if not 73257,26032 (604388,26032 with --extra).
    #[arg(long, value_name = "TRAIN,TEST")]
    counts: Option<Counts>,
}

/// Converts the files.
///
/// # Errors
/// If one cannot be found, is damaged, or does not hold what was published.
pub fn run(input: &InputArgs, args: &SvhnArgs, output: &OutputArgs, group: &ProcessGroup) -> Result<()> {
    let mut inputs = Inputs::default();
    let mut open = |name: &str| {
        let path = input.resolve_in(&[name, &format!("svhn/{name}"), &format!("SVHN/{name}")])?;
        inputs.add(&path)?;
        let strip = read(&path).with_context(|| path.display().to_string())?;
        Ok::<_, anyhow::Error>((path.display().to_string(), strip))
    };
    let (mut train_path, train) = open("train_32x32.mat")?;
    let (test_path, test) = open("test_32x32.mat")?;
    let (mut train, Counts([mut n_train, n_test])) = (vec![train], PUBLISHED);
    let mut notes = Vec::new();
    if args.extra {
        let (path, extra) = open("extra_32x32.mat")?;
        let n = extra.labels.len();
        notes.push(format!("The training images are those of train_32x32.mat, followed by the {n} of extra_32x32.mat."));
        train_path = format!("{train_path} with {path}");
        n_train += EXTRA;
        train.push(extra);
    }
    let train = Sequence::new(Split::Train, train, Layout::Columns(32));
    let test = Sequence::new(Split::Test, vec![test], Layout::Columns(32));
    let described = [(train_path, train.available(), String::new()), (test_path, test.available(), String::new())];
    notes.push(check_counts(described, args.counts.unwrap_or(Counts([n_train, n_test])), args.counts.is_some())?);
    let provenance = Provenance {
        source: "SVHN, cropped digits, http://ufldl.stanford.edu/housenumbers/".into(),
        licence: "non-commercial use only; Y. Netzer et al., Reading Digits in Natural Images (2011)".into(),
        notes: notes.join(" ").trim().into(),
        ..Provenance::default()
    };
    let set = Output::new(output, "svhn", provenance)?;
    let [train, test] = [train, test].map(|part| {
        let count = output.limit(part.available());
        part.limited(count)
    });
    set.write(group, SHAPE, 256, inputs, &[&train, &test])
}

/// The images of a file. Matlab's first dimension, the row, runs fastest, and the last, the image, slowest.
fn read(path: &Path) -> Result<Strip> {
    let (mut images, mut classes) = (None, None);
    for array in mat::read(&Packed::file(path)?)? {
        match array.name.as_str() {
            "X" => images = Some(array),
            "y" => classes = Some(array),
            _ => {}
        }
    }
    let (Some(images), Some(classes)) = (images, classes) else { bail!("arrays `X` and `y` are expected, not both are there") };
    let n = images.dims.get(3).copied().unwrap_or(1);
    ensure!(images.kind == Kind::U8, "`X` is not of unsigned bytes (uint8)");
    ensure!(
        images.dims.starts_with(&[32, 32, 3]) && images.dims.len() <= 4,
        "`X` has the dimensions {:?}, expected [32, 32, 3, n]",
        images.dims
    );
    ensure!(classes.len() == n && n <= MAX_IMAGES, "`y` has the dimensions {:?}, expected {n} classes", classes.dims);
    let label = |(i, class): (usize, f64)| match (1..=10u32).find(|&c| f64::from(c) == class) {
        // The digit 0 is class 10.
        Some(c) => Ok(c % 10),
        None => bail!("class {i} of `y` is {class}, expected 1 to 10"),
    };
    let labels = classes.values()?.into_iter().enumerate().map(label).collect::<Result<_>>()?;
    Ok(Strip { bytes: images.bytes, start: images.start, record: SHAPE.len(), pixels: 0..SHAPE.len(), labels })
}
