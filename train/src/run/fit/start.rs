//! How a run begins, or goes on.

use super::{Clock, Fit, Monitors, Start};
use crate::checkpoint::retention::Checkpoints;
use crate::checkpoint::state::{Description, Fingerprints, RunLog, TrainingState};
use crate::config::{Config, Source};
use crate::data::{self, DataSet, Splits, tensor};
use crate::directory::RunDir;
use crate::monitoring::costs::Costs;
use crate::reporting::journal::Journal;
use crate::reporting::pictures::showcase::Showcase;
use crate::reporting::progress::{Progress, Work};
use crate::run::footprint;
use crate::run::session::Session;
use crate::system::signals::Stop;
use crate::training::parallel::{ProcessGroup, TrainingGroup};
use crate::training::position::Position;
use crate::training::trainer;
use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, Tensor};
use residual_flows::optim::Timeline;
use residual_flows::training::noise;
use residual_flows::{Monitor, ResidualFlow};
use std::path::Path;
use std::sync::Arc;

impl Start {
    /// A new run: opens the data, checks that all fits, and makes the directory, before any work.
    ///
    /// # Errors
    /// If the data cannot be read, settings, data and memory do not fit each other, or the directory cannot be used.
    pub fn new(
        mut config: Config,
        source: Source,
        device: Device,
        group: &Arc<ProcessGroup>,
        out: &Path,
        replaces: bool,
        progress: &mut Progress,
    ) -> Result<Self> {
        let stage = progress.stage("opening the data", Work::unknown());
        let (data, chosen) = data::open_new(&mut config, &source)?;
        drop(stage);
        config.validate_scales(data.train.shape(), &source)?;
        let memory = footprint::Run { config: &config, source: &source, data: &data, group }.check()?;
        let dir = if group.is_root() { RunDir::create(out, &config, replaces)? } else { RunDir::of_another(out) };
        let (group, notes) = (group.clone(), [chosen, vec![memory]].concat());
        Ok(Self { config, source, data, device, group, dir, state: None, is_saved: false, notes, listener: None })
    }
}

impl<'a> Fit<'a> {
    /// At the beginning, with a new model.
    pub fn begin(start: &'a Start, stop: &Stop, progress: &mut Progress) -> Result<(ResidualFlow, Self)> {
        let Start { config, source, data: Splits { train, .. }, group, .. } = start;
        let monitors = Monitors::new(stop, group);
        let initial = Initial { config, source, train, device: &start.device, monitor: &monitors.steps };
        let model = initial.random(progress)?;
        let model = initial.initialized(model, progress)?;
        let fit = Self::new(start, Position::new(0, 0, train), 0, RunLog::default(), &model, monitors)?;
        Ok((model, fit))
    }

    /// Where a checkpoint was made.
    pub fn resume(start: &'a Start, state: TrainingState, stop: &Stop, progress: &mut Progress) -> Result<(ResidualFlow, Self)> {
        let monitors = Monitors::new(stop, &start.group);
        let stage = progress.stage("building the model", Work::unknown());
        let [mut model, average] = state.models(&start.device)?;
        drop(stage);
        model.set_monitor(&monitors.steps);
        let TrainingState { description: Description { step, epoch, batch, .. }, optimizer, log, converged, .. } = state;
        let mut fit = Self::new(start, Position::new(epoch, batch, &start.data.train), step, log, &model, monitors)?;
        fit.trainer.restore(step, &optimizer, &model, average)?;
        fit.converged = converged;
        Ok((model, fit))
    }

    fn new(
        start: &'a Start,
        position: Position,
        step: u64,
        log: RunLog,
        model: &ResidualFlow,
        monitors: Monitors,
    ) -> Result<Self> {
        let Start { config, dir, device, group, data, source, .. } = start;
        let (train, selection) = (&data.train, data.selection());
        every_process_has_samples(source, config, train, group)?;
        let left = position.batches_until(config.run.epochs).div_ceil(config.optim.accumulate as u64);
        let total_steps = config.run.max_steps.unwrap_or(u64::MAX).min(step.saturating_add(left));
        let steps_per_epoch = position.batches_per_epoch as f64 / config.optim.accumulate as f64;
        let timeline = Timeline { total_steps, steps_per_epoch };
        let probes = selection.samples(selection.batches.eval_batch(0)?, device);
        let journal = if group.is_root() {
            Session::begin(step, group.size()).record(dir)?;
            Journal::open(config, selection.kind.clone(), dir, step, &log)?.heard_by(start.listener.clone())
        } else {
            Journal::of_another(selection.kind.clone(), dir)
        };
        Ok(Self {
            trainer: trainer(config, &selection.kind, timeline).with_group(Arc::new(TrainingGroup(group.clone()))),
            showcase: Showcase::new(config, selection, device)?,
            checkpoints: Checkpoints::new(
                dir.root(),
                config.checkpoint.keep,
                config.run.keep_best,
                log.best.clone(),
                dir.written().clone(),
            ),
            journal,
            clock: Clock::start(log.training_seconds),
            probes,
            config,
            dir,
            device: device.clone(),
            group: group.clone(),
            selection: selection.clone(),
            selects_by: data.selects_by(),
            train: data.train.clone(),
            test: data.test.clone(),
            best: None,
            total_steps,
            position,
            log,
            last_fault: None,
            monitors,
            step_costs: Costs::gradient(model, products(config, model)),
            unsaved: !start.is_saved,
            converged: Vec::new(),
            fingerprints: Fingerprints::of(data),
        })
    }
}

