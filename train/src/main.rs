//! The `train` program: trains, evaluates and samples Residual Flows.

mod commands;

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: train::memory::Allocator = train::memory::Allocator;

fn main() -> ExitCode {
    train::memory::keep_freed_pages();
    let arguments = commands::Arguments::parse();
    // On a thread of the pool: work handed over from outside of it waits for a thread to wake up.
    match rayon::scope(|_| arguments.run()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
