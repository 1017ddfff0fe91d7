//! The `train` program: trains, evaluates and samples Residual Flows.

mod commands;

use clap::Parser;
use datasets::console;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: train::memory::Allocator = train::memory::Allocator;

fn main() -> ExitCode {
    train::memory::keep_freed_pages();
    let arguments = commands::Arguments::parse();
    // On a thread of the pool: work handed over from outside of it waits for a thread to wake up.
    rayon::scope(|_| arguments.run()).unwrap_or_else(|error| {
        if console::reader_is_gone(error.as_ref()) {
            return ExitCode::from(console::READER_GONE);
        }
        console::note(format_args!("error: {error:#}"));
        ExitCode::FAILURE
    })
}
