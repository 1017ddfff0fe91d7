//! Images as PNG files: grids, one above the other, with visible gaps.

use crate::reporting::pictures::text;
use anyhow::{Context, Result};
use burn::tensor::Tensor;
use datasets::io::output::{self, Existing};
use image::codecs::png::PngEncoder;
use image::{Rgb, RgbImage};
use std::path::Path;

/// Small images are magnified to about this many pixels a side.
const LEGIBLE_SIDE: u32 = 32;
/// Pixels between images.
const BORDER: u32 = 2;
/// Pixels between sections.
const GAP: u32 = 12;
const BACKGROUND: Rgb<u8> = Rgb([40, 40, 60]);
const GAP_COLOUR: Rgb<u8> = Rgb([230, 160, 40]);
const TITLE_COLOUR: Rgb<u8> = Rgb([255; 3]);

/// Draws grids of images, one section above the other, each under its title, and [writes](output::write) them to a PNG file.
/// Without a title there is a gap.
///
/// Each section is `[n, channels, height, width]` with values in `[0, 1]`; what lies outside is clamped. One channel
/// is drawn in grey, three in colour; of any other number the first is drawn.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, existing: Existing, sections: Vec<(&str, Tensor<4>)>) -> Result<()> {
    let sections: Vec<(&str, Section)> =
        sections.into_iter().map(|(title, images)| Ok((title, Section::new(images)?))).collect::<Result<_>>()?;
    let heading = |index: usize, title: &str| match title {
        "" if index == 0 => 0,
        "" => GAP,
        _ => text::HEIGHT + 4,
    };
    let widths = sections.iter().map(|(title, section)| section.size().0.max(text::width(title) + 2 * BORDER));
    let width = widths.max().unwrap_or(1);
    let heights = sections.iter().enumerate().map(|(index, (title, section))| heading(index, title) + section.size().1);
    let height = heights.sum::<u32>().max(1);
    let is_titled = sections.iter().any(|(title, _)| !title.is_empty());
    let mut picture = RgbImage::from_pixel(width, height, if is_titled { BACKGROUND } else { GAP_COLOUR });
    let mut top = 0;
    for (index, (title, section)) in sections.iter().enumerate() {
        text::draw(&mut picture, [BORDER, top + 2], title, TITLE_COLOUR);
        top += heading(index, title);
        section.draw(&mut picture, top);
        top += section.size().1;
    }
    save(path, existing, &picture)
}

/// [Writes](output::write) a PNG file.
///
/// # Errors
/// If the file cannot be written.
pub fn save(path: &Path, existing: Existing, picture: &RgbImage) -> Result<()> {
    output::write(path, existing, |out| Ok(picture.write_with_encoder(PngEncoder::new(out))?))
}

/// A grid of equal images.
struct Section {
    values: Vec<f32>,
    n: u32,
    channels: u32,
    height: u32,
    width: u32,
}

impl Section {
    fn new(images: Tensor<4>) -> Result<Self> {
        let [n, channels, height, width] = images.dims().map(|size| size as u32);
        let values = images.try_into_vec_as::<f32>().context("cannot read images from the device")?;
        Ok(Self { values, n, channels, height, width })
    }

    /// As few as make the grid no higher than wide; some more if that fills the last row.
    fn columns(&self) -> u32 {
        let least = f64::from(self.n).sqrt().ceil().max(1.0) as u32;
        (least..2 * least).find(|columns| self.n.is_multiple_of(*columns)).unwrap_or(least)
    }

    fn magnification(&self) -> u32 {
        LEGIBLE_SIDE.div_ceil(self.height.max(self.width).max(1))
    }

    /// Width and height of an image with its border.
    fn cell(&self) -> (u32, u32) {
        (self.width * self.magnification() + BORDER, self.height * self.magnification() + BORDER)
    }

    /// Width and height of the grid.
    fn size(&self) -> (u32, u32) {
        let (width, height) = self.cell();
        (self.columns() * width + BORDER, self.n.div_ceil(self.columns()) * height + BORDER)
    }

