//! Some of the images of another source, as a split of their own.

use anyhow::Result;
use datasets::Split;
use datasets::shards::build::{ImageSource, Sink};
use std::ops::Range;

/// The images of a source at some places.
pub struct Part<'a> {
    source: &'a dyn ImageSource<anyhow::Error>,
    split: Split,
    /// In rising order.
    places: Vec<usize>,
}

impl<'a> Part<'a> {
    /// The images at these places, which rise, as a split.
    pub fn new(source: &'a dyn ImageSource<anyhow::Error>, split: Split, places: Vec<usize>) -> Self {
        Self { source, split, places }
    }
}

impl ImageSource<anyhow::Error> for Part<'_> {
    fn split(&self) -> Split {
        self.split
    }

    fn count(&self) -> usize {
        self.places.len()
    }

    fn labelled(&self) -> bool {
        self.source.labelled()
    }

    fn n_attributes(&self) -> usize {
        self.source.n_attributes()
    }

    /// Neighbours are read together.
    fn read(&self, range: Range<usize>, sink: &mut Sink<'_>) -> Result<()> {
        let runs = self.places[range].chunk_by(|before, after| before + 1 == *after);
        for run in runs {
            let first = run[0];
            self.source.read(first..first + run.len(), sink)?;
        }
        Ok(())
    }
}
