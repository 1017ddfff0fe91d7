//! How a run is saved, and what is said of it in the end.

use super::{Fit, due};
use crate::checkpoint::state::{Description, RunLog, TrainingState};
use crate::config::CheckpointConfig;
use crate::directory::BEST;
use crate::run::summary::{Results, Summary};
use crate::system;
use anyhow::{Result, anyhow};
use residual_flows::ResidualFlow;
use residual_flows::state::named_tensors;
use std::time::Instant;

impl Fit<'_> {
    /// Whether a setting asks for it now.
    pub fn save_is_due(&mut self) -> Result<bool> {
        let &CheckpointConfig { every_minutes, every_steps, .. } = &self.config.checkpoint;
        let idle = self.checkpoints.is_idle()?;
        let in_time = every_minutes > 0.0 && self.clock.saved.elapsed().as_secs_f64() >= 60.0 * every_minutes;
        Ok(due(self.trainer.steps(), every_steps) || in_time && idle)
    }

    /// Copies the run's state, to be written in the background.
    pub fn save(&mut self, model: &ResidualFlow) -> Result<()> {
        if !self.group.is_root() {
            return Ok(());
        }
        let begin = Instant::now();
        let saved = self.copy_state(model);
        self.clock.saving.add_since(begin);
        saved
    }

    fn copy_state(&mut self, model: &ResidualFlow) -> Result<()> {
        self.journal.mark(&mut self.log);
        self.log.best = self.checkpoints.best().to_vec();
        let state = TrainingState {
            description: Description {
                config: self.config.clone(),
                shape: model.image_shape(),
                kind: self.selection.kind.clone(),
                step: self.trainer.steps(),
                epoch: self.position.epoch,
                batch: self.position.batch,
                data: Some(self.fingerprints.clone()),
            },
            weights: named_tensors(model),
            average: named_tensors(self.trainer.average(model)),
            converged: self.converged.clone(),
            optimizer: self.trainer.optimizer_state(model),
            log: self.log.clone(),
        };
        self.clock.saved = Instant::now();
        self.checkpoints.save(state, self.journal.handles()?)
    }

    /// Also written to `summary.json`.
    pub fn summary(&self) -> Result<Summary> {
        let evaluated = self.log.evaluated;
        let log = RunLog { best: self.checkpoints.best().to_vec(), ..self.log.clone() };
        let results = Results::of(&log, &self.selection.kind, self.selects_by);
        let Results { test_loss, test_standard_error, validation_loss, validation_standard_error, best_loss, best_step } =
            results;
        let summary = Summary {
            finished: !self.goes_on() && evaluated.is_some() && !self.log.pending,
            stopped_early: self.log.selection.stop_reason(self.config.run.patience),
            test_loss,
            test_standard_error,
            validation_loss,
            validation_standard_error,
            best_loss,
            best_step,
            steps: self.trainer.steps(),
            epochs: self.position.epoch,
            parameters: self.log.parameters,
            seed: self.config.run.seed,
            training_seconds: self.log.training_seconds,
            evaluation_seconds: self.clock.evaluation.seconds(),
            picture_seconds: self.clock.pictures.seconds(),
            logging_seconds: self.clock.logging.seconds(),
            saving_seconds: self.clock.saving.seconds(),
            wall_seconds: self.clock.start.elapsed().as_secs_f64(),
            peak_memory_bytes: system::peak_memory_bytes(),
            checkpoint: self.checkpoints.last(),
            best_checkpoint: best_step.map(|_| self.dir.file(BEST)),
        };
        if self.group.is_root() {
            self.dir.write("summary.json", &format!("{}\n", serde_json::to_string_pretty(&summary)?))?;
        }
        Ok(summary)
    }

    /// A result; if it is an error, for which the run ends, what there is is saved first.
    ///
    /// # Errors
    /// The same, with word of what was saved.
    pub fn or_save<T>(&mut self, model: &ResidualFlow, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            let saved = self.save(model).and_then(|()| self.checkpoints.finish());
            let (step, last, dir) = (self.trainer.steps(), self.checkpoints.last(), self.dir.root().display());
            let end = match saved {
                Ok(()) => format!("the run ends after {step} steps, saved in {}", last.display()),
                Err(saving) => format!("the run ends after {step} steps, which could not be saved ({saving:#})"),
            };
            anyhow!("{error:#}\n{end}; when the cause is gone, go on with: train --resume {dir}")
        })
    }
}
