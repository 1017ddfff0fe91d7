//! The 8x8 digits that ship with this project, from the two .npy files of their scikit-learn copy.

use crate::output::{Output, OutputArgs};
use crate::progress;
use anyhow::{Context, Result, ensure};
use datasets::{ImageShape, Provenance};
use ndarray::{Array1, Array3};
use ndarray_npy::read_npy;
use std::path::Path;

/// Every image whose number leaves this remainder ...
const TEST_REMAINDER: usize = 5;
/// ... when divided by this is a test image.
const TEST_EVERY: usize = 6;

/// Converts the digits in `dir`.
pub fn run(dir: &Path, args: &OutputArgs) -> Result<()> {
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
        read_npy(&path).with_context(|| format!("cannot read {} as bytes of shape [n, 8, 8]", path.display()))?;
    let labels_path = dir.join("digits_labels.npy");
    let labels: Array1<u8> =
        read_npy(&labels_path).with_context(|| format!("cannot read {} as bytes of shape [n]", labels_path.display()))?;
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
    output.write(ImageShape { channels: 1, height, width }, 17, |train, test| {
        let bar = progress::bar(n, "digits");
        let (mut n_train, mut n_test) = (0, 0);
        for (i, (image, &label)) in images.outer_iter().zip(&labels).enumerate() {
            bar.inc(1);
            let (writer, taken) = match i % TEST_EVERY {
                TEST_REMAINDER => (&mut *test, &mut n_test),
                _ => (&mut *train, &mut n_train),
            };
            if *taken < args.limit(n) {
                let pixels: Vec<u8> = image.iter().copied().collect();
                writer.push(&pixels, Some(label.into())).with_context(|| format!("{}, image {i}", path.display()))?;
                *taken += 1;
            }
        }
        bar.finish_and_clear();
        Ok(())
    })
}
