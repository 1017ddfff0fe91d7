//! A loss over many samples: its mean, and how well that is known.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The mean over samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanLoss {
    /// See [`DataKind::loss`](super::kind::DataKind::loss).
    pub mean: f64,
    /// Standard deviation over the samples, divided by the square root of their number.
    pub standard_error: f64,
    /// Samples evaluated.
    pub n_samples: usize,
    /// How well classes are recognised, where they are learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<ClassMeans>,
}

/// How well the classes of images are recognised; standard errors as those of the loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMeans {
    /// `-ln p(class)`, nats, the mean over the images; `None` if that is the loss.
    #[serde(alias = "test_cross_entropy", default, skip_serializing_if = "Option::is_none")]
    pub cross_entropy: Option<f64>,
    /// Of it.
    #[serde(
        rename = "cross_entropy_standard_error",
        alias = "test_cross_entropy_standard_error",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub cross_entropy_error: Option<f64>,
    /// Fraction of images whose class is recognised.
    #[serde(alias = "test_accuracy")]
    pub accuracy: f64,
    /// Of it.
    #[serde(rename = "accuracy_standard_error", alias = "test_accuracy_standard_error")]
    pub accuracy_error: f64,
}

impl ClassMeans {
    /// The accuracy, to be read behind the loss.
    pub fn described(&self) -> String {
        format!(", accuracy {:.2} ± {:.2} %", 100.0 * self.accuracy, 100.0 * self.accuracy_error)
    }

    /// By their keys in a file, behind a prefix such as `test_`.
    pub fn named(&self, prefix: &str) -> BTreeMap<String, f64> {
        let values = [
            ("cross_entropy", self.cross_entropy),
            ("cross_entropy_standard_error", self.cross_entropy_error),
            ("accuracy", Some(self.accuracy)),
            ("accuracy_standard_error", Some(self.accuracy_error)),
        ];
        values.into_iter().filter_map(|(key, value)| Some((format!("{prefix}{key}"), value?))).collect()
    }
}
