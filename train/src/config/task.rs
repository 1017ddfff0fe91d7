//! `[task]`: what a model learns.

use serde::{Deserialize, Serialize};

/// `[task]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskConfig {
    /// Densities, classes, or both.
    pub kind: TaskKind,
    /// Of a hybrid model: whether the density counts in bits per dimension, not in bits per image, beside the cross
    /// entropy of a class.
    pub scale_dim: bool,
}

/// What is learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// The density of the data.
    #[default]
    Density,
    /// The class of an image, by the heads on the outputs of all scales; the flow is not trained as a density.
    Classification,
    /// Both, with the sum of their losses.
    Hybrid,
}

impl TaskKind {
    /// Whether the density is learned.
    pub fn has_density(self) -> bool {
        self != Self::Classification
    }

    /// Whether classes are learned.
    pub fn has_classes(self) -> bool {
        self != Self::Density
    }
}
