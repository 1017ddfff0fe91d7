//! The `train` program: trains, evaluates and samples Residual Flows.

mod commands;

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: train::memory::Allocator = train::memory::Allocator;

fn main() -> ExitCode {
    train::memory::keep_freed_pages();
    match commands::Arguments::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
