//! How a run begins, or goes on.

use super::{Clock, Fit};
use crate::config::{Config, Source};
use crate::data::{DataSet, tensor};
use crate::journal::Journal;
use crate::noise;
use crate::position::Position;
use crate::retention::Checkpoints;
use crate::run_dir::RunDir;
use crate::schedule::Timeline;
use crate::session::Session;
use crate::showcase::Showcase;
use crate::state::{Description, RunLog, TrainingState};
use crate::step::Stepper;
use anyhow::{Context, Result};
use burn::tensor::Device;
use residual_flows::ResidualFlow;
use std::time::Instant;

impl<'a> Fit<'a> {
    /// At the beginning, with a new model.
    pub fn begin(
        config: &'a Config,
        source: &Source,
        dir: &'a RunDir,
        train: &DataSet,
        test: DataSet,
        device: Device,
    ) -> Result<(ResidualFlow, Self)> {
        let model = initial_model(config, source, train, &device)?;
        let position = Position::new(0, 0, train);
        let fit = Self::new(config, dir, test, device, position, 0, RunLog::default())?;
        Ok((model, fit))
    }

    /// Where a checkpoint was made.
    pub fn resume(
        config: &'a Config,
        dir: &'a RunDir,
        train: &DataSet,
        test: DataSet,
        device: Device,
        state: TrainingState,
    ) -> Result<(ResidualFlow, Self)> {
        let [model, average] = state.models(&device)?;
        let TrainingState { description: Description { step, epoch, batch, .. }, optimizer, log, .. } = state;
        let position = Position::new(epoch, batch, train);
        let mut fit = Self::new(config, dir, test, device, position, step, log)?;
        fit.stepper.restore(step, &optimizer, &model, average)?;
        Ok((model, fit))
    }

    fn new(
        config: &'a Config,
        dir: &'a RunDir,
        test: DataSet,
        device: Device,
        position: Position,
        step: u64,
        log: RunLog,
    ) -> Result<Self> {
        let left = position.batches_until(config.run.epochs).div_ceil(config.optim.accumulate as u64);
        let total_steps = config.run.max_steps.unwrap_or(u64::MAX).min(step + left);
        let steps_per_epoch = position.batches_per_epoch as f64 / config.optim.accumulate as f64;
        let timeline = Timeline { total_steps, steps_per_epoch };
        let probes = tensor(test.batches.eval_batch(0)?, &device);
        let now = Instant::now();
        Session::begin(step).record(dir)?;
        Ok(Self {
            stepper: Stepper::new(config, test.kind.clone(), timeline),
            showcase: Showcase::new(config, &test, &device)?,
            checkpoints: Checkpoints::new(
                dir.file("checkpoints"),
                config.checkpoint.keep,
                config.run.keep_best,
                log.best.clone(),
            ),
            journal: Journal::open(config, test.kind.clone(), dir, step, &log)?,
            clock: Clock { start: now, saved: now, logged_seconds: log.training_seconds, samples: 0 },
            probes,
            config,
            dir,
            device,
            test,
            total_steps,
            position,
            log,
            last_fault: None,
        })
    }
}

/// A model with random weights, ActNorm initialised from the first batch.
///
/// # Errors
/// If the batch cannot be read, or does not fit the configuration.
pub fn initial_model(config: &Config, source: &Source, train: &DataSet, device: &Device) -> Result<ResidualFlow> {
    let first = tensor(train.batches.train_batch(0, 0)?, device);
    let noise = noise::initial_weights(config.run.seed);
    let model = config.model.init(train.shape(), &mut noise.stream(0), device);
    let mut model = model.with_context(|| source.place("model"))?;
    let padded = model.pad(first, &mut noise.stream(1))?;
    model.initialize(padded.input)?;
    Ok(model)
}
