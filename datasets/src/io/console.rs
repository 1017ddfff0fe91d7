//! What programs say: results on standard output, everything else on standard error.
//!
//! `print!` and `eprint!` panic where nobody reads any longer or the disk is full. Here, a lost line of the log is a lost line
//! of the log, and a result that was not delivered is an error.

use crate::error::DatasetError;
use crate::io::message::{legible, readable};
use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};

/// The exit code where the reader of the results has gone: 128 and the number of SIGPIPE, what a shell shows of programs that
/// the signal ends. Nothing is said then.
pub const READER_GONE: u8 = 141;

/// Writes a line to standard error, with control characters escaped; where it cannot be written, it is lost.
pub fn note(line: impl Display) {
    let line = format!("{}\n", legible(&line.to_string()));
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Writes what a program ends with to standard error, no more than a few lines of it.
pub fn error(message: impl Display) {
    note(format_args!("error: {}", readable(&message.to_string())));
}

/// Writes a result and a line break to standard output.
///
/// # Errors
/// [`DatasetError::StandardOutput`] if not all of it could be written.
pub fn print(result: impl Display) -> Result<(), DatasetError> {
    let result = format!("{result}\n");
    let mut out = io::stdout().lock();
    out.write_all(result.as_bytes()).and_then(|()| out.flush()).map_err(DatasetError::StandardOutput)
}

/// Whether an error is that the reader of the results has gone: [`READER_GONE`].
pub fn reader_is_gone(error: &(dyn Error + 'static)) -> bool {
    match error.downcast_ref() {
        Some(DatasetError::StandardOutput(cause)) => cause.kind() == io::ErrorKind::BrokenPipe,
        _ => error.source().is_some_and(reader_is_gone),
    }
}
