//! CIFAR-10, from its binary or its Python version.

use crate::cifar10_source::{self, Batches, Version};
use crate::output::{Output, OutputArgs};
use crate::pickle::{self, Value};
use crate::progress;
use anyhow::{Context, Result, anyhow, bail, ensure};
use datasets::{ImageShape, Provenance, ShardWriter};
use std::path::Path;

/// Images in each of the published batch files.
const BATCH_COUNT: usize = 10_000;
const SHAPE: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };

/// Converts the archive or directory at `path`.
pub fn run(path: &Path, partial: bool, args: &OutputArgs) -> Result<()> {
    let mut provenance = Provenance {
        source: "CIFAR-10, https://www.cs.toronto.edu/~kriz/cifar.html".into(),
        licence: "none stated; cite A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009".into(),
        ..Provenance::default()
    };
    let batches = cifar10_source::read(path)?;
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
        provenance.notes = format!("Incomplete: made without {}.", missing.join(", "));
    }
    let output = Output::new(args, "cifar10", provenance)?;
    output.write(SHAPE, 256, |train, test| {
        copy(&batches, 0..5, partial, train, args)?;
        copy(&batches, 5..6, partial, test, args)
    })
}

/// Appends the images of the given batch files to a split.
fn copy(
    batches: &Batches,
    numbers: std::ops::Range<usize>,
    partial: bool,
    writer: &mut ShardWriter,
    args: &OutputArgs,
) -> Result<()> {
    let present: Vec<_> = numbers.filter_map(|i| Some((batches.name(i), batches.files[i].as_deref()?))).collect();
    let limit = args.limit(usize::MAX);
    let bar = progress::bar(args.limit(present.len() * BATCH_COUNT), "cifar10");
    for (name, bytes) in present {
        let place = batches.place.join(&name);
        let images = decode(batches.version, bytes).with_context(|| place.display().to_string())?;
        ensure!(
            images.len() == BATCH_COUNT || partial,
            "{} holds {} images, expected {BATCH_COUNT}; --partial takes what is there",
            place.display(),
            images.len()
        );
        for (label, pixels) in images.into_iter().take(limit - writer.count()) {
            writer.push(pixels, Some(label.into()))?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// Class and pixels of every image in a batch file. Both versions store pixels as `[channels, height, width]`.
fn decode(version: Version, bytes: &[u8]) -> Result<Vec<(u8, &[u8])>> {
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
fn decode_binary(bytes: &[u8]) -> Result<Vec<(u8, &[u8])>> {
    let record = 1 + SHAPE.len();
    ensure!(
        !bytes.is_empty() && bytes.len().is_multiple_of(record),
        "{} bytes are not a whole number of {record}-byte records: the file is cut short or not of the binary version",
        bytes.len()
    );
    Ok(bytes.chunks_exact(record).map(|r| (r[0], &r[1..])).collect())
}

/// A dictionary with `labels`, a list of numbers, and `data`, an array of n rows of 3072 bytes.
fn decode_python(bytes: &[u8]) -> Result<Vec<(u8, &[u8])>> {
    let batch = pickle::parse(bytes)?;
    let entry = |key| batch.get(key).ok_or_else(|| anyhow!("no entry `{key}` in the pickled dictionary"));
    let Value::Array { shape, data } = entry("data")? else {
        bail!("`data` is not an array");
    };
    let Value::List(labels) = entry("labels")? else {
        bail!("`labels` is not a list");
    };
    ensure!(
        *shape == [labels.len(), SHAPE.len()] && !labels.is_empty(),
        "`data` has shape {shape:?}, expected [{}, {}] for {0} labels",
        labels.len(),
        SHAPE.len()
    );
    let label = |value: &Value| match value {
        Value::Int(n) => u8::try_from(*n).with_context(|| format!("label {n}, expected 0 to 9")),
        _ => bail!("a label that is not a number"),
    };
    let images = data.chunks_exact(SHAPE.len());
    labels.iter().zip(images).map(|(value, image)| Ok((label(value)?, image))).collect()
}
