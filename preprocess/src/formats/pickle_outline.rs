//! Pickles of any size and protocol, made small: long strings, such as the pixels of an image batch, become references to their
//! place in the file, and what Python 2 wrote as text becomes the instructions of protocol 2.

use anyhow::{Context, Result, bail, ensure};
use datasets::io::pickle::{Pickle, PickleError};
use std::io::{BufRead, Read};

use crate::formats::packed;

/// Strings of more bytes stay in the file.
const MAX_STRING: u64 = 40;
/// Bytes of a line of text at most: a batch of CIFAR-10 has 30 MB, each byte written with up to four.
const MAX_LINE: u64 = 1 << 28;
/// Bytes of an outline at most, without strings written as text.
const MAX_OUTLINE: usize = 1 << 26;

/// A pickle without its long strings, each of which is the persistent id `(position, length)`.
#[derive(Debug)]
pub struct Outline {
    bytes: Vec<u8>,
    /// Positions in the outline, and in the file, from which on both go on alike.
    marks: Vec<(usize, u64)>,
}

impl Outline {
    /// Reads a pickle to its end, which must be that of the stream.
    ///
    /// # Errors
    /// If it is cut short or too large, or is no pickle of data.
    pub fn read(stream: &mut impl BufRead) -> Result<Self> {
        let mut reader = Reader { stream, at: 0, outline: Outline { bytes: Vec::new(), marks: Vec::new() }, text: 0 };
        let start = reader.stream.fill_buf().context("cannot be read")?.first().copied();
        match start {
            Some(0x80) => {}
            // What begins a dictionary, list or tuple in protocols 0 and 1, which do not say their number.
            Some(b'(' | b'}' | b']' | b'c') => reader.outline.bytes.extend(b"\x80\x02"),
            _ => bail!("expected a pickle: it is another kind of file, or empty"),
        }
        reader.outline.marks.push((reader.outline.bytes.len(), 0));
        while reader.step().with_context(|| format!("byte {} of the pickle", reader.at))? {}
        let left = std::io::copy(&mut reader.stream, &mut std::io::sink()).context("cannot be read")?;
        ensure!(left == 0, "the pickle ends at byte {}, but {left} bytes are left over", reader.at);
        Ok(reader.outline)
    }

    /// The values.
    ///
    /// # Errors
    /// [`PickleError`] for anything but a pickle of data.
    pub fn parse(&self) -> Result<Pickle<'_>, PickleError> {
        Pickle::parse(&self.bytes).map_err(|e| PickleError { offset: self.position(e.offset), ..e })
    }

    /// The position in the file of an instruction in the outline.
    pub fn position(&self, offset: usize) -> usize {
        let mark = self.marks.partition_point(|&(here, _)| here <= offset).checked_sub(1).map(|i| self.marks[i]);
        mark.map_or(0, |(here, there)| usize::try_from(there).unwrap_or(usize::MAX).saturating_add(offset - here))
    }
}

struct Reader<'a, R> {
    stream: &'a mut R,
    /// Position in the file.
    at: u64,
    outline: Outline,
    /// Bytes of the outline that were written as text.
    text: usize,
}

