//! What a step minimises: the task's loss of a batch, and its gradient.

use super::all_reduce::AllReduce;
use super::classification::{ClassStats, Classified};
use super::error::TrainingError;
use super::samples::Samples;
use super::task::{TaskConfig, TaskKind};
use crate::flow::LogDetContext;
use crate::flows::FlowLayer;
use crate::gradients::Gradients;
use crate::multiscale::{DensityWeights, Objective, ResidualFlow};
use crate::numerics::bits_per_dim;
use burn::tensor::Tensor;
use std::f64::consts::LN_2;

/// The loss of a density, from the mean of `ln p(x)` over samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DensityLoss {
    /// Bits per dimension of images with this many levels, seen as numbers in `[0, 1]`: `-ln p(x) / (D ln 2) + log₂ levels`.
    BitsPerDim {
        /// Number of values of a pixel.
        levels: u32,
    },
    /// Nats of points: `log_scale - ln p(x)`.
    Nats {
        /// What a log-density of the model's inputs is larger by than one in the data's own units: `Σ ln std` of standardised
        /// columns, 0 where the model's inputs are the data.
        log_scale: f64,
    },
}

impl DensityLoss {
    /// The loss, from a log-density (nats) of the model's inputs.
    pub fn value(self, log_prob: f64, dimensions: usize) -> f64 {
        match self {
            Self::BitsPerDim { levels } => bits_per_dim(log_prob, dimensions, levels),
            Self::Nats { log_scale } => log_scale - log_prob,
        }
    }

    /// The derivative of the loss by the log-density.
    pub fn slope(self, dimensions: usize) -> f64 {
        match self {
            Self::BitsPerDim { .. } => -1.0 / (dimensions as f64 * LN_2),
            Self::Nats { .. } => -1.0,
        }
    }
}

/// The loss of a task, a mean over samples.
///
/// | task | loss |
/// | --- | --- |
/// | density | bits per dimension of images, nats of points |
/// | classification | cross entropy, nats |
/// | hybrid | bits of an image plus cross entropy in bits; with `scale_dim`, bits per dimension plus cross entropy in bits |
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    task: TaskConfig,
    density: DensityLoss,
}

/// How a batch is differentiated.
pub(super) struct Share<'a> {
    /// The estimator and its noise.
    pub context: LogDetContext<'a>,
    /// The batch's part of all samples of the step.
    pub fraction: f64,
    /// The weight of the log-determinant in `ln p(x)`; below 1 while it is annealed.
    pub log_det_weight: f64,
}

/// What was measured: means over samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// `ln p(z)`, nats; 0 if only classes are learned.
    pub log_pz: f64,
    /// The estimate of `ln|det ∂z/∂x|`, nats; 0 if only classes are learned.
    pub log_det: f64,
    /// `ln p(x)`, nats: their sum, less that of padding; `ln p(class)` if only classes are learned.
    pub log_prob: f64,
    /// Of the classes, where they are learned.
    pub classes: Option<ClassStats>,
}

impl Loss {
    /// Of a task, with the unit of its density.
    pub fn new(task: TaskConfig, density: DensityLoss) -> Self {
        Self { task, density }
    }

    /// The loss that is shown, from [`Measured::log_prob`]: of a classifier its cross entropy, else that of the density.
    pub fn value(&self, log_prob: f64, dimensions: usize) -> f64 {
        match self.task.kind {
            TaskKind::Classification => -log_prob,
            TaskKind::Density | TaskKind::Hybrid => self.density.value(log_prob, dimensions),
        }
    }

    /// The derivatives of a sample's loss by `ln p(x)` and by its cross entropy.
    fn slopes(&self, dimensions: usize) -> [f64; 2] {
        match self.task.kind {
            TaskKind::Density => [self.density.slope(dimensions), 0.0],
            TaskKind::Classification => [0.0, 1.0],
            TaskKind::Hybrid if self.task.scale_dim => [-1.0 / (dimensions as f64 * LN_2), 1.0 / LN_2],
            TaskKind::Hybrid => [-1.0 / LN_2, 1.0 / LN_2],
        }
    }

