//! How a run begins, or goes on.

use super::{Clock, Fit, Start};
use crate::config::{Config, Source};
use crate::data::{DataSet, tensor};
use crate::journal::Journal;
use crate::noise;
use crate::parallel::Team;
use crate::position::Position;
use crate::retention::Checkpoints;
use crate::schedule::Timeline;
use crate::session::Session;
use crate::showcase::Showcase;
use crate::state::{Description, RunLog, TrainingState};
use crate::step::Stepper;
use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use residual_flows::ResidualFlow;

impl<'a> Fit<'a> {
    /// At the beginning, with a new model.
    pub fn begin(start: &'a Start) -> Result<(ResidualFlow, Self)> {
        let Start { config, source, device, data: [train, _], .. } = start;
        let model = random_model(config, source, train, device)?;
        let model = initialized(model, config, train, device)?;
        Ok((model, Self::new(start, Position::new(0, 0, train), 0, RunLog::default())?))
    }

    /// Where a checkpoint was made.
    pub fn resume(start: &'a Start, state: TrainingState) -> Result<(ResidualFlow, Self)> {
        let [model, average] = state.models(&start.device)?;
        let TrainingState { description: Description { step, epoch, batch, .. }, optimizer, log, .. } = state;
        let mut fit = Self::new(start, Position::new(epoch, batch, &start.data[0]), step, log)?;
        fit.stepper.restore(step, &optimizer, &model, average)?;
        Ok((model, fit))
    }

    fn new(start: &'a Start, position: Position, step: u64, log: RunLog) -> Result<Self> {
        let Start { config, dir, device, team, data: [train, test], source, .. } = start;
        every_process_has_samples(source, config, train, team)?;
        let left = position.batches_until(config.run.epochs).div_ceil(config.optim.accumulate as u64);
        let total_steps = config.run.max_steps.unwrap_or(u64::MAX).min(step.saturating_add(left));
        let steps_per_epoch = position.batches_per_epoch as f64 / config.optim.accumulate as f64;
        let timeline = Timeline { total_steps, steps_per_epoch };
        let probes = tensor(test.batches.eval_batch(0)?, device);
        let journal = if team.is_first() {
            Session::begin(step, team.size()).record(dir)?;
            Journal::open(config, test.kind.clone(), dir, step, &log)?
        } else {
            Journal::of_another(test.kind.clone(), dir)
        };
        Ok(Self {
            stepper: Stepper::new(config, test.kind.clone(), timeline).with_team(team.clone()),
            showcase: Showcase::new(config, test, device)?,
            checkpoints: Checkpoints::new(
                dir.file("checkpoints"),
                config.checkpoint.keep,
                config.run.keep_best,
                log.best.clone(),
            ),
            journal,
            clock: Clock::start(log.training_seconds),
            probes,
            config,
            dir,
            device: device.clone(),
            team: team.clone(),
            test: test.clone(),
            total_steps,
            position,
            log,
            last_fault: None,
        })
    }
}

/// A model with random weights, ActNorm initialised from the whole first batch, in all processes alike.
///
/// # Errors
/// If the batch cannot be read, or does not fit the configuration.
pub fn initial_model(config: &Config, source: &Source, train: &DataSet, device: &Device) -> Result<ResidualFlow> {
    initialized(random_model(config, source, train, device)?, config, train, device)
}

/// A model with random weights.
fn random_model(config: &Config, source: &Source, train: &DataSet, device: &Device) -> Result<ResidualFlow> {
    let noise = noise::initial_weights(config.run.seed);
    let model = config.model.init(train.shape(), &mut noise.stream(0), device);
    model.with_context(|| source.place("model"))
}

/// The model with ActNorm initialised from the whole first batch.
fn initialized(mut model: ResidualFlow, config: &Config, train: &DataSet, device: &Device) -> Result<ResidualFlow> {
    let first = tensor(train.batches.train_batch(0, 0)?, device);
    let padded = model.pad(first, &mut noise::initial_weights(config.run.seed).stream(1))?;
    model.initialize(padded.input)?;
    Ok(model)
}

/// # Errors
/// If a batch has too few samples for each process to get one.
fn every_process_has_samples(source: &Source, config: &Config, train: &DataSet, team: &Team) -> Result<()> {
    let (n, batch_size) = (train.batches.len(), train.batches.batch_size());
    let is_full = train.batches.batches_per_epoch() * batch_size <= n;
    let fewest = if is_full { batch_size } else { n % batch_size };
    ensure!(
        fewest >= team.size(),
        "{}: with `optim.batch_size` {}, an epoch has a batch of {fewest}, too few for {} processes to have a part each; change \
         it, or set optim.drop_last = true",
        source.place("optim.batch_size"),
        config.optim.batch_size,
        team.size()
    );
    Ok(())
}
