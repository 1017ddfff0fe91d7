//! The command line.

use crate::commands::export::{self, ExportArgs};
use crate::commands::inspect::{self, InspectArgs};
use crate::commands::manual::{self, ManualArgs};
use crate::commands::synth::{self, SynthArgs};
use crate::commands::verify;
use crate::datasets::DataSet;
use crate::messages::fault;
use ::datasets::io::{console, program};
use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use process_group::{Failure, ProcessGroup};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

/// The program: does what a command line says, on threads of its own, and tells what goes wrong. The first argument is the name
/// under which it was started. Returns the exit code.
///
/// To be called once in a process, which is this program's from then on.
pub fn run_command_line(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    program::run(|| run(arguments)).unwrap_or_else(|error| {
        console::note(format_args!("error: {error}"));
        fault::MACHINE
    })
}

/// What the program's command line can say.
pub fn command() -> clap::Command {
    Cli::command().name("preprocess")
}

fn run(arguments: Vec<OsString>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(answer) => {
            // Help is an answer too. Where nobody reads it, the exit code remains.
            let _ = answer.print();
            return u8::try_from(answer.exit_code()).unwrap_or(fault::BAD_INPUT);
        }
    };
    let tell = |error: &anyhow::Error| Failure { message: fault::describe(error), exit_code: fault::exit_code(error) };
    match ProcessGroup::run(Arc::default(), tell, |group| cli.run(group)) {
        Ok(()) => 0,
        Err(error) if console::reader_is_gone(error.as_ref()) => console::READER_GONE,
        Err(error) => {
            console::error(fault::describe(&error));
            fault::exit_code(&error)
        }
    }
}

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
    /// Print a script with which a shell completes commands and options.
    #[command(after_help = "Examples:
  preprocess completions bash > ~/.local/share/bash-completion/completions/preprocess
  preprocess completions zsh > ~/.zfunc/_preprocess
  preprocess completions fish > ~/.config/fish/completions/preprocess.fish")]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write manual pages: one of the program, one of each command.
    #[command(after_help = "Examples:
  preprocess man --out ~/.local/share/man/man1
  man preprocess-mnist")]
    Man {
        #[command(flatten)]
        args: ManualArgs,
    },
}

impl Cli {
    /// Does what was asked for, with other processes if it is a conversion; everything else is done by the first of them.
    ///
    /// # Errors
    /// Whatever went wrong; [`crate::messages::fault`] says whose fault it is.
    pub fn run(&self, group: &ProcessGroup) -> Result<()> {
        match &self.command {
            Command::Convert(data_set) => data_set.run(group),
            _ if !group.is_root() => Ok(()),
            Command::Inspect { args } => inspect::run(args),
            Command::Verify { dir } => verify::run(dir),
            Command::Export { args } => export::run(args),
            Command::Synth { args } => synth::run(args),
            Command::Completions { shell } => manual::completions(*shell, Cli::command()),
            Command::Man { args } => manual::run(args, Cli::command()),
        }
    }
}
