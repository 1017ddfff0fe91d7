//! What is done where an epoch or the run ends.

use super::{Fit, due};
use crate::evaluate::{Evaluation, TestLoss};
use crate::layers;
use crate::metrics::EvaluationRecord;
use crate::progress::Progress;
use crate::state::Evaluated;
use crate::watch::Warning;
use anyhow::Result;
use residual_flows::ResidualFlow;
use std::sync::atomic::{AtomicBool, Ordering};

impl Fit<'_> {
    /// The evaluation and the pictures that are due where an epoch or the run ends, after which the run is saved; if
    /// interrupted, they remain due.
    pub fn work_between_epochs(&mut self, model: &ResidualFlow, progress: &mut Progress, interrupted: &AtomicBool) -> Result<()> {
        let (run, epoch, at_end) = (&self.config.run, self.position.epoch, !self.goes_on());
        if at_end || due(epoch, run.evaluate_every_epochs) {
            let Some(loss) = self.evaluate(model, progress, interrupted)? else { return Ok(()) };
            self.log.evaluated = Some(loss);
            let step = self.stepper.steps();
            self.checkpoints.rank(Evaluated { step, test_loss: loss.mean });
            self.measure_layers(model, progress)?;
        }
        if at_end {
            self.draw(model, "end", progress)?;
        } else if due(epoch, run.sample_every_epochs) {
            self.draw(model, &format!("epoch{epoch:05}"), progress)?;
        }
        self.log.pending = false;
        if self.log.evaluated.is_some() { self.save(model) } else { Ok(()) }
    }

    /// Evaluates the averaged weights; `None` if interrupted.
    fn evaluate(&mut self, model: &ResidualFlow, progress: &mut Progress, interrupted: &AtomicBool) -> Result<Option<TestLoss>> {
        let run = &self.config.run;
        let (task, log_det) = (self.config.task.kind, &self.config.log_det.eval);
        let evaluation = Evaluation { data: &self.test, task, log_det, seed: run.seed, limit: None, team: &self.team };
        let n = evaluation.n_samples();
        let (noun, unit) = (self.test.kind.noun(), self.test.kind.unit());
        let averaged = self.stepper.averaged_model(model);
        let go_on = |done, mean| {
            progress.note(&format!("evaluating: {done}/{n} {noun}, {mean:.4} {unit}"));
            !interrupted.load(Ordering::Relaxed)
        };
        let loss = self.clock.evaluation.time(|| evaluation.run(&averaged, &self.device, go_on))?;
        let Some(loss) = loss else { return Ok(None) };
        let (step, epoch) = (self.stepper.steps(), self.position.epoch);
        let TestLoss { mean, standard_error, classes, .. } = loss;
        let accuracy = classes.map_or_else(String::new, |classes| classes.described());
        progress.line(&format!("epoch {epoch}, step {step}: test {mean:.4} ± {standard_error:.4} {unit}{accuracy}"));
        let test_loss = self.test.kind.named("test_", mean);
        let record = EvaluationRecord { step, epoch, test_loss, standard_error, classes };
        self.clock.logging.time(|| self.journal.evaluation(&record))?;
        Ok(Some(loss))
    }

    /// Measures Lipschitz bounds and estimators of the averaged weights.
    fn measure_layers(&mut self, model: &ResidualFlow, progress: &Progress) -> Result<()> {
        if !self.team.is_first() {
            return Ok(());
        }
        let (config, step, epoch) = (self.config, self.stepper.steps(), self.position.epoch);
        let averaged = self.stepper.averaged_model(model);
        let layers = self.clock.logging.time(|| {
            let layers = layers::measure(&averaged, self.probes.clone(), &config.log_det.train, config.run.seed, step)?;
            self.journal.layers(step, epoch, &layers).map(|()| layers)
        })?;
        layers::warning(&layers).map_or(Ok(()), |warning| self.warn(&warning, progress))
    }

    /// Draws a picture, of data that have one; an inverse that does not converge is a warning only.
    pub fn draw(&mut self, model: &ResidualFlow, name: &str, progress: &Progress) -> Result<()> {
        let Some(showcase) = self.showcase.as_ref().filter(|_| self.team.is_first()) else { return Ok(()) };
        let path = self.journal.picture_path(name);
        let averaged = self.stepper.averaged_model(model);
        for missing in self.clock.pictures.time(|| showcase.draw(&averaged, &path))? {
            self.warn(&Warning { layer: None, text: missing }, progress)?;
        }
        self.clock.logging.time(|| self.journal.picture(self.stepper.steps(), name))
    }
}
