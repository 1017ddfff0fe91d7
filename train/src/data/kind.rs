//! What a model is a density of, and so what its likelihoods are measured in.

use crate::data::loss_unit::LossUnit;
use datasets::points::{Points, Standardization};
use residual_flows::training::{DensityLoss, TaskConfig};
use serde::{Serialize, Serializer};
use std::fmt;

/// Images, measured in bits per dimension, or points, measured in nats.
#[derive(Clone, Debug, PartialEq)]
pub enum DataKind {
    /// Whole numbers below `levels`, dequantised.
    Images {
        /// Number of values of a pixel.
        levels: u32,
        /// Whether only their classes are learned: the log-density is that of the class, and the loss its cross entropy.
        only_classes: bool,
    },
    /// Real numbers, standardised.
    Points(PointKind),
}

/// What a model of points knows of their table.
#[derive(Clone, Debug, PartialEq)]
pub struct PointKind {
    /// From the data's own units to the model's.
    pub standardization: Standardization,
    /// Names of the columns, if the table had any.
    pub columns: Option<Vec<String>>,
    /// Width of the noise that dequantises each column, in the column's units; 0: there is none.
    pub noise: Vec<f64>,
}

impl PointKind {
    /// Columns without names and noise.
    pub fn unnamed(standardization: Standardization) -> Self {
        let noise = vec![0.0; standardization.dimensions()];
        Self { standardization, columns: None, noise }
    }

    /// A table of such points.
    pub fn table(&self, values: Vec<f64>) -> Points {
        let table = Points::new(self.standardization.dimensions(), values);
        match &self.columns {
            Some(names) => table.named(names.clone()),
            None => table,
        }
    }
}

impl fmt::Display for DataKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Images { levels, only_classes: false } => write!(f, "images of {levels} levels"),
            Self::Images { levels, only_classes: true } => write!(f, "classes of images of {levels} levels"),
            Self::Points(points) => {
                let Standardization { mean, std } = &points.standardization;
                write!(f, "points with means {} and standard deviations {}", first_few(mean), first_few(std))
            }
        }
    }
}

impl DataKind {
    /// Images with this many levels, for a task.
    pub fn images(levels: u32, task: &TaskConfig) -> Self {
        Self::Images { levels, only_classes: !task.kind.has_density() }
    }

    /// Whether a model of the other kind scores these data as they are. Names of columns do not matter, as they have been matched.
    pub fn is_scored_as(&self, model: &Self) -> bool {
        match (self, model) {
            (Self::Points(data), Self::Points(model)) => data.standardization == model.standardization,
            _ => self == model,
        }
    }

    /// What is minimised, from a log-density (nats) of the model's inputs: bits per dimension of images; of points
    /// `-ln p(x)` in the data's own units; of classes `-ln p(class)`.
    pub fn loss(&self, log_prob: f64, dimensions: usize) -> f64 {
        match self {
            Self::Images { only_classes: true, .. } => -log_prob,
            _ => self.density_loss().value(log_prob, dimensions),
        }
    }

    /// What a log-density of the model's inputs is larger by than one in the data's own units, nats: 0 of images.
    pub fn log_scale(&self) -> f64 {
        match self {
            Self::Images { .. } => 0.0,
            Self::Points(points) => points.standardization.log_scale(),
        }
    }

    /// The loss of the density.
    pub fn density_loss(&self) -> DensityLoss {
        match self {
            Self::Images { levels, .. } => DensityLoss::BitsPerDim { levels: *levels },
            Self::Points(points) => DensityLoss::Nats { log_scale: points.standardization.log_scale() },
        }
    }

    /// What the loss is measured in.
    pub fn loss_unit(&self) -> LossUnit {
        match self {
            Self::Images { only_classes: false, .. } => LossUnit::BitsPerDim,
            Self::Images { only_classes: true, .. } => LossUnit::CrossEntropy,
            Self::Points(_) => LossUnit::Nats,
        }
    }

    /// The loss's unit, to be read.
    pub fn unit(&self) -> &'static str {
        self.loss_unit().words()
    }

    /// What the samples are, in the plural.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Images { .. } => "images",
            Self::Points(_) => "points",
        }
    }

    /// A loss under its key in a file.
    pub fn named<T>(&self, prefix: &str, value: T) -> Named<T> {
        Named::new(self.key(prefix), value)
    }

    /// The key of a loss in a file: `<prefix>` and `bits_per_dim`, `cross_entropy` or `nll_nats`.
    pub fn key(&self, prefix: &str) -> String {
        format!("{prefix}{}", self.loss_unit().key())
    }

    /// A number of samples under its key in a file.
    pub fn named_count(&self, n: usize) -> Named<usize> {
        Named::new(self.noun(), n)
    }

    /// Samples a second under their key in a file.
    pub fn named_speed(&self, per_second: f64) -> Named<f64> {
        Named::new(format!("{}_per_second", self.noun()), per_second)
    }
}

/// Numbers for a message: the first ones.
fn first_few(numbers: &[f64]) -> String {
    const MOST: usize = 8;
    let shown: Vec<String> = numbers.iter().take(MOST).map(f64::to_string).collect();
    let more = if numbers.len() > MOST { format!(", … ({} in all)", numbers.len()) } else { String::new() };
    format!("[{}{more}]", shown.join(", "))
}

/// One key and its value, to be flattened into a record.
#[derive(Clone, Debug)]
pub struct Named<T> {
    key: String,
    /// The value.
    pub value: T,
}

impl<T> Named<T> {
    /// A value under this key.
    pub fn new(key: impl Into<String>, value: T) -> Self {
        Self { key: key.into(), value }
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(&self.key, &self.value)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_in_the_data_s_units() {
        let images = DataKind::Images { levels: 256, only_classes: false };
        assert_eq!(images.loss(0.0, 10), 8.0);
        // A standard normal density seen through `z = (x - 1) / 3`: N(1, 9) has ln 3 less.
        let points = DataKind::Points(PointKind::unnamed(Standardization { mean: vec![1.0], std: vec![3.0] }));
        assert!((points.loss(-0.25, 1) - (0.25 + 3f64.ln())).abs() < 1e-12);
        let classes = DataKind::Images { levels: 256, only_classes: true };
        assert_eq!((classes.loss(-0.5, 10), classes.key("test_").as_str()), (0.5, "test_cross_entropy"));
        for loss in [images.density_loss(), points.density_loss()] {
            let slope = (loss.value(1.0, 7) - loss.value(0.0, 7)) - loss.slope(7);
            assert!(slope.abs() < 1e-12, "{loss:?}");
        }
    }

    #[test]
    fn names_say_the_unit() -> serde_json::Result<()> {
        #[derive(Serialize)]
        struct Record {
            #[serde(flatten)]
            loss: Named<Option<f64>>,
            step: u64,
        }
        let points = DataKind::Points(PointKind::unnamed(Standardization::identity(2)));
        let record = Record { loss: points.named("test_", None), step: 3 };
        assert_eq!(serde_json::to_string(&record)?, r#"{"test_nll_nats":null,"step":3}"#);
        Ok(())
    }
}
