//! The learning rate of every step.

use crate::config::{OptimConfig, ScheduleKind};

/// Linear warm-up, times the schedule's factor.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    learning_rate: f64,
    warmup_steps: u64,
    kind: ScheduleKind,
    final_fraction: f64,
    total_steps: u64,
}

impl Schedule {
    /// For a run of so many steps.
    pub fn new(config: &OptimConfig, total_steps: u64) -> Self {
        let &OptimConfig { learning_rate, warmup_steps, schedule: kind, final_fraction, .. } = config;
        Self { learning_rate, warmup_steps, kind, final_fraction, total_steps }
    }

    /// The learning rate of a step, counted from 0: `rate · min(1, (step + 1) / warmup) · factor`.
    pub fn at(&self, step: u64) -> f64 {
        let warmup = ((step + 1) as f64 / self.warmup_steps.max(1) as f64).min(1.0);
        let factor = match self.kind {
            ScheduleKind::Constant => 1.0,
            ScheduleKind::Cosine => {
                let progress = (step as f64 / self.total_steps.max(1) as f64).min(1.0);
                let cosine = (1.0 + (std::f64::consts::PI * progress).cos()) / 2.0;
                self.final_fraction + (1.0 - self.final_fraction) * cosine
            }
        };
        self.learning_rate * warmup * factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_stays_or_falls() {
        let mut config = OptimConfig { learning_rate: 2.0, warmup_steps: 4, final_fraction: 0.1, ..Default::default() };
        let constant = Schedule::new(&config, 100);
        assert_eq!([0, 1, 3, 4, 99].map(|step| constant.at(step)), [0.5, 1.0, 2.0, 2.0, 2.0]);
        config.schedule = ScheduleKind::Cosine;
        let cosine = Schedule::new(&config, 100);
        assert!((cosine.at(50) - 1.1).abs() < 1e-12);
        assert!((cosine.at(100) - 0.2).abs() < 1e-12 && cosine.at(1000) == cosine.at(100));
        assert!((cosine.at(0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn no_warm_up_is_full_speed_at_once() {
        let config = OptimConfig { warmup_steps: 0, ..Default::default() };
        assert_eq!(Schedule::new(&config, 10).at(0), config.learning_rate);
    }
}
