//! The command line.

use crate::commands::export::{self, ExportArgs};
use crate::commands::inspect::{self, InspectArgs};
use crate::commands::synth::{self, SynthArgs};
use crate::commands::verify;
use crate::datasets::DataSet;
use anyhow::Result;
use clap::{Parser, Subcommand};
use process_group::ProcessGroup;
use std::path::PathBuf;

/// Turn published image data sets into tensor shards, look at them, check them.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
#[command(after_help = "Examples:
  preprocess mnist ~/downloads/mnist --out data/mnist
  preprocess images pictures --size 64 --out data/mine
  preprocess inspect data/mine --sheet
  preprocess verify data/mine")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Convert(DataSet),
    /// Say what a directory of shards holds, and draw a contact sheet.
    #[command(after_help = "Examples:
  preprocess inspect data/mnist
  preprocess inspect data/mnist --sheet")]
    Inspect {
        #[command(flatten)]
        args: InspectArgs,
    },
    /// Read everything in a directory of shards and compare it with its checksums.
    #[command(after_help = "Examples:
  preprocess verify data/mnist")]
    Verify {
        /// The data set's directory.
        dir: PathBuf,
    },
    /// Write shards as .npy or PNG files.
    #[command(after_help = "Examples:
  preprocess export data/mnist --format npy --out arrays")]
    Export {
        #[command(flatten)]
        args: ExportArgs,
    },
    /// Make up an input of a published layout, of any size, without downloading anything.
    #[command(after_help = "Examples:
  preprocess synth mnist --out made-up")]
    Synth {
        #[command(flatten)]
        args: SynthArgs,
    },
}

impl Cli {
    /// Does what was asked for, with other processes if it is a conversion; everything else is done by the first of them.
    ///
    /// # Errors
    /// Whatever went wrong; [`fault`](crate::messages::fault) says whose fault it is.
    pub fn run(&self, group: &ProcessGroup) -> Result<()> {
        match &self.command {
            Command::Convert(data_set) => data_set.run(group),
            _ if !group.is_root() => Ok(()),
            Command::Inspect { args } => inspect::run(args),
            Command::Verify { dir } => verify::run(dir),
            Command::Export { args } => export::run(args),
            Command::Synth { args } => synth::run(args),
        }
    }
}
