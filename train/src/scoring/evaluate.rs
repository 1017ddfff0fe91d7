//! The loss on validation or test data: bits per dimension of images, nats of points.

use crate::data::mean_loss::{ClassMeans, MeanLoss};
use crate::data::{DataSet, PREFETCH_DEPTH};
use crate::scoring::score::score;
use crate::system::memory::{Phase, during};
use crate::system::signals::is_interruption;
use crate::training::parallel::ProcessGroup;
use anyhow::{Context, Result, bail};
use burn::tensor::{Device, Tensor, TensorData};
use datasets::{BatchSource, Prefetch};
use residual_flows::training::Classified;
use residual_flows::training::Samples;
use residual_flows::training::TaskKind;
use residual_flows::training::noise;
use residual_flows::{Context as Known, LogDetConfig, LogDetContext, ModelError, ResidualFlow};

/// What is evaluated, and how.
pub struct Evaluation<'a> {
    /// The validation or test data; dequantisation noise is the same every time.
    pub data: &'a DataSet,
    /// What the model has learned.
    pub task: TaskKind,
    /// How log-determinants are computed.
    pub log_det: &'a LogDetConfig,
    /// Decides the estimators' noise.
    pub seed: u64,
    /// At most this many samples, the first ones.
    pub limit: Option<usize>,
    /// Whether classes are recognised by Bayes' rule: by the density of each sample given each class, with equal prior
    /// probabilities. It takes one evaluation for each class.
    pub bayes: bool,
    /// Among whom the batches are divided. The result does not depend on their number.
    pub group: &'a ProcessGroup,
}

/// What is said of every sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleScores {
    /// Its place in its split, images as they are stored.
    pub index: Vec<usize>,
    /// `ln p(x)`, nats: of an image in `[0, 1]`, of a point in the data's own units; `ln p(class)` if only classes are learned.
    pub log_density: Vec<f64>,
    /// See [`DataKind::loss`](crate::data::kind::DataKind::loss).
    pub loss: Vec<f64>,
    /// Of its class, where classes are learned beside the density.
    pub cross_entropy: Option<Vec<f64>>,
    /// Whether its class is recognised, where classes are learned.
    pub correct: Option<Vec<bool>>,
}

impl SampleScores {
    /// Their means.
    pub fn mean(&self) -> MeanLoss {
        let [mean, standard_error] = mean_and_error(&self.loss);
        let classes = self.correct.as_ref().map(|correct| {
            let of_cross_entropy = self.cross_entropy.as_deref().map(mean_and_error);
            let correct: Vec<f64> = correct.iter().map(|&correct| f64::from(u8::from(correct))).collect();
            let [accuracy, accuracy_error] = mean_and_error(&correct);
            let [cross_entropy, cross_entropy_error] = [0, 1].map(|which| of_cross_entropy.map(|of| of[which]));
            ClassMeans { cross_entropy, cross_entropy_error, accuracy, accuracy_error }
        });
        MeanLoss { mean, standard_error, n_samples: self.loss.len(), classes }
    }
}

/// Of a sample: its log-density in the model's coordinates, the cross entropy of its class, 1 if that is recognised, and its index.
/// All are 0 for samples of other processes, until they are summed.
type Row = [f64; 4];

/// What a batch's samples say.
struct Judged {
    /// Nats: of the samples, or of their classes if only those are learned.
    log_prob: Vec<f64>,
    classes: Option<Classified>,
}

