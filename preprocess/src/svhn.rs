//! Street View House Numbers, cropped digits: `train_32x32.mat` and `test_32x32.mat`.

use crate::find::InputArgs;
use crate::imagenet::{Counts, check_counts};
use crate::mat::{self, Values};
use crate::output::{Inputs, Output, OutputArgs};
use crate::source::Indexed;
use anyhow::{Context, Result, bail, ensure};
use datasets::build::ImageSource;
use datasets::{ImageShape, Provenance, Split};
use std::path::Path;
use team::Team;

const SHAPE: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };
const PUBLISHED: Counts = Counts([73_257, 26_032]);
/// Bytes of the largest file that is read.
const MAX_FILE: u64 = 2 << 30;

/// Options of this data set.
#[derive(clap::Args, Clone, Debug)]
pub struct SvhnArgs {
    /// Numbers of training and test images, if not 73257,26032.
    #[arg(long, value_name = "TRAIN,TEST")]
    counts: Option<Counts>,
}

/// Converts both files.
///
/// # Errors
/// If one cannot be found, is damaged, or does not hold what was published.
pub fn run(input: &InputArgs, args: &SvhnArgs, output: &OutputArgs, team: &Team) -> Result<()> {
    let place = InputArgs { path: None, input: input.path.clone().or(input.input.clone()) };
    let mut inputs = Inputs::default();
    let [train, test] = ["train_32x32.mat", "test_32x32.mat"].map(|name| {
        let path = place.resolve(&[name, &format!("svhn/{name}"), &format!("SVHN/{name}")])?;
        inputs.add(&path)?;
        let part = Part::read(&path).with_context(|| path.display().to_string())?;
        Ok::<_, anyhow::Error>((path.display().to_string(), part))
    });
    let ((train_path, train), (test_path, test)) = (train?, test?);
    let described = [(train_path, train.labels.len(), String::new()), (test_path, test.labels.len(), String::new())];
    let notes = check_counts(described, args.counts.unwrap_or(PUBLISHED), args.counts.is_some())?;
    let provenance = Provenance {
        source: "SVHN, cropped digits, http://ufldl.stanford.edu/housenumbers/".into(),
        licence: "non-commercial use only; Y. Netzer et al., Reading Digits in Natural Images (2011)".into(),
        notes,
        ..Provenance::default()
    };
    let set = Output::new(output, "svhn", provenance)?;
    let (train, test) = (train.source(Split::Train, output), test.source(Split::Test, output));
    set.write(team, SHAPE, 256, inputs, &[&train, &test])
}

struct Part {
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl Part {
    fn read(path: &Path) -> Result<Self> {
        let len = std::fs::metadata(path).context("cannot inspect the file")?.len();
        ensure!(len <= MAX_FILE, "{len} bytes: the file is too large for this data set");
        let arrays = mat::read(&std::fs::read(path).context("cannot read the file")?)?;
        let (mut images, mut classes) = (None, None);
        for array in arrays {
            match array.name.as_str() {
                "X" => images = Some(array),
                "y" => classes = Some(array),
                _ => {}
            }
        }
        let (Some(images), Some(classes)) = (images, classes) else {
            bail!("arrays `X` and `y` are expected, not both are there")
        };
        let n = images.dims.get(3).copied().unwrap_or(1);
        let Values::U8(pixels) = images.values else { bail!("`X` is not of unsigned bytes (uint8)") };
        ensure!(
            images.dims.starts_with(&[32, 32, 3]) && images.dims.len() <= 4,
            "`X` has the dimensions {:?}, expected [32, 32, 3, n]",
            images.dims
        );
        ensure!(classes.dims.iter().product::<usize>() == n, "`y` has the dimensions {:?}, expected {n} classes", classes.dims);
        let classes: Vec<f64> = match classes.values {
            Values::U8(values) => values.into_iter().map(f64::from).collect(),
            Values::F64(values) => values,
        };
        let label = |(i, &class): (usize, &f64)| match (1..=10u8).find(|&c| f64::from(c) == class) {
            // The digit 0 is class 10.
            Some(c) => Ok(c % 10),
            None => bail!("class {i} of `y` is {class}, expected 1 to 10"),
        };
        let labels = classes.iter().enumerate().map(label).collect::<Result<_>>()?;
        Ok(Part { pixels, labels })
    }

    fn source<'a>(&'a self, split: Split, args: &OutputArgs) -> impl ImageSource<anyhow::Error> + 'a {
        let fill = move |i: usize, image: &mut [u8]| {
            let pixels = &self.pixels[i * SHAPE.len()..][..SHAPE.len()];
            // Matlab's first dimension, the row, runs fastest.
            for (plane, out) in pixels.chunks_exact(32 * 32).zip(image.chunks_exact_mut(32 * 32)) {
                for (p, out) in out.iter_mut().enumerate() {
                    *out = plane[p / 32 + 32 * (p % 32)];
                }
            }
            Ok(Some(self.labels[i].into()))
        };
        Indexed { split, count: args.limit(self.labels.len()), image_len: SHAPE.len(), labelled: true, fill }
    }
}
