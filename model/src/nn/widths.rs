//! Widths of hidden layers, given once for all or one by one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Channels of the hidden layers of a network: a number, or a list of one for each layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number of channels, or a list of one for each hidden layer")]
pub enum Widths {
    /// The same for all layers.
    Same(usize),
    /// One for each hidden layer: one less than there are layers.
    Each(Vec<usize>),
}

impl Widths {
    /// Of the hidden layer with this number.
    ///
    /// # Panics
    /// If the list is too short; a model's settings are checked before it is built.
    pub fn get(&self, layer: usize) -> usize {
        match self {
            Widths::Same(width) => *width,
            Widths::Each(widths) => widths[layer],
        }
    }

    /// Whether every width is one that `accepts`, and a list is of the right length for this number of hidden layers.
    pub(crate) fn fit(&self, hidden_layers: usize, accepts: impl Fn(usize) -> bool) -> bool {
        match self {
            Widths::Same(width) => accepts(*width),
            Widths::Each(widths) => widths.len() == hidden_layers && widths.iter().all(|&width| accepts(width)),
        }
    }
}

impl fmt::Display for Widths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Widths::Same(width) => write!(f, "{width}"),
            Widths::Each(widths) => write!(f, "{widths:?}"),
        }
    }
}

impl From<usize> for Widths {
    fn from(width: usize) -> Self {
        Widths::Same(width)
    }
}

impl From<Vec<usize>> for Widths {
    fn from(widths: Vec<usize>) -> Self {
        Widths::Each(widths)
    }
}
