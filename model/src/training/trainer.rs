//! One optimiser step: from samples to new weights, without input and output.

use super::all_reduce::{AllReduce, SingleProcess};
use super::average::{Decay, WeightAverage};
use super::classification::ClassStats;
use super::error::{Fault, TrainingError};
use super::fault::{BrokenStep, layer_norms, overflow};
use super::gradient_sums::GradientSums;
use super::loss::{Loss, Measured, Share};
use super::samples::Samples;
use super::{noise, running_means};
use crate::flow::LogDetContext;
use crate::flows::FlowLayer;
use crate::gradients::Gradients;
use crate::log_det::LogDetConfig;
use crate::multiscale::ResidualFlow;
use crate::optim::{OptimConfig, Optimizer, OptimizerState, Schedule, Timeline, clip_factor};
use crate::parameters::visit_parameters;
use burn::module::ParamId;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What does the steps: loss, optimiser, learning rate and averaged weights.
///
/// A step is: the gradient of the mean loss of all micro-batches, its clipping, the optimiser's update, the Lipschitz constraint
/// of the new weights, and the average of the weights. All randomness follows from the seed and the step's number.
pub struct Trainer {
    optimizer: Optimizer,
    schedule: Schedule,
    average: WeightAverage<ResidualFlow>,
    log_det: LogDetConfig,
    clip_norm: f64,
    seed: u64,
    loss: Loss,
    norm_order_weight: f64,
    step: u64,
    trained: HashSet<ParamId>,
    times: StepTimes,
    alarm_norm: f64,
    group: Arc<dyn AllReduce>,
}

/// Steps from one fit of roulettes to the next, and the samples that they are fitted to at the most.
const ROULETTE_STEPS: u64 = 100;
const ROULETTE_SAMPLES: usize = 32;

/// What became of a step.
pub enum StepOutcome {
    /// The weights are new.
    Made(StepStats),
    /// The weights are as they were.
    Skipped(Fault),
}

/// What one step measured, all before the update of the weights except `max_lipschitz`.
#[derive(Clone, Debug, Default)]
pub struct StepStats {
    /// An unbiased estimate of the loss for the step's samples: see [`Loss::value`].
    pub loss: f64,
    /// Mean `ln p(z)`, nats.
    pub log_pz: f64,
    /// Mean estimate of `ln|det ∂z/∂x|`, nats.
    pub log_det: f64,
    /// How well classes are recognised, where they are learned.
    pub classes: Option<ClassStats>,
    /// Norm of all gradients together, before clipping.
    pub gradient_norm: f64,
    /// The largest estimated Lipschitz constant of a residual branch, after the update.
    pub max_lipschitz: f64,
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// The layer with the largest gradient and its norm, if the norm of all is above [`Trainer::set_alarm`].
    pub loudest_layer: Option<(String, f64)>,
}

/// Where the time of a step went.
#[derive(Clone, Copy, Debug, Default)]
pub struct StepTimes {
    /// Forward and backward through the model.
    pub gradients: Duration,
    /// Clipping and the update of the weights.
    pub optimizer: Duration,
    /// Power iterations.
    pub lipschitz: Duration,
    /// Averaging of the weights.
    pub average: Duration,
    /// Waiting for other processes, a part of the first.
    pub waiting: Duration,
}

/// Measures one part after the other.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the last lap.
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        let elapsed = now - self.0;
        self.0 = now;
        elapsed
    }
}

impl Trainer {
    /// For a run of this length; `log_det` is the estimator of its steps, and `seed` decides all their noise.
    pub fn new(optim: &OptimConfig, log_det: LogDetConfig, loss: Loss, seed: u64, timeline: Timeline) -> Self {
        Self {
            optimizer: Optimizer::new(optim),
            schedule: Schedule::new(optim, timeline),
            average: WeightAverage::new(Decay { rate: optim.ema_decay, warms_up: optim.ema_warmup.unwrap_or(false) }),
            log_det,
            clip_norm: optim.clip_norm,
            seed,
            loss,
            norm_order_weight: optim.norm_order_weight,
            step: 0,
            trained: HashSet::new(),
            times: StepTimes::default(),
            alarm_norm: f64::INFINITY,
            group: Arc::new(SingleProcess),
        }
    }

