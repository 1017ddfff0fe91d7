//! Batches made ready by a background thread while the model works on earlier ones.

use crate::batches::batch::Batch;
use crate::batches::source::BatchSource;
use crate::error::DatasetError;
use process_group::Part;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};

type Item = Result<Batch, DatasetError>;

/// An iterator over batches that a background thread prepares, at most `depth` of them ahead.
///
/// The batches are exactly those of [`BatchSource::train_batch`] or [`BatchSource::eval_batch`], in order. After an error the
/// iterator ends. Dropping it stops the thread. Where the system allows no further thread, batches are made when they are asked for.
///
/// # Examples
/// ```
/// use datasets::shards::synthetic;
/// use datasets::{BatchConfig, BatchSource, Batcher, CodecKind, ImageDataset, ImageShape, Prefetch, Split};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), datasets::DatasetError> {
/// # let temp = tempfile::tempdir().expect("a temporary directory");
/// # let dir = temp.path();
/// # let shape = ImageShape { channels: 1, height: 4, width: 4 };
/// # synthetic::write_dataset(dir, Split::Train, shape, 256, 10, CodecKind::Raw)?;
/// let dataset = Arc::new(ImageDataset::open(dir, Split::Train)?);
/// let batcher = Batcher::new(dataset, BatchConfig { batch_size: 4, ..BatchConfig::default() })?;
///
/// // Two full batches in an epoch of ten images: the third is the first of epoch 1.
/// let third = Prefetch::train(batcher.clone(), 0, 0, 2).nth(2).expect("endless")?;
/// assert_eq!(third, batcher.train_batch(1, 0)?);
/// # Ok(())
/// # }
/// ```
pub struct Prefetch {
    /// `None` only while being dropped.
    batches: Option<Receiver<Item>>,
    thread: Option<JoinHandle<()>>,
    /// The source, for systems on which no thread can be started.
    here: Option<Box<dyn FnMut() -> Option<Item> + Send>>,
}

impl Prefetch {
    /// Training batches from batch `start_batch` of epoch `start_epoch` on, epoch after epoch without end.
    ///
    /// A `start_batch` equal to the number of batches means the beginning of the next epoch.
    pub fn train(batcher: impl BatchSource, start_epoch: u64, start_batch: usize, depth: usize) -> Self {
        Self::train_parts(batcher, Part::WHOLE, start_epoch, start_batch, depth)
    }

    /// Prefetches the same part of each batch.
    pub fn train_parts(batcher: impl BatchSource, part: Part, start_epoch: u64, start_batch: usize, depth: usize) -> Self {
        let per_epoch = batcher.batches_per_epoch();
        let (mut epoch, mut index) = (start_epoch, start_batch);
        Self::spawn(depth, move || {
            if index == per_epoch && per_epoch > 0 {
                (epoch, index) = (epoch + 1, 0);
            }
            index += 1;
            Some(batcher.train_part(epoch, index - 1, part))
        })
    }

    /// All evaluation batches once.
    pub fn eval(batcher: impl BatchSource, depth: usize) -> Self {
        let indices = 0..batcher.eval_batches();
        Self::eval_of(batcher, indices, depth)
    }

    /// The evaluation batches of these numbers.
    pub fn eval_of(batcher: impl BatchSource, indices: impl Iterator<Item = usize> + Send + 'static, depth: usize) -> Self {
        let mut indices = indices;
        Self::spawn(depth, move || indices.next().map(|i| batcher.eval_batch(i)))
    }

    fn spawn(depth: usize, next: impl FnMut() -> Option<Item> + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(depth.max(1) - 1);
        // Shared, as a thread that cannot be started takes what it was to do with it.
        let next = Arc::new(Mutex::new(next));
        let of_thread = next.clone();
        let run = move || {
            let mut next = of_thread.lock().expect("nobody else asks for batches");
            while let Some(item) = next() {
                let failed = item.is_err();
                if sender.send(item).is_err() || failed {
                    break;
                }
            }
        };
        match Builder::new().name("read ahead".into()).spawn(run) {
            Ok(thread) => Prefetch { batches: Some(receiver), thread: Some(thread), here: None },
            Err(_) => {
                let here = move || next.lock().expect("there is no other thread")();
                Prefetch { batches: None, thread: None, here: Some(Box::new(here)) }
            }
        }
    }
}

impl Iterator for Prefetch {
    type Item = Item;

    /// # Panics
    /// If the background thread panicked, with its message.
    fn next(&mut self) -> Option<Item> {
        if let Some(next) = &mut self.here {
            let item = next();
            if item.as_ref().is_none_or(Result::is_err) {
                self.here = None;
            }
            return item;
        }
        let item = self.batches.as_ref()?.recv().ok();
        if item.is_none()
            && let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
        item
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        // Without a receiver the thread's next `send` fails, and the thread ends.
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // A panic that nobody asked a batch after has been printed already.
            let _ = thread.join();
        }
    }
}
