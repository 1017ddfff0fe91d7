//! Images by number, for sets that are in memory as a whole.

use anyhow::Result;
use datasets::Split;
use datasets::shards::build::{ImageSource, Sink};
use std::ops::Range;

/// One split whose image `i` is written into a buffer by a function, which returns its label.
pub struct Indexed<F> {
    /// The split.
    pub split: Split,
    /// Number of images.
    pub count: usize,
    /// Pixel values of an image.
    pub image_len: usize,
    /// Whether `fill` returns labels.
    pub labelled: bool,
    /// Writes image `i`, channel by channel.
    pub fill: F,
}

impl<F: Fn(usize, &mut [u8]) -> Result<Option<u32>> + Sync> ImageSource<anyhow::Error> for Indexed<F> {
    fn split(&self) -> Split {
        self.split
    }

    fn count(&self) -> usize {
        self.count
    }

    fn labelled(&self) -> bool {
        self.labelled
    }

    fn read(&self, range: Range<usize>, sink: &mut Sink<'_>) -> Result<()> {
        let mut image = vec![0; self.image_len];
        for i in range {
            let label = (self.fill)(i, &mut image)?;
            sink.push(&image, label, &[])?;
        }
        Ok(())
    }
}
