//! Made-up pictures: smooth colours with some noise, which compress about as well as photographs do.

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Points of the smooth part in each direction.
const GRID: usize = 9;
/// Largest noise, up or down.
const NOISE: f32 = 4.0;

/// Picture `index`: `size` rows and columns of pixels of `channels` values, pixel by pixel.
pub fn picture(index: usize, size: usize, channels: usize) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(index as u64);
    let grid: Vec<f32> = (0..GRID * GRID * channels).map(|_| random.random_range(0.0..256.0)).collect();
    let mut pixels = vec![0; size * size * channels];
    random.fill_bytes(&mut pixels);
    let at = |i: usize| {
        let x = (i * (GRID - 1)) as f32 / size as f32;
        (x as usize, x.fract())
    };
    for (y, row) in pixels.chunks_exact_mut(size * channels).enumerate() {
        let (top, down) = at(y);
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let (left, right) = at(x);
            for (c, value) in pixel.iter_mut().enumerate() {
                let point = |y: usize, x: usize| grid[((top + y) * GRID + left + x) * channels + c];
                let mix = |y| point(y, 0) * (1.0 - right) + point(y, 1) * right;
                let smooth = mix(0) * (1.0 - down) + mix(1) * down;
                *value = (smooth + (f32::from(*value) / 127.5 - 1.0) * NOISE) as u8;
            }
        }
    }
    pixels
}

/// The class of picture `index`.
pub fn label(index: usize) -> u8 {
    (index % 10) as u8
}

/// The 40 attributes of picture `index`: yes (1) or no (-1).
pub fn attributes(index: usize) -> [i8; 40] {
    std::array::from_fn(|i| if (index + i).is_multiple_of(3) { 1 } else { -1 })
}