    /// Makes every step together with other processes, each with its own samples.
    pub fn with_group(self, group: Arc<dyn AllReduce>) -> Self {
        Self { group, ..self }
    }

    /// Above this norm of the gradient, [`StepStats::loudest_layer`] says which layer it comes from.
    pub fn set_alarm(&mut self, norm: f64) {
        self.alarm_norm = norm;
    }

    /// The optimiser's memory, for a checkpoint.
    pub fn optimizer_state(&self, model: &ResidualFlow) -> OptimizerState {
        self.optimizer.state(model)
    }

    /// Goes on from a checkpoint after this many steps, with its optimiser's memory and averaged weights.
    ///
    /// # Errors
    /// If the memory is another optimiser's, or does not fit the model.
    pub fn restore(
        &mut self,
        step: u64,
        optimizer: &OptimizerState,
        model: &ResidualFlow,
        average: ResidualFlow,
    ) -> Result<(), TrainingError> {
        self.step = step;
        // SGD does not count its steps in the reference implementation's checkpoints.
        if optimizer.steps > 0 || !optimizer.slots.is_empty() {
            self.optimizer.restore(optimizer, model)?;
            self.average = WeightAverage::restored(self.average.decay(), average);
        }
        Ok(())
    }

    /// Where the time of the last step went.
    pub fn times(&self) -> StepTimes {
        self.times
    }

    /// Steps made so far.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Numbers of the model that are trained, known after the first step.
    pub fn n_parameters(&self, model: &ResidualFlow) -> usize {
        let mut count = 0;
        visit_parameters(model, |_, parameter| {
            if self.trained.contains(&parameter.id()) {
                count += parameter.shape().iter().product::<usize>();
            }
        });
        count
    }

    /// Makes a step with the mean gradient of the samples in all micro-batches of all processes.
    ///
    /// If the loss, its gradient or the updated weights are not finite, the model and its average stay as they are.
    ///
    /// # Errors
    /// If samples do not fit the model, or a process is lost.
    pub fn step(
        &mut self,
        mut model: ResidualFlow,
        micro_batches: Vec<Samples>,
    ) -> Result<(ResidualFlow, StepOutcome), TrainingError> {
        let mut clock = Clock::start();
        self.fit_roulettes(&mut model, &micro_batches)?;
        let before = model.clone();
        let (mut gradients, mut stats, waiting) = self.gradients(&mut model, &micro_batches)?;
        let gradient_time = clock.lap();
        stats.gradient_norm = gradients.norm(&model);
        if !stats.loss.is_finite() || !stats.gradient_norm.is_finite() {
            let fault = self.fault(&before, &gradients, &micro_batches)?;
            self.step += 1;
            return Ok((before, StepOutcome::Skipped(fault)));
        }
        if stats.gradient_norm > self.alarm_norm {
            stats.loudest_layer = layer_norms(&model, &gradients).into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
        }
        let factor = clip_factor(stats.gradient_norm, self.clip_norm);
        if factor < 1.0 {
            gradients.scale(&model, factor);
        }
        // What norm orders descend is no part of the loss, and is not clipped.
        model.add_norm_order_gradients(self.norm_order_weight, &mut gradients);
        self.trained.extend(gradients.parameters());
        model = self.optimizer.step(stats.learning_rate, model, gradients);
        if !self.schedule.learns_concatenations(self.step) {
            model.reset_concatenations();
        }
        let optimizer_time = clock.lap();
        stats.max_lipschitz = model.update_lipschitz(&model.power_iteration()).into();
        let lipschitz_time = clock.lap();
        if let Some(fault) = overflow(&model) {
            self.step += 1;
            return Ok((before, StepOutcome::Skipped(fault)));
        }
        self.average.update(&model, &self.trained, self.step);
        self.times = StepTimes {
            gradients: gradient_time,
            optimizer: optimizer_time,
            lipschitz: lipschitz_time,
            average: clock.lap(),
            waiting,
        };
        self.step += 1;
        Ok((model, StepOutcome::Made(stats)))
    }

