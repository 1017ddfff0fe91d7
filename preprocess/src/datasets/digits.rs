//! The 8x8 digits that ship with this project, from the two .npy files of their scikit-learn copy.

use crate::conversion::find::{InputArgs, directory_of};
use crate::conversion::output::{Inputs, Output, OutputArgs};
use crate::sources::indexed::Indexed;
use anyhow::{Context, Result, ensure};
use datasets::io::npy::{check_header, without_long_suffixes};
use datasets::shards::build::ImageSource;
use datasets::{ImageShape, Provenance, Split};
use ndarray::{Array1, Array3};
use ndarray_npy::ReadNpyExt;
use process_group::ProcessGroup;
use std::path::Path;

/// Every image whose number leaves this remainder ...
const TEST_REMAINDER: usize = 5;
/// ... when divided by this is a test image.
const TEST_EVERY: usize = 6;

/// Converts the digits in a directory.
///
/// # Errors
/// If one of the files is missing or is not as expected.
pub fn run(input: &InputArgs, args: &OutputArgs, group: &ProcessGroup) -> Result<()> {
    let dir = input.resolve(&["digits_8x8_0to16.npy", "digits"])?;
    let dir = if dir.is_file() { directory_of(&dir) } else { dir };
    let provenance = Provenance {
        source: "UCI Optical Recognition of Handwritten Digits, https://doi.org/10.24432/C50P49, test part, as \
                 scikit-learn ships it"
            .into(),
        licence: "CC BY 4.0, E. Alpaydin and C. Kaynak (1998)".into(),
        notes: format!(
            "Test images are those whose number in the source, counted from 0, leaves {TEST_REMAINDER} when divided by \
             {TEST_EVERY}; the others are training images. Both in the source's order."
        ),
        ..Provenance::default()
    };
    let output = Output::new(args, "digits", provenance)?;
    let path = dir.join("digits_8x8_0to16.npy");
    let images: Array3<u8> =
        read(&path).with_context(|| format!("cannot read {} as bytes of shape [n, 8, 8]", path.display()))?;
    let labels_path = dir.join("digits_labels.npy");
    let labels: Array1<u8> =
        read(&labels_path).with_context(|| format!("cannot read {} as bytes of shape [n]", labels_path.display()))?;
    let (n, height, width) = images.dim();
    ensure!(
        (height, width) == (8, 8) && labels.len() == n && n >= TEST_EVERY,
        "expected n images of 8x8 and n labels, found {n} images of {height}x{width} in {} and {} labels in {}",
        path.display(),
        labels.len(),
        labels_path.display()
    );
    if let Some(i) = labels.iter().position(|&label| label > 9) {
        anyhow::bail!("{}: label {i} is {}, expected 0 to 9", labels_path.display(), labels[i]);
    }
    if let Some((i, value)) = images.iter().enumerate().find(|(_, value)| **value > 16) {
        anyhow::bail!("{}: image {} has the pixel value {value}, expected 0 to 16", path.display(), i / (height * width));
    }
    let mut inputs = Inputs::default();
    inputs.add(&path)?;
    inputs.add(&labels_path)?;
    let numbers = |test: bool| (0..n).filter(|i| (i % TEST_EVERY == TEST_REMAINDER) == test).collect();
    let source = |split, numbers: Vec<usize>| -> Box<dyn ImageSource<anyhow::Error> + '_> {
        let (images, labels) = (&images, &labels);
        let count = args.limit(numbers.len());
        let fill = move |i: usize, out: &mut [u8]| {
            let image = images.outer_iter().nth(numbers[i]).context("an image beyond the end")?;
            out.iter_mut().zip(image).for_each(|(out, &value)| *out = value);
            Ok(Some(labels[numbers[i]].into()))
        };
        Box::new(Indexed { split, count, image_len: height * width, labelled: true, fill })
    };
    output.write(
        group,
        ImageShape { channels: 1, height, width },
        17,
        inputs,
        &[&*source(Split::Train, numbers(false)), &*source(Split::Test, numbers(true))],
    )
}

fn read<T: ReadNpyExt>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path)?;
    let bytes = without_long_suffixes(&bytes);
    check_header(&bytes)?;
    Ok(T::read_npy(&*bytes)?)
}
