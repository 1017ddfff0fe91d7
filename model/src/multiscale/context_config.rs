//! What a model's density is conditioned on.

use crate::error::Result;
use crate::nn::{ClassEmbedding, Embedding, VectorEmbedding};
use crate::numerics::limits::{MOST_CHANNELS, whole};
use burn::tensor::Device;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known about samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContextKind {
    /// Nothing: the density is `p(x)`.
    None,
    /// The class of each, one of `classes`: the density is `p(x | class)`.
    Classes,
    /// `columns` numbers about each: the density is `p(x | numbers)`.
    Vectors,
}

/// What the density is conditioned on: the section `[model.context]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContextConfig {
    /// What is known about samples.
    pub kind: ContextKind,
    /// How many classes there are.
    #[schemars(range(min = 1, max = MOST_CHANNELS), extend("x-unit" = "classes"))]
    pub classes: usize,
    /// How many numbers are known.
    #[schemars(range(min = 1, max = MOST_CHANNELS), extend("x-unit" = "columns"))]
    pub columns: usize,
    /// Features of what is known, on which every block, every ActNorm and a `normal` base depend.
    #[schemars(range(min = 1, max = MOST_CHANNELS), extend("x-unit" = "features"))]
    pub features: usize,
}

impl Default for ContextConfig {
    fn default() -> Self {
        Self { kind: ContextKind::None, classes: 10, columns: 1, features: 32 }
    }
}

impl ContextConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        whole("context.classes", self.classes, 1..=MOST_CHANNELS)?;
        whole("context.columns", self.columns, 1..=MOST_CHANNELS)?;
        whole("context.features", self.features, 1..=MOST_CHANNELS)
    }

    pub(super) fn init(&self, rng: &mut impl Rng, device: &Device) -> Option<Embedding> {
        let &Self { kind, classes, columns, features } = self;
        match kind {
            ContextKind::None => None,
            ContextKind::Classes => Some(Embedding::Classes(ClassEmbedding::random(classes, features, rng, device))),
            ContextKind::Vectors => Some(Embedding::Vectors(VectorEmbedding::random(columns, features, rng, device))),
        }
    }

    /// Features on which layers depend; 0 without a context.
    pub(super) fn features(&self) -> usize {
        if self.kind == ContextKind::None { 0 } else { self.features }
    }

    /// Numbers of the embedding.
    pub(super) fn n_numbers(&self) -> f64 {
        let [classes, columns, features] = [self.classes, self.columns, self.features].map(|n| n as f64);
        match self.kind {
            ContextKind::None => 0.0,
            ContextKind::Classes => classes * features,
            ContextKind::Vectors => 2.0 * columns + features * (columns + features + 2.0),
        }
    }
}
