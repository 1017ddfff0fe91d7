//! One image to bytes and back: the `med-zstd1` and `raw` encodings of the format.
//!
//! To add a codec: a variant of [`CodecKind`], with its name in files and its description; its arms in [`Codec`]; a section of
//! `FORMAT.md`. Readers, writers, options of programs and tests go by [`CodecKind::ALL`].
//!
//! `med-zstd1` makes three steps, all on bytes modulo 256. Colour images (three channels) first replace red and blue
//! by their difference from green, plus 128, so that edges common to all channels vanish. Each channel is then
//! replaced by its difference from a prediction by the neighbours to the left `a`, above `b` and above left `c`
//! (outside the image: 0): the median of `a`, `b` and `a + b - c`, which follows edges and slopes (the predictor of
//! LOCO-I: Weinberger, Seroussi and Sapiro 2000, <https://doi.org/10.1109/83.855427>). The differences, mostly near 0,
//! are one zstd frame.

use crate::shards::shape::ImageShape;
use serde::{Deserialize, Serialize};
use std::{fmt, io};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

/// How the images of a shard are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CodecKind {
    /// Predicted, then compressed: about 60 % of the raw size for photographs.
    #[default]
    #[serde(rename = "med-zstd1")]
    MedZstd1,
    /// One byte per pixel value as it is: fastest.
    #[serde(rename = "raw")]
    Raw,
}

impl CodecKind {
    /// All codecs, the default first.
    pub const ALL: [CodecKind; 2] = [CodecKind::MedZstd1, CodecKind::Raw];

    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            CodecKind::MedZstd1 => "med-zstd1",
            CodecKind::Raw => "raw",
        }
    }

    /// The description in lists of options.
    pub fn description(self) -> &'static str {
        match self {
            CodecKind::MedZstd1 => "Predicted and compressed",
            CodecKind::Raw => "As they are: larger, faster",
        }
    }

    /// Whether encoded images differ in length: they then lie one after the other in the tensor `data` and are found by `offsets`.
    /// Other codecs store pixels as they are, in the tensor `images`.
    pub fn has_offsets(self) -> bool {
        match self {
            CodecKind::MedZstd1 => true,
            CodecKind::Raw => false,
        }
    }

    /// The codec with this [name](CodecKind::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for CodecKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Encoder and decoder for images of one shape; keeps its working memory, so make one per thread.
///
/// # Examples
/// ```
/// use datasets::{CodecKind, ImageShape, shards::codec::Codec};
///
/// # fn main() -> std::io::Result<()> {
/// let mut codec = Codec::new(CodecKind::MedZstd1, ImageShape { channels: 1, height: 8, width: 8 })?;
/// let image: Vec<u8> = (0..64).map(|i| 3 * (i % 8) + 2 * (i / 8)).collect();
/// let mut bytes = Vec::new();
/// codec.encode(&image, &mut bytes)?;
///
/// let mut decoded = vec![0; 64];
/// codec.decode(&bytes, &mut decoded)?;
/// assert_eq!(decoded, image);
/// assert!(bytes.len() < image.len());
/// # Ok(())
/// # }
/// ```
pub struct Codec {
    kind: CodecKind,
    shape: ImageShape,
    compressor: Compressor<'static>,
    decompressor: Decompressor<'static>,
    planes: Vec<u8>,
    residuals: Vec<u8>,
    frame: Vec<u8>,
}

impl Codec {
    /// A codec for images of `shape`.
    ///
    /// # Errors
    /// If zstd cannot allocate its contexts.
    pub fn new(kind: CodecKind, shape: ImageShape) -> io::Result<Self> {
        let len = match kind {
            CodecKind::MedZstd1 => shape.len(),
            CodecKind::Raw => 0,
        };
        let mut compressor = Compressor::new(1)?;
        // In the differences of photographs, which are mostly noise, short matches cost more bytes and time than they
        // save; long ones are found in any case where images are flat.
        compressor.set_parameter(CParameter::MinMatch(7))?;
        compressor.set_parameter(CParameter::HashLog(6))?;
        Ok(Codec {
            kind,
            shape,
            compressor,
            decompressor: Decompressor::new()?,
            planes: vec![0; len],
            residuals: vec![0; len],
            frame: vec![0; Self::max_len(kind, shape)],
        })
    }

    /// Bytes that no encoded image of `shape` exceeds.
    pub(crate) fn max_len(kind: CodecKind, shape: ImageShape) -> usize {
        match kind {
            CodecKind::MedZstd1 => zstd::zstd_safe::compress_bound(shape.len()),
            CodecKind::Raw => shape.len(),
        }
    }

    /// The kind and the shape that this codec was made for.
    pub fn parameters(&self) -> (CodecKind, ImageShape) {
        (self.kind, self.shape)
    }

