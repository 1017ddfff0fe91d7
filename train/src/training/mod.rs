//! Training steps as the settings ask for them, and the processes that make them together. The step itself is the library's:
//! [`residual_flows::training`].

pub mod parallel;
pub mod position;

use crate::config::Config;
use crate::data::kind::DataKind;
use residual_flows::optim::Timeline;
use residual_flows::training::{Loss, Trainer};

/// What makes the steps of a run of this length, on data of this kind.
pub fn trainer(config: &Config, kind: &DataKind, timeline: Timeline) -> Trainer {
    let loss = Loss::new(config.task, kind.density_loss());
    Trainer::new(&config.optim, config.log_det.train.clone(), loss, config.run.seed, timeline)
}
