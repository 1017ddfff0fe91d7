//! Training from beginning to end in one call.

use super::data::{Data, TrainingData};
use super::error::{Fault, TrainingError};
use super::loss::{DensityLoss, Loss};
use super::noise;
use super::samples::Samples;
use super::task::{TaskConfig, TaskKind};
use super::trainer::{StepOutcome, StepStats, Trainer};
use crate::error::ModelError;
use crate::flow::LogDetContext;
use crate::log_det::LogDetConfig;
use crate::multiscale::{Convergence, ResidualFlow};
use crate::optim::{OptimConfig, Timeline};
use std::ops::ControlFlow;

/// How a model is trained.
#[derive(Clone, Debug)]
pub struct FitConfig {
    /// The optimiser, the batches, and the average of the weights. By default the learning rate rises in 100 steps.
    pub optim: OptimConfig,
    /// What is learned: by default the density.
    pub task: TaskConfig,
    /// The loss of the density; `None`: nats of points, and bits per dimension of images with 256 levels.
    pub density: Option<DensityLoss>,
    /// The estimator of log-determinants in training.
    pub log_det: LogDetConfig,
    /// The estimator where the validation samples are evaluated.
    pub evaluation_log_det: LogDetConfig,
    /// Passes over the training data at most.
    pub epochs: u64,
    /// Steps at most.
    pub max_steps: Option<u64>,
    /// The part of the samples that is held out to choose the best weights by, if the data have no validation samples of their
    /// own; 0: none, and the last weights are the result.
    pub validation_fraction: f64,
    /// The validation samples are evaluated every `n`-th epoch, and at the end.
    pub evaluate_every_epochs: u64,
    /// Training ends after this many evaluations in a row that were no better than the best one; 0: never for this reason.
    pub patience: u64,
    /// Steps in a row whose loss or gradient is not finite after which training fails. They are skipped.
    pub max_skipped_in_a_row: u64,
    /// Whether layers with data-dependent initial values (ActNorm) get them from the first batch: not in a model that was trained
    /// before.
    pub initialize: bool,
    /// Decides the order of samples and all noise.
    pub seed: u64,
}

impl Default for FitConfig {
    fn default() -> Self {
        Self {
            optim: OptimConfig { warmup_steps: 100, ema_warmup: Some(true), ..OptimConfig::default() },
            task: TaskConfig::default(),
            density: None,
            log_det: LogDetConfig::training(),
            evaluation_log_det: LogDetConfig::evaluation(),
            epochs: 100,
            max_steps: None,
            validation_fraction: 0.1,
            evaluate_every_epochs: 1,
            patience: 10,
            max_skipped_in_a_row: 10,
            initialize: true,
            seed: 0,
        }
    }
}

/// What happens in training.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A step was made.
    Step {
        /// Steps so far.
        step: u64,
        /// Epochs completed before it.
        epoch: u64,
        /// What it measured.
        stats: &'a StepStats,
    },
    /// A step was skipped, as its numbers were not finite.
    Skipped {
        /// Steps so far.
        step: u64,
        /// What was not finite.
        fault: &'a Fault,
    },
    /// The averaged weights were evaluated.
    Evaluated {
        /// What came out.
        evaluation: Evaluation,
        /// Whether it is the best so far.
        is_best: bool,
    },
}

/// The loss of the averaged weights on the validation samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Steps made.
    pub step: u64,
    /// Epochs completed.
    pub epoch: u64,
    /// The mean, in the unit of [`Loss::value`].
    pub loss: f64,
}

/// Sees what happens in training, and may end it. Closures are observers.
pub trait Observer {
    /// Something has happened; with [`ControlFlow::Break`], training ends as if it had reached its last step.
    fn on(&mut self, event: &Event) -> ControlFlow<()>;
}

impl<F: FnMut(&Event) -> ControlFlow<()>> Observer for F {
    fn on(&mut self, event: &Event) -> ControlFlow<()> {
        self(event)
    }
}

/// An observer that looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn on(&mut self, _: &Event) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// A trained model.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The averaged weights that were best on the validation samples, or without such samples the last ones; ready for use.
    pub model: ResidualFlow,
    /// The evaluation that chose them; `None` without validation samples.
    pub best: Option<Evaluation>,
    /// Steps made.
    pub steps: u64,
}

