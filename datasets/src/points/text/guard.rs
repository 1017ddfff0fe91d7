//! The bytes of a text on their way to the parser, which would take memory for whatever comes.

use crate::points::excerpt::count;
use std::cell::Cell;
use std::io::{Error, ErrorKind, Read, Result};

/// No line of a table is longer, in bytes.
pub(super) const MAX_RECORD: u64 = 1 << 24;

/// Passes bytes on; refuses zero bytes, and more than [`MAX_RECORD`] of them for one record.
pub(super) struct Guard<'a, R> {
    inner: R,
    progress: &'a Progress,
    /// The kind of the previous byte.
    before: u8,
    line_is_empty: bool,
    /// Blank lines after which nothing has come yet.
    pending: u64,
}

/// The state that a [`Guard`] shares with the user of the records.
#[derive(Default)]
pub(super) struct Progress {
    /// Bytes that were passed on.
    passed: Cell<u64>,
    /// The number of bytes passed when the last record came out.
    at_record: Cell<u64>,
    /// Lines without a byte, those at the end apart.
    blank_lines: Cell<u64>,
}

impl Progress {
    /// A record came out.
    pub(super) fn record(&self) {
        self.at_record.set(self.passed.get());
    }

    pub(super) fn blank_lines(&self) -> u64 {
        self.blank_lines.get()
    }
}

impl<'a, R> Guard<'a, R> {
    pub(super) fn new(inner: R, progress: &'a Progress) -> Self {
        Self { inner, progress, before: b'\n', line_is_empty: true, pending: 0 }
    }

    fn count_blank_lines(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' if self.before == b'\r' => {}
                b'\n' | b'\r' => {
                    self.pending += u64::from(self.line_is_empty);
                    self.line_is_empty = true;
                }
                _ => {
                    if self.pending > 0 {
                        self.progress.blank_lines.set(self.progress.blank_lines.get() + self.pending);
                        self.pending = 0;
                    }
                    self.line_is_empty = false;
                }
            }
            self.before = byte;
        }
    }
}

impl<R: Read> Read for Guard<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let n = self.inner.read(buffer)?;
        let bytes = &buffer[..n];
        let passed = self.progress.passed.get();
        if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
            let reason = format!("byte {} is zero, which no text has: the file is binary or damaged", passed + at as u64);
            return Err(Error::new(ErrorKind::InvalidData, reason));
        }
        if passed - self.progress.at_record.get() > MAX_RECORD {
            let reason =
                format!("{} without the end of a line, or within one quotation, are too many", count(MAX_RECORD, "byte"));
            return Err(Error::new(ErrorKind::InvalidData, reason));
        }
        self.count_blank_lines(bytes);
        self.progress.passed.set(passed + n as u64);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_are_those_between_others() {
        for (text, expected) in [("a\n\n\nb\n\n", 2), ("a\r\n\r\nb\r\n", 1), ("a\r\rb", 1), ("\n\na\n", 2), ("a\nb", 0)] {
            for chunk in 1..5 {
                let progress = Progress::default();
                let mut guard = Guard::new(text.as_bytes(), &progress);
                while guard.read(&mut vec![0; chunk]).expect("text") > 0 {}
                assert_eq!(progress.blank_lines(), expected, "{text:?}");
            }
        }
    }

    #[test]
    fn what_never_ends_is_refused() {
        let progress = Progress::default();
        let mut guard = Guard::new(std::io::repeat(b'1'), &progress);
        let error = std::io::copy(&mut guard, &mut std::io::sink()).expect_err("a line without end");
        assert!(error.to_string().contains("16777216 bytes without the end of a line"), "{error}");
        let mut guard = Guard::new(&b"1,2\n\x003"[..], &progress);
        progress.record();
        assert!(guard.read(&mut [0; 8]).is_err());
    }
}
