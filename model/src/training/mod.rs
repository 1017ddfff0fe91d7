//! Training: the loss of a batch, one optimiser step, averaged weights, random streams, and steps of several processes together.
//!
//! | file | idea |
//! | --- | --- |
//! | `task`, `loss`, `classification` | what is minimised |
//! | `samples` | a batch on the device |
//! | `trainer` | one step |
//! | `fit`, `data` | training from beginning to end |
//! | `average` | the moving average of the weights |
//! | `fault` | numbers that go wrong, and the layer at which they do |
//! | [`noise`] | which random stream is used for what |
//! | `all_reduce`, `gradient_sums`, `running_means` | sums over processes |

mod all_reduce;
mod average;
mod classification;
mod data;
mod error;
mod fault;
mod fit;
mod gradient_sums;
mod loss;
pub mod noise;
mod running_means;
mod samples;
mod task;
mod trainer;

pub use all_reduce::{AllReduce, PendingSum, SingleProcess};
pub use average::{Decay, WeightAverage};
pub use classification::{ClassStats, Classified};
pub use data::{Batches, Data};
pub use error::{Fault, GroupError, TrainingError};
pub use fit::{Evaluation, Event, FitConfig, Fitted, Observer, Silent, fit};
pub use loss::{DensityLoss, Loss, Measured};
pub use samples::Samples;
pub use task::{TaskConfig, TaskKind};
pub use trainer::{StepOutcome, StepStats, StepTimes, Trainer};
