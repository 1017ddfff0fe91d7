//! The training loop.

mod between_steps;
mod saving;
mod start;

pub use start::initial_model;

use crate::checkpoint::retention::Checkpoints;
use crate::checkpoint::state::{Fingerprints, Reached, RunLog, TrainingState};
use crate::config::{Config, Source};
use crate::data::loss_unit::LossUnit;
use crate::data::{DataSet, PREFETCH_DEPTH, Splits};
use crate::directory::RunDir;
use crate::monitoring::costs::Costs;
use crate::monitoring::watch::Warning;
use crate::reporting::journal::{Journal, Listener};
use crate::reporting::metrics::{TimingRecord, TrainingRecord, WarningRecord};
use crate::reporting::pictures::showcase::Showcase;
use crate::reporting::progress::{Progress, Stage, Work, duration, rate};
use crate::run::plan::{Plan, forecast};
use crate::run::summary::Summary;
use crate::system::memory::{Phase, during};
use crate::system::signals::{Stop, is_interruption};
use crate::system::stopwatch::Stopwatch;
use crate::training::parallel::ProcessGroup;
use crate::training::position::Position;
use anyhow::{Result, bail};
use burn::tensor::Device;
use datasets::io::console::note;
use datasets::{Prefetch, Split};
use residual_flows::state::NamedTensor;
use residual_flows::training::Fault;
use residual_flows::training::Samples;
use residual_flows::training::{StepOutcome, StepStats, Trainer};
use residual_flows::{Monitor, ResidualFlow};
use std::sync::Arc;
use std::time::Instant;

/// A run in progress, all but the model.
struct Fit<'a> {
    config: &'a Config,
    dir: &'a RunDir,
    device: Device,
    group: Arc<ProcessGroup>,
    train: DataSet,
    /// Checkpoints are chosen by it.
    selection: DataSet,
    /// What that is.
    selects_by: Split,
    test: DataSet,
    /// The averaged weights that were the best so far, and the steps made with them; `None` if they are only in a file.
    best: Option<(u64, ResidualFlow)>,
    /// On which the layers are measured.
    probes: Samples,
    total_steps: u64,
    position: Position,
    trainer: Trainer,
    showcase: Showcase,
    checkpoints: Checkpoints,
    journal: Journal<'a>,
    log: RunLog,
    clock: Clock,
    last_fault: Option<Fault>,
    /// Of the models that are trained and used here.
    monitors: Monitors,
    /// Of a micro-batch.
    step_costs: Costs,
    /// Whether there is more to save than was saved last.
    unsaved: bool,
    /// The vectors of power iteration of the averaged weights as they are, after their constraint has converged; none before.
    converged: Vec<NamedTensor>,
    fingerprints: Fingerprints,
}

/// What follows computations and stops them.
struct Monitors {
    stop: Stop,
    /// Of steps. Those that several processes make together are finished: one that left would not be there for the others' sums.
    steps: Monitor,
    /// Of all else.
    others: Monitor,
}

impl Monitors {
    fn new(stop: &Stop, group: &ProcessGroup) -> Self {
        let others = Monitor::new(stop.flag());
        let steps = if group.size() > 1 { Monitor::new(Arc::default()) } else { Monitor::new(stop.flag()) };
        Self { stop: stop.clone(), steps, others }
    }
}

/// Time spent in this process.
struct Clock {
    start: Instant,
    saved: Instant,
    /// At the last record, with the samples since then.
    logged_seconds: f64,
    samples: usize,
    waiting: f64,
    /// In evaluations.
    evaluation: Stopwatch,
    /// In records of all kinds and the measurements of layers for them.
    logging: Stopwatch,
    /// In pictures.
    pictures: Stopwatch,
    /// While training stood still for a checkpoint.
    saving: Stopwatch,
    /// The first steps, until it has been said how long all will take.
    first_steps: Option<FirstSteps>,
}

/// Steps by which the time of all is foretold: those after the first one, which is slower.
#[derive(Default)]
struct FirstSteps {
    made: u64,
    seconds: f64,
}

