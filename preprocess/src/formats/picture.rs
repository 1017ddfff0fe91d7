//! One picture file to pixels.

mod ends;
mod jpeg;
mod jpeg_bits;
pub mod kind;
pub mod memory;
mod png;

use crate::messages::text;
use anyhow::{Result, bail, ensure};
use image::codecs::{bmp::BmpDecoder, gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder, tiff::TiffDecoder, webp::WebPDecoder};
use image::imageops::{self, FilterType};
use image::{ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageError, Limits, RgbImage};
use kind::Kind;
use memory::Turn;
use std::cell::Cell;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// Pixels of the largest picture that is decoded.
pub const MAX_PIXELS: u64 = 1 << 28;
/// Bytes of the largest file that is read.
pub const MAX_FILE: u64 = 1 << 30;

/// Pixels (red, green, blue, …) of a picture that has `size` rows and columns already. Grey becomes three equal
/// channels, palettes are looked up.
///
/// # Errors
/// If the picture is damaged, has another size, 16 bits a value, or transparent pixels.
pub fn decode_exact(bytes: &[u8], size: usize) -> Result<Vec<u8>> {
    let check = |width, height| {
        ensure!(
            (width as usize, height as usize) == (size, size),
            "the picture has {width}x{height} pixels, expected {size}x{size}"
        );
        Ok(())
    };
    let Decoded { picture, turn: _turn, .. } = decode(bytes, check, |_, _| 0)?;
    use ColorType::{L16, La16, Rgb16, Rgba16};
    ensure!(!matches!(picture.color(), L16 | La16 | Rgb16 | Rgba16), "the picture has 16 bits a value, expected 8");
    Ok(opaque(picture)?.into_raw())
}

/// The width and height of pictures to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// What is worth knowing of a picture that was decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// Its values had 16 bits.
    pub deep: bool,
    /// It was made of the inks cyan, magenta, yellow and black.
    pub inks: bool,
    /// It has more frames than the first.
    pub animated: bool,
}

/// A picture as people see it: 8 bits a value, turned upright as its EXIF data says.
pub struct Upright {
    /// Its pixels.
    pub image: RgbImage,
    /// The format it was stored in.
    pub kind: Kind,
    /// More of how it was stored.
    pub traits: Traits,
    _turn: Turn,
}

/// A picture as its decoder gives it.
struct Decoded {
    picture: DynamicImage,
    traits: Traits,
    turn: Turn,
}

impl Upright {
    /// Decodes a picture that will be made into one of `size`. Values of 16 bits are rounded to 8, palettes are looked up, grey
    /// becomes three equal channels, the inks of CMYK are mixed, and colour profiles are not applied.
    ///
    /// # Errors
    /// If the picture is damaged, too large, or has transparent pixels.
    pub fn decode(bytes: &[u8], size: Size) -> Result<Self> {
        let kind = kind::kind(bytes)?;
        // Cutting copies the picture; resampling keeps its columns in the new height, four numbers of four bytes each.
        let resampling = |width: u32, height: u32| {
            let rows = u64::from(size.width.max(size.height));
            u64::from(width) * u64::from(height) * 3 + u64::from(width.max(height)) * rows * 16
        };
        let Decoded { picture, traits, turn } = decode(bytes, |_, _| Ok(()), resampling)?;
        let color = picture.color();
        ensure!(
            !matches!(color, ColorType::Rgb32F | ColorType::Rgba32F),
            "its values are floating-point numbers, which are not read"
        );
        Ok(Upright { image: opaque(picture)?, kind, traits, _turn: turn })
    }

    /// A number that only pictures with the same pixels share.
    pub fn fingerprint(&self) -> u128 {
        let seed = u64::from(self.image.width()) << 32 | u64::from(self.image.height());
        twox_hash::XxHash3_128::oneshot_with_seed(seed, self.image.as_raw())
    }

    /// Whether the part that [`fit`](Self::fit) cuts out is smaller than `size`.
    pub fn is_smaller_than(&self, size: Size) -> bool {
        self.part(size)[2] < size.width
    }

