//! Where in the training data a run is.

use crate::data::DataSet;

/// A place in the training data.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// Epochs completed.
    pub epoch: u64,
    /// Batches of the next epoch that have been used.
    pub batch: u64,
    /// Batches of an epoch, the last partial one among them unless it is left out.
    pub batches_per_epoch: u64,
}

impl Position {
    /// In these data; a batch that they do not have counts as their last.
    pub fn new(epoch: u64, batch: u64, train: &DataSet) -> Self {
        let batches_per_epoch = train.batches.batches_per_epoch() as u64;
        Self { epoch, batch: batch.min(batches_per_epoch.saturating_sub(1)), batches_per_epoch }
    }

    /// After this many batches.
    pub fn after(batches: u64, train: &DataSet) -> Self {
        let batches_per_epoch = (train.batches.batches_per_epoch() as u64).max(1);
        Self { epoch: batches / batches_per_epoch, batch: batches % batches_per_epoch, batches_per_epoch }
    }

    /// One batch further.
    pub fn advance(&mut self) {
        self.batch += 1;
        if self.batch == self.batches_per_epoch {
            (self.epoch, self.batch) = (self.epoch + 1, 0);
        }
    }

    /// Batches until this many epochs are complete.
    pub fn batches_until(&self, epochs: u64) -> u64 {
        epochs.saturating_sub(self.epoch).saturating_mul(self.batches_per_epoch).saturating_sub(self.batch)
    }
}