impl<R: BufRead> Reader<'_, R> {
    /// Takes over an instruction; `false` after the last one.
    fn step(&mut self) -> Result<bool> {
        ensure!(
            self.outline.bytes.len() - self.text <= MAX_OUTLINE,
            "more than {MAX_OUTLINE} bytes of instructions: it is another file than a published batch"
        );
        let opcode = self.take(1)?[0];
        match opcode {
            b'.' => {
                self.outline.bytes.push(opcode);
                return Ok(false);
            }
            b'K' | 0x80 | b'q' | b'h' => self.copy(opcode, 1)?,
            b'M' => self.copy(opcode, 2)?,
            b'J' | b'r' | b'j' => self.copy(opcode, 4)?,
            b'G' | 0x95 => self.copy(opcode, 8)?,
            b'U' | b'C' | 0x8c | 0x8a => self.string(opcode, 1)?,
            b'T' | b'B' | b'X' | 0x8b => self.string(opcode, 4)?,
            0x8d | 0x8e | 0x96 => self.string(opcode, 8)?,
            b'c' => {
                let lines = [self.line(1 << 10)?, self.line(1 << 10)?];
                self.outline.bytes.push(opcode);
                lines.iter().for_each(|line| self.outline.bytes.extend(line.iter().chain(b"\n")));
            }
            b'I' | b'L' | b'F' | b'p' | b'g' => self.number(opcode)?,
            b'S' | b'V' => self.text(opcode)?,
            b'P' | b'Q' => bail!("a reference to something outside of the pickle, which published batches do not have"),
            _ => self.outline.bytes.push(opcode),
        }
        Ok(true)
    }

    fn take(&mut self, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.stream.read_exact(&mut bytes).context("the pickle is cut short or damaged")?;
        self.at += len as u64;
        Ok(bytes)
    }

    fn copy(&mut self, opcode: u8, len: usize) -> Result<()> {
        let argument = self.take(len)?;
        self.outline.bytes.push(opcode);
        self.outline.bytes.extend(argument);
        Ok(())
    }

    /// A string, or a number of any length, whose length takes `len_bytes` bytes.
    fn string(&mut self, opcode: u8, len_bytes: usize) -> Result<()> {
        let prefix = self.take(len_bytes)?;
        let len = prefix.iter().rev().fold(0u64, |n, &byte| n << 8 | u64::from(byte));
        if len <= MAX_STRING {
            let contents = self.take(len as usize)?;
            // A byte array of Python, which is as good as its bytes.
            self.outline.bytes.push(if opcode == 0x96 { 0x8e } else { opcode });
            self.outline.bytes.extend(prefix.into_iter().chain(contents));
            return Ok(());
        }
        ensure!(len < 1 << 62, "a string of {len} bytes: the file is damaged");
        for number in [self.at, len] {
            self.outline.bytes.extend([0x8a, 8].into_iter().chain(number.to_le_bytes()));
        }
        self.outline.bytes.extend(b"\x86Q");
        packed::skip(self.stream, len)
            .with_context(|| format!("a string of {len} bytes should follow: the file is cut short"))?;
        self.at += len;
        self.mark();
        Ok(())
    }

    /// The line that ends here was not taken over as it is.
    fn mark(&mut self) {
        self.outline.marks.push((self.outline.bytes.len(), self.at));
    }

    fn line(&mut self, max: u64) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        self.stream.take(max).read_until(b'\n', &mut line).context("cannot be read")?;
        self.at += line.len() as u64;
        ensure!(line.pop() == Some(b'\n'), "a line of text without an end: the file is cut short or damaged");
        Ok(line)
    }

    /// A number that is written as text.
    fn number(&mut self, opcode: u8) -> Result<()> {
        let line = self.line(64)?;
        let text = str::from_utf8(&line).context("a number that is not text")?.trim_end_matches('L');
        let out = &mut self.outline.bytes;
        let fault = || format!("`{}` is not a number", text.escape_debug());
        match (opcode, text) {
            (b'I', "00") => out.push(0x89),
            (b'I', "01") => out.push(0x88),
            (b'F', _) => out.extend([b'G'].into_iter().chain(text.parse::<f64>().with_context(fault)?.to_be_bytes())),
            (b'p' | b'g', _) => {
                let number = text.parse::<u32>().with_context(fault)?.to_le_bytes();
                out.extend([if opcode == b'p' { b'r' } else { b'j' }].into_iter().chain(number));
            }
            _ => out.extend([0x8a, 8].into_iter().chain(text.parse::<i64>().with_context(fault)?.to_le_bytes())),
        }
        self.mark();
        Ok(())
    }

    /// A string that is written as text.
    fn text(&mut self, opcode: u8) -> Result<()> {
        let line = self.line(MAX_LINE)?;
        let bytes = match (opcode, line.as_slice()) {
            (b'V', text) => unescape_unicode(text)?,
            (_, [open @ (b'\'' | b'"'), text @ .., close]) if open == close => unescape(text),
            _ => bail!("a string without quotes"),
        };
        let len = u32::try_from(bytes.len())?;
        self.outline.bytes.push(if opcode == b'V' { b'X' } else { b'T' });
        self.outline.bytes.extend(len.to_le_bytes().into_iter().chain(bytes));
        self.text += len as usize;
        self.mark();
        Ok(())
    }
}

