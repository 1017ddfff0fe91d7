//! Which distribution of latents a model has.

use super::{Base, ClassNormals, Mixture, Normal, StandardNormal, StudentT};
use crate::error::Result;
use crate::numerics::limits::{real, whole};
use burn::tensor::Device;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Components and classes at most.
const MOST_NORMALS: usize = 10_000;
/// Degrees of freedom that training can begin with.
const DEGREES_OF_FREEDOM: RangeInclusive<f64> = 0.5..=10_000.0;

/// The distribution of latents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BaseKind {
    /// Independent standard normal coordinates.
    StandardNormal,
    /// A normal with a learned mean and standard deviation for each coordinate.
    Normal,
    /// One such normal for each of `classes` classes; where the class of a sample is not known, their mixture with equal weights.
    ClassNormals,
    /// A mixture of `components` such normals with learned weights. It suits data in clusters, which a flow of one normal has to
    /// join by thin bridges.
    Mixture,
    /// Independent coordinates with Student's t distribution, each with degrees of freedom that are learned. It suits data with
    /// heavy tails. Samples have temperature 1.
    StudentT,
}

/// The distribution of latents and its sizes: the section `[model.base]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BaseConfig {
    /// The distribution.
    pub kind: BaseKind,
    /// Normals of a mixture.
    #[schemars(range(min = 1, max = MOST_NORMALS), extend("x-unit" = "normals"))]
    pub components: usize,
    /// Classes that have a normal each.
    #[schemars(range(min = 1, max = MOST_NORMALS), extend("x-unit" = "classes"))]
    pub classes: usize,
    /// Degrees of freedom of Student's t distribution at the start. With few of them tails are heavy; with many it is nearly normal.
    #[schemars(range(min = *DEGREES_OF_FREEDOM.start(), max = *DEGREES_OF_FREEDOM.end()))]
    pub degrees_of_freedom: f64,
}

impl Default for BaseConfig {
    fn default() -> Self {
        Self { kind: BaseKind::StandardNormal, components: 10, classes: 10, degrees_of_freedom: 5.0 }
    }
}

impl BaseConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        whole("base.components", self.components, 1..=MOST_NORMALS)?;
        whole("base.classes", self.classes, 1..=MOST_NORMALS)?;
        real("base.degrees_of_freedom", self.degrees_of_freedom, DEGREES_OF_FREEDOM)
    }

    /// The distribution over latents with this number of dimensions, untrained.
    pub fn init(&self, dimensions: usize, rng: &mut impl Rng, device: &Device) -> Base {
        match self.kind {
            BaseKind::StandardNormal => Base::StandardNormal(StandardNormal {}),
            BaseKind::Normal => Base::Normal(Normal::standard(dimensions, device)),
            BaseKind::ClassNormals => Base::ClassNormals(ClassNormals::standard(self.classes, dimensions, device)),
            BaseKind::Mixture => Base::Mixture(Mixture::random(self.components, dimensions, rng, device)),
            BaseKind::StudentT => Base::StudentT(StudentT::new(self.degrees_of_freedom, dimensions, device)),
        }
    }

    /// Numbers that are trained, in this number of dimensions, where the model depends on this number of features.
    pub(crate) fn n_parameters(&self, dimensions: f64, features: f64) -> f64 {
        match self.kind {
            BaseKind::StandardNormal => 0.0,
            BaseKind::Normal => 2.0 * dimensions * (1.0 + features),
            BaseKind::ClassNormals => 2.0 * self.classes as f64 * dimensions,
            BaseKind::Mixture => self.components as f64 * (2.0 * dimensions + 1.0),
            BaseKind::StudentT => dimensions,
        }
    }
}