    fn draw(&self, picture: &mut RgbImage, top: u32) {
        let (width, height) = self.size();
        for y in 0..height {
            for x in 0..width {
                picture.put_pixel(x, top + y, self.pixel(x, y).unwrap_or(BACKGROUND));
            }
        }
    }

    /// The image's colour at a place of the grid; `None` on borders.
    fn pixel(&self, x: u32, y: u32) -> Option<Rgb<u8>> {
        let (cell_width, cell_height) = self.cell();
        let (x, y) = (x.checked_sub(BORDER)?, y.checked_sub(BORDER)?);
        let index = y / cell_height * self.columns() + x / cell_width;
        let (column, row) = (x % cell_width / self.magnification(), y % cell_height / self.magnification());
        if index >= self.n || column >= self.width || row >= self.height {
            return None;
        }
        let value = |channel: u32| {
            let position = ((index * self.channels + channel) * self.height + row) * self.width + column;
            (self.values[position as usize].clamp(0.0, 1.0) * 255.0).round() as u8
        };
        Some(if self.channels == 3 { Rgb([0, 1, 2].map(value)) } else { Rgb([value(0); 3]) })
    }
}

/// Width and height of the picture of one section of `n` images of this shape.
pub fn grid_size(n: usize, [channels, height, width]: [usize; 3]) -> (u32, u32) {
    let [n, channels, height, width] = [n, channels, height, width].map(|size| size as u32);
    Section { values: Vec::new(), n, channels, height, width }.size()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn pixels_are_where_they_belong() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("grid.png");
        // Two grey images of 1 x 2 pixels, magnified 16 times, side by side; one value out of range.
        let data = TensorData::new(vec![0.0f32, 0.2, 0.4, 7.0], [2, 1, 1, 2]);
        write(&path, Existing::Keep, vec![("", Tensor::from_data(data, &Device::flex()))])?;
        let picture = image::open(&path)?.to_rgb8();
        assert_eq!(picture.dimensions(), grid_size(2, [1, 1, 2]));
        assert_eq!(picture.dimensions(), (2 * (32 + 2) + 2, 16 + 2 + 2));
        let grey = |x: u32, y: u32| picture.get_pixel(x, y).0[0];
        assert_eq!([grey(2, 2), grey(17, 17), grey(18, 2)], [0, 0, 51]);
        assert_eq!([grey(36, 2), grey(67, 17)], [102, 255]);
        for border in [(0, 0), (34, 5), (35, 5), (68, 5), (10, 18)] {
            assert_eq!(picture.get_pixel(border.0, border.1), &BACKGROUND);
        }
        Ok(())
    }

    #[test]
    fn sections_are_stacked_with_a_gap() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("grid.png");
        let images = |n| Tensor::<4>::ones([n, 3, 32, 32], &Device::flex());
        write(&path, Existing::Keep, vec![("", images(4)), ("", images(1))])?;
        let picture = image::open(&path)?.to_rgb8();
        assert_eq!(picture.dimensions(), (70, 70 + GAP + 36));
        assert_eq!(picture.get_pixel(10, 70 + GAP / 2), &GAP_COLOUR);
        assert_eq!(picture.get_pixel(10, 70 + GAP + 10), &Rgb([255; 3]));
        Ok(())
    }

    #[test]
    fn titles_stand_above_their_sections() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("grid.png");
        let images = |n| Tensor::<4>::zeros([n, 1, 32, 32], &Device::flex());
        write(&path, Existing::Keep, vec![("held-out images", images(4)), ("samples", images(4))])?;
        let picture = image::open(&path)?.to_rgb8();
        let title = text::HEIGHT + 4;
        assert_eq!(picture.dimensions(), (text::width("held-out images") + 2 * BORDER, 2 * (70 + title)));
        let white =
            |top: u32| (top..top + title).flat_map(|y| (0..70).map(move |x| (x, y))).filter(|&(x, y)| picture[(x, y)][0] > 200);
        assert!(white(0).count() > 50 && white(70 + title).count() > 20);
        Ok(())
    }
}
