//! From whole-number pixels to real numbers in `[0, 1)`: uniform noise within each pixel's bin.

use rand::RngCore;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a pixel `k` of `levels` and uniform noise `u` become a number in `[0, 1)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dequantization {
    /// `(k + u) / levels`: bins side by side, so that the model's density bounds the probability of the image.
    #[default]
    Uniform,
    /// `((levels - 1) * k / levels + u) / levels`: as in the reference implementation for 5-bit images. Its bins
    /// overlap, which makes bits/dim come out too low by up to `log2(levels / (levels - 1))` or so; only to compare
    /// with numbers published that way.
    Overlapping,
}

impl Dequantization {
    /// Appends the dequantized `pixels`, all below `levels`, to `out`.
    ///
    /// The noise has 15 random bits and lies in the middle of its 2^15 cells, `u = (r + 1/2) / 2^15`. It is exact in
    /// `f32`, and so is `k + u`; therefore the result is below 1 and `floor(x * levels) = k` holds for
    /// [`Dequantization::Uniform`] after rounding as well.
    pub(crate) fn apply(self, pixels: &[u8], levels: u32, rng: &mut ChaCha8Rng, out: &mut Vec<f32>) {
        let levels = levels as f32;
        let spread = match self {
            Dequantization::Uniform => 1.0,
            Dequantization::Overlapping => (levels - 1.0) / levels,
        };
        for pair in pixels.chunks(2) {
            let word = rng.next_u32();
            for (&k, bits) in pair.iter().zip([word & 0x7fff, word >> 17]) {
                let u = (bits as f32 + 0.5) / 32768.0;
                out.push((f32::from(k) * spread + u) / levels);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::order::{Purpose, stream};

    fn dequantize(how: Dequantization, pixels: &[u8], levels: u32) -> Vec<f32> {
        let mut out = Vec::new();
        how.apply(pixels, levels, &mut stream(Purpose::EvalImage, 5, 0, 0), &mut out);
        out
    }

    #[test]
    fn every_value_stays_in_its_bin() {
        for levels in 2..=256u32 {
            let pixels: Vec<u8> = (0..levels * 40).map(|i| (i % levels) as u8).collect();
            for (&k, &x) in pixels.iter().zip(&dequantize(Dequantization::Uniform, &pixels, levels)) {
                assert!((0.0..1.0).contains(&x));
                assert_eq!((x * levels as f32).floor() as u8, k, "levels {levels}, x {x}");
            }
        }
    }

    #[test]
    fn extreme_noise_stays_in_its_bin() {
        for levels in 2..=256u32 {
            for k in 0..levels {
                for u in [0.5f32 / 32768.0, 32767.5 / 32768.0] {
                    let x = (k as f32 + u) / levels as f32;
                    assert!(x < 1.0 && (x * levels as f32).floor() as u32 == k, "{k} of {levels}");
                }
            }
        }
    }

    #[test]
    fn noise_is_uniform() {
        let n = 40_000;
        let u = dequantize(Dequantization::Uniform, &vec![0; n], 2);
        let mean = u.iter().map(|x| f64::from(x * 2.0)).sum::<f64>() / n as f64;
        let square = u.iter().map(|x| f64::from(x * 2.0).powi(2)).sum::<f64>() / n as f64;
        // Standard errors: 0.2887 / 200 and 0.298 / 200.
        assert!((mean - 0.5).abs() < 0.006, "mean {mean}");
        assert!((square - 1.0 / 3.0).abs() < 0.006, "mean square {square}");
        let product = u.chunks(2).map(|p| f64::from(p[0] * p[1] * 4.0)).sum::<f64>() / (n / 2) as f64;
        assert!((product - 0.25).abs() < 0.007, "neighbours are dependent: {product}");
    }

    #[test]
    fn overlapping_bins_are_those_of_the_reference_implementation() {
        let uniform = dequantize(Dequantization::Uniform, &[31, 0], 32);
        let overlapping = dequantize(Dequantization::Overlapping, &[31, 0], 32);
        assert!((uniform[0] - overlapping[0] - 31.0 / 32.0 / 32.0).abs() < 1e-6);
        assert_eq!(uniform[1], overlapping[1]);
    }
}
