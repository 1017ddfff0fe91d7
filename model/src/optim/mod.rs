//! Optimisers for modules whose gradients are computed layer by layer: Adam, Adamax, RMSprop and SGD with momentum; gradient
//! clipping; the learning rate's schedule.
//!
//! | file | idea |
//! | --- | --- |
//! | `config` | the settings |
//! | `rules` | how gradients become directions: a file for each kind |
//! | `optimizer` | the update of all parameters, and what is remembered of them |
//! | `state` | the memory by names, as checkpoints hold it |
//! | [`limits`] | the ends of ranges that several settings share |
//! | `clipping`, `schedule` | the norm of the gradient, the learning rate |

mod clipping;
mod config;
pub mod limits;
mod optimizer;
mod rules;
mod schedule;
mod state;

pub use clipping::clip_factor;
pub use config::{OptimConfig, ScheduleKind};
pub use optimizer::Optimizer;
pub use rules::OptimizerKind;
pub use schedule::{Schedule, Timeline};
pub use state::{OptimizerState, OptimizerStateError, SLOTS};

#[cfg(test)]
mod tests;