    /// The largest part in the centre that has the shape of `size`, resampled to it with a Lanczos-3 kernel.
    pub fn fit(self, size: Size) -> RgbImage {
        let [left, top, width, height] = self.part(size);
        let image = match (width, height) == self.image.dimensions() {
            true => self.image,
            false => imageops::crop_imm(&self.image, left, top, width, height).to_image(),
        };
        match image.dimensions() == (size.width, size.height) {
            true => image,
            false => imageops::resize(&image, size.width, size.height, FilterType::Lanczos3),
        }
    }

    /// Left, top, width and height of the part.
    fn part(&self, size: Size) -> [u32; 4] {
        let (width, height) = self.image.dimensions();
        // The nearest whole number that is not 0 to `of * numerator / denominator`, which is at most `most`.
        let scaled = |of: u32, numerator: u32, denominator: u32, most: u32| {
            let (product, denominator) = (u64::from(of) * u64::from(numerator), u64::from(denominator));
            u32::try_from((2 * product + denominator) / (2 * denominator)).unwrap_or(most).clamp(1, most)
        };
        let is_wide = u64::from(width) * u64::from(size.height) >= u64::from(height) * u64::from(size.width);
        let (w, h) = match is_wide {
            true => (scaled(height, size.width, size.height, width), height),
            false => (width, scaled(width, size.height, size.width, height)),
        };
        [(width - w) / 2, (height - h) / 2, w, h]
    }
}

fn opaque(picture: DynamicImage) -> Result<RgbImage> {
    if picture.color().has_alpha() {
        let see_through = picture.to_rgba8().pixels().any(|pixel| pixel.0[3] != 255);
        ensure!(!see_through, "the picture has transparent pixels; put it on a background first");
    }
    Ok(picture.into_rgb8())
}

/// Decodes a picture if `check` likes its width and height. `more` says how much memory the caller needs beside it.
fn decode(bytes: &[u8], check: impl FnOnce(u32, u32) -> Result<()>, more: impl FnOnce(u32, u32) -> u64) -> Result<Decoded> {
    let kind = kind::kind(bytes)?;
    match quietly(|| decode_kind(kind, bytes, check, more)) {
        Some(decoded) => decoded,
        None => bail!("the decoder of {kind} files fails at it; make a PNG of it"),
    }
}

/// What `work` gives, or `None` if it panics, of which nothing is printed. Decoders are other people's: a fault in one must not
/// end the program without the name of the picture.
fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                usual(info);
            }
        }));
    });
    let before = QUIET.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work)).ok();
    QUIET.set(before);
    result
}

fn decode_kind(
    kind: Kind,
    bytes: &[u8],
    check: impl FnOnce(u32, u32) -> Result<()>,
    more: impl FnOnce(u32, u32) -> u64,
) -> Result<Decoded> {
    let told = |error| told(kind, error);
    let cursor = Cursor::new(bytes);
    match kind {
        Kind::Png => {
            let mut limits = Limits::default();
            limits.max_alloc = Some(memory::EACH);
            let decoder = PngDecoder::with_limits(Cursor::new(png::essential(bytes)?), limits).map_err(told)?;
            let mut decoded = upright(decoder, kind, 0, check, more)?;
            decoded.traits.animated = png::is_animated(bytes);
            Ok(decoded)
        }
        Kind::Jpeg => {
            let jpeg = jpeg::check(bytes)?;
            let decoder = JpegDecoder::new(cursor).map_err(told)?;
            // A coefficient has two bytes; there may be some beyond the edges.
            let own = if jpeg.keeps_coefficients { 2 * jpeg.components as u64 + 1 } else { 0 };
            let mut decoded = upright(decoder, kind, own, check, more)?;
            decoded.traits.inks = jpeg.components == 4;
            Ok(decoded)
        }
        Kind::WebP => {
            ends::check_webp(bytes)?;
            let decoder = WebPDecoder::new(cursor).map_err(told)?;
            let animated = decoder.has_animation();
            let mut decoded = upright(decoder, kind, 8, check, more)?;
            decoded.traits.animated = animated;
            Ok(decoded)
        }
        Kind::Bmp => upright(BmpDecoder::new(cursor).map_err(told)?, kind, 0, check, more),
        Kind::Gif => {
            let frames = ends::check_gif(bytes)?;
            let mut decoded = upright(GifDecoder::new(cursor).map_err(told)?, kind, 5, check, more)?;
            decoded.traits.animated = frames > 1;
            Ok(decoded)
        }
        Kind::Tiff => upright(TiffDecoder::new(cursor).map_err(told)?, kind, 16, check, more),
    }
}

