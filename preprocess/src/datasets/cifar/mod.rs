//! The common part of CIFAR-10 and CIFAR-100: batch files of images of 32x32 pixels, in a binary and in a Python version.

mod files;
mod kit;

pub use kit::Kit;

use crate::conversion::find::InputArgs;
use crate::conversion::output::{Inputs, Output, OutputArgs};
use crate::formats::numpy_pickle::{self, Data};
use crate::formats::packed::Packed;
use crate::formats::pickle_outline::Outline;
use crate::messages::text::thousands;
use crate::sources::sequence::{Layout, Sequence, Strip};
use anyhow::{Context, Result, anyhow, bail, ensure};
use datasets::io::console::print;
use datasets::io::pickle::Item;
use datasets::{Provenance, Split};
use files::{Batches, Version};
use kit::SHAPE;
use process_group::ProcessGroup;
use std::io::{ErrorKind, Read};
use std::ops::Range;

/// Converts an archive or directory.
///
/// # Errors
/// If it cannot be found or is damaged; without `partial`, if it is incomplete.
pub fn run(kit: &Kit, input: &InputArgs, partial: bool, args: &OutputArgs, group: &ProcessGroup) -> Result<()> {
    let batches = files::read(kit, &input.resolve(&kit.names)?)?;
    if group.is_root() {
        print(format_args!("reading {}", batches.place.display()))?;
    }
    let missing = batches.missing(kit);
    if !missing.is_empty() {
        if !partial {
            bail!("{} lacks {}; --partial takes what is there", batches.place.display(), missing.join(", "));
        }
        ensure!(
            batches.files[kit.n_train()].is_some() && batches.files[..kit.n_train()].iter().any(Option::is_some),
            "{} lacks {}; even with --partial a test batch and a training batch are needed",
            batches.place.display(),
            missing.join(", ")
        );
    }
    let mut faults: Vec<_> = missing.into_iter().map(|name| format!("{name} missing")).collect();
    let train = strips(kit, &batches, 0..kit.n_train(), partial, &mut faults)?;
    let test = strips(kit, &batches, kit.n_train()..kit.stems.len(), partial, &mut faults)?;
    let incomplete = if faults.is_empty() { String::new() } else { format!("Incomplete: {}.", faults.join(", ")) };
    let provenance = Provenance {
        source: format!("{}, https://www.cs.toronto.edu/~kriz/cifar.html", kit.title),
        licence: "none stated; cite A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009".into(),
        notes: format!("{incomplete} {}", kit.notes).trim().into(),
        ..Provenance::default()
    };
    let output = Output::new(args, kit.name, provenance)?;
    let mut inputs = Inputs::default();
    batches.paths.iter().try_for_each(|path| inputs.add(path))?;
    let [train, test] = [(Split::Train, train), (Split::Test, test)].map(|(split, strips)| {
        let all = Sequence::new(split, strips, Layout::Planes);
        let count = args.limit(all.available());
        all.limited(count)
    });
    output.write(group, SHAPE, 256, inputs, &[&train, &test])
}

/// The images of the given batch files; files of another length than the published ones are noted as faults.
fn strips(kit: &Kit, batches: &Batches, numbers: Range<usize>, partial: bool, faults: &mut Vec<String>) -> Result<Vec<Strip>> {
    let mut all = Vec::new();
    for i in numbers {
        let Some(bytes) = &batches.files[i] else { continue };
        let (name, place, expected) = (batches.name(kit, i), bytes.place(), kit.counts[i]);
        let strip = match batches.version {
            Version::Binary => read_binary(kit, bytes),
            Version::Python => read_python(kit, bytes),
        };
        let strip = strip.with_context(|| place.to_string())?;
        if let Some(i) = strip.labels.iter().position(|&label| label >= u32::from(kit.classes)) {
            bail!("{place}: label {i} is {}, expected 0 to {}", strip.labels[i], kit.classes - 1);
        }
        if strip.labels.len() != expected {
            let n = thousands(strip.labels.len());
            ensure!(partial, "{place} holds {n} images, expected {}; --partial takes what is there", thousands(expected));
            faults.push(format!("{name} with {n} of {} images", thousands(expected)));
        }
        all.push(strip);
    }
    Ok(all)
}

/// Records of one or two label bytes and 3072 pixel bytes, stored as `[channels, height, width]`.
fn read_binary(kit: &Kit, bytes: &Packed) -> Result<Strip> {
    let mut record = vec![0; kit.label_bytes + SHAPE.len()];
    let len = bytes.count_from(0, kit.max_file())?;
    ensure!(
        len > 0 && len.is_multiple_of(record.len() as u64),
        "{len} bytes are not a whole number of {}-byte records: the file is cut short or not of the binary version",
        record.len()
    );
    let mut stream = bytes.open()?;
    let mut labels = Vec::new();
    loop {
        match stream.read_exact(&mut record) {
            Ok(()) => labels.push(record[kit.label_byte].into()),
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => break,
            Err(e) => return Err(e).context("cannot be read"),
        }
    }
    Ok(Strip { bytes: bytes.clone(), start: 0, record: record.len(), pixels: kit.label_bytes..record.len(), labels })
}

/// A dictionary with a list of classes, and `data`, an array of n rows of 3072 bytes.
fn read_python(kit: &Kit, bytes: &Packed) -> Result<Strip> {
    let outline = Outline::read(&mut bytes.open()?)?;
    let advice = format!("Download {} or {} and convert that", kit.names[0], kit.names[2]);
    let batch = numpy_pickle::parse(&outline, &advice)?;
    let labels = numpy_pickle::labels(batch.root(), kit.label_key)?;
    let (n, len) = (labels.len(), SHAPE.len());
    let array =
        numpy_pickle::byte_array(numpy_pickle::entry(batch.root(), "data")?).map_err(|reason| anyhow!("`data`: {reason}"))?;
    ensure!(array.shape == [n, len] && n > 0, "`data` has shape {:?}, expected [{n}, {len}] for {n} labels", array.shape);
    let class = |item: Item| match item.int() {
        Some(n) => u32::try_from(n).with_context(|| format!("label {n}, expected 0 to {}", kit.classes - 1)),
        None => bail!("a label that is not a number"),
    };
    let labels = labels.into_iter().map(class).collect::<Result<_>>()?;
    let (bytes, start) = match array.data {
        Data::At { start, .. } => (bytes.clone(), start),
        Data::Here(pixels) => (Packed::memory(bytes.place(), pixels.to_vec()), 0),
    };
    Ok(Strip { bytes, start, record: len, pixels: 0..len, labels })
}
