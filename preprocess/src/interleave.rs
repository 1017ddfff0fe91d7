//! From pixels (red, green, blue, red, …) to channels (all red, all green, all blue), and back.

/// Bytes of a channel that are gathered at once.
const LANES: usize = 32;

/// Turns `[pixels, 3]` into `[3, pixels]`.
///
/// # Panics
/// If the two have different lengths, or no multiple of 3.
pub fn split_channels(pixels: &[u8], channels: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { split_channels_avx2(pixels, channels) };
    }
    split_channels_anywhere(pixels, channels);
}

/// Compiled for processors that shuffle bytes in registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn split_channels_avx2(pixels: &[u8], channels: &mut [u8]) {
    split_channels_anywhere(pixels, channels);
}

#[inline(always)]
fn split_channels_anywhere(pixels: &[u8], channels: &mut [u8]) {
    assert!(pixels.len() == channels.len() && pixels.len().is_multiple_of(3), "{} and {}", pixels.len(), channels.len());
    let plane = pixels.len() / 3;
    let (red, rest) = channels.split_at_mut(plane);
    let (green, blue) = rest.split_at_mut(plane);
    let (blocks, tail) = pixels.as_chunks::<{ 3 * LANES }>();
    let (red_blocks, red_tail) = red.as_chunks_mut::<LANES>();
    let (green_blocks, green_tail) = green.as_chunks_mut::<LANES>();
    let (blue_blocks, blue_tail) = blue.as_chunks_mut::<LANES>();
    for (((block, red), green), blue) in blocks.iter().zip(red_blocks).zip(green_blocks).zip(blue_blocks) {
        *red = std::array::from_fn(|i| block[3 * i]);
        *green = std::array::from_fn(|i| block[3 * i + 1]);
        *blue = std::array::from_fn(|i| block[3 * i + 2]);
    }
    for (((pixel, red), green), blue) in tail.chunks_exact(3).zip(red_tail).zip(green_tail).zip(blue_tail) {
        (*red, *green, *blue) = (pixel[0], pixel[1], pixel[2]);
    }
}

/// Turns `[channels, pixels]` into `[pixels, channels]`.
///
/// # Panics
/// If the lengths differ or are no multiple of `n_channels`.
pub fn join_channels(channels: &[u8], n_channels: usize, pixels: &mut [u8]) {
    assert!(pixels.len() == channels.len() && pixels.len().is_multiple_of(n_channels));
    let plane = pixels.len() / n_channels;
    for (i, pixel) in pixels.chunks_exact_mut(n_channels).enumerate() {
        for (c, value) in pixel.iter_mut().enumerate() {
            *value = channels[c * plane + i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_split_and_joined_at_every_length() {
        for n in (0..100).chain([1024, 1025]) {
            let pixels: Vec<u8> = (0..3 * n).map(|i| (i * 7 + i / 5) as u8).collect();
            let mut channels = vec![0; 3 * n];
            split_channels(&pixels, &mut channels);
            for i in 0..n {
                assert_eq!([channels[i], channels[n + i], channels[2 * n + i]], pixels[3 * i..3 * i + 3]);
            }
            let mut back = vec![0; 3 * n];
            join_channels(&channels, 3, &mut back);
            assert_eq!(back, pixels);
        }
    }
}
