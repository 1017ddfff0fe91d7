//! The programs, as commands that the package installs: `residual-flows train`, `residual-flows preprocess`, and their short
//! names.

use anyhow::Result;
use clap::{Arg, Command, value_parser};
use pyo3::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;
use train::commands::completions;

/// The command that has the others.
const FAMILY: &str = "residual-flows";

/// Runs a program: the first argument is its name. Returns the exit code. To be called once in a process, before anything else of
/// this module.
#[pyfunction]
pub fn run_command_line(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| {
        train::system::memory::keep_freed_pages();
        run(arguments)
    })
}

fn run(mut arguments: Vec<OsString>) -> u8 {
    if arguments.len() > 1 && arguments[0] == FAMILY && ["train", "preprocess"].iter().any(|name| arguments[1] == *name) {
        let name = arguments.remove(1);
        arguments[0].push(" ");
        arguments[0].push(name);
    }
    match arguments.first().and_then(|name| name.to_str()) {
        Some("train" | "residual-flows train") => train::commands::run_command_line(arguments),
        Some("preprocess" | "residual-flows preprocess") => preprocess::cli::run_command_line(arguments),
        _ => of_family(arguments),
    }
}

/// What `residual-flows` can say.
fn family() -> Command {
    let share = Arg::new("share").long("share").value_name("DIR").required(true).value_parser(value_parser!(PathBuf));
    let pages = Command::new("pages")
        .about("Write shell completions and manual pages of all programs, for a directory such as /usr/share")
        .arg(share.help("The directory; files that are there are replaced"));
    Command::new(FAMILY)
        .version(env!("CARGO_PKG_VERSION"))
        .about("Residual Flows: train density models, and prepare their data")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([train::commands::command(), preprocess::cli::command(), pages])
}

fn of_family(arguments: Vec<OsString>) -> u8 {
    let matches = match family().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(answer) => {
            // Where nobody reads it, the exit code remains.
            let _ = answer.print();
            return u8::try_from(answer.exit_code()).unwrap_or(1);
        }
    };
    let share = matches.subcommand_matches("pages").and_then(|pages| pages.get_one::<PathBuf>("share"));
    let write = |share: &PathBuf| -> Result<()> {
        completions::write_shared(&[family(), train::commands::command(), preprocess::cli::command()], share)
    };
    match share.map_or(Ok(()), write) {
        Ok(()) => 0,
        Err(error) => {
            datasets::io::console::error(format_args!("{error:#}"));
            1
        }
    }
}
