//! A guaranteed upper bound of a convolution's spectral norm.

use super::banded;
use super::matrix::{Matrix, gamma, norm_bound};
use super::weight::ConvolutionWeight;
use crate::monitor::Monitor;
use rayon::prelude::*;
use std::f64::consts::TAU;
use std::sync::atomic::{AtomicU64, Ordering};

impl ConvolutionWeight<'_> {
    /// At least the spectral norm of the map on images, and at most a few percent above it on images much larger than
    /// the kernel.
    ///
    /// With zero padding, the map is a part of the circular convolution on a torus with `radius = (kernel - 1) / 2` more
    /// rows and columns: an image placed there in zeros does not meet itself, and leaving rows and columns of the result
    /// out can only make it smaller. The circular convolution's norm is the largest over all frequencies of its symbol,
    /// `H(ω)[o, i] = Σ_t weight[o, i, t] exp(-i⟨ω, t⟩)`, whose norm `norm_bound` bounds. A 1×1 kernel's map is its
    /// matrix, whatever the image.
    ///
    /// # References
    /// Sedghi, Gupta and Long (2019), The singular values of convolutional layers, <https://arxiv.org/abs/1805.10408>;
    /// Delattre, Barthélemy, Araujo and Allauzen (2023), Efficient bound of Lipschitz constant for convolutional layers
    /// by Gram iteration, <https://arxiv.org/abs/2305.16173>
    ///
    /// # Panics
    /// If there are not as many values as the shape says.
    pub fn spectral_norm_bound(&self) -> f64 {
        self.spectral_norm_bound_monitored(&Monitor::default())
    }

    /// [`Self::spectral_norm_bound`]; anything once the monitor has stopped the work.
    pub(super) fn spectral_norm_bound_monitored(&self, monitor: &Monitor) -> f64 {
        let &Self { values, channels_out, channels_in, kernel, image: [height, width] } = self;
        assert_eq!(values.len(), channels_out * channels_in * kernel * kernel, "a weight has as many values as its shape says");
        if kernel == 1 {
            let values = values.iter().map(|&value| value.into()).collect();
            return norm_bound(&Matrix { rows: channels_out, columns: channels_in, values }, 0.0);
        }
        let radius = kernel / 2;
        let torus = [height + radius, width + radius];
        let roots = torus.map(|size| (0..size).map(|j| TAU * j as f64 / size as f64).map(|x| (x.cos(), -x.sin())).collect());
        // The symbol at -ω is the conjugate of that at ω, and has the same norm.
        let frequencies: Vec<[usize; 2]> = (0..torus[0]).flat_map(|y| (0..=torus[1] / 2).map(move |x| [y, x])).collect();
        // Of all bounds only the largest counts, so that one below another is sharp enough. Bits of positive numbers are
        // ordered as the numbers are.
        let largest = AtomicU64::new(0);
        frequencies.into_par_iter().for_each(|frequency| {
            if monitor.is_stopped() {
                return;
            }
            let enough = f64::from_bits(largest.load(Ordering::Relaxed));
            let bound = norm_bound(&self.symbol(frequency, &roots), enough);
            largest.fetch_max(bound.to_bits(), Ordering::Relaxed);
        });
        f64::from_bits(largest.into_inner()) + self.symbol_error()
    }

    /// At least the spectral norm: [`Self::spectral_norm_bound`], or a sharper bound where an estimate from below is so
    /// good that one is found in reasonable time.
    pub fn sharp_norm_bound(&self, estimate: f64) -> f64 {
        let bound = self.spectral_norm_bound();
        let sharper = if self.kernel > 1 { banded::norm_bound(self, estimate, bound) } else { None };
        sharper.unwrap_or(bound)
    }

    /// The symbol `P + iQ` at a frequency as the real matrix `[P, -Q; Q, P]`, which has the same norm.
    fn symbol(&self, [y, x]: [usize; 2], [roots_y, roots_x]: &[Vec<(f64, f64)>; 2]) -> Matrix {
        let &Self { channels_out, channels_in, kernel, .. } = self;
        let taps: Vec<(f64, f64)> = (0..kernel * kernel)
            .map(|tap| {
                let (a, b) = roots_y[y * (tap / kernel) % roots_y.len()];
                let (c, d) = roots_x[x * (tap % kernel) % roots_x.len()];
                (a * c - b * d, a * d + b * c)
            })
            .collect();
        let columns = 2 * channels_in;
        let mut values = vec![0.0; 2 * channels_out * columns];
        for (index, weights) in self.values.chunks_exact(kernel * kernel).enumerate() {
            let (o, i) = (index / channels_in, index % channels_in);
            let (mut real, mut imaginary) = (0.0, 0.0);
            for (&weight, (re, im)) in weights.iter().zip(&taps) {
                real += f64::from(weight) * re;
                imaginary += f64::from(weight) * im;
            }
            values[o * columns + i] = real;
            values[o * columns + channels_in + i] = -imaginary;
            values[(channels_out + o) * columns + i] = imaginary;
            values[(channels_out + o) * columns + channels_in + i] = real;
        }
        Matrix { rows: 2 * channels_out, columns, values }
    }

    /// At least the norm of the rounding errors of a symbol: sines and cosines are within 2e-15, and each real and
    /// imaginary part is a sum of `kernel²` products of a weight and a tap made of two of them.
    fn symbol_error(&self) -> f64 {
        let taps = self.kernel * self.kernel;
        let absolute = self.values.chunks_exact(taps).map(|weights| weights.iter().map(|&w| f64::from(w.abs())).sum::<f64>());
        let frobenius = absolute.map(|sum| sum * sum).sum::<f64>().sqrt();
        2.0 * (gamma(taps + 8) + 1e-14) * frobenius
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numerics::randomness::NoiseKey;
    use rand::Rng;

    struct Case {
        channels: [usize; 2],
        kernel: usize,
        image: [usize; 2],
    }

    impl Case {
        /// `smooth` kernels have their largest response at a low frequency, as trained ones often do.
        fn weights(&self, seed: u64, smooth: bool) -> Vec<f32> {
            let mut rng = NoiseKey::new(seed, [0, 0]).stream(0);
            let n = self.channels[0] * self.channels[1] * self.kernel * self.kernel;
            (0..n).map(|_| rng.random_range(-1.0f32..1.0) + if smooth { 0.7 } else { 0.0 }).collect()
        }

        fn layer<'a>(&self, values: &'a [f32]) -> ConvolutionWeight<'a> {
            let &Self { channels: [channels_out, channels_in], kernel, image } = self;
            ConvolutionWeight { values, channels_out, channels_in, kernel, image }
        }

        /// The map applied to an image, channels first, by the definition.
        fn apply(&self, weights: &[f32], x: &[f64], transposed: bool) -> Vec<f64> {
            let ([outs, ins], k, [h, w]) = (self.channels, self.kernel, self.image);
            let mut y = vec![0.0; if transposed { ins } else { outs } * h * w];
            for (index, &weight) in weights.iter().enumerate() {
                let (tap, channels) = (index % (k * k), index / (k * k));
                let (o, i) = (channels / ins, channels % ins);
                for to in 0..h * w {
                    let (row, column) = (to / w + tap / k, to % w + tap % k);
                    let (Some(row), Some(column)) = (row.checked_sub(k / 2), column.checked_sub(k / 2)) else { continue };
                    if row >= h || column >= w {
                        continue;
                    }
                    let (out, inp) = (o * h * w + to, i * h * w + row * w + column);
                    let (to, from) = if transposed { (inp, out) } else { (out, inp) };
                    y[to] += f64::from(weight) * x[from];
                }
            }
            y
        }

        /// The largest singular value of the matrix built from the images of all basis vectors: the square root of its
        /// Gram matrix's largest eigenvalue, by Jacobi rotations.
        fn exact(&self, weights: &[f32]) -> f64 {
            let n = self.channels[1] * self.image[0] * self.image[1];
            let columns: Vec<Vec<f64>> = (0..n)
                .map(|j| {
                    let mut basis = vec![0.0; n];
                    basis[j] = 1.0;
                    self.apply(weights, &basis, false)
                })
                .collect();
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let mut gram: Vec<Vec<f64>> = columns.iter().map(|a| columns.iter().map(|b| dot(a, b)).collect()).collect();
            largest_eigenvalue(&mut gram).sqrt()
        }

        /// The same by power iteration until nothing changes: a lower bound that is exact to many digits.
        fn iterated(&self, weights: &[f32]) -> f64 {
            let mut rng = NoiseKey::new(9, [0, 0]).stream(0);
            let mut x: Vec<f64> =
                (0..self.channels[1] * self.image[0] * self.image[1]).map(|_| rng.random_range(-1.0..1.0)).collect();
            let mut sigma = 0.0;
            for _ in 0..300 {
                let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
                x.iter_mut().for_each(|x| *x /= length);
                let y = self.apply(weights, &x, false);
                sigma = y.iter().map(|y| y * y).sum::<f64>().sqrt();
                x = self.apply(weights, &y, true);
            }
            sigma
        }
    }

    /// By cyclic Jacobi rotations.
    fn largest_eigenvalue(a: &mut [Vec<f64>]) -> f64 {
        let n = a.len();
        for _ in 0..12 {
            for p in 0..n {
                for q in p + 1..n {
                    if a[p][q] == 0.0 {
                        continue;
                    }
                    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                    let cosine = 1.0 / (t * t + 1.0).sqrt();
                    let sine = t * cosine;
                    let rotated = |x: f64, y: f64| (cosine * x - sine * y, sine * x + cosine * y);
                    for row in a.iter_mut() {
                        (row[p], row[q]) = rotated(row[p], row[q]);
                    }
                    let (low, high) = a.split_at_mut(q);
                    for (x, y) in low[p].iter_mut().zip(&mut high[0]) {
                        (*x, *y) = rotated(*x, *y);
                    }
                }
            }
        }
        (0..n).map(|i| a[i][i]).fold(0.0, f64::max)
    }

    #[test]
    fn never_below_the_exact_norm() {
        let cases = [
            ([2, 3], 3, [4, 5]),
            ([3, 1], 3, [2, 3]),
            ([1, 2], 5, [5, 4]),
            ([2, 2], 5, [2, 2]),
            ([1, 1], 3, [1, 1]),
            ([4, 3], 1, [3, 3]),
        ];
        for (channels, kernel, image) in cases {
            let case = Case { channels, kernel, image };
            for seed in 0..6 {
                let weights = case.weights(seed, seed % 2 == 1);
                let (bound, exact) = (case.layer(&weights).spectral_norm_bound(), case.exact(&weights));
                assert!(bound >= exact * (1.0 - 1e-13), "{channels:?} {kernel} {image:?} {seed}: {bound} < {exact}");
                let sharp = case.layer(&weights).sharp_norm_bound(exact * (1.0 - 1e-6));
                assert!(
                    sharp >= exact * (1.0 - 1e-13) && sharp <= exact * 1.002,
                    "{channels:?} {kernel} {image:?}: {sharp} {exact}"
                );
                // An estimate that is too low, or even too high, gives a bound as well.
                let bounds = [0.5, 0.999, 1.01].map(|factor| case.layer(&weights).sharp_norm_bound(exact * factor));
                assert!(
                    bounds.iter().all(|bound| *bound >= exact * (1.0 - 1e-13)),
                    "{channels:?} {kernel} {image:?}: {bounds:?}"
                );
            }
        }
    }

    #[test]
    fn within_a_tenth_on_larger_images() {
        for (channels, kernel, image) in [([6, 3], 3, [16, 16]), ([2, 5], 3, [16, 20]), ([3, 3], 5, [24, 24])] {
            let case = Case { channels, kernel, image };
            for smooth in [false, true] {
                let weights = case.weights(3, smooth);
                let (bound, lower) = (case.layer(&weights).spectral_norm_bound(), case.iterated(&weights));
                assert!(bound >= lower && bound <= 1.1 * lower, "{channels:?} {kernel} {image:?} {smooth}: {bound} {lower}");
            }
        }
    }
}
