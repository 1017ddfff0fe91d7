//! The command line.

mod animate;
mod arrays;
mod check;
pub mod completions;
mod condition;
mod config;
mod density;
mod devices;
mod estimator;
mod evaluate;
mod export;
mod import;
mod report;
mod sample;
mod train;

use crate::checkpoint::{self, Checkpoint, Description, retention};
use crate::monitoring::costs::Costs;
use crate::reporting::progress::{Progress, Work};
use crate::scoring::weights::{self, Ready, Weights};
use crate::system::device::DeviceChoice;
use crate::system::signals;
use crate::training::parallel::ProcessGroup;
use anyhow::Result;
use burn::tensor::Device;
use clap::{Args, CommandFactory, Parser, Subcommand};
use datasets::io::output::Existing;
use datasets::io::{console, program};
use residual_flows::{Monitor, ResidualFlow};
use serde::Serialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The exit code of what was done, and of what was not.
const SUCCESS: u8 = 0;
const FAILURE: u8 = 1;

/// The program: does what a command line says, on threads of its own, and tells what goes wrong. The first argument is the name
/// under which it was started. Returns the exit code.
///
/// To be called once in a process, which is this program's from then on.
pub fn run_command_line(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // The main thread's stack is of any size; that of the pool's threads is known.
    program::run(|| run(arguments)).unwrap_or_else(|error| {
        console::note(format_args!("error: {error}"));
        FAILURE
    })
}

/// What the program's command line can say.
pub fn command() -> clap::Command {
    Arguments::command()
}

fn run(arguments: Vec<OsString>) -> u8 {
    let result = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments.run(),
        Err(answer) => {
            // Help is an answer too. Where nobody reads it, the exit code remains.
            let _ = answer.print();
            return u8::try_from(answer.exit_code()).unwrap_or(FAILURE);
        }
    };
    result.unwrap_or_else(|error| {
        if console::reader_is_gone(error.as_ref()) {
            return console::READER_GONE;
        }
        console::error(format_args!("{error:#}"));
        FAILURE
    })
}

/// Train, evaluate and sample Residual Flows
#[derive(Parser)]
#[command(name = "train", version, subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  train --config digits
  train --config configs/digits.toml
  train --config configs/tabular.toml --set data.file=mine.csv --out mine
  train --resume experiments/runs/digits --set run.epochs=100
  train evaluate experiments/runs/digits
  train config --explain optim.learning_rate

`train COMMAND --help` has examples of each command.")]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: Option<train::Train>,
}

#[derive(Subcommand)]
enum Command {
    Animate(animate::Animate),
    Check(check::Check),
    Config(config::Settings),
    Density(density::DensityOf),
    Devices(devices::Devices),
    Estimator(estimator::EstimatorStudy),
    Evaluate(evaluate::Evaluate),
    Report(report::Report),
    Sample(sample::Sample),
    Encode(arrays::Encode),
    Decode(arrays::Decode),
    LogProb(arrays::LogProb),
    Import(import::Import),
    Export(export::Export),
    Completions(completions::Completions),
    Man(completions::Manual),
}

impl Arguments {
    /// Does what was asked for; the exit code.
    ///
    /// # Errors
    /// Those of the command.
    pub fn run(self) -> Result<u8> {
        if self.command.is_some() {
            signals::leave_nothing_unfinished()?;
        }
        match (self.command, self.train) {
            (Some(Command::Animate(animate)), _) => animate.run()?,
            (Some(Command::Check(check)), _) => check.run()?,
            (Some(Command::Config(settings)), _) => settings.run()?,
            (Some(Command::Completions(completions)), _) => completions.run()?,
            (Some(Command::Man(manual)), _) => manual.run()?,
            (Some(Command::Density(density)), _) => density.run()?,
            (Some(Command::Devices(devices)), _) => devices.run()?,
            (Some(Command::Estimator(study)), _) => study.run()?,
            (Some(Command::Evaluate(evaluate)), _) => evaluate.run()?,
            (Some(Command::Report(report)), _) => report.run()?,
            (Some(Command::Sample(sample)), _) => sample.run()?,
            (Some(Command::Encode(encode)), _) => encode.run()?,
            (Some(Command::Decode(decode)), _) => decode.run()?,
            (Some(Command::LogProb(log_prob)), _) => log_prob.run()?,
            (Some(Command::Import(import)), _) => import.run()?,
            (Some(Command::Export(export)), _) => export.run()?,
            (None, Some(train)) => return train.run(),
            (None, None) => {
                anyhow::bail!("nothing to do: expected --config FILE, --resume DIR, or a subcommand; see --help")
            }
        }
        Ok(SUCCESS)
    }
}

