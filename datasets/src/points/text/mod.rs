//! Tables in texts: comma-separated values and their relatives.

mod dialect;
mod field;
mod guard;
mod header;
mod sample;

use super::columns::choose;
use super::excerpt::{count, excerpt_bytes};
use super::options::{Decimal, Delimiter};
use super::summary::{Dialect, Reading};
use super::table::{Places, Table};
use super::{Points, TableOptions, error, signature};
use crate::error::DatasetError;
use crate::io::input;
use csv::ByteRecord;
use guard::{Guard, MAX_RECORD, Progress};
use sample::Sample;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes that are looked at before a text is read.
const SAMPLE: usize = 1 << 20;

/// Lines that a sample has at least, however long.
const SAMPLE_LINES: usize = 4;

/// A text in a file.
struct Text<'a> {
    path: &'a Path,
    /// Where the table begins: after a byte-order mark, and after the line in which Excel states the delimiter.
    start: u64,
    comment: Option<u8>,
    delimiter: Option<Delimiter>,
    decimal: Decimal,
}

/// Reads a text.
pub(super) fn read(path: &Path, options: &TableOptions) -> Result<Points, DatasetError> {
    let mut file = input::open(path).map_err(DatasetError::io("read", path))?;
    let (head, is_whole) = head(&mut file).map_err(DatasetError::io("read", path))?;
    signature::refuse_others(path, &head)?;
    let mut text = Text { path, start: 0, comment: comment(path, options)?, delimiter: None, decimal: Decimal::Point };
    text.skip_preamble(&head);
    let sample = Sample { bytes: &head[text.start as usize..], is_whole, comment: text.comment };
    let options = TableOptions { delimiter: options.delimiter.or(text.delimiter), ..options.clone() };
    let mut found = dialect::find(&sample, &options).map_err(|reason| text.at_row(0, reason))?;
    if found.rows.is_empty() && !is_whole {
        let reason =
            format!("{} without the end of a line, or within one quotation, are too many", count(head.len() as u64, "byte"));
        return Err(error(path, "the file", reason));
    }
    header::without_mark(&mut found);
    let has_header = header::find(&found, options.header).map_err(|reason| text.at_row(0, reason))?;
    let dialect = Dialect { delimiter: found.delimiter, decimal: found.decimal, header: has_header };
    text.decimal = found.decimal;
    let Some(first) = found.rows.first() else {
        return Err(error(path, "the file", "there are no points in it".into()));
    };
    if has_header {
        header::check_width(&found).map_err(|reason| text.at_row(0, reason))?;
    }
    let names = if has_header { text.names(first)? } else { Points::numbered(first.len()) };
    text.table(file, &names, dialect, &options)
}

/// The beginning of a file, and whether it is all of it.
fn head(file: &mut File) -> std::io::Result<(Vec<u8>, bool)> {
    let mut head = Vec::new();
    loop {
        let n = file.take(SAMPLE as u64).read_to_end(&mut head)?;
        if n < SAMPLE {
            return Ok((head, true));
        }
        let n_lines = head.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
        if n_lines >= SAMPLE_LINES || head.len() as u64 > MAX_RECORD {
            return Ok((head, false));
        }
    }
}

fn comment(path: &Path, options: &TableOptions) -> Result<Option<u8>, DatasetError> {
    let Some(comment) = options.comment else { return Ok(None) };
    let is_delimiter = options.delimiter.is_some_and(|delimiter| u32::from(delimiter.byte()) == u32::from(comment));
    if !comment.is_ascii_graphic() || comment.is_ascii_digit() || "+-.\"".contains(comment) || is_delimiter {
        let reason =
            format!("data.comment is {comment:?}, expected an ASCII character that begins no number, for instance \"#\"");
        return Err(error(path, "the options", reason));
    }
    Ok(Some(comment as u8))
}