impl Evaluation<'_> {
    /// Samples that will be evaluated.
    pub fn n_samples(&self) -> usize {
        let all = self.data.batches.len();
        self.limit.map_or(all, |limit| limit.min(all))
    }

    /// Batches that this process will evaluate.
    pub fn n_batches(&self) -> usize {
        self.mine().count()
    }

    /// Their numbers.
    fn mine(&self) -> impl Iterator<Item = usize> + Clone + Send + 'static {
        (self.group.rank()..self.n_samples().div_ceil(self.data.batches.batch_size())).step_by(self.group.size())
    }

    /// Evaluates a model whose Lipschitz constraint has converged.
    ///
    /// `go_on` is told how many samples are done and their mean loss so far.
    ///
    /// # Errors
    /// If a batch cannot be read, a log-determinant cannot be computed, a density is not finite, or a process is lost; and
    /// [`ModelError::Interrupted`] if the model's monitor stops it or `go_on` says no, in any process.
    pub fn run(&self, model: &ResidualFlow, device: &Device, go_on: impl FnMut(usize, f64) -> bool) -> Result<MeanLoss> {
        let scores = self.scores(model, device, go_on)?;
        self.ensure_finite(&scores.loss)?;
        Ok(scores.mean())
    }

    /// [`run`](Self::run), sample by sample; samples beyond what single precision reaches have a density of 0.
    ///
    /// # Errors
    /// The same but for those.
    pub fn scores(
        &self,
        model: &ResidualFlow,
        device: &Device,
        mut go_on: impl FnMut(usize, f64) -> bool,
    ) -> Result<SampleScores> {
        let (n_samples, batch_size) = (self.n_samples(), self.data.batches.batch_size());
        let mut rows = vec![Row::default(); n_samples];
        let (mut done, mut total, mut goes_on) = (0, 0.0, true);
        let batches = Prefetch::eval_of(self.data.batches.clone(), self.mine(), PREFETCH_DEPTH);
        for (index, batch) in self.mine().zip(batches) {
            let begin = index * batch_size;
            let batch = batch?;
            let indices = batch.indices.clone();
            let samples = self.data.samples(batch, device);
            let samples = samples.narrow(0, samples.count().min(n_samples - begin));
            let context = LogDetContext { config: self.log_det, noise: noise::evaluation(self.seed, index) };
            let judged = during(Phase::Evaluating, || self.judge(model, &samples, &context, begin));
            let Judged { log_prob, classes } = match judged {
                Err(error) if is_interruption(&error) => {
                    goes_on = false;
                    break;
                }
                judged => judged?,
            };
            // Densities have been looked at sample by sample.
            if self.task != TaskKind::Density
                && let Some(position) = log_prob.iter().position(|value| !value.is_finite())
            {
                let (sample, value) = (begin + position, log_prob[position]);
                let fault = samples
                    .condition(model)?
                    .first_not_finite(samples.x.clone(), &context)?
                    .map_or(String::new(), |fault| format!(" ({fault})"));
                bail!("sample {sample}: its log-density is {value}{fault}; the model is numerically broken");
            }
            for (place, (row, &log_prob)) in rows[begin..].iter_mut().zip(&log_prob).enumerate() {
                let of_class = |classes: &Classified| [classes.cross_entropy[place], f64::from(u8::from(classes.correct[place]))];
                let [cross_entropy, correct] = classes.as_ref().map_or([0.0; 2], of_class);
                *row = [log_prob, cross_entropy, correct, indices[place] as f64];
                total += self.data.kind.loss(log_prob, model.dimensions());
            }
            done += log_prob.len();
            goes_on = go_on((done * self.group.size()).min(n_samples), total / done as f64);
            if !goes_on {
                break;
            }
        }
        if self.group.any(!goes_on)? {
            return Err(ModelError::Interrupted.into());
        }
        let table = self.group.all_reduce(rows.concat())?;
        let column = |column: usize| table.chunks_exact(4).map(move |row| row[column]);
        let loss: Vec<f64> = column(0).map(|log_prob| self.data.kind.loss(log_prob, model.dimensions())).collect();
        let unit = self.data.kind.log_scale();
        let has_classes = self.task.has_classes() || self.bayes;
        Ok(SampleScores {
            index: column(3).map(|index| index as usize).collect(),
            log_density: column(0).map(|log_prob| log_prob - unit).collect(),
            loss,
            cross_entropy: (has_classes && self.task != TaskKind::Classification).then(|| column(1).collect()),
            correct: has_classes.then(|| column(2).map(|correct| correct > 0.5).collect()),
        })
    }

    /// What `p(class | x) ∝ p(x | class)` says of samples, all classes being as probable before.
    fn by_density(&self, model: &ResidualFlow, samples: &Samples, context: &LogDetContext, first: usize) -> Result<Classified> {
        let (n, classes) = (samples.count(), model.context_classes());
        let of_class = |class: usize| {
            let known = Known::Classes(vec![class as u32; n]);
            Ok(score(model, samples.x.clone(), Some(&known), context, first)?.log_prob().collect())
        };
        let densities: Vec<Vec<f64>> = (0..classes).map(of_class).collect::<Result<_>>()?;
        let row = |sample: usize| {
            let largest = densities.iter().map(|of_class| of_class[sample]).fold(f64::NEG_INFINITY, f64::max);
            densities.iter().map(move |of_class| (of_class[sample] - largest) as f32)
        };
        let logits: Vec<f32> = (0..n).flat_map(row).collect();
        let logits = Tensor::from_data(TensorData::new(logits, [n, classes]), &Device::flex());
        Ok(Classified::new(&logits, samples.labels()?)?)
    }

    /// Refuses losses of which there is no mean.
    ///
    /// # Errors
    /// Names samples whose loss is not finite.
    pub fn ensure_finite(&self, losses: &[f64]) -> Result<()> {
        let broken: Vec<(usize, f64)> = losses.iter().copied().enumerate().filter(|(_, loss)| !loss.is_finite()).collect();
        let Some((_, loss)) = broken.first() else { return Ok(()) };
        let shown: Vec<String> = broken.iter().take(5).map(|(row, _)| row.to_string()).collect();
        let (more, noun) = (if broken.len() > shown.len() { ", …" } else { "" }, self.data.kind.noun());
        bail!(
            "{} of {} {noun} have no finite loss (the first one has {loss}), so that there is no mean: numbers {}{more} (counted \
             from 0); remove them if they are far from all others, else the model is numerically broken",
            broken.len(),
            self.n_samples(),
            shown.join(", ")
        )
    }

    /// Judges a batch that begins with this sample.
    fn judge(&self, model: &ResidualFlow, samples: &Samples, context: &LogDetContext, first: usize) -> Result<Judged> {
        let values = |tensor: Tensor<1>| -> Result<Vec<f64>> {
            let values = tensor.try_into_vec_as::<f32>().context("cannot read a result from the device")?;
            Ok(values.into_iter().map(f64::from).collect())
        };
        match self.task {
            TaskKind::Density => {
                let scores = score(model, samples.x.clone(), samples.known(model)?.as_ref(), context, first)?;
                let log_prob = scores.log_prob_in_single_precision().collect();
                let classes = if self.bayes { Some(self.by_density(model, samples, context, first)?) } else { None };
                Ok(Judged { log_prob, classes })
            }
            TaskKind::Classification => {
                let conditioned = samples.condition(model)?;
                let padded = conditioned.pad(samples.x.clone(), &mut context.padding_stream())?;
                let classes = Classified::new(&conditioned.logits(padded.input)?, samples.labels()?)?;
                Ok(Judged { log_prob: classes.cross_entropy.iter().map(|loss| -loss).collect(), classes: Some(classes) })
            }
            TaskKind::Hybrid => {
                let (log_prob, logits) = samples.condition(model)?.log_prob_and_logits(samples.x.clone(), context)?;
                let classes = Classified::new(&logits, samples.labels()?)?;
                Ok(Judged { log_prob: values(log_prob.total())?, classes: Some(classes) })
            }
        }
    }
}

/// The mean, and the standard deviation divided by the square root of the number.
fn mean_and_error(values: &[f64]) -> [f64; 2] {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    [mean, (variance / n).sqrt()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_standard_error() {
        let [mean, error] = mean_and_error(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(mean, 2.5);
        assert!((error - (5.0f64 / 3.0 / 4.0).sqrt()).abs() < 1e-12);
    }
}