/// Trains a model by maximum likelihood, or for the task in the settings: data in batches, an optimiser step for each, evaluations
/// on held-out samples between epochs, and the best averaged weights as the result.
///
/// The same model, data and settings give the same result.
///
/// # Errors
/// If the settings make no sense, the data do not fit the model or cannot be read, or training breaks down numerically.
///
/// # Examples
/// ```
/// use residual_flows::burn::tensor::{Device, Tensor};
/// use residual_flows::training::{Event, FitConfig, fit};
/// use residual_flows::{NoiseKey, ResidualFlowConfig, gaussian};
/// use std::ops::ControlFlow;
///
/// let device = Device::flex();
/// let mut rng = NoiseKey::new(7, [0, 0]).stream(0);
/// let points: Tensor<2> = gaussian([200, 2], &mut rng, &device) * 3.0 + 1.0;
/// let config = ResidualFlowConfig {
///     blocks: vec![2], kernels: vec![1, 1, 1], hidden_channels: 8.into(), dense_blocks: 0, logit_alpha: 0.0,
///     ..Default::default()
/// };
/// let model = config.init([2, 1, 1], &mut rng, &device)?;
/// let settings = FitConfig { epochs: 3, ..Default::default() };
/// let mut steps = 0;
/// let fitted = fit(model, points, &settings, &mut |event: &Event| {
///     if let Event::Step { stats, .. } = event {
///         assert!(stats.loss.is_finite());
///         steps += 1;
///     }
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!((steps, fitted.steps), (9, 9));
/// assert!(fitted.best.is_some_and(|best| best.loss < 10.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn fit(
    model: impl Into<ResidualFlow>,
    data: impl Into<Data>,
    config: &FitConfig,
    observer: &mut dyn Observer,
) -> Result<Fitted, TrainingError> {
    config.validate()?;
    let mut model = model.into();
    let (data, validation) = data.into().split(config.validation_fraction, config.seed)?;
    let mut run = Run::new(config, &model, data, validation);
    if config.initialize {
        model = run.initialized(model)?;
    }
    let mut goes_on = run.total_steps > 0;
    let mut epoch = 0;
    while goes_on {
        (model, goes_on) = run.epoch(model, epoch, observer)?;
        epoch += 1;
        let is_due = config.evaluate_every_epochs > 0 && epoch.is_multiple_of(config.evaluate_every_epochs);
        if is_due || !goes_on {
            goes_on &= run.evaluate(&model, epoch, observer)?;
        }
    }
    run.finish(&model)
}

impl FitConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Names the first that is out of its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        self.optim.validate()?;
        self.log_det.validate()?;
        self.evaluation_log_det.validate()?;
        let fraction = self.validation_fraction;
        if (0.0..1.0).contains(&fraction) {
            return Ok(());
        }
        let expected = "0 (none) or a number below 1".into();
        Err(ModelError::Config { key: "validation_fraction", expected, got: fraction.to_string() })
    }
}

/// Training in progress, all but the model.
struct Run<'a> {
    config: &'a FitConfig,
    data: TrainingData,
    validation: Option<Samples>,
    loss: Loss,
    trainer: Trainer,
    total_steps: u64,
    skipped_in_a_row: u64,
    best: Option<(Evaluation, ResidualFlow)>,
    /// Evaluations since the best one.
    worse: u64,
}

impl<'a> Run<'a> {
    fn new(config: &'a FitConfig, model: &ResidualFlow, data: TrainingData, validation: Option<Samples>) -> Self {
        let optim = &config.optim;
        let batches = data.batches_per_epoch(optim.batch_size, optim.drop_last);
        let steps_per_epoch = batches.div_ceil(optim.accumulate as u64);
        let total_steps = config.epochs.saturating_mul(steps_per_epoch).min(config.max_steps.unwrap_or(u64::MAX));
        let [_, height, width] = model.image_shape();
        let by_shape = match height * width {
            1 => DensityLoss::Nats { log_scale: 0.0 },
            _ => DensityLoss::BitsPerDim { levels: 256 },
        };
        let loss = Loss::new(config.task, config.density.unwrap_or(by_shape));
        let timeline = Timeline { total_steps, steps_per_epoch: steps_per_epoch as f64 };
        let trainer = Trainer::new(optim, config.log_det.clone(), loss, config.seed, timeline);
        Self { config, data, validation, loss, trainer, total_steps, skipped_in_a_row: 0, best: None, worse: 0 }
    }

    /// The model with data-dependent initial values from the first batch.
    fn initialized(&mut self, mut model: ResidualFlow) -> Result<ResidualFlow, TrainingError> {
        let OptimConfig { batch_size, drop_last, .. } = self.config.optim;
        let first = self.data.epoch(self.config.seed, 0, batch_size, drop_last).next();
        let first = first.transpose().map_err(TrainingError::Data)?;
        if let Some(samples) = first {
            let noise = noise::initial_weights(self.config.seed);
            let padded = model.pad(samples.x, &mut noise.stream(1))?;
            model.initialize(padded.input)?;
        }
        Ok(model)
    }

