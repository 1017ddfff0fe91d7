//! The precision of the series' products.

use burn::tensor::FloatDType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// In what precision the series' products with the Jacobian are computed: activations' slopes, weights and vectors are
/// rounded to it. Sums over them, and all else of the value and the gradient, stay in single precision.
///
/// What rounding changes in one estimate is far below what estimates vary by, but it has a mean that no number of draws takes
/// away (measured in `experiments/estimator.md`). GPUs compute such products several times as fast. The CPU has no kernels
/// of its own for them and becomes slower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SeriesPrecision {
    /// Single precision.
    #[default]
    F32,
    /// IEEE half precision: 11 significant bits.
    F16,
    /// Brain floating point: 8 significant bits, the range of single precision.
    Bf16,
}

impl SeriesPrecision {
    /// All but single precision.
    pub const REDUCED: [Self; 2] = [Self::Bf16, Self::F16];

    /// The type that vectors are rounded to, if it is another than theirs.
    pub(crate) fn reduced(self) -> Option<FloatDType> {
        match self {
            Self::F32 => None,
            Self::F16 => Some(FloatDType::F16),
            Self::Bf16 => Some(FloatDType::BF16),
        }
    }
}

impl fmt::Display for SeriesPrecision {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}
