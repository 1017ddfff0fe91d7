//! `train completions SHELL` and `train man`: what shells and `man` know of the program. The Python package installs the same of
//! all its commands.

use super::{Arguments, Overwrite};
use anyhow::{Context, Result};
use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use datasets::io::output::Existing;
use datasets::io::{console, output};
use std::path::{Path, PathBuf};

/// Print a script with which a shell completes commands and options
#[derive(Args)]
#[command(after_help = "Examples:
  train completions bash > ~/.local/share/bash-completion/completions/train
  train completions zsh > ~/.zfunc/_train
  train completions fish > ~/.config/fish/completions/train.fish")]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn run(self) -> Result<()> {
        let script = script(self.shell, Arguments::command(), "train");
        Ok(console::print(String::from_utf8_lossy(&script).trim_end())?)
    }
}

/// What a shell completes a program with.
fn script(shell: Shell, mut command: Command, name: &str) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}

/// Writes the completions and manual pages of programs into a directory such as `/usr/share`, in the places where shells and `man`
/// look; files that are there are replaced.
///
/// # Errors
/// If a file cannot be written.
pub fn write_shared(programs: &[Command], share: &Path) -> Result<()> {
    let mut files = Vec::new();
    for program in programs {
        let name = program.get_name();
        files.push((format!("bash-completion/completions/{name}"), script(Shell::Bash, program.clone(), name)));
        files.push((format!("zsh/site-functions/_{name}"), script(Shell::Zsh, program.clone(), name)));
        files.push((format!("fish/vendor_completions.d/{name}.fish"), script(Shell::Fish, program.clone(), name)));
        files.extend(manual(program.clone())?.into_iter().map(|(name, page)| (format!("man/man1/{name}.1"), page)));
    }
    for (name, text) in files {
        let path = share.join(name);
        let dir = path.parent().unwrap_or(share);
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the directory {}", dir.display()))?;
        output::write(&path, Existing::Replace, |out| anyhow::Ok(out.write_all(&text)?))?;
    }
    Ok(())
}

/// Write manual pages: one of the program, one of each command
#[derive(Args)]
#[command(after_help = "Examples:
  train man --out ~/.local/share/man/man1
  man train-evaluate")]
pub struct Manual {
    /// The directory of the pages, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
}

impl Manual {
    /// Writes.
    ///
    /// # Errors
    /// If a page exists, without --force, or cannot be written.
    pub fn run(self) -> Result<()> {
        let pages = manual(Arguments::command())?;
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot make the directory {}", self.out.display()))?;
        let paths: Vec<PathBuf> = pages.iter().map(|(name, _)| self.out.join(format!("{name}.1"))).collect();
        let existing = self.overwrite.existing();
        output::check_all(&paths.iter().map(PathBuf::as_path).collect::<Vec<&Path>>(), &[], existing)?;
        for (path, (_, page)) in paths.iter().zip(&pages) {
            output::write(path, existing, |out| anyhow::Ok(out.write_all(page)?))?;
        }
        Ok(console::print(format_args!("{} pages in {}", pages.len(), self.out.display()))?)
    }
}

/// The pages of a program, with their names.
fn manual(program: Command) -> Result<Vec<(String, Vec<u8>)>> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    pages(&program, program.get_name())
}

/// The page of a command and those of its subcommands, with their names.
fn pages(command: &Command, name: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).context("cannot write a manual page")?;
    let mut all = vec![(name.to_string(), page)];
    for inner in command.get_subcommands() {
        all.extend(pages(inner, &format!("{name}-{}", inner.get_name()))?);
    }
    Ok(all)
}
