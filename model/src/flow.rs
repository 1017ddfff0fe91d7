//! What every layer of a flow is given.

use crate::log_det::LogDetConfig;
use crate::numerics::NoiseKey;
use rand::Rng;

/// How residual layers get their log-determinants in one evaluation.
pub struct LogDetContext<'a> {
    /// The estimator.
    pub config: &'a LogDetConfig,
    /// Where its randomness comes from; each layer uses the stream of its own number, padding the last of all.
    pub noise: NoiseKey,
}

impl LogDetContext<'_> {
    /// The random stream of the noise beside images ([`ResidualFlow::pad`](crate::ResidualFlow::pad)).
    pub fn padding_stream(&self) -> impl Rng {
        self.noise.stream(u64::MAX)
    }
}

/// A layer's place in the model, for its random stream and for messages.
#[derive(Clone, Debug)]
pub struct LayerId {
    /// Position in the order of forward evaluation.
    pub index: usize,
    /// Path such as `scales.0.layers.3`.
    pub path: String,
}
