//! `--class` and `--context`: what is known about the samples of a conditional model.

use crate::config::DataConfig;
use crate::data::known::KnownColumns;
use anyhow::{Context as _, Result, bail, ensure};
use burn::tensor::Device;
use clap::Args;
use residual_flows::{Context, ResidualFlow};
use std::path::{Path, PathBuf};

/// What is known about samples.
#[derive(Args)]
pub(super) struct Condition {
    /// Of a conditional model: take all samples as of this class
    #[arg(long, value_name = "CLASS", conflicts_with = "context")]
    class: Option<u32>,
    /// Of a conditional model: a table (.csv, .parquet, .npy) with the columns that the model is conditioned on, a row for each sample
    /// or one for all
    #[arg(long, value_name = "FILE")]
    context: Option<PathBuf>,
}

impl Condition {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.class.is_none() && self.context.is_none()
    }

    /// Of a model; `input` is a table that may have the columns too. `None` where the model is conditioned on nothing.
    ///
    /// # Errors
    /// If nothing is given that a conditional model needs, something is given to another, or the table does not fit.
    pub fn known(
        &self,
        model: &ResidualFlow,
        data: &DataConfig,
        input: Option<&Path>,
        device: &Device,
    ) -> Result<Option<Context>> {
        let (classes, columns) = (model.context_classes(), model.context_columns());
        if classes + columns == 0 {
            let given = self.class.is_some() || self.context.is_some();
            ensure!(!given, "--class and --context go with conditional models, and this one is conditioned on nothing");
            return Ok(None);
        }
        if let Some(class) = self.class {
            ensure!(classes > 0, "--class goes with models of classes; this one is conditioned on {columns} numbers: --context");
            ensure!((class as usize) < classes, "--class is {class}: expected 0 to {}", classes - 1);
            return Ok(Some(Context::Classes(vec![class])));
        }
        let own = input.filter(|_| !data.context_columns.is_empty());
        let Some(file) = self.context.as_deref().or(own) else {
            if !model.is_conditional() {
                return Ok(None);
            }
            let option = if classes > 0 { "--class" } else { "--context" };
            bail!("the model is conditional: say with {option} what is known about the samples");
        };
        let known = KnownColumns::of_file(file, data).with_context(|| file.display().to_string())?;
        let rows: Vec<usize> = (0..known.len()).collect();
        if columns > 0 {
            ensure!(known.columns() == columns, "{}: it has {} columns, expected {columns}", file.display(), known.columns());
            return Ok(Some(Context::Vectors(known.vectors(&rows, device))));
        }
        known.check_classes(classes).with_context(|| file.display().to_string())?;
        let classes = known.classes(&rows).with_context(|| format!("{}: expected one column of classes", file.display()))?;
        Ok(Some(Context::Classes(classes)))
    }
}
