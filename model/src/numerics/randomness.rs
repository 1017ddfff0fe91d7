//! Random numbers that can be repeated: every use has a stream of its own, named by numbers.

use super::tensor::from_vec;
use burn::tensor::{Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A family of random streams: a seed and two numbers that say what for, such as a step and a micro-batch.
///
/// Streams of different names are independent, so what one layer draws does not depend on any other layer, on the
/// order of computation, or on the number of threads or processes.
///
/// # Examples
/// ```
/// use rand::Rng;
/// use residual_flows::NoiseKey;
///
/// let step = NoiseKey::new(7, [12, 0]);
/// let (first, again, other): (u64, u64, u64) = (step.stream(0).random(), step.stream(0).random(), step.stream(1).random());
/// assert!(first == again && first != other);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseKey {
    seed: u64,
    context: [u64; 2],
}

impl NoiseKey {
    /// Names a family of streams.
    pub fn new(seed: u64, context: [u64; 2]) -> Self {
        Self { seed, context }
    }

    /// The stream of one layer, or of any other numbered use.
    pub fn stream(&self, index: u64) -> ChaCha8Rng {
        let mut key = [0; 32];
        for (bytes, word) in key.chunks_exact_mut(8).zip([self.seed, self.context[0], self.context[1], index]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        ChaCha8Rng::from_seed(key)
    }
}

/// Independent standard normal numbers.
pub fn gaussian<const D: usize>(shape: [usize; D], rng: &mut impl Rng, device: &Device) -> Tensor<D> {
    let values = StandardNormal.sample_iter(rng).take(shape.iter().product()).collect();
    from_vec(values, shape, device)
}

/// Independent numbers uniform in `[-limit, limit)`.
pub(crate) fn uniform<const D: usize>(shape: [usize; D], limit: f32, rng: &mut impl Rng, device: &Device) -> Tensor<D> {
    let values = (0..shape.iter().product()).map(|_| rng.random_range(-limit..limit)).collect();
    from_vec(values, shape, device)
}

/// Independent signs, +1 or -1 with equal probability.
pub(crate) fn rademacher<const D: usize>(shape: [usize; D], rng: &mut impl Rng, device: &Device) -> Tensor<D> {
    let values = (0..shape.iter().product()).map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 }).collect();
    from_vec(values, shape, device)
}
