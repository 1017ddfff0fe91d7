//! `preprocess`: published image data sets to tensor shards. `README.md` beside this crate says what each source
//! looks like and what to expect.

mod cifar10;
mod cifar10_source;
mod digits;
mod inspect;
mod mnist;
mod output;
mod pickle;
mod progress;
mod verify;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Turn published image data sets into tensor shards, look at them, check them.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// MNIST: the four idx files, gzipped or not.
    Mnist {
        /// Directory with the idx files.
        path: PathBuf,
        #[command(flatten)]
        output: output::OutputArgs,
    },
    /// CIFAR-10: the binary or the Python version, as published or extracted.
    Cifar10 {
        /// The archive, the extracted directory, or the directory that holds either.
        path: PathBuf,
        /// Take the batch files that are there, even if some are missing or incomplete.
        #[arg(long)]
        partial: bool,
        #[command(flatten)]
        output: output::OutputArgs,
    },
    /// The small digits that ship with this project: two .npy files.
    Digits {
        /// Directory with digits_8x8_0to16.npy and digits_labels.npy.
        path: PathBuf,
        #[command(flatten)]
        output: output::OutputArgs,
    },
    /// Say what a directory of shards holds.
    Inspect {
        /// The data set's directory.
        dir: PathBuf,
    },
    /// Read everything in a directory of shards and compare it with its checksums.
    Verify {
        /// The data set's directory.
        dir: PathBuf,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Mnist { path, output } => mnist::run(&path, &output),
        Command::Cifar10 { path, partial, output } => cifar10::run(&path, partial, &output),
        Command::Digits { path, output } => digits::run(&path, &output),
        Command::Inspect { dir } => inspect::run(&dir),
        Command::Verify { dir } => verify::run(&dir),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
