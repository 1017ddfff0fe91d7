//! Images whose pixels encode their own index, so that a test can tell which image it got and whether it is intact.

use crate::error::DatasetError;
use crate::shards::codec::CodecKind;
use crate::shards::manifest::{Manifest, Provenance};
use crate::shards::shape::ImageShape;
use crate::shards::writer::{ShardWriter, ShardWriterConfig};
use crate::split::Split;
use std::path::Path;

/// Digits in base `levels` that hold any index below 2^32.
fn n_digits(levels: u32) -> usize {
    let mut n = 1;
    let mut capacity = u64::from(levels);
    while capacity < 1 << 32 {
        capacity *= u64::from(levels);
        n += 1;
    }
    n
}

/// Image `index` of the synthetic set with the given shape and levels.
///
/// Pixel `p` is digit `p mod n` of the index in base `levels` (lowest first) plus `p / n`, modulo `levels`, where `n`
/// digits hold any 32-bit number.
///
/// # Panics
/// If `levels` is not in `2..=256`.
pub fn image(shape: ImageShape, levels: u32, index: usize) -> Vec<u8> {
    assert!((2..=256).contains(&levels), "levels {levels}");
    let n = n_digits(levels);
    let (base, mut rest) = (levels as usize, index);
    let mut digits = Vec::with_capacity(n);
    for _ in 0..n {
        digits.push(rest % base);
        rest /= base;
    }
    (0..shape.len()).map(|p| ((digits[p % n] + p / n) % base) as u8).collect()
}

/// The index that an image of at least 32 pixels carries, or `None` if the image is not one of [`image`]'s.
///
/// # Examples
/// ```
/// use datasets::shards::synthetic;
/// use datasets::ImageShape;
/// let shape = ImageShape { channels: 3, height: 4, width: 4 };
/// let mut image = synthetic::image(shape, 32, 123_456);
/// assert_eq!(synthetic::index_of(shape, 32, &image), Some(123_456));
/// image[40] ^= 1;
/// assert_eq!(synthetic::index_of(shape, 32, &image), None);
/// ```
pub fn index_of(shape: ImageShape, levels: u32, pixels: &[u8]) -> Option<usize> {
    let digits = pixels.get(..n_digits(levels))?;
    let index = digits.iter().rev().fold(0, |n, &d| n * u64::from(levels) + u64::from(d));
    let index = usize::try_from(index).ok()?;
    (image(shape, levels, index) == pixels).then_some(index)
}

/// The class of image `index`.
pub fn label(index: usize) -> u32 {
    (index % 10) as u32
}

/// Writes `count` labelled images as one split, in shards of 7 images.
///
/// # Errors
/// Those of [`ShardWriter`].
pub fn write_dataset(
    dir: &Path,
    split: Split,
    shape: ImageShape,
    levels: u32,
    count: usize,
    codec: CodecKind,
) -> Result<Manifest, DatasetError> {
    let config = ShardWriterConfig {
        name: "synthetic".into(),
        split,
        shape,
        levels,
        codec,
        provenance: Provenance {
            source: "images whose pixels encode their own index".into(),
            licence: "none needed".into(),
            notes: String::new(),
            tool: concat!("datasets ", env!("CARGO_PKG_VERSION")).into(),
        },
        images_per_shard: Some(7),
        overwrite: false,
    };
    let mut writer = ShardWriter::create(dir, config)?;
    for index in 0..count {
        writer.push(&image(shape, levels, index), Some(label(index)))?;
    }
    writer.finish()
}
