//! The first lines of a text, split into fields.

use super::field::trim;
use crate::points::options::Delimiter;
use csv::{ByteRecord, ReaderBuilder};

/// The fields of a line, without the blanks around them.
pub(super) type Row = Vec<Vec<u8>>;

/// The beginning of a text.
pub(super) struct Sample<'a> {
    pub(super) bytes: &'a [u8],
    /// Whether it is all of the text; else the last line may be cut.
    pub(super) is_whole: bool,
    pub(super) comment: Option<u8>,
}

/// How lines are split, of a sample and of the whole text alike.
pub(super) fn reader(delimiter: Delimiter, comment: Option<u8>) -> ReaderBuilder {
    let mut builder = ReaderBuilder::new();
    builder.delimiter(delimiter.byte()).has_headers(false).flexible(true).comment(comment);
    builder
}

/// The fields of a record.
pub(super) fn fields(record: &ByteRecord, delimiter: Delimiter) -> impl Iterator<Item = &[u8]> {
    let is_blanks = delimiter == Delimiter::Blanks;
    let whole = (!is_blanks).then(|| record.iter().map(trim));
    let parts =
        is_blanks.then(|| record.iter().flat_map(|field| field.split(|&byte| byte == b'\t')).filter(|part| !part.is_empty()));
    whole.into_iter().flatten().chain(parts.into_iter().flatten())
}

/// Whether there is nothing in the line but blanks.
pub(super) fn is_blank(record: &ByteRecord) -> bool {
    record.len() <= 1 && record.iter().all(|field| !field.is_empty() && field.trim_ascii().is_empty())
}

impl Sample<'_> {
    /// The lines that are complete.
    pub(super) fn rows(&self, delimiter: Delimiter) -> Vec<Row> {
        let mut reader = reader(delimiter, self.comment).from_reader(self.bytes);
        let mut record = ByteRecord::new();
        let mut rows = Vec::new();
        while matches!(reader.read_byte_record(&mut record), Ok(true)) {
            let row: Row = fields(&record, delimiter).map(<[u8]>::to_vec).collect();
            if !is_blank(&record) && !row.is_empty() {
                rows.push(row);
            }
        }
        if !self.is_whole {
            rows.pop();
        }
        rows
    }
}
