//! The `train` program: trains, evaluates and samples Residual Flows.

mod commands;

use clap::Parser;
use datasets::io::{console, program};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: train::system::memory::Allocator = train::system::memory::Allocator;

fn main() -> ExitCode {
    train::system::memory::keep_freed_pages();
    // The main thread's stack is of any size; that of the pool's threads is known.
    program::run(run).unwrap_or_else(|error| {
        console::note(format_args!("error: {error}"));
        ExitCode::FAILURE
    })
}

fn run() -> ExitCode {
    let arguments = commands::Arguments::parse();
    arguments.run().unwrap_or_else(|error| {
        if console::reader_is_gone(error.as_ref()) {
            return ExitCode::from(console::READER_GONE);
        }
        console::error(format_args!("{error:#}"));
        ExitCode::FAILURE
    })
}
