//! Maps of the plane with titles and axes, side by side.

use crate::reporting::pictures::axis::Axis;
use crate::reporting::pictures::grid;
use crate::reporting::pictures::heat_map::HeatMap;
use crate::reporting::pictures::text::{self, HEIGHT};
use anyhow::Result;
use datasets::io::output::Existing;
use image::{Rgb, RgbImage};
use std::path::Path;

/// Pixels a side of a map.
pub const SIDE: u32 = 256;
/// On the left of a map, for the label and the numbers of its axis.
pub const LEFT: u32 = 72;
/// On its right.
pub const RIGHT: u32 = 14;
/// Above it, for the title.
const TOP: u32 = 24;
/// Below it, for the numbers and the label of its axis.
const BOTTOM: u32 = 44;
/// The colour of text and axes.
pub const INK: Rgb<u8> = Rgb([50, 50, 60]);
/// The colour of what is not drawn.
pub const PAPER: Rgb<u8> = Rgb([255; 3]);
/// Numbers along an axis at most.
const MOST_TICKS: usize = 5;

/// A map with a title and axes.
pub struct Panel {
    /// What is shown.
    pub title: String,
    /// From left to right.
    pub x: Axis,
    /// From the bottom up.
    pub y: Axis,
    /// The numbers.
    pub map: HeatMap,
}

/// Draws panels from left to right into a PNG file of the run.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, panels: &[Panel]) -> Result<()> {
    let width = LEFT + SIDE + RIGHT;
    let mut picture = RgbImage::from_pixel(width * panels.len() as u32, TOP + SIDE + BOTTOM, PAPER);
    for (panel, start) in panels.iter().zip((0..).step_by(width as usize)) {
        let corner = [start + LEFT, TOP];
        panel.map.draw(&mut picture, corner, SIDE);
        frame(&mut picture, corner, SIDE);
        text::draw(&mut picture, [start + LEFT, 4], &text::fitted(&panel.title, (SIDE / text::WIDTH) as usize), INK);
        along_bottom(&mut picture, corner, SIDE, &panel.x);
        along_left(&mut picture, corner, SIDE, &panel.y);
    }
    grid::save(path, Existing::Own, &picture)
}

/// A line around a square.
pub fn frame(picture: &mut RgbImage, [left, top]: [u32; 2], side: u32) {
    for at in 0..side + 2 {
        for (x, y) in
            [(left - 1 + at, top - 1), (left - 1 + at, top + side), (left - 1, top - 1 + at), (left + side, top - 1 + at)]
        {
            put(picture, x, y);
        }
    }
}

/// Numbers and label of the axis below a square.
pub fn along_bottom(picture: &mut RgbImage, [left, top]: [u32; 2], side: u32, axis: &Axis) {
    let bottom = top + side;
    let mut free = 0;
    for (value, words) in axis.ticks(MOST_TICKS) {
        let x = left + (axis.place(value) * f64::from(side - 1)) as u32;
        (0..4).for_each(|down| put(picture, x, bottom + down));
        let start = x.saturating_sub(text::width(&words) / 2);
        // Numbers that would touch the one before them have a mark only.
        if start >= free {
            text::draw(picture, [start, bottom + 5], &words, INK);
            free = start + text::width(&words) + text::WIDTH;
        }
    }
    let label = text::fitted(&axis.label, (side / text::WIDTH) as usize);
    text::draw(picture, [left + (side - text::width(&label)) / 2, bottom + 5 + HEIGHT + 2], &label, INK);
}

/// Numbers and label of the axis at the left of a square.
pub fn along_left(picture: &mut RgbImage, [left, top]: [u32; 2], side: u32, axis: &Axis) {
    for (value, words) in axis.ticks(MOST_TICKS) {
        let y = top + side - 1 - (axis.place(value) * f64::from(side - 1)) as u32;
        (1..5).for_each(|before| put(picture, left - before, y));
        text::draw(picture, [left.saturating_sub(6 + text::width(&words)), y.saturating_sub(HEIGHT / 2)], &words, INK);
    }
    let label = text::fitted(&axis.label, (side / text::WIDTH) as usize);
    let bottom = top + side - (side - text::width(&label)) / 2 - 1;
    text::draw_upwards(picture, [left.saturating_sub(LEFT - 2), bottom], &label, INK);
}

/// Fills a square from its bottom up to a height at each of its columns.
pub fn fill(picture: &mut RgbImage, [left, top]: [u32; 2], side: u32, height: impl Fn(u32) -> u32, colour: Rgb<u8>) {
    for x in 0..side {
        (0..height(x)).for_each(|up| picture.put_pixel(left + x, top + side - 1 - up, colour));
    }
}

/// A line two pixels thick through a height at each column of a square, upright where that changes; it comes from a height at the
/// left.
pub fn line(
    picture: &mut RgbImage,
    [left, top]: [u32; 2],
    side: u32,
    mut before: u32,
    height: impl Fn(u32) -> u32,
    colour: Rgb<u8>,
) {
    for x in 0..side {
        let now = height(x);
        let heights = now.min(before)..=(now.max(before) + 1).min(side - 1);
        heights.for_each(|up| picture.put_pixel(left + x, top + side - 1 - up, colour));
        before = now;
    }
}

fn put(picture: &mut RgbImage, x: u32, y: u32) {
    if let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
        *pixel = INK;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_has_a_title_numbers_and_its_map() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("panel.png");
        let panel = |title: &str, label: &str| Panel {
            title: title.into(),
            x: Axis::new(label, -4.0, 4.0),
            y: Axis::new("y", -4.0, 4.0),
            map: HeatMap::new(2),
        };
        write(&path, &[panel("density", "alcohol"), panel("samples", "alcohol")])?;
        let picture = image::open(&path)?.to_rgb8();
        let width = LEFT + SIDE + RIGHT;
        assert_eq!(picture.dimensions(), (2 * width, TOP + SIDE + BOTTOM));
        let inked = |left: u32, top: u32, w: u32, h: u32| {
            image::imageops::crop_imm(&picture, left, top, w, h).to_image().pixels().filter(|pixel| pixel[0] < 128).count()
        };
        assert!(inked(LEFT, 0, SIDE, TOP - 2) > 50 && inked(width + LEFT, 0, SIDE, TOP - 2) > 50, "titles");
        assert!(inked(LEFT, TOP + SIDE + 24, SIDE, 20) > 50 && inked(0, TOP, 20, SIDE) > 10, "labels");
        assert!(inked(20, TOP, LEFT - 22, SIDE) > 50, "numbers");
        Ok(())
    }
}