/// Steps, and seconds, after which it is said how long all steps will take.
const FIRST_STEPS: u64 = 3;
const FIRST_SECONDS: f64 = 3.0;

impl Clock {
    /// Starts now, in a run that has trained for some time.
    fn start(training_seconds: f64) -> Self {
        let now = Instant::now();
        let none = Stopwatch::default();
        Self {
            start: now,
            saved: now,
            logged_seconds: training_seconds,
            samples: 0,
            waiting: 0.0,
            evaluation: none,
            logging: none,
            pictures: none,
            saving: none,
            first_steps: Some(FirstSteps::default()),
        }
    }
}

/// What training starts with.
pub struct Start {
    /// The settings, and where they come from.
    pub config: Config,
    /// See [`Config::load`].
    pub source: Source,
    /// All that there are.
    pub data: Splits,
    /// Where to compute.
    pub device: Device,
    /// The processes that train together.
    pub group: Arc<ProcessGroup>,
    /// Where everything is written.
    pub dir: RunDir,
    /// Where a run goes on, if it has begun before.
    pub state: Option<TrainingState>,
    /// Whether its last checkpoint is as the state is.
    pub is_saved: bool,
    /// What there is to say before the first step, a line each: what was chosen, and what the run takes
    /// ([`footprint::Run::check`](crate::run::footprint::Run::check)).
    pub notes: Vec<String>,
    /// Who hears what the run records, in the place of lines on standard error.
    pub listener: Option<Listener>,
}

/// Trains as configured, and writes everything into the run's directory; from the beginning, or on from a state.
///
/// Once a stop is requested, whatever is computed is left, the run saved as it was before that, and the function returns; a
/// step that several processes make together is finished first.
///
/// # Errors
/// If data cannot be read, do not fit the configuration, training breaks down numerically, a file cannot be written, or a
/// process that trains with this one is lost.
pub fn fit(mut start: Start, stop: &Stop) -> Result<Summary> {
    let state = start.state.take();
    let is_new = state.is_none();
    let is_told = start.group.is_root() && start.listener.is_none();
    let mut progress = Progress::new().seen(is_told);
    let (mut model, mut fit) = match state {
        None => Fit::begin(&start, stop, &mut progress)?,
        Some(state) => Fit::resume(&start, state, stop, &mut progress)?,
    };
    if is_told {
        start.notes.iter().for_each(note);
        Plan::new(&model, fit.trainer.steps(), fit.total_steps).lines(&start.config, &start.data.train).iter().for_each(note);
    }
    fit.journal.begin(fit.trainer.steps(), fit.total_steps);
    let (group, train) = (&start.group, start.data.train.batches.clone());
    let position = fit.position;
    let mut batches = Prefetch::train_parts(train, group.part(), position.epoch, position.batch as usize, PREFETCH_DEPTH);
    fit.answer_signals(None);
    if is_new {
        fit.save_now(&model)?;
    }
    let steps = progress.stage("", Work::steps(fit.total_steps, fit.trainer.steps()));
    let drawn = fit.draw_start(&model, &mut progress);
    fit.or_save(&model, unless_interrupted(drawn))?;
    loop {
        if fit.log.pending {
            let worked = fit.work_between_steps(&model, &mut progress);
            fit.or_save(&model, unless_interrupted(worked))?;
        }
        let stops = group.any(!fit.goes_on() || stop.is_requested()).map_err(Into::into);
        if fit.or_save(&model, stops)? {
            break;
        }
        let micro_batches = fit.micro_batches(&mut batches);
        let micro_batches = fit.or_save(&model, micro_batches)?;
        let made = fit.step(model.clone(), micro_batches, &mut progress, &steps);
        if made.as_ref().is_err_and(is_interruption) {
            break;
        }
        model = fit.or_save(&model, made)?;
        let limit = fit.check_skipped();
        fit.or_save(&model, limit)?;
        if fit.save_is_due()? {
            fit.save_now(&model)?;
        }
    }
    drop((batches, steps));
    let saving = progress.stage("saving the run", Work::unknown());
    if fit.unsaved {
        fit.save_now(&model)?;
    }
    fit.clock.saving.time(|| fit.checkpoints.finish())?;
    drop((saving, progress));
    fit.summary()
}

