//! CIFAR-10, from its binary or its Python version.

use crate::cifar10_source::{self, Batches, Version};
use crate::find::InputArgs;
use crate::output::{Inputs, Output, OutputArgs};
use crate::pickle;
use crate::progress::thousands;
use crate::source::Indexed;
use anyhow::{Context, Result, anyhow, bail, ensure};
use datasets::build::ImageSource;
use datasets::pickle::Item;
use datasets::{ImageShape, Provenance, Split};
use std::ops::Range;
use team::Team;

/// Images in each of the published batch files.
const BATCH_COUNT: usize = 10_000;
const SHAPE: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };

/// The published archives and what is unpacked from them.
const NAMES: [&str; 4] = ["cifar-10-binary.tar.gz", "cifar-10-batches-bin", "cifar-10-python.tar.gz", "cifar-10-batches-py"];

/// Class and pixels of an image.
type Image<'a> = (u8, &'a [u8]);

/// Converts an archive or directory.
///
/// # Errors
/// If it cannot be found or is damaged; without `partial`, if it is incomplete.
pub fn run(input: &InputArgs, partial: bool, args: &OutputArgs, team: &Team) -> Result<()> {
    let batches = cifar10_source::read(&input.resolve(&NAMES)?)?;
    let missing = batches.missing();
    if !missing.is_empty() {
        if !partial {
            bail!("{} lacks {}; --partial takes what is there", batches.place.display(), missing.join(", "));
        }
        ensure!(
            batches.files[5].is_some() && batches.files[..5].iter().any(Option::is_some),
            "{} lacks {}; even with --partial a test batch and a training batch are needed",
            batches.place.display(),
            missing.join(", ")
        );
    }
    let mut faults: Vec<_> = missing.into_iter().map(|name| format!("{name} missing")).collect();
    let train = images(&batches, 0..5, partial, &mut faults)?;
    let test = images(&batches, 5..6, partial, &mut faults)?;
    let provenance = Provenance {
        source: "CIFAR-10, https://www.cs.toronto.edu/~kriz/cifar.html".into(),
        licence: "none stated; cite A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009".into(),
        notes: if faults.is_empty() { String::new() } else { format!("Incomplete: {}.", faults.join(", ")) },
        ..Provenance::default()
    };
    let output = Output::new(args, "cifar10", provenance)?;
    let mut inputs = Inputs::default();
    batches.paths.iter().try_for_each(|path| inputs.add(path))?;
    let (train, test) = (source(Split::Train, &train, args), source(Split::Test, &test, args));
    output.write(team, SHAPE, 256, inputs, &[&train, &test])
}

/// The images of the given batch files; files of another length than the published ones are noted as faults.
fn images<'a>(batches: &'a Batches, numbers: Range<usize>, partial: bool, faults: &mut Vec<String>) -> Result<Vec<Image<'a>>> {
    let mut all = Vec::new();
    for i in numbers {
        let (name, Some(bytes)) = (batches.name(i), &batches.files[i]) else { continue };
        let place = batches.place.join(&name);
        let images = decode(batches.version, bytes).with_context(|| place.display().to_string())?;
        if images.len() != BATCH_COUNT {
            let n = thousands(images.len());
            ensure!(
                partial,
                "{} holds {n} images, expected {}; --partial takes what is there",
                place.display(),
                thousands(BATCH_COUNT)
            );
            faults.push(format!("{name} with {n} of {} images", thousands(BATCH_COUNT)));
        }
        all.extend(images);
    }
    Ok(all)
}

fn source<'a>(split: Split, images: &'a [Image<'a>], args: &OutputArgs) -> impl ImageSource<anyhow::Error> + 'a {
    let fill = |i: usize, image: &mut [u8]| {
        let (label, pixels) = images[i];
        image.copy_from_slice(pixels);
        Ok(Some(label.into()))
    };
    Indexed { split, count: args.limit(images.len()), image_len: SHAPE.len(), labelled: true, fill }
}

/// Class and pixels of every image in a batch file. Both versions store pixels as `[channels, height, width]`.
fn decode(version: Version, bytes: &[u8]) -> Result<Vec<Image<'_>>> {
    let images = match version {
        Version::Binary => decode_binary(bytes)?,
        Version::Python => decode_python(bytes)?,
    };
    match images.iter().position(|&(label, _)| label > 9) {
        Some(i) => bail!("label {i} is {}, expected 0 to 9", images[i].0),
        None => Ok(images),
    }
}

/// Records of one label byte and 3072 pixel bytes.
fn decode_binary(bytes: &[u8]) -> Result<Vec<Image<'_>>> {
    let record = 1 + SHAPE.len();
    ensure!(
        !bytes.is_empty() && bytes.len().is_multiple_of(record),
        "{} bytes are not a whole number of {record}-byte records: the file is cut short or not of the binary version",
        bytes.len()
    );
    Ok(bytes.chunks_exact(record).map(|r| (r[0], &r[1..])).collect())
}

/// A dictionary with `labels`, a list of numbers, and `data`, an array of n rows of 3072 bytes.
fn decode_python(bytes: &[u8]) -> Result<Vec<Image<'_>>> {
    let batch = pickle::parse(bytes)?;
    let entry = |key| batch.root().get(key).ok_or_else(|| anyhow!("no entry `{key}` in the pickled dictionary"));
    let array = pickle::byte_array(entry("data")?).map_err(|reason| anyhow!("`data`: {reason}"))?;
    let labels: Vec<_> = entry("labels")?.list().ok_or_else(|| anyhow!("`labels` is not a list"))?.collect();
    ensure!(
        array.shape == [labels.len(), SHAPE.len()] && !labels.is_empty(),
        "`data` has shape {:?}, expected [{}, {}] for {1} labels",
        array.shape,
        labels.len(),
        SHAPE.len()
    );
    let label = |item: Item| match item.int() {
        Some(n) => u8::try_from(n).with_context(|| format!("label {n}, expected 0 to 9")),
        None => bail!("a label that is not a number"),
    };
    let images = array.data.chunks_exact(SHAPE.len());
    labels.into_iter().zip(images).map(|(item, image)| Ok((label(item)?, image))).collect()
}
