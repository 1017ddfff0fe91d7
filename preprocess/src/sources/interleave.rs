//! From pixels (red, green, blue, red, …) to channels (all red, all green, all blue), and back.

/// Turns `[pixels, 3]` into `[3, pixels]`.
///
/// # Panics
/// If the two have different lengths, or no multiple of 3.
pub fn split_channels(pixels: &[u8], channels: &mut [u8]) {
    assert!(pixels.len() == channels.len() && pixels.len().is_multiple_of(3), "{} and {}", pixels.len(), channels.len());
    let (red, rest) = channels.split_at_mut(pixels.len() / 3);
    let (green, blue) = rest.split_at_mut(red.len());
    let channels = [red, green, blue];
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("ssse3") {
        // SAFETY: the processor has SSSE3.
        return unsafe { shuffle::split(pixels, channels) };
    }
    split_one_by_one(pixels, channels);
}

fn split_one_by_one(pixels: &[u8], [red, green, blue]: [&mut [u8]; 3]) {
    for (((pixel, red), green), blue) in pixels.as_chunks::<3>().0.iter().zip(red).zip(green).zip(blue) {
        [*red, *green, *blue] = *pixel;
    }
}

/// With an instruction that shuffles 16 bytes in a register: compilers make several times slower code of the loop.
#[cfg(target_arch = "x86_64")]
mod shuffle {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_or_si128, _mm_shuffle_epi8, _mm_storeu_si128};

    type Bytes = [u8; 16];

    /// `MASKS[c][v][i]`: where byte `i` of 16 bytes of channel `c` is in register `v` of three; 128: in another one.
    const MASKS: [[Bytes; 3]; 3] = {
        let mut masks = [[[128; 16]; 3]; 3];
        let mut at = 0;
        while at < 48 {
            masks[at % 3][at / 16][at / 3] = (at % 16) as u8;
            at += 1;
        }
        masks
    };

    #[target_feature(enable = "ssse3")]
    pub(super) fn split(pixels: &[u8], channels: [&mut [u8]; 3]) {
        let (blocks, pixels) = pixels.as_chunks::<48>();
        let [(red, r), (green, g), (blue, b)] = channels.map(|channel| channel.as_chunks_mut::<16>());
        let masks = MASKS.map(|channel| channel.map(|mask| load(&mask)));
        for (((block, red), green), blue) in blocks.iter().zip(red).zip(green).zip(blue) {
            let registers: [Bytes; 3] = std::array::from_fn(|v| std::array::from_fn(|i| block[16 * v + i]));
            let registers = registers.map(|register| load(&register));
            for (masks, out) in masks.iter().zip([red, green, blue]) {
                let [x, y, z] = std::array::from_fn(|v| _mm_shuffle_epi8(registers[v], masks[v]));
                // SAFETY: `out` has 16 bytes.
                unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_or_si128(_mm_or_si128(x, y), z)) };
            }
        }
        super::split_one_by_one(pixels, [r, g, b]);
    }

    fn load(bytes: &Bytes) -> __m128i {
        // SAFETY: there are 16 bytes, and every processor of this kind has SSE2.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
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
