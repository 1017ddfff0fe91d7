//! What a file is that is no text, by its first bytes.

use super::error;
use crate::error::DatasetError;
use std::path::Path;

/// The first bytes of files that are no text, with advice.
const SIGNATURES: [(&[u8], &str, &str); 21] = [
    (b"\xff\xfe", "text in UTF-16", "save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16", "save it as UTF-8"),
    (b"\x1f\x8b", "compressed by gzip", "unpack it with gunzip"),
    (b"BZh", "compressed by bzip2", "unpack it with bunzip2"),
    (b"\xfd7zXZ\0", "compressed by xz", "unpack it with unxz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it with unzstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"Rar!", "a RAR archive", "unpack it"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (.xls)", "save the sheet as CSV"),
    (b"PAR1", "a Parquet file", "give it a name that ends in .parquet"),
    (b"\x93NUMPY", "a numpy array", "give it a name that ends in .npy"),
    (b"ARROW1", "an Arrow file", "save it as Parquet or CSV"),
    (b"FEA1", "a Feather file", "save it as Parquet or CSV"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "save the table as Parquet or CSV"),
    (b"SQLite format 3\0", "an SQLite data base", "save the table as CSV"),
    (b"\x89PNG\r\n\x1a\n", "a picture (PNG)", "images are made into data sets by the `preprocess` program"),
    (b"\xff\xd8\xff", "a picture (JPEG)", "images are made into data sets by the `preprocess` program"),
    (b"%PDF-", "a PDF document", "save the table as CSV"),
    (b"{\\rtf", "an RTF document", "save the table as plain text"),
    (b"\x80\x04\x95", "a Python pickle", "save the table as Parquet, CSV or .npy"),
    (b"\x80\x05\x95", "a Python pickle", "save the table as Parquet, CSV or .npy"),
];

/// Says what a file is, given its first bytes, if it is none of text.
pub(super) fn refuse_others(path: &Path, head: &[u8]) -> Result<(), DatasetError> {
    let refusal = |what: &str, remedy: &str| error(path, "the file", format!("it is {what}, not a text of numbers; {remedy}"));
    if head.starts_with(b"PK\x03\x04") {
        let has = |part: &[u8]| head.windows(part.len()).any(|window| window == part);
        return Err(if has(b"[Content_Types].xml") || has(b"xl/") {
            refusal("an Excel workbook (.xlsx)", "save the sheet as CSV")
        } else if has(b"opendocument.spreadsheet") {
            refusal("an OpenDocument spreadsheet (.ods)", "save the sheet as CSV")
        } else if has(b".npy") {
            refusal("an .npz archive of numpy arrays", "save the array with numpy.save")
        } else {
            refusal("a zip archive", "unpack it")
        });
    }
    if let Some((_, what, remedy)) = SIGNATURES.iter().find(|(signature, ..)| head.starts_with(signature)) {
        return Err(refusal(what, remedy));
    }
    let start = head.trim_ascii_start();
    let lower: Vec<u8> = start.iter().take(16).map(u8::to_ascii_lowercase).collect();
    if [&b"<!doctype"[..], b"<html", b"<?xml", b"<head", b"<body", b"<table", b"<svg"].iter().any(|tag| lower.starts_with(tag)) {
        return Err(refusal("a web page or XML", "download the file itself, or save the table as CSV"));
    }
    let signs: Vec<u8> = start.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(3).collect();
    if matches!(&signs[..], [b'{', b'"', ..] | [b'[', b'{', b'"'] | [b'[', b'[', b'-' | b'0'..=b'9']) {
        return Err(refusal("JSON", "save the table as CSV, for instance with pandas"));
    }
    if let Some(at) = head.iter().position(|&byte| byte == 0) {
        let wide = head.len() >= 4 && [0, 1].iter().any(|&odd| head[..4].iter().skip(odd).step_by(2).all(|&byte| byte == 0));
        return Err(if wide {
            refusal("text in UTF-16", "save it as UTF-8")
        } else {
            error(path, &format!("byte {at}"), "there is a zero byte, which no text has: the file is binary or damaged".into())
        });
    }
    Ok(())
}
