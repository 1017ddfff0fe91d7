//! The parts of a data set.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// The images to learn from.
    Train,
    /// The images to choose settings and checkpoints by; few data sets have some of their own.
    Validation,
    /// The images to report results on.
    Test,
}

impl Split {
    /// Those that every data set is expected to have, training images first.
    pub const ALL: [Split; 2] = [Split::Train, Split::Test];
    /// Those that a data set can have.
    pub const POSSIBLE: [Split; 3] = [Split::Train, Split::Validation, Split::Test];
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        })
    }
}
