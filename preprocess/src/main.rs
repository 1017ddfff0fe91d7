//! `preprocess`: published image data sets to tensor shards. `README.md` beside this crate says what each source
//! looks like and what to expect.

use clap::Parser;
use preprocess::{cli::Cli, fault};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", fault::describe(&error));
            ExitCode::from(fault::exit_code(&error))
        }
    }
}
