//! The learning rate of every step, and the weight of the log-determinant.

use super::config::{OptimConfig, ScheduleKind};
use std::f64::consts::PI;

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timeline {
    /// Optimiser steps of the whole run.
    pub total_steps: u64,
    /// Optimiser steps of a pass over the training samples.
    pub steps_per_epoch: f64,
}

/// Linear warm-up, times the schedule's factor.
///
/// The reference implementation multiplies nothing: every iteration sets the learning rate to that of the warm-up, so its schedulers
/// have no effect. Its warm-up and annealing count micro-batches, these count optimiser steps.
#[derive(Clone, Debug)]
pub struct Schedule {
    config: OptimConfig,
    timeline: Timeline,
}

impl Schedule {
    /// For a run of this length.
    pub fn new(config: &OptimConfig, timeline: Timeline) -> Self {
        Self { config: config.clone(), timeline }
    }

    /// The learning rate of a step, counted from 0: `rate · min(1, (step + 1) / warmup) · factor`.
    pub fn at(&self, step: u64) -> f64 {
        let warmup = ((step + 1) as f64 / self.config.warmup_steps.max(1) as f64).min(1.0);
        self.config.learning_rate * warmup * self.factor(step)
    }

    /// The weight of the log-determinant in a step's loss: `min(1, step / annealing)`, or 1 without annealing.
    pub fn log_det_weight(&self, step: u64) -> f64 {
        match self.config.annealing_steps {
            0 => 1.0,
            steps => (step as f64 / steps as f64).min(1.0),
        }
    }

    /// Whether what a step changes of the weights of concatenations is kept.
    pub(crate) fn learns_concatenations(&self, step: u64) -> bool {
        let OptimConfig { concatenation_start_step, concatenation_start_epoch, .. } = self.config;
        // Rounding in the number of an epoch's steps must not delay its beginning.
        let epoch = self.epoch(step) + 1e-9;
        step + 1 >= concatenation_start_step && epoch >= concatenation_start_epoch as f64
    }

    /// Epochs before a step.
    fn epoch(&self, step: u64) -> f64 {
        step as f64 / self.timeline.steps_per_epoch.max(f64::MIN_POSITIVE)
    }

    fn factor(&self, step: u64) -> f64 {
        let total_steps = self.timeline.total_steps;
        let epoch = self.epoch(step);
        match self.config.schedule {
            ScheduleKind::Constant => 1.0,
            ScheduleKind::Cosine => self.cosine((step as f64 / total_steps.max(1) as f64).min(1.0)),
            ScheduleKind::CosineRestarts => self.cosine(self.since_restart(epoch)),
            ScheduleKind::MultiStep => {
                let passed = self.config.milestones.iter().filter(|&&milestone| epoch >= milestone as f64).count();
                self.config.milestone_factor.powi(passed as i32)
            }
        }
    }

    /// From 1 down to `final_fraction`, as the progress goes from 0 to 1.
    fn cosine(&self, progress: f64) -> f64 {
        let cosine = (1.0 + (PI * progress).cos()) / 2.0;
        self.config.final_fraction + (1.0 - self.config.final_fraction) * cosine
    }

    /// The part of a period that has passed since its beginning.
    fn since_restart(&self, epoch: f64) -> f64 {
        let (first, factor) = (self.config.restart_epochs as f64, self.config.restart_factor as f64);
        if factor == 1.0 {
            return (epoch / first).fract();
        }
        let (mut start, mut period) = (0.0, first);
        while epoch >= start + period {
            start += period;
            period *= factor;
        }
        (epoch - start) / period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of 2,500 steps in epochs of 10.
    fn schedule(config: OptimConfig) -> Schedule {
        Schedule::new(&config, Timeline { total_steps: 2500, steps_per_epoch: 10.0 })
    }

    #[test]
    fn rises_then_stays_or_falls() {
        let config = OptimConfig { learning_rate: 2.0, warmup_steps: 4, final_fraction: 0.1, ..Default::default() };
        let constant = schedule(config.clone());
        assert_eq!([0, 1, 3, 4, 99].map(|step| constant.at(step)), [0.5, 1.0, 2.0, 2.0, 2.0]);
        let cosine = schedule(OptimConfig { schedule: ScheduleKind::Cosine, ..config });
        assert!((cosine.at(1250) - 1.1).abs() < 1e-12);
        assert!((cosine.at(2500) - 0.2).abs() < 1e-12 && cosine.at(10_000) == cosine.at(2500));
        assert!((cosine.at(0) - 0.5).abs() < 1e-5);
    }

    #[test]
    fn concatenations_wait_for_their_step_and_their_epoch() {
        let kept = |concatenation_start_step, concatenation_start_epoch| {
            let config = OptimConfig { concatenation_start_step, concatenation_start_epoch, ..Default::default() };
            let schedule = schedule(config);
            (0..100).find(|&step| schedule.learns_concatenations(step))
        };
        assert_eq!([kept(0, 0), kept(1, 0), kept(20, 0), kept(0, 2), kept(25, 2)], [0, 0, 19, 20, 24].map(Some));
    }

    #[test]
    fn no_warm_up_is_full_speed_at_once() {
        let config = OptimConfig { warmup_steps: 0, ..Default::default() };
        assert_eq!(schedule(config.clone()).at(0), config.learning_rate);
    }

    /// At the beginning of epochs: the rates of torch's `CosineAnnealingWarmRestarts(optimizer, 20, T_mult=2)` with a
    /// learning rate of 1, called after each epoch. (The reference implementation has a copy of it.)
    #[test]
    fn restarts_are_those_of_torch() {
        let config = OptimConfig {
            learning_rate: 1.0,
            warmup_steps: 0,
            schedule: ScheduleKind::CosineRestarts,
            final_fraction: 0.0,
            ..Default::default()
        };
        let restarts = schedule(config.clone());
        let expected = [
            (0, 1.0000000000),
            (1, 0.9938441703),
            (19, 0.0061558297),
            (20, 1.0000000000),
            (21, 0.9984586669),
            (59, 0.0015413331),
            (60, 1.0000000000),
            (61, 0.9996145181),
            (139, 0.0003854819),
            (140, 1.0000000000),
        ];
        for (epoch, rate) in expected {
            assert!((restarts.at(10 * epoch) - rate).abs() < 1e-9, "epoch {epoch}: {} for {rate}", restarts.at(10 * epoch));
        }
        let equal = schedule(OptimConfig { restart_factor: 1, ..config });
        assert!((equal.at(10 * 70) - 0.5).abs() < 1e-9 && equal.at(10 * 80) == 1.0);
    }

    /// As torch's `MultiStepLR(optimizer, milestones=[60, 120, 160], gamma=0.2)`.
    #[test]
    fn milestones_are_at_the_beginning_of_epochs() {
        let config = OptimConfig { learning_rate: 1.0, warmup_steps: 0, schedule: ScheduleKind::MultiStep, ..Default::default() };
        let steps = schedule(config);
        let rates = [0, 599, 600, 1199, 1200, 1599, 1600, 2499].map(|step| steps.at(step));
        let expected = [1.0, 1.0, 0.2, 0.2, 0.04, 0.04, 0.008, 0.008];
        assert!(rates.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{rates:?}");
    }

    #[test]
    fn annealing_rises_from_nothing() {
        let annealed = schedule(OptimConfig { annealing_steps: 4, ..Default::default() });
        assert_eq!([0, 1, 4, 9].map(|step| annealed.log_det_weight(step)), [0.0, 0.25, 1.0, 1.0]);
        assert_eq!(schedule(OptimConfig::default()).log_det_weight(0), 1.0);
    }
}