    /// Adds the gradient of a batch's share of the loss, and measures the batch; `layer_done` is told of layers as their
    /// gradients become complete, if this batch is the last.
    ///
    /// # Errors
    /// If samples do not fit the model, or have no class where the task needs one.
    pub(super) fn add_gradient(
        &self,
        model: &ResidualFlow,
        samples: &Samples,
        share: &Share,
        gradients: &mut Gradients,
        layer_done: &mut dyn FnMut(&FlowLayer, &Gradients),
    ) -> Result<Measured, TrainingError> {
        let batch = samples.count();
        let [by_density, by_classes] = self.slopes(model.dimensions()).map(|slope| slope * share.fraction / batch as f64);
        let weight = |weight: f64| Tensor::<1>::full([batch], weight, &samples.x.device());
        let density = self
            .task
            .kind
            .has_density()
            .then(|| DensityWeights { log_pz: weight(by_density), log_det: weight(by_density * share.log_det_weight) });
        let labels = if self.task.kind.has_classes() { Some(samples.labels()?) } else { None };
        let mut judged = None;
        let mut of_logits = |logits: &Tensor<2>| {
            let classified = Classified::new(logits, labels.unwrap_or_default());
            let derivative = match &classified {
                Ok(classified) => classified.derivative(by_classes, logits),
                Err(_) => logits.zeros_like(),
            };
            judged = Some(classified);
            derivative
        };
        let logits = labels.map(|_| &mut of_logits as &mut dyn FnMut(&Tensor<2>) -> Tensor<2>);
        let objective = Objective { density, logits, layer_done: Some(layer_done) };
        let outputs = samples.condition(model)?.gradients(samples.x.clone(), objective, &share.context, gradients)?;
        let classes = judged.transpose()?.map(|classified| classified.stats());
        let mut measured =
            Measured { classes, log_prob: classes.map_or(0.0, |stats| -stats.cross_entropy), ..Default::default() };
        if let Some(log_prob) = outputs.log_prob {
            let vectors = [log_prob.total(), log_prob.log_pz, log_prob.log_det];
            [measured.log_prob, measured.log_pz, measured.log_det] = means(vectors)?;
        }
        Ok(measured)
    }
}

impl Measured {
    /// The sum of what each process has measured of its fraction of all samples.
    ///
    /// # Errors
    /// If a process is lost.
    pub(super) fn over(self, group: &dyn AllReduce) -> Result<Self, TrainingError> {
        let Self { log_pz, log_det, log_prob, classes } = self;
        let of_classes = classes.map_or([0.0; 2], |classes| [classes.cross_entropy, classes.accuracy]);
        let sums = group.all_reduce([[log_pz, log_det, log_prob].as_slice(), &of_classes].concat());
        let sums = sums.map_err(TrainingError::Group)?;
        let [log_pz, log_det, log_prob, cross_entropy, accuracy] = sums[..] else { return Ok(self) };
        Ok(Self { log_pz, log_det, log_prob, classes: classes.map(|_| ClassStats { cross_entropy, accuracy }) })
    }

    /// Adds a batch that is this fraction of all samples.
    pub fn add(&mut self, batch: &Measured, fraction: f64) {
        self.log_pz += batch.log_pz * fraction;
        self.log_det += batch.log_det * fraction;
        self.log_prob += batch.log_prob * fraction;
        if let Some(more) = batch.classes {
            let sum = self.classes.get_or_insert(ClassStats { cross_entropy: 0.0, accuracy: 0.0 });
            sum.cross_entropy += more.cross_entropy * fraction;
            sum.accuracy += more.accuracy * fraction;
        }
    }
}

/// The means of vectors of one length, computed in double precision from one reading of the device.
fn means<const N: usize>(vectors: [Tensor<1>; N]) -> Result<[f64; N], TrainingError> {
    let rows: Tensor<2> = Tensor::stack(vectors.into(), 0);
    let length = rows.dims()[1];
    let values = TrainingError::read("a result", rows)?;
    Ok(std::array::from_fn(|row| {
        let row = &values[row * length..][..length];
        row.iter().map(|&value| f64::from(value)).sum::<f64>() / length as f64
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference implementation's loss of its hybrid model (8x8 images of 3 channels, 256 levels): bits/dim
    /// 7.304520450070278, cross entropy 2.212113158224919 nats, loss 1405.6593310967496.
    #[test]
    fn the_hybrid_loss_is_the_reference_implementation_s() {
        let density = DensityLoss::BitsPerDim { levels: 256 };
        let (dimensions, bits_per_dim, cross_entropy) = (192, 7.304520450070278, 2.212113158224919);
        let log_prob = (256f64.ln() - bits_per_dim * LN_2) * dimensions as f64;
        assert!((density.value(log_prob, dimensions) - bits_per_dim).abs() < 1e-12);
        let loss = |scale_dim, constant: f64| {
            let task = TaskConfig { kind: TaskKind::Hybrid, scale_dim };
            let [by_density, by_classes] = Loss::new(task, density).slopes(dimensions);
            constant + by_density * log_prob + by_classes * cross_entropy
        };
        assert!((loss(false, 8.0 * dimensions as f64) - 1405.6593310967496).abs() < 1e-9);
        assert!((loss(true, 8.0) - (bits_per_dim + cross_entropy / LN_2)).abs() < 1e-12);
    }
}
