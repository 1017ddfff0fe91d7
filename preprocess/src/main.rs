//! `preprocess`: published image data sets to tensor shards. `README.md` beside this crate says what each source
//! looks like and what to expect.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(preprocess::cli::run_command_line(std::env::args_os()))
}
