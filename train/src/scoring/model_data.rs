//! The data that a checkpoint's model is scored on: those of its run, or any table.

use crate::checkpoint::Description;
use crate::config::{Config, Source, Validation};
use crate::data::kind::{DataKind, PointKind};
use crate::data::table::{self, TableChoice};
use crate::data::{self, DataSet};
use anyhow::{Context, Result, bail, ensure};
use datasets::Split;
use std::path::{Path, PathBuf};

/// What is looked for.
pub struct Sought<'a> {
    /// What the checkpoint says about its model.
    pub description: &'a Description,
    /// Its settings, with those of the command line.
    pub config: &'a Config,
    /// Its file, for messages.
    pub checkpoint: &'a Path,
    /// Where the data are, if they are not where they were in training: a directory of images, or any table, all points of which
    /// are taken, with the model's own standardisation.
    pub elsewhere: Option<&'a Path>,
    /// Which part of the run's data.
    pub split: Split,
    /// How a table that lies elsewhere is read.
    pub table: &'a TableChoice,
}

/// What was found.
pub struct Found {
    /// The data.
    pub data: DataSet,
    /// The table of which all points were taken; `None` if it is a part of the run's own data.
    pub table: Option<PathBuf>,
}

impl Sought<'_> {
    /// Opens the data, and compares them with those of the run: their kind and shape, and, unless they were sought elsewhere, their
    /// content.
    ///
    /// # Errors
    /// If they cannot be read or do not fit the model, or are others than those of the run.
    pub fn open(&self) -> Result<Found> {
        let DataKind::Points(kind) = &self.description.kind else {
            self.table.ensure_unused("this is a model of images")?;
            return Ok(Found { data: self.of_run()?, table: None });
        };
        match self.elsewhere {
            Some(path) => Ok(Found { data: self.of_table(path, kind)?, table: Some(path.into()) }),
            None => {
                self.table.ensure_unused("no table is given with --data")?;
                Ok(Found { data: self.of_run()?, table: None })
            }
        }
    }

    /// A part of the run's data.
    fn of_run(&self) -> Result<DataSet> {
        let Self { description, split, checkpoint, .. } = self;
        let mut config = self.config.clone();
        config.data.relocate(self.elsewhere.map(Path::to_path_buf));
        ensure!(
            *split != Split::Validation || config.data.validation() != Validation::None,
            "the run of {} had no validation data",
            checkpoint.display()
        );
        let source = Source::new(checkpoint.display().to_string(), String::new(), Vec::new());
        let data = data::open_as(&config, &source, *split, Some(&description.kind));
        let mut data = data.context("the data set (--data PATH says where it is)")?;
        ensure!(
            data.shape() == description.shape && data.kind.is_scored_as(&description.kind),
            "{} has {}, of shape {:?}; {} was trained on {}, of shape {:?}; use the same data set",
            config.data.source()?,
            data.kind,
            data.shape(),
            checkpoint.display(),
            description.kind,
            description.shape
        );
        let before = description.data.as_ref().and_then(|data| data.get(*split));
        if before.is_some_and(|before| *before != data.batches.fingerprint()) {
            let from = config.data.source()?;
            let others = format!("{from} has other {split} data than the training of {} had", checkpoint.display());
            match (self.elsewhere, &description.kind) {
                (Some(_), _) => {}
                (None, DataKind::Points(_)) => bail!("{others}; --data FILE takes any table"),
                (None, DataKind::Images { .. }) => bail!("{others}; --data {from} takes them all the same"),
            }
            data.notes.push(format!("note: {others}"));
        }
        Ok(data)
    }

    /// All points of a table.
    fn of_table(&self, path: &Path, kind: &PointKind) -> Result<DataSet> {
        let options = self.table.options(&self.config.data, path);
        let (points, mut notes) = table::read_for(kind, &self.config.data, path, &options).context("--data")?;
        let (n, path) = (points.len(), path.display());
        notes.push(format!("all {n} points of {path} are taken, with the standardisation of the model's training points"));
        data::of_points(&points, kind, self.config, notes)
    }
}
