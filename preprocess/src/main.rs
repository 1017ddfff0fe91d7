//! `preprocess`: published image data sets to tensor shards. `README.md` beside this crate says what each source
//! looks like and what to expect.

use clap::Parser;
use datasets::{console, program};
use preprocess::{cli::Cli, fault};
use std::process::ExitCode;
use std::sync::Arc;
use team::{Failure, Team};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    program::run(run).unwrap_or_else(|error| {
        console::note(format_args!("error: {error}"));
        ExitCode::from(fault::MACHINE)
    })
}

fn run() -> ExitCode {
    let cli = Cli::parse();
    let tell = |error: &anyhow::Error| Failure { message: fault::describe(error), exit_code: fault::exit_code(error) };
    match Team::work(Arc::default(), tell, |team| cli.run(team)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if console::reader_is_gone(error.as_ref()) {
                return ExitCode::from(console::READER_GONE);
            }
            console::error(fault::describe(&error));
            ExitCode::from(fault::exit_code(&error))
        }
    }
}