    /// A pass over the training data; whether there is to be another.
    fn epoch(
        &mut self,
        mut model: ResidualFlow,
        epoch: u64,
        observer: &mut dyn Observer,
    ) -> Result<(ResidualFlow, bool), TrainingError> {
        let OptimConfig { batch_size, drop_last, accumulate, .. } = self.config.optim;
        let mut batches = self.data.epoch(self.config.seed, epoch, batch_size, drop_last);
        loop {
            let micro_batches = batches.by_ref().take(accumulate).collect::<Result<Vec<_>, _>>().map_err(TrainingError::Data)?;
            if micro_batches.is_empty() {
                return Ok((model, self.trainer.steps() < self.total_steps));
            }
            let (after, outcome) = self.trainer.step(model, micro_batches)?;
            model = after;
            let step = self.trainer.steps();
            let flow = match &outcome {
                StepOutcome::Made(stats) => {
                    self.skipped_in_a_row = 0;
                    observer.on(&Event::Step { step, epoch, stats })
                }
                StepOutcome::Skipped(fault) => {
                    self.skipped_in_a_row += 1;
                    if self.skipped_in_a_row > self.config.max_skipped_in_a_row {
                        return Err(TrainingError::Diverged { steps: self.skipped_in_a_row, fault: fault.clone() });
                    }
                    observer.on(&Event::Skipped { step, fault })
                }
            };
            if flow.is_break() || step >= self.total_steps {
                return Ok((model, false));
            }
        }
    }

    /// Evaluates the averaged weights, and keeps them if they are the best; whether training is to go on.
    fn evaluate(&mut self, model: &ResidualFlow, epoch: u64, observer: &mut dyn Observer) -> Result<bool, TrainingError> {
        let Some(validation) = &self.validation else { return Ok(true) };
        let ready = self.trainer.average(model).clone().with_converged_constraint(Convergence::Estimate)?;
        let loss = self.validation_loss(&ready, validation)?;
        let step = self.trainer.steps();
        if !loss.is_finite() {
            return Err(TrainingError::Validation { steps: step, loss });
        }
        let evaluation = Evaluation { step, epoch, loss };
        let is_best = self.best.as_ref().is_none_or(|(best, _)| loss < best.loss);
        self.worse = if is_best { 0 } else { self.worse + 1 };
        if is_best {
            self.best = Some((evaluation, ready));
        }
        let is_patient = self.config.patience == 0 || self.worse < self.config.patience;
        Ok(observer.on(&Event::Evaluated { evaluation, is_best }).is_continue() && is_patient)
    }

    fn validation_loss(&self, model: &ResidualFlow, validation: &Samples) -> Result<f64, TrainingError> {
        let (n, size) = (validation.count(), self.config.optim.batch_size);
        let mut total = 0.0;
        for (index, begin) in (0..n).step_by(size).enumerate() {
            let count = size.min(n - begin);
            let samples = validation.narrow(begin, count);
            let (x, model) = (samples.x.clone(), samples.condition(model)?);
            let noise = noise::evaluation(self.config.seed, index);
            let context = LogDetContext { config: &self.config.evaluation_log_det, noise };
            let of_samples = match self.config.task.kind {
                TaskKind::Classification => {
                    let padded = model.pad(x, &mut context.padding_stream())?;
                    let logits = model.logits(padded.input)?;
                    let classified = super::Classified::new(&logits, samples.labels()?)?;
                    classified.cross_entropy.into_iter().map(|nats| -nats).collect()
                }
                TaskKind::Density | TaskKind::Hybrid => {
                    let log_prob = model.log_prob_with(x, &context)?.total();
                    TrainingError::read("log-densities", log_prob)?.into_iter().map(f64::from).collect::<Vec<f64>>()
                }
            };
            total += of_samples.iter().sum::<f64>();
        }
        Ok(self.loss.value(total / n as f64, model.dimensions()))
    }

    fn finish(self, model: &ResidualFlow) -> Result<Fitted, TrainingError> {
        let steps = self.trainer.steps();
        match self.best {
            Some((evaluation, model)) => Ok(Fitted { model, best: Some(evaluation), steps }),
            None => {
                let model = self.trainer.average(model).clone().with_converged_constraint(Convergence::Estimate)?;
                Ok(Fitted { model, best: None, steps })
            }
        }
    }
}
