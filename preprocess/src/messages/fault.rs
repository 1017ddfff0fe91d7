//! The exit code of an error: a fault of the input, or of the machine.

use anyhow::Error;
use datasets::DatasetError::{self, Busy, Io, ProcessGroup, StandardOutput, Unlisted};
use process_group::ProcessGroupError;
use std::io::{self, ErrorKind};

/// The program was given something it cannot use: a missing, damaged or unsuitable input, an existing output, a wrong
/// option (the number that the option parser uses).
pub const BAD_INPUT: u8 = 2;
/// The machine failed: a disk that is full or broken, files that may not be read or written.
pub const MACHINE: u8 = 1;

/// [`BAD_INPUT`] or [`MACHINE`].
pub fn exit_code(error: &Error) -> u8 {
    if is_machine(error) { MACHINE } else { BAD_INPUT }
}

/// Whether the same command may succeed later, or elsewhere, with the same input.
pub fn is_machine(error: &Error) -> bool {
    error.chain().any(|cause| {
        if matches!(cause.downcast_ref(), Some(Io { .. } | StandardOutput(_) | Busy { .. } | Unlisted { .. } | ProcessGroup(_)))
            || cause.is::<ProcessGroupError>()
        {
            return true;
        }
        // Errors without a number are made by readers of formats: the input is at fault.
        let expected = [ErrorKind::NotFound, ErrorKind::NotADirectory, ErrorKind::IsADirectory, ErrorKind::InvalidInput];
        cause.downcast_ref().is_some_and(|e: &io::Error| e.raw_os_error().is_some() && !expected.contains(&e.kind()))
    })
}

/// Says where an input is at fault; an error of the output, which names its own file, stays as it is.
///
/// # Errors
/// That of `result`.
pub fn in_input<T>(result: anyhow::Result<T>, place: impl FnOnce() -> String) -> anyhow::Result<T> {
    result.map_err(|error| match error.downcast_ref() {
        Some(DatasetError::Io { .. }) => error,
        _ => error.context(place()),
    })
}

/// Characters of a message at most: names and values in it come from files.
const MAX_MESSAGE: usize = 8000;

/// The error and its causes, without those that an outer message has quoted already, and without outer ones with which the next
/// begins. Control characters but line breaks are escaped; a message of any length is shortened in its middle.
pub fn describe(error: &Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain().map(|cause| cause.to_string()) {
        let begins_with = |part: &String| cause.strip_prefix(part.as_str()).is_some_and(|rest| rest.starts_with([':', ',']));
        if parts.last().is_some_and(begins_with) {
            parts.pop();
        }
        if !parts.iter().any(|part| part.contains(&cause)) {
            parts.push(cause);
        }
    }
    printable(&parts.join(": "))
}

fn printable(text: &str) -> String {
    let shown: Vec<char> = text
        .chars()
        .flat_map(|c| {
            let escaped = c != '\n' && c.is_control();
            let escape: Box<dyn Iterator<Item = char>> =
                if escaped { Box::new(c.escape_debug()) } else { Box::new([c].into_iter()) };
            escape
        })
        .collect();
    match shown.len() {
        0..=MAX_MESSAGE => shown.into_iter().collect(),
        len => {
            let half = MAX_MESSAGE / 2;
            shown[..half].iter().chain(['…'].iter()).chain(&shown[len - half..]).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        let full = || io::Error::other("no space");
        let quoted = DatasetError::Io { action: "write", path: "x".into(), source: full() };
        assert_eq!(describe(&Error::from(quoted).context("not finished")), "not finished: cannot write x: no space");
        assert_eq!(describe(&Error::from(full()).context("cannot read y")), "cannot read y: no space");
    }

    #[test]
    fn messages_are_short_and_printable() {
        let told = describe(&Error::msg(format!("a\u{1b}[31m{}", "x".repeat(100_000))));
        assert!(told.starts_with("a\\u{1b}[31mxx") && told.ends_with('x') && told.chars().count() == MAX_MESSAGE + 1);
        let twice = Error::msg("dir/file: it is damaged").context("dir/file").context("dir");
        assert_eq!(describe(&twice), "dir: dir/file: it is damaged");
    }

    #[test]
    fn errors_of_the_output_name_no_input() {
        let told = |error: DatasetError| describe(&in_input::<()>(Err(error.into()), || "image 3".into()).unwrap_err());
        let full = DatasetError::Io { action: "write", path: "x".into(), source: io::Error::other("no space") };
        assert_eq!(told(full), "cannot write x: no space");
        let small = DatasetError::ImageLen { index: 3, expected: 12, got: 7 };
        assert!(told(small).starts_with("image 3: "));
    }

    #[test]
    fn full_disks_are_not_the_inputs_fault() {
        const ENOSPC: i32 = 28;
        const ENOENT: i32 = 2;
        let wrap = |e: io::Error| Error::from(e).context("cannot read x");
        assert_eq!(exit_code(&wrap(io::Error::from_raw_os_error(ENOSPC))), MACHINE);
        assert_eq!(exit_code(&wrap(io::Error::from_raw_os_error(ENOENT))), BAD_INPUT);
        assert_eq!(exit_code(&wrap(io::Error::other("a broken header"))), BAD_INPUT);
    }
}