    /// Appends the encoded `image` to `out`.
    ///
    /// # Errors
    /// If zstd fails, which it does only without memory.
    ///
    /// # Panics
    /// If `image` has not the length of the codec's shape.
    pub fn encode(&mut self, image: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        assert_eq!(image.len(), self.shape.len(), "image length");
        match self.kind {
            CodecKind::MedZstd1 => self.encode_predicted(image, out)?,
            CodecKind::Raw => out.extend_from_slice(image),
        }
        Ok(())
    }

    fn encode_predicted(&mut self, image: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.planes.copy_from_slice(image);
        if self.shape.channels == 3 {
            shift_by_green(&mut self.planes, |value, green| value.wrapping_sub(green).wrapping_add(128));
        }
        let (plane, width) = (self.shape.height * self.shape.width, self.shape.width);
        for (plane, residuals) in (self.planes.chunks_exact(plane)).zip(self.residuals.chunks_exact_mut(plane)) {
            encode_plane(plane, residuals, width);
        }
        let len = self.compressor.compress_to_buffer(&self.residuals, self.frame.as_mut_slice())?;
        out.extend_from_slice(&self.frame[..len]);
        Ok(())
    }

    /// Decodes one image into `out`.
    ///
    /// # Errors
    /// If `bytes` is not one encoded image of exactly this shape. Damage may go unnoticed here: compare checksums.
    ///
    /// # Panics
    /// If `out` has not the length of the codec's shape.
    pub fn decode(&mut self, bytes: &[u8], out: &mut [u8]) -> io::Result<()> {
        assert_eq!(out.len(), self.shape.len(), "image length");
        match self.kind {
            CodecKind::MedZstd1 => self.decode_predicted(bytes, out),
            CodecKind::Raw => {
                check_len(bytes.len(), out.len())?;
                out.copy_from_slice(bytes);
                Ok(())
            }
        }
    }

    fn decode_predicted(&mut self, bytes: &[u8], out: &mut [u8]) -> io::Result<()> {
        let len = self.decompressor.decompress_to_buffer(bytes, self.residuals.as_mut_slice())?;
        check_len(len, out.len())?;
        let (plane, width) = (self.shape.height * self.shape.width, self.shape.width);
        if self.shape.channels == 3 {
            decode_three_planes(&self.residuals, out, width);
            shift_by_green(out, |value, green| value.wrapping_add(green).wrapping_sub(128));
        } else {
            for (residuals, out) in (self.residuals.chunks_exact(plane)).zip(out.chunks_exact_mut(plane)) {
                decode_plane(residuals, out, width);
            }
        }
        Ok(())
    }
}

fn check_len(got: usize, expected: usize) -> io::Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("{got} pixel values instead of {expected}")))
}

/// Replaces red and blue by a function of themselves and green.
fn shift_by_green(image: &mut [u8], shift: impl Fn(u8, u8) -> u8) {
    let (red, rest) = image.split_at_mut(image.len() / 3);
    let (green, blue) = rest.split_at_mut(red.len());
    for ((red, blue), &green) in red.iter_mut().zip(blue).zip(&*green) {
        *red = shift(*red, green);
        *blue = shift(*blue, green);
    }
}

/// The median of `left`, `above` and `left + above - corner`.
#[inline(always)]
fn predict(left: i16, above: i16, corner: i16) -> i16 {
    let (low, high) = (left.min(above), left.max(above));
    (left + above - corner).clamp(low, high)
}

fn encode_plane(plane: &[u8], residuals: &mut [u8], width: usize) {
    let zeros = vec![0; width];
    let mut above = zeros.as_slice();
    for (row, residuals) in plane.chunks_exact(width).zip(residuals.chunks_exact_mut(width)) {
        residuals[0] = row[0].wrapping_sub(above[0]);
        let neighbours = row.iter().zip(&above[1..]).zip(above);
        for ((out, &value), ((&left, &up), &corner)) in residuals[1..].iter_mut().zip(&row[1..]).zip(neighbours) {
            let prediction = predict(left.into(), up.into(), corner.into());
            *out = value.wrapping_sub(prediction as u8);
        }
        above = row;
    }
}

fn decode_plane(residuals: &[u8], out: &mut [u8], width: usize) {
    let zeros = vec![0; width];
    let mut above = zeros.as_slice();
    for (residuals, row) in residuals.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        let (mut left, mut corner) = (0, 0);
        for ((out, &residual), &up) in row.iter_mut().zip(residuals).zip(above) {
            *out = residual.wrapping_add(predict(left, up.into(), corner) as u8);
            (left, corner) = ((*out).into(), up.into());
        }
        above = row;
    }
}

