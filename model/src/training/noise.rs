//! Which random stream is used for what. All of them follow from the run's seed, and none is used twice.

use crate::numerics::NoiseKey;

/// What randomness is for. Its number is the highest byte of the stream's name, above all step and batch numbers.
#[derive(Clone, Copy)]
enum Purpose {
    InitialWeights = 0x81,
    Training = 0x82,
    Evaluation = 0x83,
    Samples = 0x84,
    Benchmark = 0x85,
    EstimatorStudy = 0x8e,
    Measurement = 0x86,
    Order = 0x87,
    Split = 0x88,
    Roulettes = 0x89,
}

fn key(purpose: Purpose, seed: u64, number: u64, part: u64) -> NoiseKey {
    NoiseKey::new(seed, [(purpose as u64) << 56 | number, part])
}

/// For initial weights.
pub fn initial_weights(seed: u64) -> NoiseKey {
    key(Purpose::InitialWeights, seed, 0, 0)
}

/// For the estimators of one micro-batch of a training step, in one of the processes that make it.
pub fn training(seed: u64, step: u64, micro_batch: usize, process: usize) -> NoiseKey {
    key(Purpose::Training, seed, step, (process as u64) << 32 | micro_batch as u64)
}

/// For the estimators of one evaluation batch: the same in every evaluation.
pub fn evaluation(seed: u64, batch: usize) -> NoiseKey {
    key(Purpose::Evaluation, seed, batch as u64, 0)
}

/// For the estimators whose variance is measured after a step.
pub fn measurement(seed: u64, step: u64, draw: usize) -> NoiseKey {
    key(Purpose::Measurement, seed, step, draw as u64)
}

/// For the latents of samples.
pub fn samples(seed: u64) -> NoiseKey {
    key(Purpose::Samples, seed, 0, 0)
}

/// For one repeat of the estimator study; repeat 0 is the exact value's, which needs none.
pub fn estimator_study(seed: u64, repeat: usize) -> NoiseKey {
    key(Purpose::EstimatorStudy, seed, repeat as u64, 0)
}

/// For the probes by which the estimator study fits roulettes.
pub fn roulette_study(seed: u64) -> NoiseKey {
    key(Purpose::Roulettes, seed, 0, u64::MAX)
}

/// For the random images of the benchmark.
pub fn benchmark(seed: u64) -> NoiseKey {
    key(Purpose::Benchmark, seed, 0, 0)
}

/// For the probes by which roulettes are fitted before a step, in one of the processes that make it.
pub(super) fn roulettes(seed: u64, step: u64, process: usize) -> NoiseKey {
    key(Purpose::Roulettes, seed, step, process as u64)
}

/// For the order of samples in an epoch of [`fit`](super::fit).
pub(super) fn order(seed: u64, epoch: u64) -> NoiseKey {
    key(Purpose::Order, seed, epoch, 0)
}

/// For the samples that [`fit`](super::fit) holds out.
pub(super) fn split(seed: u64) -> NoiseKey {
    key(Purpose::Split, seed, 0, 0)
}