/// Nothing, if an error only says that the work was stopped.
fn unless_interrupted(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if is_interruption(&error) => Ok(()),
        other => other,
    }
}

/// Whether something that is done every `n` epochs or steps is to be done; 0: never.
fn due(epoch: u64, every: u64) -> bool {
    every > 0 && epoch.is_multiple_of(every)
}

impl Fit<'_> {
    fn goes_on(&self) -> bool {
        let in_time = self.config.run.max_seconds.is_none_or(|most| self.log.training_seconds < most);
        in_time && self.trainer.steps() < self.total_steps && !self.log.selection.is_out_of_patience(self.config.run.patience)
    }

    /// Whether checkpoints are chosen by other samples than those for testing.
    fn has_validation(&self) -> bool {
        self.selects_by == Split::Validation
    }

    /// Whether an epoch ended in the last step: then no more of the next one was used than the step took.
    fn has_ended_epoch(&self) -> bool {
        self.position.epoch > 0 && self.position.batch < self.config.optim.accumulate as u64
    }

    /// What a signal is answered with from now on; of several processes' steps, how long the last one took.
    fn answer_signals(&self, seconds: Option<f64>) {
        let time = seconds.map_or_else(String::new, |seconds| format!(", at most {}", duration(seconds.ceil())));
        self.monitors.stop.answer_with(match self.group.size() {
            1 => "stopping: leaving what is being computed, and saving the run as it was before".to_string(),
            _ => format!("stopping after this step{time}, and saving the run"),
        });
    }

    /// [`save`](Self::save), after which there is nothing more to save.
    fn save_now(&mut self, model: &ResidualFlow) -> Result<()> {
        self.unsaved = false;
        self.save(model)
    }

    /// A step with these images.
    ///
    /// # Errors
    /// If it cannot be made, or was stopped: nothing has changed then.
    fn step(
        &mut self,
        model: ResidualFlow,
        micro_batches: Vec<Samples>,
        progress: &mut Progress,
        steps: &Stage,
    ) -> Result<ResidualFlow> {
        let begin = Instant::now();
        let name = format!("step {}", self.trainer.steps() + 1);
        let stage = progress.stage(name, Work::layers(&self.monitors.steps, &self.step_costs, micro_batches.len()));
        let (epoch, n_batches) = (self.position.epoch, micro_batches.len());
        let n_samples: usize = micro_batches.iter().map(Samples::count).sum();
        self.trainer.set_alarm(self.log.watch.alarm());
        let (model, outcome) = during(Phase::Training, || self.trainer.step(model, micro_batches))?;
        drop(stage);
        self.unsaved = true;
        (0..n_batches).for_each(|_| self.position.advance());
        self.clock.samples += n_samples * self.group.size();
        self.clock.waiting += self.trainer.times().waiting.as_secs_f64();
        let seconds = self.group.broadcast(begin.elapsed().as_secs_f64())?;
        self.log.training_seconds += seconds;
        self.foretell(seconds, progress);
        if self.group.size() > 1 {
            self.answer_signals(Some(seconds));
        }
        let is_made = matches!(outcome, StepOutcome::Made(_));
        match outcome {
            StepOutcome::Made(stats) => {
                // What was found out about the weights before this step says nothing of those after it.
                (self.log.evaluated, self.log.tested, self.converged) = (None, None, Vec::new());
                self.log.skipped_in_a_row = 0;
                if self.log.parameters == 0 {
                    self.log.parameters = self.trainer.n_parameters(&model);
                }
                self.write_records(epoch, &stats, steps)?;
                if let Some(warning) = self.log.watch.step(&stats) {
                    self.warn(&warning, progress)?;
                }
            }
            StepOutcome::Skipped(fault) => {
                self.log.skipped_steps += 1;
                self.log.skipped_in_a_row += 1;
                self.warn(&Warning::from(&fault), progress)?;
                self.last_fault = Some(fault);
            }
        }
        let (run, step) = (&self.config.run, self.trainer.steps());
        let is_due = is_made && [run.evaluate_every_steps, run.sample_every_steps].into_iter().any(|every| due(step, every));
        self.log.pending = self.position.epoch > epoch || is_due || !self.goes_on();
        self.log.reached = Reached::Nothing;
        Ok(model)
    }

    /// Says once how long all steps will take, after the first ones.
    fn foretell(&mut self, seconds: f64, progress: &Progress) {
        let Some(first) = &mut self.clock.first_steps else { return };
        // The first one in a process prepares what all use.
        first.seconds += if first.made > 0 { seconds } else { 0.0 };
        first.made += 1;
        if first.made > FIRST_STEPS && first.seconds >= FIRST_SECONDS {
            let left = self.total_steps.saturating_sub(self.trainer.steps());
            progress.line(&forecast(first.made - 1, first.seconds, left));
            self.clock.first_steps = None;
        }
    }

    /// # Errors
    /// If too many steps in a row were skipped.
    fn check_skipped(&mut self) -> Result<()> {
        let skipped = self.log.skipped_in_a_row;
        if skipped <= self.config.run.max_skipped_in_a_row {
            return Ok(());
        }
        // For the run that goes on, with other settings.
        self.log.skipped_in_a_row = 0;
        let fault = self.last_fault.take().map_or(String::new(), |fault| fault.to_string());
        bail!(
            "{skipped} steps in a row were skipped, in the last one {fault}; lower optim.learning_rate or take an earlier checkpoint"
        )
    }

    fn warn(&mut self, warning: &Warning, progress: &Progress) -> Result<()> {
        let step = self.trainer.steps();
        progress.line(&format!("warning: step {step}: {warning}"));
        let record = WarningRecord {
            step,
            epoch: self.position.epoch,
            warning: &warning.text,
            layer: warning.layer.as_deref(),
            skipped_steps: self.log.skipped_steps,
        };
        self.clock.logging.time(|| self.journal.warning(&record))
    }

    /// The images of a step, no more than are left of the last epoch.
    fn micro_batches(&self, batches: &mut Prefetch) -> Result<Vec<Samples>> {
        let left = self.position.batches_until(self.config.run.epochs);
        let n = left.min(self.config.optim.accumulate as u64);
        batches.take(n as usize).map(|batch| Ok(self.train.samples(batch?, &self.device))).collect()
    }

    fn write_records(&mut self, epoch: u64, stats: &StepStats, steps: &Stage) -> Result<()> {
        let &StepStats { loss, log_pz, log_det, classes, gradient_norm, max_lipschitz, learning_rate, .. } = stats;
        let step = self.trainer.steps();
        let running = self.log.running_loss.map_or(loss, |mean| 0.97 * mean + 0.03 * loss);
        self.log.running_loss = Some(running);
        let (kind, clock, seconds) = (&self.selection.kind, &mut self.clock, self.log.training_seconds);
        let per_second = clock.samples as f64 / (seconds - clock.logged_seconds);
        steps.set(step, format!("epoch {epoch}, {} {}/s, {running:.4} {}", rate(per_second), kind.noun(), kind.unit()));
        if step.is_multiple_of(self.config.run.log_every_steps) || step == 1 || step == self.total_steps {
            let beside_the_loss = kind.loss_unit() != LossUnit::CrossEntropy;
            let cross_entropy = classes.filter(|_| beside_the_loss).map(|classes| classes.cross_entropy);
            let accuracy = classes.map(|classes| classes.accuracy);
            let loss = kind.named("", loss);
            let record = TrainingRecord {
                step,
                epoch,
                loss,
                log_pz,
                log_det,
                cross_entropy,
                accuracy,
                gradient_norm,
                max_lipschitz,
                learning_rate,
            };
            let speed = kind.named_speed(per_second);
            let waiting_fraction = (self.group.size() > 1).then(|| clock.waiting / (seconds - clock.logged_seconds));
            let timing = TimingRecord { step, elapsed_seconds: seconds, speed, waiting_fraction };
            clock.logging.time(|| self.journal.training(&record, &timing))?;
            (clock.logged_seconds, clock.samples, clock.waiting) = (seconds, 0, 0.0);
        }
        Ok(())
    }
}
