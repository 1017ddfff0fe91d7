//! Which checkpoints of a run are kept: the last, and a few with the lowest test loss.

use crate::checkpoint::{self, Description};
use anyhow::{Context, Result};
use residual_flows::ResidualFlow;
use std::path::PathBuf;

/// The checkpoints of one run.
pub struct Checkpoints {
    dir: PathBuf,
    keep: usize,
    /// Lowest test loss first.
    best: Vec<(f64, PathBuf)>,
}

impl Checkpoints {
    /// In a directory; of evaluated ones only the best `keep` stay.
    pub fn new(dir: PathBuf, keep: usize) -> Self {
        Self { dir, keep, best: Vec::new() }
    }

    /// Where the last one is.
    pub fn last(&self) -> PathBuf {
        self.dir.join("last.safetensors")
    }

    /// Saves as the last one and, if its test loss is known and low enough, as one of the best.
    ///
    /// # Errors
    /// If a file cannot be written or removed.
    pub fn save(&mut self, model: &ResidualFlow, average: &ResidualFlow, description: &Description) -> Result<()> {
        checkpoint::save(&self.last(), model, average, description)?;
        let Some(loss) = description.test_loss else { return Ok(()) };
        let position = self.best.partition_point(|(better, _)| *better <= loss);
        if position >= self.keep {
            return Ok(());
        }
        let unit = description.kind.short();
        let path = self.dir.join(format!("best-step{:07}-{unit}{loss:.4}.safetensors", description.step));
        checkpoint::save(&path, model, average, description)?;
        self.best.insert(position, (loss, path));
        for (_, path) in self.best.drain(self.keep.min(self.best.len())..) {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    /// The lowest test loss so far.
    pub fn best_loss(&self) -> Option<f64> {
        self.best.first().map(|(loss, _)| *loss)
    }
}