    /// Fits roulettes to the weights as they are, where a step is to have them.
    fn fit_roulettes(&self, model: &mut ResidualFlow, micro_batches: &[Samples]) -> Result<(), TrainingError> {
        let Some(samples) = micro_batches.first() else { return Ok(()) };
        if !self.log_det.is_fitted() || !self.step.is_multiple_of(ROULETTE_STEPS) {
            return Ok(());
        }
        let samples = samples.narrow(0, samples.count().min(ROULETTE_SAMPLES));
        let noise = noise::roulettes(self.seed, self.step, self.group.rank());
        let padded = model.pad(samples.x.clone(), &mut noise.stream(u64::MAX))?;
        let measured = samples.condition(model)?.measure_series(padded.input, &self.log_det, noise)?;
        let sums = self.group.all_reduce(measured).map_err(TrainingError::Group)?;
        let means: Vec<f64> = sums.into_iter().map(|sum| sum / self.group.size() as f64).collect();
        model.set_roulettes(&means, self.log_det.n_exact_terms);
        Ok(())
    }

    fn fault(&self, model: &ResidualFlow, gradients: &Gradients, micro_batches: &[Samples]) -> Result<Fault, TrainingError> {
        let &Self { seed, step, ref log_det, .. } = self;
        let process = self.group.rank();
        BrokenStep { model, gradients, micro_batches, log_det, seed, step, process }.fault()
    }

    /// The gradient of the mean loss, what was measured on the way, and the time waited for other processes. Moves the
    /// model's running means.
    fn gradients(
        &self,
        model: &mut ResidualFlow,
        micro_batches: &[Samples],
    ) -> Result<(Gradients, StepStats, Duration), TrainingError> {
        let counts = self.group.all_reduce(micro_batches.iter().map(|samples| samples.count() as f64).collect());
        let counts = counts.map_err(TrainingError::Group)?;
        let n_samples: f64 = counts.iter().sum();
        let mut gradients = Gradients::new();
        let mut sums = GradientSums::new(&*self.group);
        let mut sent = Ok(());
        let mut measured = Measured::default();
        for (index, samples) in micro_batches.iter().enumerate() {
            let fraction = samples.count() as f64 / n_samples;
            let noise = noise::training(self.seed, self.step, index, self.group.rank());
            let context = LogDetContext { config: &self.log_det, noise };
            let share = Share { context, fraction, log_det_weight: self.schedule.log_det_weight(self.step) };
            model.draw_dropout(samples.count(), noise);
            let is_last = index + 1 == micro_batches.len();
            let mut send = |layer: &FlowLayer, gradients: &Gradients| {
                if is_last && sent.is_ok() {
                    sent = sums.begin(layer, gradients);
                }
            };
            let of_batch = self.loss.add_gradient(model, samples, &share, &mut gradients, &mut send);
            model.clear_dropout();
            measured.add(&of_batch?, fraction);
            let padded = model.pad(samples.x.clone(), &mut share.context.padding_stream())?;
            let mut given = samples.condition(model)?.into_owned();
            given.update_batch_norm(padded.input)?;
            *model = running_means::averaged(&*self.group, given.without_context(), samples.count() as f64 / counts[index])?;
        }
        sent?;
        let arrived = Instant::now();
        sums.finish(model, &mut gradients)?;
        let Measured { log_pz, log_det, log_prob, classes } = measured.over(&*self.group)?;
        let waiting = arrived.elapsed();
        let stats = StepStats {
            loss: self.loss.value(log_prob, model.dimensions()),
            log_pz,
            log_det,
            classes,
            gradient_norm: 0.0,
            max_lipschitz: 0.0,
            learning_rate: self.schedule.at(self.step),
            loudest_layer: None,
        };
        Ok((gradients, stats, waiting))
    }

    /// The averaged weights as they are, to be stored; the model's own before the first step or without averaging.
    pub fn average<'a>(&'a self, model: &'a ResidualFlow) -> &'a ResidualFlow {
        self.average.module().unwrap_or(model)
    }
}
