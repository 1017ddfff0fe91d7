//! `train config`: the settings there are, and those of a configuration.

use crate::config::{Config, reference};
use crate::data;
use anyhow::Result;
use clap::{ArgGroup, Args};
use datasets::io::console;
use std::path::{Path, PathBuf};

/// Print what settings there are: all defaults, one key explained, or a schema for editors
#[derive(Args)]
#[command(group = ArgGroup::new("what").required(true))]
#[command(after_help = "Examples:
  train config --default > mine.toml
  train config --explain optim.ema_decay
  train config --explain run
  train config configs/digits.toml --set run.epochs=10")]
pub struct Settings {
    /// Check a configuration, a file or a shipped one by its name, and print its settings, every default written out
    #[arg(value_name = "FILE", group = "what")]
    file: Option<PathBuf>,
    /// Change a setting of the file, such as optim.learning_rate=2e-3; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE", requires = "file")]
    set: Vec<String>,
    /// Print a configuration with every default, in which comments say what each setting is
    #[arg(long, group = "what")]
    default: bool,
    /// Explain a key (`optim.ema_decay`, or `ema_decay` in any section), or list a section (`optim`)
    #[arg(long, value_name = "KEY", group = "what")]
    explain: Option<String>,
    /// Print the JSON schema, with which editors complete and check configurations
    #[arg(long, group = "what")]
    schema: bool,
    /// Print the reference of all settings as Markdown
    #[arg(long, group = "what")]
    markdown: bool,
}

impl Settings {
    /// Prints.
    ///
    /// # Errors
    /// If there is no such key, with those that are near, or the configuration is not valid.
    pub fn run(self) -> Result<()> {
        let text = match (&self.file, &self.explain) {
            (Some(file), _) => resolved(file, &self.set)?.to_toml()?,
            (None, Some(key)) => reference::explanation(key)?,
            _ if self.schema => reference::schema_text(),
            _ if self.markdown => reference::markdown(),
            _ => reference::default_toml(),
        };
        Ok(console::print(text.trim_end())?)
    }
}

/// The settings of a file; where some are chosen by the data, these are read.
fn resolved(file: &Path, settings: &[String]) -> Result<Config> {
    let (mut config, source) = Config::load(file, settings)?;
    if source.chooses_by_data() {
        config.settle(&source);
        data::open_new(&mut config, &source)?;
    }
    Ok(config)
}