/// A model with random weights, ActNorm initialised from the whole first batch, in all processes alike.
///
/// # Errors
/// If the batch cannot be read, or does not fit the configuration.
pub fn initial_model(
    config: &Config,
    source: &Source,
    train: &DataSet,
    device: &Device,
    progress: &mut Progress,
) -> Result<ResidualFlow> {
    let initial = Initial { config, source, train, device, monitor: &Monitor::new(Default::default()) };
    let model = initial.random(progress)?;
    initial.initialized(model, progress)
}

/// Numbers from which a model that whitens is initialised, if the training data have so many.
const WHITENED_NUMBERS: usize = 100_000;

/// What a new model is made for.
struct Initial<'a> {
    config: &'a Config,
    source: &'a Source,
    train: &'a DataSet,
    device: &'a Device,
    monitor: &'a Monitor,
}

impl Initial<'_> {
    /// A model with random weights.
    fn random(&self, progress: &mut Progress) -> Result<ResidualFlow> {
        let &Self { config, source, train, device, monitor } = self;
        let blocks = config.model.n_blocks(train.shape());
        let stage = progress.stage("building the model", Work::layers(monitor, &Costs::equal(blocks), 1));
        let noise = noise::initial_weights(config.run.seed);
        let model = config.model.init_monitored(train.shape(), &mut noise.stream(0), device, monitor);
        drop(stage);
        let mut model = model.with_context(|| source.place("model"))?;
        if let Some(known) = train.known.as_deref().filter(|_| model.context_columns() > 0) {
            let [mean, std] = known.units();
            model.set_context_units(&mean, &std)?;
        }
        Ok(model)
    }

    /// The whole first batch; of points that are to be whitened, so many batches that covariances are known well.
    fn first_samples(&self) -> Result<Tensor<4>> {
        let &Self { config, train: DataSet { batches, .. }, device, .. } = self;
        let first = batches.train_batch(0, 0)?;
        let enough = if config.model.whiten { WHITENED_NUMBERS / first.pixels.len().max(1) } else { 0 };
        let more = (1..batches.batches_per_epoch().min(enough)).map(|index| Ok(tensor(batches.train_batch(0, index)?, device)));
        let all = std::iter::once(Ok(tensor(first, device))).chain(more).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(all, 0))
    }

    /// The model with ActNorm initialised from the whole first batch.
    fn initialized(&self, mut model: ResidualFlow, progress: &mut Progress) -> Result<ResidualFlow> {
        let &Self { config, monitor, .. } = self;
        let stage = progress.stage("initialising", Work::layers(monitor, &Costs::forward(&model), 1));
        let first = self.first_samples()?;
        let padded = model.pad(first, &mut noise::initial_weights(config.run.seed).stream(1))?;
        model.initialize(padded.input)?;
        drop(stage);
        Ok(model)
    }
}

/// Products with a branch's Jacobian that a step expects to make.
fn products(config: &Config, model: &ResidualFlow) -> f64 {
    match config.task.kind.has_density() {
        true => config.log_det.train.expected_products(model.latent_dimensions()),
        false => 0.0,
    }
}

/// # Errors
/// If a batch has too few samples for each process to get one.
fn every_process_has_samples(source: &Source, config: &Config, train: &DataSet, group: &ProcessGroup) -> Result<()> {
    let (n, batch_size) = (train.batches.len(), train.batches.batch_size());
    let is_full = train.batches.batches_per_epoch() * batch_size <= n;
    let fewest = if is_full { batch_size } else { n % batch_size };
    ensure!(
        fewest >= group.size(),
        "{}: with `optim.batch_size` {}, an epoch has a batch of {fewest}, too few for {} processes to have a part each; change \
         it, or set optim.drop_last = true",
        source.place("optim.batch_size"),
        config.optim.batch_size,
        group.size()
    );
    Ok(())
}
