//! `preprocess completions SHELL` and `preprocess man`: what shells and `man` know of the program.

use crate::conversion::files::save;
use anyhow::{Context, Result};
use clap::Command;
use clap_complete::Shell;
use datasets::io::console::print;
use datasets::io::output::{self, Existing};
use std::path::{Path, PathBuf};

/// The program's name.
const NAME: &str = "preprocess";

/// Options of `preprocess man`.
#[derive(clap::Args, Clone, Debug)]
pub struct ManualArgs {
    /// The directory of the pages, which is made if it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace pages that exist.
    #[arg(long)]
    force: bool,
}

/// Prints a shell's script.
///
/// # Errors
/// If standard output cannot be written.
pub fn completions(shell: Shell, mut program: Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, NAME, &mut script);
    Ok(print(String::from_utf8_lossy(&script).trim_end())?)
}

/// Writes the pages.
///
/// # Errors
/// If one exists, without `--force`, or cannot be written.
pub fn run(args: &ManualArgs, program: Command) -> Result<()> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let mut pages = vec![(NAME.to_string(), page(&program)?)];
    for command in program.get_subcommands() {
        pages.push((format!("{NAME}-{}", command.get_name()), page(command)?));
    }
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make the directory {}", args.out.display()))?;
    let paths: Vec<PathBuf> = pages.iter().map(|(name, _)| args.out.join(format!("{name}.1"))).collect();
    let existing = Existing::replaced_if(args.force);
    output::check_all(&paths.iter().map(PathBuf::as_path).collect::<Vec<&Path>>(), &[], existing)?;
    for (path, (_, page)) in paths.iter().zip(&pages) {
        save(path, existing, |out| out.write_all(page))?;
    }
    Ok(print(format_args!("{} pages in {}", pages.len(), args.out.display()))?)
}

fn page(command: &Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).context("cannot write a manual page")?;
    Ok(page)
}
