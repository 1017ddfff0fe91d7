//! What a model learns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a model learns, and how its losses are weighed: the section `[task]` of the program's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TaskConfig {
    /// The density of the data, their classes, or both. Classes need `model.classes` and data with labels.
    pub kind: TaskKind,
    /// `hybrid`: whether the density counts in bits per dimension beside the cross entropy of the class, which makes the classifier
    /// weigh more. Without it, the density counts in bits per image.
    pub scale_dim: bool,
}

/// What is learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
