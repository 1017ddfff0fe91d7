//! Contact sheets: many images of a split in one PNG, for a quick look.

use crate::sources::interleave::join_channels;
use anyhow::Result;
use datasets::{ImageDataset, ImageShape};
use image::RgbImage;

/// Longest side of a sheet, in pixels, unless a single image is larger.
const SIDE: usize = 1024;
/// Images in a row and in a column at most.
const MAX_PER_SIDE: usize = 16;

/// A pixel value among `levels` as one among 256; 0 stays 0, the largest becomes 255.
pub fn stretch(value: u8, levels: u32) -> u8 {
    let max = levels.saturating_sub(1).max(1);
    u8::try_from((u32::from(value) * 255 + max / 2) / max).unwrap_or(u8::MAX)
}

/// One image as pixels (red, green, blue, …) of 256 levels; anything but three channels shows the first in grey.
pub fn to_rgb(image: &[u8], shape: ImageShape, levels: u32) -> Vec<u8> {
    let stretched: Vec<u8> = image.iter().map(|&value| stretch(value, levels)).collect();
    let mut pixels = vec![0; 3 * shape.height * shape.width];
    if shape.channels == 3 {
        join_channels(&stretched, 3, &mut pixels);
    } else {
        pixels.chunks_exact_mut(3).zip(&stretched).for_each(|(pixel, &value)| pixel.fill(value));
    }
    pixels
}

/// A sheet of images spread evenly over the split, row by row.
///
/// # Errors
/// If an image is damaged.
pub fn contact_sheet(dataset: &ImageDataset) -> Result<RgbImage> {
    let shape = dataset.shape();
    let largest = shape.height.max(shape.width);
    let per_side = (SIDE / (largest + 1)).clamp(1, MAX_PER_SIDE);
    let n = (per_side * per_side).min(dataset.len());
    let columns = per_side.min(n);
    let zoom = (SIDE / (columns * (largest + 1))).clamp(1, 4);
    let (cell_width, cell_height) = (shape.width * zoom + 1, shape.height * zoom + 1);
    let mut sheet = RgbImage::new(u32::try_from(columns * cell_width)?, u32::try_from(n.div_ceil(columns) * cell_height)?);
    for k in 0..n {
        let index = k * dataset.len() / n;
        let pixels = to_rgb(&dataset.image(index)?, shape, dataset.levels());
        let (left, top) = ((k % columns) * cell_width, (k / columns) * cell_height);
        for y in 0..shape.height * zoom {
            for x in 0..shape.width * zoom {
                let at = 3 * ((y / zoom) * shape.width + x / zoom);
                let color = image::Rgb([pixels[at], pixels[at + 1], pixels[at + 2]]);
                sheet.put_pixel(u32::try_from(left + x)?, u32::try_from(top + y)?, color);
            }
        }
    }
    Ok(sheet)
}