impl Text<'_> {
    /// An error about a whole row.
    fn at_row(&self, at: u64, reason: String) -> DatasetError {
        match self.row(at) {
            Ok(line) => error(self.path, &line, reason),
            Err(error) => error,
        }
    }

    fn skip_preamble(&mut self, head: &[u8]) {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        if head.starts_with(MARK) {
            self.start = MARK.len() as u64;
        }
        let rest = &head[self.start as usize..];
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        let line = rest[..end].to_ascii_lowercase();
        let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(&line);
        self.delimiter = match line {
            b"sep=," => Some(Delimiter::Comma),
            b"sep=;" => Some(Delimiter::Semicolon),
            b"sep=\t" => Some(Delimiter::Tab),
            _ => return,
        };
        self.start += end as u64;
    }

    fn names(&self, first: &[Vec<u8>]) -> Result<Vec<String>, DatasetError> {
        let name = |(column, field): (usize, &Vec<u8>)| {
            String::from_utf8(field.clone()).map_err(|_| {
                let reason =
                    format!("the name {} is not UTF-8, but perhaps Latin-1; save the file as UTF-8", excerpt_bytes(field));
                match self.row(0) {
                    Ok(line) => error(self.path, &format!("{line}, column {}", column + 1), reason),
                    Err(error) => error,
                }
            })
        };
        first.iter().enumerate().map(name).collect()
    }

    fn table(&self, mut file: File, names: &[String], dialect: Dialect, options: &TableOptions) -> Result<Points, DatasetError> {
        let chosen = choose(self.path, names, options)?;
        file.seek(SeekFrom::Start(self.start)).map_err(DatasetError::io("read", self.path))?;
        let progress = Progress::default();
        let mut reader = sample::reader(dialect.delimiter, self.comment).from_reader(Guard::new(file, &progress));
        let mut table = Table::new(self.path, &chosen, options.missing);
        let mut record = ByteRecord::new();
        let (mut is_header, mut blank_lines) = (dialect.header, 0);
        while reader.read_byte_record(&mut record).map_err(|e| self.unreadable(e))? {
            progress.record();
            let at = record.position().map_or(0, csv::Position::byte);
            let fields: Vec<&[u8]> = sample::fields(&record, dialect.delimiter).collect();
            if sample::is_blank(&record) || fields.is_empty() {
                blank_lines += 1;
                continue;
            }
            if std::mem::take(&mut is_header) {
                continue;
            }
            if fields.len() != names.len() {
                return Err(self.ragged(at, &fields, names, dialect)?);
            }
            if record.as_slice().contains(&b'\n') || record.as_slice().contains(&b'\r') {
                let reason =
                    "a quotation does not end in its line: is a quotation mark missing? Remove the mark or the line break".into();
                return Err(self.at_row(at, reason));
            }
            table.row(at, chosen.positions.iter().map(|&c| field::parse(fields[c], dialect.decimal)));
        }
        let finished = table.finish(self)?;
        let reading = Reading { dialect: Some(dialect), blank_lines: blank_lines + progress.blank_lines(), ..Reading::default() };
        Points::from_table(self.path, chosen, dialect.header, finished, reading)
    }

    fn unreadable(&self, e: csv::Error) -> DatasetError {
        match e.into_kind() {
            csv::ErrorKind::Io(e) if e.kind() == ErrorKind::InvalidData => error(self.path, "the file", e.to_string()),
            csv::ErrorKind::Io(e) => DatasetError::io("read", self.path)(e),
            kind => error(self.path, "the file", format!("{kind:?}")),
        }
    }

    /// A line with another number of fields.
    fn ragged(&self, at: u64, fields: &[&[u8]], names: &[String], dialect: Dialect) -> Result<DatasetError, DatasetError> {
        let values = |n: usize| count(n as u64, "value");
        let like = if dialect.header { "as many as there are names" } else { "as the first line has" };
        let (got, expected) = (fields.len(), names.len());
        let start = fields.first().copied().unwrap_or_default();
        let advice = match (
            header::mark(start),
            names.first().filter(|_| dialect.header).and_then(|name| header::mark(name.as_bytes())),
        ) {
            (Some(mark), _) => format!("; if it is a comment, say data.comment = \"{mark}\", else correct or remove it"),
            (_, Some(mark)) => format!("; if the first line is a comment, say data.comment = \"{mark}\", else correct the line"),
            _ => "; correct or remove it".into(),
        };
        let shown = excerpt_bytes(start);
        let reason = format!(
            "{} (first {shown}), expected {expected}, {like}, with the delimiter {}{advice}",
            values(got),
            dialect.delimiter
        );
        Ok(error(self.path, &self.row(at)?, reason))
    }
}

impl Places for Text<'_> {
    /// A record at this byte of the table. Lines skipped before it count.
    fn row(&self, at: u64) -> Result<String, DatasetError> {
        let line = || -> std::io::Result<u64> {
            let mut bytes = BufReader::with_capacity(1 << 16, input::open(self.path)?);
            let (mut line, mut position, mut before, mut is_start, mut in_comment) = (1, 0, 0, true, false);
            loop {
                let buffer = bytes.fill_buf()?;
                if buffer.is_empty() {
                    return Ok(line);
                }
                for &byte in buffer {
                    let is_end = matches!(byte, b'\n' | b'\r');
                    let is_second = byte == b'\n' && before == b'\r';
                    if is_start && !is_end {
                        in_comment = position >= self.start && Some(byte) == self.comment;
                    }
                    if position >= self.start + at && !is_end && !in_comment {
                        return Ok(line);
                    }
                    line += u64::from(is_end && !is_second);
                    is_start = is_end;
                    in_comment &= !is_end;
                    (before, position) = (byte, position + 1);
                }
                let n = buffer.len();
                bytes.consume(n);
            }
        };
        Ok(format!("line {}", line().map_err(DatasetError::io("read", self.path))?))
    }

    fn explain(&self, text: &str) -> &'static str {
        field::explain(text, self.decimal)
    }
}
