//! Signs that training goes wrong, with the layer's name.

use residual_flows::training::Fault;
use residual_flows::training::StepStats;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A gradient is exploding if its norm is this many times the usual ...
const EXPLODING: f64 = 10.0;
/// ... in this many steps in a row. One such step alone is what roulette makes now and then: a long draw has a large weight.
const IN_A_ROW: u64 = 3;
/// Steps before anything is usual.
const SETTLING: u64 = 20;
/// Steps without another warning of the same kind.
const QUIET: u64 = 100;
/// Decay of the running mean of the logarithm of the norm.
const DECAY: f64 = 0.98;

/// Something to warn of.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// Where it comes from, if that is one layer.
    pub layer: Option<String>,
    /// What it is.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.layer {
            Some(layer) => write!(f, "{} (layer {layer})", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// What is usual in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watch {
    /// Running mean of the natural logarithm of the gradient's norm.
    pub log_gradient_norm: f64,
    /// Steps seen.
    pub steps: u64,
    /// No warning of gradients before this many.
    pub quiet_until: u64,
    /// Steps in a row with a gradient above the alarm.
    pub loud_in_a_row: u64,
}

impl Watch {
    /// The norm of the gradient above which a step is one of an explosion.
    pub fn alarm(&self) -> f64 {
        let settled = self.steps >= SETTLING.max(self.quiet_until);
        if settled { EXPLODING * self.log_gradient_norm.exp() } else { f64::INFINITY }
    }

    /// What a step that was made gives reason to warn of.
    pub fn step(&mut self, stats: &StepStats) -> Option<Warning> {
        let (norm, usual) = (stats.gradient_norm, self.log_gradient_norm.exp());
        self.loud_in_a_row = if stats.loudest_layer.is_some() { self.loud_in_a_row + 1 } else { 0 };
        let warning = stats.loudest_layer.as_ref().filter(|_| self.loud_in_a_row == IN_A_ROW).map(|(layer, of_layer)| {
            self.quiet_until = self.steps + QUIET;
            let text = format!(
                "exploding gradient: {IN_A_ROW} steps in a row above {EXPLODING} times its usual norm, {usual:.3e}, now {norm:.3e}; \
                 {of_layer:.3e} in one layer"
            );
            Warning { layer: Some(layer.clone()), text }
        });
        if norm > 0.0 {
            // A mean of all at first, then of the last ones.
            let rate = (1.0 - DECAY).max(1.0 / (self.steps + 1) as f64);
            self.log_gradient_norm += rate * (norm.ln() - self.log_gradient_norm);
        }
        self.steps += 1;
        warning
    }
}

impl From<&Fault> for Warning {
    fn from(fault: &Fault) -> Self {
        Warning { layer: fault.layer.clone(), text: format!("step skipped: {} is not finite", fault.what) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(gradient_norm: f64, watch: &Watch) -> StepStats {
        let loudest_layer = (gradient_norm > watch.alarm()).then(|| ("scales.0.layers.1".to_string(), gradient_norm));
        StepStats { gradient_norm, loudest_layer, ..Default::default() }
    }

    /// The warnings in 400 steps with a norm of 300 at some, and their steps.
    fn told(loud: impl Fn(u64) -> bool) -> Vec<(u64, Warning)> {
        let mut watch = Watch::default();
        let of_step = |step| {
            let norm = if loud(step) { 300.0 } else { 2.0 + (step % 3) as f64 };
            let of_step = stats(norm, &watch);
            watch.step(&of_step).map(|warning| (step, warning))
        };
        (0..400).filter_map(of_step).collect()
    }

    #[test]
    fn explosions_are_told_once_in_a_while() {
        let told = told(|step| (150..260).contains(&step));
        let steps: Vec<u64> = told.iter().map(|(step, _)| *step).collect();
        assert_eq!(steps, [152]);
        let text = told[0].1.to_string();
        assert!(text.contains("3.000e2") && text.contains("layer scales.0.layers.1"), "{text}");
    }

    #[test]
    fn one_loud_step_is_no_explosion() {
        assert_eq!(told(|step| step % 50 == 0 || step % 50 == 1), []);
    }

    #[test]
    fn the_first_steps_say_nothing() {
        let mut watch = Watch::default();
        for norm in [1e6, 1e3, 10.0, 1.0] {
            let of_step = stats(norm, &watch);
            assert_eq!(watch.step(&of_step), None);
        }
    }
}