/// The bytes of a string as Python 2 writes them in quotes.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let (byte, used) = match (first, tail) {
            (b'\\', [b'x', a, b, ..]) => match (hex(*a), hex(*b)) {
                (Some(a), Some(b)) => (16 * a + b, 3),
                _ => (*first, 0),
            },
            (b'\\', [b'n', ..]) => (b'\n', 1),
            (b'\\', [b'r', ..]) => (b'\r', 1),
            (b'\\', [b't', ..]) => (b'\t', 1),
            (b'\\', [mark @ (b'\\' | b'\'' | b'"'), ..]) => (*mark, 1),
            _ => (*first, 0),
        };
        bytes.push(byte);
        rest = &rest[used..];
    }
    bytes
}

/// The UTF-8 of a string in which other characters than those of Latin-1 are written as `\uXXXX` or `\UXXXXXXXX`.
fn unescape_unicode(text: &[u8]) -> Result<Vec<u8>> {
    let mut string = String::new();
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let digits = match (first, tail) {
            (b'\\', [b'u', digits @ ..]) => digits.get(..4),
            (b'\\', [b'U', digits @ ..]) => digits.get(..8),
            _ => None,
        };
        let code = digits.and_then(|digits| digits.iter().try_fold(0u32, |n, &d| Some(n.checked_mul(16)? + u32::from(hex(d)?))));
        match (digits, code) {
            (Some(digits), Some(code)) => {
                string.push(char::from_u32(code).with_context(|| format!("a character of number {code:#x}"))?);
                rest = &rest[1 + digits.len()..];
            }
            _ => string.push(char::from(*first)),
        }
    }
    Ok(string.into_bytes())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|n| n as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(bytes: &[u8]) -> Outline {
        Outline::read(&mut &bytes[..]).unwrap()
    }

    fn refused(bytes: &[u8]) -> String {
        format!("{:#}", Outline::read(&mut &bytes[..]).unwrap_err())
    }

    #[test]
    fn text_of_python_2_is_read() {
        // pickle.dumps({'a': [1, -2L, True], u'b\u20ac': 0.5, "c'": '\x00\\\n'}, 0) in Python 2.7.
        let text = b"(dp0\nS'a'\np1\n(lp2\nI1\naL-2L\naI01\nasS\"c'\"\np3\nS'\\x00\\\\\\n'\np4\nsVb\\u20ac\np5\nF0.5\ns.";
        let outline = outline(text);
        let pickle = outline.parse().unwrap();
        let list: Vec<_> = pickle.root().get("a").unwrap().list().unwrap().collect();
        assert_eq!((list[0].int(), list[1].int(), list[2].bool()), (Some(1), Some(-2), Some(true)));
        assert_eq!(pickle.root().get("c'").unwrap().bytes(), Some(&b"\0\\\n"[..]));
        assert_eq!(pickle.root().get("b\u{20ac}").unwrap().number(), Some(0.5));
    }

    #[test]
    fn long_strings_stay_where_they_are() {
        let long = [b"\x80\x02}U\x01aT\x64\0\0\0".as_slice(), &[7; 100], b"sK\x01."].concat();
        let outline = outline(&long);
        let error = outline.parse().unwrap_err();
        assert_eq!(error.offset, long.len() - 1, "the position in the file");
        let whole = [&long[..long.len() - 3], b"."].concat();
        let outline = super::Outline::read(&mut &whole[..]).unwrap();
        let pickle = outline.parse().unwrap();
        let place = pickle.root().get("a").unwrap().persistent_id().unwrap();
        assert_eq!(place.tuple().unwrap().map(|n| n.int()).collect::<Vec<_>>(), [Some(11), Some(100)]);
        assert!(outline.bytes.len() < 40);
    }

    #[test]
    fn other_files_are_refused() {
        assert!(refused(b"").contains("empty"));
        assert!(refused(b"GIF89a").contains("expected a pickle"));
        assert!(refused(b"\x80\x02T\xff\xff\xff\x7fabc").contains("cut short"));
        assert!(refused(b"\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc").contains("damaged"));
        assert!(refused(b"\x80\x02U\x02idQ.").contains("outside"));
        assert!(refused(b"(S'abc\n.").contains("quotes"));
        assert!(refused(b"(Ione\n.").contains("not a number"));
        assert!(refused(b"\x80\x02N..").contains("left over"));
    }
}
