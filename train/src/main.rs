//! The `train` program: trains, evaluates and samples Residual Flows.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: train::system::memory::Allocator = train::system::memory::Allocator;

fn main() -> ExitCode {
    train::system::memory::keep_freed_pages();
    ExitCode::from(train::commands::run_command_line(std::env::args_os()))
}
