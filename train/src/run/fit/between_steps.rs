//! What is done where an epoch or the run ends, and every so many steps.

use super::{Fit, due};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::state::{Evaluated, Reached, Tested};
use crate::data::mean_loss::MeanLoss;
use crate::monitoring::costs::Costs;
use crate::monitoring::watch::Warning;
use crate::monitoring::{layers, overfitting};
use crate::reporting::metrics::EvaluationRecord;
use crate::reporting::pictures::showcase::{Budget, Lacks};
use crate::reporting::progress::{Progress, Work};
use crate::scoring::evaluate::Evaluation;
use anyhow::{Result, ensure};
use datasets::Split;
use residual_flows::ResidualFlow;
use residual_flows::io::{self, Readiness};

/// A picture may take this part of the time in training so far, ...
const PICTURE_SHARE: f64 = 0.1;
/// ... or this many seconds, whichever is more.
const PICTURE_SECONDS: f64 = 120.0;

impl Fit<'_> {
    /// The evaluation and the pictures that are due where an epoch or the run ends, or after so many steps; then the run is saved.
    ///
    /// # Errors
    /// If something cannot be computed or written, the test loss is not finite, or the work was stopped: what was not finished
    /// remains due then.
    pub fn work_between_steps(&mut self, model: &ResidualFlow, progress: &mut Progress) -> Result<()> {
        let (run, epoch, step) = (&self.config.run, self.position.epoch, self.trainer.steps());
        let ends_epoch = self.has_ended_epoch();
        let due = |every_epochs, every_steps| ends_epoch && due(epoch, every_epochs) || due(step, every_steps);
        let evaluates = !self.goes_on() || due(run.evaluate_every_epochs, run.evaluate_every_steps);
        let mut averaged = None;
        if evaluates && self.log.reached < Reached::Evaluation {
            let averaged = averaged.insert(self.averaged(model, progress)?);
            self.evaluate(model, averaged, progress)?;
        }
        // The run may have lost its patience just now.
        let at_end = !self.goes_on();
        let tests = self.has_validation() && (at_end || due(run.test_every_epochs, 0));
        let measures = evaluates && self.log.reached < Reached::Layers;
        let picture = match at_end {
            true => Some("end".to_string()),
            false if ends_epoch && super::due(epoch, run.sample_every_epochs) => Some(format!("epoch{epoch:05}")),
            false => super::due(step, run.sample_every_steps).then(|| format!("step{step:07}")),
        };
        if averaged.is_none() && (tests || measures || picture.is_some()) {
            averaged = Some(self.averaged(model, progress)?);
        }
        if let Some(averaged) = &averaged {
            if tests && self.log.reached < Reached::Test {
                if at_end {
                    self.test_best(averaged, progress)?
                } else {
                    self.test(averaged, self.trainer.steps(), progress)?
                }
                self.log.reached = Reached::Test;
            }
            if measures {
                self.measure_layers(averaged, progress)?;
                self.log.reached = Reached::Layers;
            }
            if let Some(name) = picture {
                self.draw(averaged, &name, progress)?;
            }
        }
        (self.log.pending, self.log.reached, self.unsaved) = (false, Reached::Nothing, true);
        if self.log.evaluated.is_some() { self.save_now(model) } else { Ok(()) }
    }

    /// A picture of the untrained model, if it is asked for and not there yet.
    pub fn draw_start(&mut self, model: &ResidualFlow, progress: &mut Progress) -> Result<()> {
        let is_wanted = self.config.run.sample_at_start && self.trainer.steps() == 0;
        if !is_wanted || self.dir.file("images/start.png").exists() {
            return Ok(());
        }
        let averaged = self.averaged(model, progress)?;
        self.draw(&averaged, "start", progress)
    }

    /// The averaged weights ready for use. What their constraint converged to is saved with them.
    fn averaged(&mut self, model: &ResidualFlow, progress: &mut Progress) -> Result<ResidualFlow> {
        let ready = self.ready(self.trainer.average(model).clone(), Readiness::Update, progress)?;
        self.converged = io::vectors(&ready);
        Ok(ready)
    }

    fn ready(&self, mut average: ResidualFlow, readiness: Readiness, progress: &mut Progress) -> Result<ResidualFlow> {
        let monitor = &self.monitors.others;
        let work = Work::layers(monitor, &Costs::equal(average.layer_ids().len()), 1);
        let stage = progress.stage("converging the constraint of the averaged weights", work);
        average.set_monitor(monitor);
        let ready = readiness.apply(average)?;
        drop(stage);
        Ok(ready)
    }

    /// Evaluates the averaged weights on what checkpoints are chosen by.
    fn evaluate(&mut self, model: &ResidualFlow, averaged: &ResidualFlow, progress: &mut Progress) -> Result<()> {
        let (step, split) = (self.trainer.steps(), self.selects_by);
        let loss = self.mean_loss(split, averaged, step, progress)?;
        self.checkpoints.rank(Evaluated { step, loss: loss.mean });
        let MeanLoss { mean, standard_error, .. } = loss;
        let now = overfitting::Evaluation { step, loss: mean, standard_error, training_loss: self.log.running_loss };
        let (on, unit) = (split.to_string(), self.selection.kind.unit());
        let mut warnings: Vec<Warning> = self.log.selection.add(now, &on, unit).into_iter().collect();
        if self.log.selection.best.is_some_and(|best| best.step == step) && self.has_validation() {
            self.best = Some((step, self.trainer.average(model).clone()));
        }
        if !self.goes_on() {
            warnings.extend(self.log.selection.at_end(mean, step, &on, unit));
        }
        (self.log.evaluated, self.log.reached, self.unsaved) = (Some(loss), Reached::Evaluation, true);
        if let Some(reason) = self.log.selection.stop_reason(self.config.run.patience) {
            progress.line(&format!("training ends early: {reason}"));
        }
        warnings.iter().try_for_each(|warning| self.warn(warning, progress))
    }

    /// Evaluates the best weights of the run on the test samples.
    fn test_best(&mut self, averaged: &ResidualFlow, progress: &mut Progress) -> Result<()> {
        let step = self.checkpoints.best().first().map_or(self.trainer.steps(), |best| best.step);
        if step == self.trainer.steps() {
            return self.test(averaged, step, progress);
        }
        let (best, readiness) = match &self.best {
            Some((of, best)) if *of == step => (best.clone(), Readiness::Update),
            _ => {
                let Checkpoint { model, readiness, .. } = self.checkpoints.best_average(&self.device)?;
                (model, readiness)
            }
        };
        let best = self.ready(best, readiness, progress)?;
        self.test(&best, step, progress)
    }

    /// Evaluates averaged weights, with which this many steps were made, on the test samples.
    fn test(&mut self, averaged: &ResidualFlow, step: u64, progress: &mut Progress) -> Result<()> {
        let loss = self.mean_loss(Split::Test, averaged, step, progress)?;
        (self.log.tested, self.unsaved) = (Some(Tested { step, loss }), true);
        Ok(())
    }

    /// The loss of averaged weights on a split, which is told and recorded.
    fn mean_loss(&mut self, split: Split, averaged: &ResidualFlow, step: u64, progress: &mut Progress) -> Result<MeanLoss> {
        let (run, stop) = (&self.config.run, self.monitors.stop.clone());
        let data = if split == self.selects_by { &self.selection } else { &self.test };
        let (task, log_det) = (self.config.task.kind, &self.config.log_det.eval);
        let evaluation = Evaluation { data, task, log_det, seed: run.seed, limit: None, bayes: false, group: &self.group };
        let (noun, unit) = (data.kind.noun(), data.kind.unit());
        let rounds = evaluation.n_batches();
        let work = Work::layers(&self.monitors.others, &Costs::forward(averaged), rounds);
        let what = if self.has_validation() { format!("{split} {noun}") } else { noun.to_string() };
        let stage = progress.stage(format!("evaluating {} {what}", evaluation.n_samples()), work);
        let go_on = |_, mean| {
            stage.note(format!("{mean:.4} {unit}"));
            !stop.is_requested()
        };
        let loss = self.clock.evaluation.time(|| evaluation.run(averaged, &self.device, go_on))?;
        drop(stage);
        let MeanLoss { mean, standard_error, classes, .. } = loss;
        let epoch = self.position.epoch;
        ensure!(
            mean.is_finite(),
            "the {split} loss after {step} steps is {mean} {unit}: the model is numerically broken, or a {split} sample is beyond what \
             it can represent; `train evaluate` of an earlier checkpoint says since when"
        );
        let accuracy = classes.map_or_else(String::new, |classes| classes.described());
        let is_current = step == self.trainer.steps();
        let place = if is_current { format!("epoch {epoch}, step {step}") } else { format!("the best weights, of step {step}") };
        progress.line(&format!("{place}: {split} {mean:.4} ± {standard_error:.4} {unit}{accuracy}"));
        let loss_of = data.kind.named("", mean);
        let record = EvaluationRecord { step, epoch, split, loss: loss_of, standard_error, classes };
        self.clock.logging.time(|| self.journal.evaluation(&record))?;
        Ok(loss)
    }

    /// Measures Lipschitz bounds and estimators of the averaged weights.
    fn measure_layers(&mut self, averaged: &ResidualFlow, progress: &mut Progress) -> Result<()> {
        if !self.group.is_root() {
            return Ok(());
        }
        let (config, step, epoch) = (self.config, self.trainer.steps(), self.position.epoch);
        let monitor = &self.monitors.others;
        let stage = progress.stage("measuring layers", Work::layers(monitor, &layers::costs(averaged), 1));
        let layers = self.clock.logging.time(|| {
            let layers = layers::measure(averaged, &self.probes, &config.log_det.train, config.run.seed, step, monitor)?;
            self.journal.layers(step, epoch, &layers).map(|()| layers)
        })?;
        drop(stage);
        layers::warning(&layers).map_or(Ok(()), |warning| self.warn(&warning, progress))
    }

    /// Draws a picture; an inverse that does not converge is a warning only.
    fn draw(&mut self, averaged: &ResidualFlow, name: &str, progress: &mut Progress) -> Result<()> {
        if !self.group.is_root() {
            return Ok(());
        }
        let showcase = &self.showcase;
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
        self.clock.logging.time(|| self.journal.picture(self.trainer.steps(), name))
    }
}
