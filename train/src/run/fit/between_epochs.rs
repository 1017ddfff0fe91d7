//! What is done where an epoch or the run ends.

use super::{Fit, due};
use crate::checkpoint::state::{Evaluated, Reached};
use crate::monitoring::costs::Costs;
use crate::monitoring::layers;
use crate::monitoring::watch::Warning;
use crate::reporting::metrics::EvaluationRecord;
use crate::reporting::pictures::showcase::{Budget, Lacks};
use crate::reporting::progress::{Progress, Work};
use crate::scoring::evaluate::{Evaluation, TestLoss};
use crate::training::step;
use anyhow::{Result, ensure};
use residual_flows::ResidualFlow;

/// A picture may take this part of the time in training so far, ...
const PICTURE_SHARE: f64 = 0.1;
/// ... or so many seconds, whichever is more.
const PICTURE_SECONDS: f64 = 120.0;

impl Fit<'_> {
    /// The evaluation and the pictures that are due where an epoch or the run ends, after which the run is saved.
    ///
    /// # Errors
    /// If something cannot be computed or written, the test loss is not finite, or the work was stopped: what was not finished
    /// remains due then.
    pub fn work_between_epochs(&mut self, model: &ResidualFlow, progress: &mut Progress) -> Result<()> {
        let (run, epoch, at_end) = (&self.config.run, self.position.epoch, !self.goes_on());
        let evaluates = (at_end || due(epoch, run.evaluate_every_epochs)) && self.log.reached < Reached::Layers;
        let picture = match at_end {
            true => Some("end".to_string()),
            false => due(epoch, run.sample_every_epochs).then(|| format!("epoch{epoch:05}")),
        };
        if evaluates || picture.is_some() {
            let averaged = self.averaged(model, progress)?;
            if evaluates {
                self.evaluate(&averaged, progress)?;
            }
            if let Some(name) = picture {
                self.draw(&averaged, &name, progress)?;
            }
        }
        (self.log.pending, self.log.reached, self.unsaved) = (false, Reached::Nothing, true);
        if self.log.evaluated.is_some() { self.save_now(model) } else { Ok(()) }
    }

    /// A picture of the untrained model, if it is asked for and not there yet.
    pub fn draw_start(&mut self, model: &ResidualFlow, progress: &mut Progress) -> Result<()> {
        let is_wanted = self.config.run.sample_at_start && self.stepper.steps() == 0;
        if !is_wanted || self.dir.file("images/start.png").exists() {
            return Ok(());
        }
        let averaged = self.averaged(model, progress)?;
        self.draw(&averaged, "start", progress)
    }

    /// The averaged weights ready for use.
    fn averaged(&self, model: &ResidualFlow, progress: &mut Progress) -> Result<ResidualFlow> {
        let (average, monitor) = (self.stepper.average(model).clone(), &self.monitors.others);
        let work = Work::layers(monitor, &Costs::equal(average.layer_ids().len()), 1);
        let stage = progress.stage("converging the constraint of the averaged weights", work);
        let ready = step::ready_monitored(average, monitor)?;
        drop(stage);
        Ok(ready)
    }

    /// Evaluates the averaged weights and measures their layers, as far as that was not done before.
    fn evaluate(&mut self, averaged: &ResidualFlow, progress: &mut Progress) -> Result<()> {
        if self.log.reached < Reached::Evaluation {
            let loss = self.test_loss(averaged, progress)?;
            (self.log.evaluated, self.log.reached, self.unsaved) = (Some(loss), Reached::Evaluation, true);
            self.checkpoints.rank(Evaluated { step: self.stepper.steps(), test_loss: loss.mean });
        }
        self.measure_layers(averaged, progress)?;
        self.log.reached = Reached::Layers;
        Ok(())
    }

    fn test_loss(&mut self, averaged: &ResidualFlow, progress: &mut Progress) -> Result<TestLoss> {
        let (run, stop) = (&self.config.run, self.monitors.stop.clone());
        let (task, log_det) = (self.config.task.kind, &self.config.log_det.eval);
        let evaluation = Evaluation { data: &self.test, task, log_det, seed: run.seed, limit: None, group: &self.group };
        let (noun, unit) = (self.test.kind.noun(), self.test.kind.unit());
        let rounds = evaluation.n_batches();
        let work = Work::layers(&self.monitors.others, &Costs::forward(averaged), rounds);
        let stage = progress.stage(format!("evaluating {} {noun}", evaluation.n_samples()), work);
        let go_on = |_, mean| {
            stage.note(format!("{mean:.4} {unit}"));
            !stop.is_requested()
        };
        let loss = self.clock.evaluation.time(|| evaluation.run(averaged, &self.device, go_on))?;
        drop(stage);
        let TestLoss { mean, standard_error, classes, .. } = loss;
        let (step, epoch) = (self.stepper.steps(), self.position.epoch);
        ensure!(
            mean.is_finite(),
            "the test loss after {step} steps is {mean} {unit}: the model is numerically broken, or a test sample is beyond what it \
             can represent; `train evaluate` of an earlier checkpoint says since when"
        );
        let accuracy = classes.map_or_else(String::new, |classes| classes.described());
        progress.line(&format!("epoch {epoch}, step {step}: test {mean:.4} ± {standard_error:.4} {unit}{accuracy}"));
        let test_loss = self.test.kind.named("test_", mean);
        let record = EvaluationRecord { step, epoch, test_loss, standard_error, classes };
        self.clock.logging.time(|| self.journal.evaluation(&record))?;
        Ok(loss)
    }

    /// Measures Lipschitz bounds and estimators of the averaged weights.
    fn measure_layers(&mut self, averaged: &ResidualFlow, progress: &mut Progress) -> Result<()> {
        if !self.group.is_root() {
            return Ok(());
        }
        let (config, step, epoch) = (self.config, self.stepper.steps(), self.position.epoch);
        let monitor = &self.monitors.others;
        let stage = progress.stage("measuring layers", Work::layers(monitor, &layers::costs(averaged), 1));
        let layers = self.clock.logging.time(|| {
            let layers = layers::measure(averaged, self.probes.clone(), &config.log_det.train, config.run.seed, step, monitor)?;
            self.journal.layers(step, epoch, &layers).map(|()| layers)
        })?;
        drop(stage);
        layers::warning(&layers).map_or(Ok(()), |warning| self.warn(&warning, progress))
    }

    /// Draws a picture, of data that have one; an inverse that does not converge is a warning only.
    fn draw(&mut self, averaged: &ResidualFlow, name: &str, progress: &mut Progress) -> Result<()> {
        let Some(showcase) = self.showcase.as_ref().filter(|_| self.group.is_root()) else { return Ok(()) };
        let path = self.journal.picture_path(name)?;
        let seconds = PICTURE_SECONDS.max(PICTURE_SHARE * self.log.training_seconds);
        let stage = progress.stage(format!("drawing the picture {name}"), showcase.work());
        let budget = Budget { seconds, told: &|done| stage.set(done, "") };
        let Lacks { failed, left_out } = self.clock.pictures.time(|| showcase.draw(averaged, &path, &budget))?;
        drop(stage);
        for text in failed {
            self.warn(&Warning { layer: None, text }, progress)?;
        }
        if let Some(left_out) = left_out {
            progress.line(&format!("the picture {name} has {left_out}"));
        }
        self.clock.logging.time(|| self.journal.picture(self.stepper.steps(), name))
    }
}
