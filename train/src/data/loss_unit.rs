//! What a loss is measured in, and what it is called.

/// The unit of a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossUnit {
    /// Bits per dimension, of images.
    BitsPerDim,
    /// Nats of negative log-likelihood, of points.
    Nats,
    /// Nats of cross entropy, of classes.
    CrossEntropy,
}

impl LossUnit {
    /// All of them; where a run has several losses, the first is the one that it minimises.
    pub const ALL: [Self; 3] = [Self::BitsPerDim, Self::Nats, Self::CrossEntropy];

    /// The loss's key in a file.
    pub fn key(self) -> &'static str {
        match self {
            Self::BitsPerDim => "bits_per_dim",
            Self::Nats => "nll_nats",
            Self::CrossEntropy => "cross_entropy",
        }
    }

    /// The unit, to be read.
    pub fn words(self) -> &'static str {
        match self {
            Self::BitsPerDim => "bits/dim",
            Self::Nats => "nats",
            Self::CrossEntropy => "nats of cross entropy",
        }
    }

    /// The unit in names of files.
    pub fn short(self) -> &'static str {
        match self {
            Self::BitsPerDim => "bits",
            Self::Nats | Self::CrossEntropy => "nats",
        }
    }

    /// The unit as the label of an axis.
    pub fn axis(self) -> &'static str {
        match self {
            Self::BitsPerDim => "bits per dimension",
            Self::Nats => "negative log-likelihood, nats",
            Self::CrossEntropy => "cross entropy, nats",
        }
    }
}
