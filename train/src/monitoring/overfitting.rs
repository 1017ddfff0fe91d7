//! What the evaluations of a run say of it: which one was the best, how long ago, and whether training still helps.

use crate::monitoring::watch::Warning;
use serde::{Deserialize, Serialize};

/// A loss is much higher than another if it is at least this many standard errors above it. That error is over samples, whose losses rise and
/// fall together from one evaluation to the next, so that one is much.
const STANDARD_ERRORS: f64 = 1.0;

/// Evaluations in a row that must say so before it is overfitting: one alone may be a step that went wrong.
const IN_A_ROW: u64 = 3;

/// The evaluations of a run so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// Evaluations in a row, the last ones, that were no better than the best.
    pub since_best: u64,
    /// The last ones in a row that looked like overfitting. A warning comes once, when they are enough.
    pub overfitted_in_a_row: u64,
    /// Whether it has come since the best one.
    pub warned: bool,
    /// The best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best: Option<Evaluation>,
}

/// An evaluation, and how training went at the time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Steps made.
    pub step: u64,
    /// The mean over the samples.
    pub loss: f64,
    /// Of the mean.
    pub standard_error: f64,
    /// Running mean of the training loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training_loss: Option<f64>,
}

impl Evaluation {
    fn is_much_above(&self, best: &Self) -> bool {
        self.loss > best.loss + STANDARD_ERRORS * best.standard_error
    }
}

impl Selection {
    /// Takes an evaluation in. Once for every best one, warns when three in a row were clearly above it (by a standard error) while the
    /// loss of training had fallen. `on` names the samples, such as `validation`, and `unit` what losses are measured in.
    pub fn add(&mut self, now: Evaluation, on: &str, unit: &str) -> Option<Warning> {
        let is_same = |best: &Evaluation| best.step == now.step;
        let Some(best) = self.best.filter(|best| best.loss <= now.loss && !is_same(best)) else {
            *self = Self { best: Some(now), ..Self::default() };
            return None;
        };
        self.since_best += 1;
        let (before, after) = (best.training_loss?, now.training_loss?);
        let is_overfitted = now.is_much_above(&best) && after < before;
        self.overfitted_in_a_row = if is_overfitted { self.overfitted_in_a_row + 1 } else { 0 };
        if self.warned || self.overfitted_in_a_row < IN_A_ROW {
            return None;
        }
        self.warned = true;
        let text = format!(
            "overfitting: since step {} the training loss has fallen from {before:.4} to {after:.4} {unit}, and the {on} loss has risen \
             from {:.4} ± {:.4} to {:.4}; run.patience ends a run early, more samples, a smaller model, optim.weight_decay or \
             model.dropout may help",
            best.step, best.loss, best.standard_error, now.loss
        );
        Some(Warning { layer: None, text })
    }

    /// That the last evaluation of a run is much worse than its best one.
    pub fn at_end(&self, last: f64, step: u64, on: &str, unit: &str) -> Option<Warning> {
        let best = self.best?;
        let last = Evaluation { step, loss: last, standard_error: 0.0, training_loss: None };
        last.is_much_above(&best).then(|| Warning {
            layer: None,
            text: format!(
                "the last weights are much worse than the best ones: {on} {:.4} {unit} after {step} steps, {:.4} ± {:.4} after {}; \
                 best.safetensors has the best ones",
                last.loss, best.loss, best.standard_error, best.step
            ),
        })
    }

    /// Why a run with this patience has ended early, if it has.
    pub fn stop_reason(&self, patience: u64) -> Option<String> {
        let step = self.best.map_or(0, |best| best.step);
        let text = format!("{} evaluations in a row were no better than the best one, after {step} steps", self.since_best);
        self.is_out_of_patience(patience).then_some(text)
    }

    /// Whether this many evaluations in a row were no better than the best; with 0 never.
    pub fn is_out_of_patience(&self, patience: u64) -> bool {
        patience > 0 && self.since_best >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(step: u64, loss: f64, training_loss: f64) -> Evaluation {
        Evaluation { step, loss, standard_error: 0.1, training_loss: Some(training_loss) }
    }

    fn told(evaluations: &[Evaluation]) -> (Selection, Vec<u64>) {
        let mut selection = Selection::default();
        let mut warned = |now: &Evaluation| selection.add(*now, "validation", "nats").map(|_| now.step);
        let steps = evaluations.iter().filter_map(&mut warned).collect();
        (selection, steps)
    }

    #[test]
    fn overfitting_is_told_once_for_every_best() {
        let evaluations = [
            at(1, 3.0, 3.0),
            at(2, 2.0, 2.0),
            at(3, 2.08, 1.9),
            at(4, 2.3, 1.8),
            at(5, 2.4, 1.7),
            at(6, 2.5, 1.6),
            at(7, 9.0, 1.0),
        ];
        let (selection, steps) = told(&evaluations);
        assert_eq!(steps, [6], "0.08 is within the standard error");
        assert_eq!((selection.since_best, selection.best.map(|best| best.step)), (5, Some(2)));
        let more = [at(8, 1.0, 0.9), at(9, 1.5, 0.8), at(10, 1.5, 0.8), at(11, 1.5, 0.7)];
        let (_, again) = told(&[&evaluations[..], &more].concat());
        assert_eq!(again, [6, 11]);
        // Two in a row, and two more.
        let few = [at(1, 2.0, 2.0), at(2, 3.0, 1.0), at(3, 3.0, 1.0), at(4, 2.0, 1.0), at(5, 3.0, 1.0), at(6, 3.0, 1.0)];
        assert_eq!(told(&few).1, [] as [u64; 0]);
    }

    #[test]
    fn a_loss_that_rises_in_training_too_is_not_overfitting() {
        assert_eq!(told(&[at(1, 2.0, 2.0), at(2, 5.0, 5.0)]).1, [] as [u64; 0]);
        let broken = [at(1, 2.0, 2.0), at(2, 1e300, 1.0), at(3, 1e300, 1.0), at(4, 1e300, 1.0)];
        assert_eq!(told(&broken).1, [4]);
    }

    #[test]
    fn patience_counts_evaluations_without_a_new_best() {
        let (mut selection, _) = told(&[at(1, 2.0, 2.0), at(2, 2.0, 2.0), at(3, 2.1, 2.0)]);
        assert!(selection.is_out_of_patience(2) && !selection.is_out_of_patience(3) && !selection.is_out_of_patience(0));
        selection.add(at(4, 1.9, 2.0), "validation", "nats");
        assert!(!selection.is_out_of_patience(1));
        let warning = selection.at_end(2.5, 9, "validation", "nats").expect("much worse").text;
        assert!(warning.contains("best.safetensors") && warning.contains("after 4"), "{warning}");
        assert_eq!(selection.at_end(2.0, 9, "validation", "nats"), None);
    }
}
