//! The interface of data for training and evaluation.

use crate::batches::batch::Batch;
use crate::error::DatasetError;
use process_group::Part;
use std::sync::Arc;

/// Batches of images or points, every one a pure function of its number, so that a run can be continued at any batch.
pub trait BatchSource: Send + Sync + 'static {
    /// Shape of every sample, `[channels, height, width]`.
    fn sample_shape(&self) -> [usize; 3];

    /// An identifier of these samples: the same for the same samples in the same order, whatever files they are in.
    fn fingerprint(&self) -> String;

    /// Number of samples in an epoch, without leaving any out.
    fn len(&self) -> usize;

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Samples of a batch that is full.
    fn batch_size(&self) -> usize;

    /// Training batches in an epoch, which may be none if only full ones count.
    fn batches_per_epoch(&self) -> usize;

    /// Evaluation batches: enough for every sample.
    fn eval_batches(&self) -> usize;

    /// Batch `index` of training epoch `epoch`.
    ///
    /// # Errors
    /// [`DatasetError::BatchIndex`] beyond the epoch's end, or the error of a damaged sample.
    fn train_batch(&self, epoch: u64, index: usize) -> Result<Batch, DatasetError> {
        self.train_part(epoch, index, Part::WHOLE)
    }

    /// A part of [`train_batch`](Self::train_batch): the same samples as in the whole batch, with the same noise.
    ///
    /// # Errors
    /// Those of [`train_batch`](Self::train_batch).
    fn train_part(&self, epoch: u64, index: usize, part: Part) -> Result<Batch, DatasetError>;

    /// Evaluation batch `index`: the same every time.
    ///
    /// # Errors
    /// [`DatasetError::BatchIndex`] beyond the last sample, or the error of a damaged sample.
    fn eval_batch(&self, index: usize) -> Result<Batch, DatasetError>;
}

impl<S: BatchSource + ?Sized> BatchSource for Arc<S> {
    fn sample_shape(&self) -> [usize; 3] {
        (**self).sample_shape()
    }

    fn fingerprint(&self) -> String {
        (**self).fingerprint()
    }

    fn len(&self) -> usize {
        (**self).len()
    }

    fn batch_size(&self) -> usize {
        (**self).batch_size()
    }

    fn batches_per_epoch(&self) -> usize {
        (**self).batches_per_epoch()
    }

    fn eval_batches(&self) -> usize {
        (**self).eval_batches()
    }

    fn train_part(&self, epoch: u64, index: usize, part: Part) -> Result<Batch, DatasetError> {
        (**self).train_part(epoch, index, part)
    }

    fn eval_batch(&self, index: usize) -> Result<Batch, DatasetError> {
        (**self).eval_batch(index)
    }
}
