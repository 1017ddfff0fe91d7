//! `preprocess`: published image data sets to tensor shards. `README.md` beside this crate says what each source
//! looks like and what to expect.

use clap::Parser;
use datasets::io::{console, program};
use preprocess::cli::Cli;
use preprocess::messages::fault;
use process_group::{Failure, ProcessGroup};
use std::process::ExitCode;
use std::sync::Arc;

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
    match ProcessGroup::run(Arc::default(), tell, |group| cli.run(group)) {
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
