//! One PNG or JPEG to pixels.

use anyhow::{Context, Result, bail, ensure};
use image::codecs::{jpeg::JpegDecoder, png::PngDecoder};
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder, Limits};
use std::io::Cursor;

/// Pixels of the largest picture that is decoded.
const MAX_PIXELS: u64 = 1 << 28;
/// Memory a decoder may use.
const MAX_MEMORY: u64 = 2 << 30;

/// Whether a file's name is that of a picture this module reads.
pub fn is_picture(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    // Macs leave files such as ._a.png beside a.png.
    !name.starts_with('.') && [".png", ".jpg", ".jpeg"].iter().any(|end| name.ends_with(end))
}

/// Pixels (red, green, blue, …) of a picture that has `size` rows and columns already. Grey becomes three equal
/// channels, palettes are looked up.
///
/// # Errors
/// If the picture is damaged, has another size, 16 bits a value, or transparent pixels.
pub fn decode_exact(bytes: &[u8], size: usize) -> Result<Vec<u8>> {
    let picture = decode(bytes, |width, height| {
        ensure!(
            (width as usize, height as usize) == (size, size),
            "the picture has {width}x{height} pixels, expected {size}x{size}"
        );
        Ok(())
    })?;
    use image::ColorType::{L16, La16, Rgb16, Rgba16};
    ensure!(!matches!(picture.color(), L16 | La16 | Rgb16 | Rgba16), "the picture has 16 bits a value, expected 8");
    opaque(picture)
}

/// Pixels of a picture of any size: turned upright as its EXIF data says, its largest centred square, resampled with
/// a Lanczos-3 kernel to `size` rows and columns.
///
/// # Errors
/// If the picture is damaged, too large, or has transparent pixels.
pub fn decode_fitted(bytes: &[u8], size: usize) -> Result<Vec<u8>> {
    let picture = decode(bytes, |_, _| Ok(()))?;
    let (width, height, side) = (picture.width(), picture.height(), picture.width().min(picture.height()));
    let square = DynamicImage::ImageRgb8(
        image::RgbImage::from_raw(width, height, opaque(picture)?).context("an image of another length than its size")?,
    );
    let square = square.crop_imm((width - side) / 2, (height - side) / 2, side, side);
    let size = u32::try_from(size)?;
    if side == size {
        return Ok(square.into_rgb8().into_raw());
    }
    Ok(imageops::resize(&square.into_rgb8(), size, size, FilterType::Lanczos3).into_raw())
}

fn opaque(picture: DynamicImage) -> Result<Vec<u8>> {
    if picture.color().has_alpha() {
        let see_through = picture.to_rgba8().pixels().any(|pixel| pixel.0[3] != 255);
        ensure!(!see_through, "the picture has transparent pixels; put it on a background first");
    }
    Ok(picture.into_rgb8().into_raw())
}

fn decode(bytes: &[u8], check: impl FnOnce(u32, u32) -> Result<()>) -> Result<DynamicImage> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_MEMORY);
    let cursor = Cursor::new(bytes);
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => {
            let decoder = PngDecoder::with_limits(cursor, limits).context("not a valid PNG")?;
            let picture = upright(decoder, check)?;
            // The pixels may all be there when the last chunk is not: the file was cut all the same.
            let end = b"\0\0\0\0IEND\xae\x42\x60\x82";
            ensure!(bytes.windows(end.len()).rev().any(|w| w == end), "the PNG has no end (IEND chunk): it is cut short");
            Ok(picture)
        }
        [0xff, 0xd8, ..] => {
            check_jpeg_end(bytes)?;
            let mut decoder = JpegDecoder::new(cursor).context("not a valid JPEG")?;
            decoder.set_limits(limits).context("a JPEG too large")?;
            upright(decoder, check)
        }
        [] => bail!("the picture is empty"),
        _ => bail!("neither a PNG nor a JPEG (it begins with {:02x?})", &bytes[..bytes.len().min(8)]),
    }
}

fn upright(mut decoder: impl ImageDecoder, check: impl FnOnce(u32, u32) -> Result<()>) -> Result<DynamicImage> {
    let (width, height) = decoder.dimensions();
    ensure!(
        u64::from(width) * u64::from(height) <= MAX_PIXELS,
        "{width}x{height} pixels are too many, at most {MAX_PIXELS} are read"
    );
    check(width, height)?;
    let orientation = decoder.orientation().context("the picture is damaged")?;
    let mut picture = DynamicImage::from_decoder(decoder).context("the picture is damaged or cut short")?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Decoders fill in what is missing from a JPEG that was cut short; here it is noticed by its missing end. (A flipped
/// bit within the pixels cannot be noticed: JPEG has no checksum.)
fn check_jpeg_end(bytes: &[u8]) -> Result<()> {
    let last = |marker: [u8; 2]| bytes.windows(2).rposition(|w| w == marker);
    let (scan, end) = (last([0xff, 0xda]), last([0xff, 0xd9]));
    ensure!(scan.is_some() && scan < end, "the JPEG has no end mark after its pixels: it is cut short");
    Ok(())
}