/// What a decoder says, beginning with what it means.
fn told(kind: Kind, error: ImageError) -> anyhow::Error {
    let meaning = match &error {
        ImageError::Unsupported(_) => format!("a {kind} of a kind that is not read; make an ordinary PNG of it"),
        ImageError::Limits(_) => format!("the {kind} takes too much memory"),
        _ => format!("the {kind} is damaged or cut short"),
    };
    anyhow::Error::from(error).context(meaning)
}

/// The pixels of `decoder`, which needs `own` bytes for each beside the result, turned as the EXIF data says.
fn upright(
    mut decoder: impl ImageDecoder,
    kind: Kind,
    own: u64,
    check: impl FnOnce(u32, u32) -> Result<()>,
    more: impl FnOnce(u32, u32) -> u64,
) -> Result<Decoded> {
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        bail!("the picture has {width}x{height} pixels");
    }
    ensure!(pixels <= MAX_PIXELS, "{width}x{height} pixels are too many, at most {MAX_PIXELS} are read");
    check(width, height)?;
    let color = decoder.color_type();
    let inks = matches!(decoder.original_color_type(), ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16);
    // The picture, once more while it is turned, in eight bits, with its transparency.
    let each = own
        + 2 * u64::from(color.bytes_per_pixel())
        + if color == ColorType::Rgb8 { 0 } else { 3 }
        + if color.has_alpha() { 4 } else { 0 };
    let needed = pixels * each + more(width, height);
    ensure!(
        needed <= memory::ALONE,
        "a {width}x{height} picture of this kind takes {} of memory, at most {} are used",
        text::size(needed),
        text::size(memory::ALONE)
    );
    let turn = memory::turn(needed);
    let mut limits = Limits::default();
    limits.max_alloc = Some(needed + (16 << 20));
    decoder.set_limits(limits).map_err(|e| told(kind, e))?;
    let orientation = decoder.orientation().map_err(|e| told(kind, e))?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|e| told(kind, e))?;
    picture.apply_orientation(orientation);
    let deep = matches!(color, ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16);
    Ok(Decoded { picture, traits: Traits { deep, inks, animated: false }, turn })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of one colour.
    fn plain(width: u32, height: u32) -> Upright {
        Upright { image: RgbImage::new(width, height), kind: Kind::Png, traits: Traits::default(), _turn: memory::turn(0) }
    }

    #[test]
    fn the_part_in_the_centre_has_the_shape_of_the_result() {
        let size = |width, height| Size { width, height };
        for (width, height, to, part) in [
            (100, 60, size(32, 32), [20, 0, 60, 60]),
            (60, 101, size(32, 32), [0, 20, 60, 60]),
            (640, 480, size(64, 48), [0, 0, 640, 480]),
            (640, 480, size(48, 64), [140, 0, 360, 480]),
            (1, 1000, size(64, 48), [0, 499, 1, 1]),
            (1000, 1, size(1, 64), [499, 0, 1, 1]),
        ] {
            assert_eq!(plain(width, height).part(to), part, "{width}x{height} to {to}");
            assert_eq!(plain(width, height).fit(to).dimensions(), (to.width, to.height));
        }
        assert!(plain(100, 31).is_smaller_than(size(32, 32)) && !plain(32, 32).is_smaller_than(size(32, 32)));
    }

    #[test]
    fn pictures_of_another_shape_are_others() {
        assert_ne!(plain(2, 3).fingerprint(), plain(3, 2).fingerprint());
        assert_eq!(plain(2, 3).fingerprint(), plain(2, 3).fingerprint());
    }
}