/// Where a command computes.
#[derive(Args)]
struct Compute {
    /// Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is
    #[arg(long = "device", value_name = "NAME", default_value_t)]
    choice: DeviceChoice,
}

impl Compute {
    /// For one of the processes that compute together.
    fn device_for(&self, group: &ProcessGroup) -> Result<Device> {
        self.choice.open(group)
    }

    fn device(&self) -> Result<Device> {
        self.device_for(&ProcessGroup::alone())
    }
}

/// What becomes of files that exist.
#[derive(Args)]
struct Overwrite {
    /// Replace the output if it exists
    #[arg(long)]
    force: bool,
}

impl Overwrite {
    fn existing(&self) -> Existing {
        Existing::replaced_if(self.force)
    }
}

/// Which model a command uses.
#[derive(Args)]
struct Chosen {
    /// The checkpoint, a .safetensors file or a .pth file of the reference implementation; or the directory of a run, of which it is
    /// the best one
    checkpoint: PathBuf,
    /// Which of the checkpoint's weights
    #[arg(long, value_enum, default_value_t = Weights::Average)]
    weights: Weights,
}

/// A checkpoint's model ready for use.
struct Opened {
    /// The file.
    checkpoint: PathBuf,
    description: Description,
    model: ResidualFlow,
    /// What sees the layers that it passes.
    monitor: Monitor,
}

impl Chosen {
    /// The checkpoint's file; that it is a run's best one is said by the first of the processes that compute together.
    fn file(&self, group: &ProcessGroup) -> Result<PathBuf> {
        checkpoint_at(&self.checkpoint, group)
    }

    /// Reads one of its sets of weights.
    fn read(&self, device: &Device, group: &ProcessGroup, progress: &mut Progress) -> Result<(PathBuf, Checkpoint)> {
        let file = self.file(group)?;
        let checkpoint = load(&file, self.weights, device, progress)?;
        Ok((file, checkpoint))
    }

    /// Makes them ready.
    fn ready(&self, (checkpoint, read): (PathBuf, Checkpoint), progress: &mut Progress) -> Result<Opened> {
        let (Ready { model, description }, monitor) = ready(read, progress)?;
        Ok(Opened { checkpoint, description, model, monitor })
    }

    /// Both.
    fn open(&self, device: &Device, progress: &mut Progress) -> Result<Opened> {
        let read = self.read(device, &ProcessGroup::alone(), progress)?;
        self.ready(read, progress)
    }
}

/// A file, or the best checkpoint of the run in a directory, which is said.
fn checkpoint_at(path: &Path, group: &ProcessGroup) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.into());
    }
    let (file, which) = retention::of_run(path)?;
    if group.is_root() {
        console::note(format_args!("{}: {} is used, {which}", path.display(), file.display()));
    }
    Ok(file)
}

/// Reads one of a checkpoint's sets of weights, which is shown where it takes long.
fn load(path: &Path, weights: Weights, device: &Device, progress: &mut Progress) -> Result<Checkpoint> {
    let stage = progress.stage("reading the checkpoint", Work::unknown());
    let checkpoint = checkpoint::load(path, weights.into(), device);
    drop(stage);
    checkpoint
}

/// A checkpoint's model ready for use, and what sees the layers that it passes.
fn ready(checkpoint: Checkpoint, progress: &mut Progress) -> Result<(Ready, Monitor)> {
    let monitor = Monitor::new(Arc::default());
    let work = Work::layers(&monitor, &Costs::equal(checkpoint.model.layer_ids().len()), 1);
    let stage = progress.stage("converging the constraint", work);
    let ready = weights::ready(checkpoint, &monitor)?;
    drop(stage);
    Ok((ready, monitor))
}

/// Prints a result on standard output: as one JSON object, or as lines to be read.
fn report(json: bool, result: &impl Serialize, lines: impl FnOnce() -> String) -> Result<()> {
    match json {
        true => console::print(serde_json::to_string(result)?)?,
        false => console::print(lines())?,
    }
    Ok(())
}

/// For clap: a number of things of which there must be one.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("expected at least 1".into()),
        Ok(n) => Ok(n),
        Err(_) => Err("expected a whole number".into()),
    }
}