/// [`decode_plane`] for three channels at once: a pixel waits for its left neighbour, so three independent chains keep
/// the processor busy.
fn decode_three_planes(residuals: &[u8], out: &mut [u8], width: usize) {
    let plane = out.len() / 3;
    let zeros = vec![0; width];
    let (r0, rest) = residuals.split_at(plane);
    let (r1, r2) = rest.split_at(plane);
    let (o0, rest) = out.split_at_mut(plane);
    let (o1, o2) = rest.split_at_mut(plane);
    let mut above = [zeros.as_slice(); 3];
    let residuals = (r0.chunks_exact(width)).zip(r1.chunks_exact(width)).zip(r2.chunks_exact(width));
    let rows = (o0.chunks_exact_mut(width)).zip(o1.chunks_exact_mut(width)).zip(o2.chunks_exact_mut(width));
    for (((r0, r1), r2), ((o0, o1), o2)) in residuals.zip(rows) {
        let (mut left, mut corner) = ([0i16; 3], [0i16; 3]);
        let up = above[0].iter().zip(above[1]).zip(above[2]);
        let residuals = r0.iter().zip(r1).zip(r2);
        let pixels = o0.iter_mut().zip(o1.iter_mut()).zip(o2.iter_mut());
        for ((((p0, p1), p2), ((r0, r1), r2)), ((u0, u1), u2)) in pixels.zip(residuals).zip(up) {
            let up = [i16::from(*u0), i16::from(*u1), i16::from(*u2)];
            *p0 = r0.wrapping_add(predict(left[0], up[0], corner[0]) as u8);
            *p1 = r1.wrapping_add(predict(left[1], up[1], corner[1]) as u8);
            *p2 = r2.wrapping_add(predict(left[2], up[2], corner[2]) as u8);
            (left, corner) = ([(*p0).into(), (*p1).into(), (*p2).into()], up);
        }
        above = [o0, o1, o2];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deterministic bytes without structure.
    fn noise(len: usize, mut state: u32) -> Vec<u8> {
        let next = |_| {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 24) as u8
        };
        (0..len).map(next).collect()
    }

    #[test]
    fn every_shape_comes_back() {
        for kind in CodecKind::ALL {
            for (channels, height, width) in
                [(1, 1, 1), (3, 1, 1), (1, 1, 9), (1, 9, 1), (3, 7, 5), (2, 3, 4), (4, 5, 3), (3, 33, 31)]
            {
                let shape = ImageShape { channels, height, width };
                let mut codec = Codec::new(kind, shape).unwrap();
                for seed in 0..4 {
                    let image = noise(shape.len(), seed);
                    let mut bytes = vec![7];
                    codec.encode(&image, &mut bytes).unwrap();
                    let mut decoded = vec![0; shape.len()];
                    codec.decode(&bytes[1..], &mut decoded).unwrap();
                    assert_eq!(decoded, image, "{kind} {shape}");
                }
            }
        }
    }

    #[test]
    fn residuals_follow_the_documented_rule() {
        // Written down by hand from the module's text: rows 10 12 11, 20 25 21.
        let mut residuals = [0; 6];
        encode_plane(&[10, 12, 11, 20, 25, 21], &mut residuals, 3);
        // Row 2: above 10; median(20, 12, 22) = 20; median(25, 11, 24) = 24.
        assert_eq!(residuals, [10, 2, 255, 10, 5, 253]);
    }

    #[test]
    fn three_planes_are_decoded_like_single_ones() {
        let residuals = noise(3 * 7 * 5, 9);
        let (mut together, mut single) = (vec![0; 105], vec![0; 105]);
        decode_three_planes(&residuals, &mut together, 5);
        for (residuals, out) in residuals.chunks(35).zip(single.chunks_mut(35)) {
            decode_plane(residuals, out, 5);
        }
        assert_eq!(together, single);
    }

    #[test]
    fn other_lengths_are_refused() {
        for kind in CodecKind::ALL {
            let shape = |width| ImageShape { channels: 1, height: 2, width };
            let mut bytes = Vec::new();
            Codec::new(kind, shape(3)).unwrap().encode(&[1; 6], &mut bytes).unwrap();
            for width in [2, 4] {
                let mut codec = Codec::new(kind, shape(width)).unwrap();
                assert!(codec.decode(&bytes, &mut vec![0; 2 * width]).is_err(), "{kind}");
            }
            let mut codec = Codec::new(kind, shape(3)).unwrap();
            assert!(codec.decode(&[], &mut [0; 6]).is_err(), "{kind}");
            assert!(codec.decode(&bytes[..bytes.len() - 1], &mut [0; 6]).is_err(), "{kind}");
        }
    }
}
