//! Words in pictures: fixed glyphs of 8x16 pixels, drawn from DejaVu Sans Mono (its licence is beside them).

use anyhow::{Context, Result};
use image::{GrayImage, Rgb, RgbImage};
use std::sync::LazyLock;

/// Width of a letter.
pub const WIDTH: u32 = 8;
/// Height of a line.
pub const HEIGHT: u32 = 16;
/// Letters in a row of the file.
const COLUMNS: u32 = 32;

/// The printable letters of Latin-1.
static GLYPHS: LazyLock<Option<GrayImage>> = LazyLock::new(|| decoded().ok());

fn decoded() -> Result<GrayImage> {
    let bytes = include_bytes!("glyphs.png");
    Ok(image::load_from_memory(bytes).context("the letters of pictures are damaged")?.to_luma8())
}

/// Pixels that a text is wide.
pub fn width(text: &str) -> u32 {
    WIDTH * text.chars().count() as u32
}

/// The text with at most this many letters, the end left out.
pub fn fitted(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.into();
    }
    text.chars().take(letters.saturating_sub(2)).chain("..".chars()).collect()
}

/// Draws a line of text from a corner to the right. What lies outside of the picture is left out.
pub fn draw(picture: &mut RgbImage, [left, top]: [u32; 2], text: &str, colour: Rgb<u8>) {
    each_pixel(text, |x, y, strength| blend(picture, [left + x, top + y], colour, strength));
}

/// Draws a line of text from a corner upwards, its letters' feet to the right.
pub fn draw_upwards(picture: &mut RgbImage, [left, bottom]: [u32; 2], text: &str, colour: Rgb<u8>) {
    each_pixel(text, |x, y, strength| blend(picture, [left + y, bottom.wrapping_sub(x)], colour, strength));
}

fn each_pixel(text: &str, mut put: impl FnMut(u32, u32, u8)) {
    let Some(glyphs) = GLYPHS.as_ref() else { return };
    for (index, letter) in text.chars().enumerate() {
        let place = place(letter);
        let (column, row) = (place % COLUMNS * WIDTH, place / COLUMNS * HEIGHT);
        for (x, y) in (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y))) {
            let strength = glyphs.get_pixel(column + x, row + y)[0];
            if strength > 0 {
                put(index as u32 * WIDTH + x, y, strength);
            }
        }
    }
}

/// Where a letter is in the file; of those that are not there, a question mark is.
fn place(letter: char) -> u32 {
    match u32::from(letter) {
        code @ 32..=126 => code - 32,
        code @ 160..=255 => code - 160 + 95,
        _ => u32::from('?') - 32,
    }
}

fn blend(picture: &mut RgbImage, [x, y]: [u32; 2], colour: Rgb<u8>, strength: u8) {
    let Some(pixel) = picture.get_pixel_mut_checked(x, y) else { return };
    let part = f32::from(strength) / 255.0;
    for (value, wanted) in pixel.0.iter_mut().zip(colour.0) {
        *value = (f32::from(*value) * (1.0 - part) + f32::from(wanted) * part).round() as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str) -> RgbImage {
        let mut picture = RgbImage::from_pixel(width(text), HEIGHT, Rgb([255; 3]));
        draw(&mut picture, [0, 0], text, Rgb([0; 3]));
        picture
    }

    #[test]
    fn every_letter_has_a_shape_of_its_own() {
        let shapes: std::collections::HashSet<Vec<u8>> =
            ('0'..='9').chain('A'..='Z').chain('a'..='z').map(|letter| drawn(&letter.to_string()).into_raw()).collect();
        assert_eq!(shapes.len(), 62);
        assert_eq!(drawn("漢"), drawn("?"));
        assert!(drawn(" ").pixels().all(|pixel| *pixel == Rgb([255; 3])));
    }

    #[test]
    fn text_upwards_is_text_turned() {
        let mut turned = RgbImage::from_pixel(HEIGHT, width("Ag"), Rgb([255; 3]));
        draw_upwards(&mut turned, [0, width("Ag") - 1], "Ag", Rgb([0; 3]));
        assert_eq!(image::imageops::rotate90(&turned), drawn("Ag"));
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!([fitted("acidity", 7), fitted("acidity", 5)], ["acidity", "aci.."]);
        let mut small = RgbImage::new(3, 3);
        draw(&mut small, [2, 2], "outside", Rgb([9; 3]));
    }
}
