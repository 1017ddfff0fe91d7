//! What separates fields and decimals, found by how well each pair explains the first lines.

use super::field::{is_grouped_number, is_like_thousands, is_plain_integer, parse};
use super::sample::{Row, Sample};
use crate::points::excerpt::excerpt_bytes;
use crate::points::options::{Decimal, Delimiter, TableOptions};
use crate::points::table::Cell;

/// The candidates, from the least to the most preferred.
const DELIMITERS: [Delimiter; 4] = [Delimiter::Blanks, Delimiter::Comma, Delimiter::Tab, Delimiter::Semicolon];

/// A pair, with the lines split by it.
pub(super) struct Found {
    pub(super) delimiter: Delimiter,
    pub(super) decimal: Decimal,
    pub(super) rows: Vec<Row>,
}

/// A pair is the better, the more fields are numbers or missing values and the more lines have the same number of fields; the
/// first line, which may hold names, counts only if it is the only one.
///
/// # Errors
/// If two pairs explain the lines equally well and give other numbers.
pub(super) fn find(sample: &Sample<'_>, options: &TableOptions) -> Result<Found, String> {
    let by_delimiter = DELIMITERS.map(|delimiter| (delimiter, sample.rows(delimiter)));
    let rows_by = |delimiter| &by_delimiter.iter().find(|(other, _)| *other == delimiter).expect("each is there").1;
    let stated = if options.delimiter.is_none() && options.decimal.is_none() {
        one_column_or_two(rows_by(Delimiter::Comma), options)?
    } else {
        None
    };
    let (delimiter, decimal) = stated.unwrap_or_else(|| best(&by_delimiter, options));
    let rows = rows_by(delimiter);
    let width = modal_width(body(rows)).0;
    if options.decimal.is_none() {
        if decimal == Decimal::Comma && (delimiter != Delimiter::Semicolon || width == 1) {
            refuse_thousands(rows)?;
        }
        refuse_mixed_thousands(rows, decimal)?;
        if delimiter == Delimiter::Comma && options.delimiter.is_none() {
            refuse_split_decimals(rows, width)?;
        }
    }
    if options.delimiter.is_none() && width == 1 {
        refuse_splittable_name(rows, decimal, &by_delimiter)?;
    }
    Ok(Found { delimiter, decimal, rows: rows.clone() })
}

/// Names that have delimiters, where the numbers have none.
fn refuse_splittable_name(rows: &[Row], decimal: Decimal, by_delimiter: &[(Delimiter, Vec<Row>)]) -> Result<(), String> {
    let is_name = rows.first().is_some_and(|first| matches!(&first[..], [name] if matches!(parse(name, decimal), Cell::Text(_))));
    // Names may have blanks.
    let split = by_delimiter
        .iter()
        .find(|(delimiter, rows)| *delimiter != Delimiter::Blanks && rows.first().is_some_and(|first| first.len() > 1));
    match split {
        Some((delimiter, rows)) if is_name => {
            Err(format!("it has {} fields with the delimiter {delimiter}, the lines after it have one", rows[0].len()))
        }
        _ => Ok(()),
    }
}

/// The lines that are no names.
pub(super) fn body(rows: &[Row]) -> &[Row] {
    if rows.len() > 1 { &rows[1..] } else { rows }
}

fn best(by_delimiter: &[(Delimiter, Vec<Row>)], options: &TableOptions) -> (Delimiter, Decimal) {
    let mut best = (options.delimiter.unwrap_or(Delimiter::Comma), options.decimal.unwrap_or(Decimal::Point));
    let mut best_score = (0.0, false, 0);
    for decimal in [Decimal::Point, Decimal::Comma] {
        for (preference, (delimiter, rows)) in by_delimiter.iter().enumerate() {
            let is_other = options.delimiter.is_some_and(|stated| stated != *delimiter)
                || options.decimal.is_some_and(|stated| stated != decimal);
            let is_split_by_decimals = *delimiter == Delimiter::Comma && decimal == Decimal::Comma && options.delimiter.is_none();
            if is_other || is_split_by_decimals && !body(rows).iter().flatten().any(|field| field.contains(&b',')) {
                continue;
            }
            let (width, share) = modal_width(body(rows));
            // No line of a single column should be splittable.
            let preference =
                if width == 1 && decimal == Decimal::Point && *delimiter == Delimiter::Comma { 4 } else { preference };
            let score = (readable(body(rows), decimal) * share, width > 1, preference);
            if score > best_score && score.0 > 0.0 {
                (best, best_score) = ((*delimiter, decimal), score);
            }
        }
    }
    best
}

/// The number of fields that most lines have, and the share of these lines.
pub(super) fn modal_width(rows: &[Row]) -> (usize, f64) {
    let mut widths: Vec<usize> = rows.iter().map(Vec::len).collect();
    widths.sort_unstable();
    let longest = widths.chunk_by(|a, b| a == b).max_by_key(|run| run.len());
    longest.map_or((0, 0.0), |run| (run[0], run.len() as f64 / rows.len() as f64))
}

/// The share of fields that are numbers or missing values; a field that is a number only without separators of thousands counts somewhat less.
fn readable(rows: &[Row], decimal: Decimal) -> f64 {
    let n: usize = rows.iter().map(Vec::len).sum();
    let weight = |field: &Vec<u8>| match parse(field, decimal) {
        Cell::Text(_) if is_grouped_number(field) => 0.9,
        Cell::Text(_) => 0.0,
        _ => 1.0,
    };
    rows.iter().flatten().map(weight).sum::<f64>() / n.max(1) as f64
}

fn is_integer(field: &[u8]) -> bool {
    let digits = field.strip_prefix(b"-").or(field.strip_prefix(b"+")).unwrap_or(field);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// `1.234.567`, with points between thousands.
fn is_grouped(field: &[u8]) -> bool {
    let digits = field.strip_prefix(b"-").or(field.strip_prefix(b"+")).unwrap_or(field);
    let mut groups = digits.split(|&byte| byte == b'.');
    groups.next().is_some_and(|first| is_plain_integer(first) && first != b"0" && first.len() <= 3)
        && groups.all(|group| group.len() == 3 && is_integer(group))
}

/// The characters that may follow a decimal comma.
fn is_decimals(field: &[u8]) -> bool {
    let (digits, exponent) = match field.iter().position(|byte| byte.eq_ignore_ascii_case(&b'e')) {
        Some(at) => (&field[..at], Some(&field[at + 1..])),
        None => (field, None),
    };
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) && exponent.is_none_or(is_integer)
}

/// Lines such as `1,5`, which are one number or two: a line of names decides, else nobody does.
fn one_column_or_two(rows: &[Row], options: &TableOptions) -> Result<Option<(Delimiter, Decimal)>, String> {
    let is_either = |row: &Row| match &row[..] {
        [number] => is_integer(number) || matches!(parse(number, Decimal::Point), Cell::Missing(_) | Cell::Infinite(_)),
        [whole, decimals] => (is_integer(whole) || is_grouped(whole)) && is_decimals(decimals),
        _ => false,
    };
    if !body(rows).iter().any(|row| row.len() == 2) || !body(rows).iter().all(is_either) {
        return Ok(None);
    }
    let is_named = options
        .header
        .unwrap_or(rows.len() > 1 && rows[0].iter().any(|field| matches!(parse(field, Decimal::Point), Cell::Text(_))));
    let counts_from =
        |start: usize| rows.len() > 2 && (start..).zip(&rows[1..]).all(|(n, row)| row[0] == n.to_string().as_bytes());
    match rows[0].len() {
        _ if !is_named && rows.len() > 1 && !is_either(&rows[0]) => Ok(None),
        2 if is_named => Ok(Some((Delimiter::Comma, Decimal::Point))),
        1 if is_named && !counts_from(0) && !counts_from(1) => Ok(Some((Delimiter::Semicolon, Decimal::Comma))),
        1 | 2 => Err(format!(
            "{} is one number with a decimal comma, or two whole ones; say data.delimiter = \",\" or data.decimal = \",\"",
            excerpt_bytes(&rows.iter().find(|row| row.len() == 2 && is_either(row)).map_or(Vec::new(), |pair| pair.join(&b',')))
        )),
        _ => Ok(None),
    }
}

/// `1,234` is 1.234 or 1234 where a comma is not known to be for decimals.
fn refuse_thousands(rows: &[Row]) -> Result<(), String> {
    let is_number = |field: &&Vec<u8>| field.contains(&b',') && !matches!(parse(field, Decimal::Comma), Cell::Text(_));
    let mut numbers = rows.iter().flatten().filter(is_number).peekable();
    match numbers.peek().copied() {
        Some(first) if numbers.all(|field| is_like_thousands(field, b',')) => Err(format!(
            "{} has a decimal comma or a separator of thousands; say data.decimal = \",\", or save the file without separators",
            excerpt_bytes(first)
        )),
        _ => Ok(()),
    }
}

/// A column of numbers up to 999 without decimals and of larger ones, all with three: they are separators of thousands, or chance.
fn refuse_mixed_thousands(rows: &[Row], decimal: Decimal) -> Result<(), String> {
    const ENOUGH: usize = 3;
    let separator = if decimal == Decimal::Comma { b',' } else { b'.' };
    let is_number = |field: &&Vec<u8>| matches!(parse(field, decimal), Cell::Number { .. });
    for c in 0..rows.iter().map(Vec::len).max().unwrap_or(0) {
        let numbers: Vec<&Vec<u8>> = rows.iter().filter_map(|row| row.get(c)).filter(is_number).collect();
        let (grouped, others): (Vec<&Vec<u8>>, Vec<&Vec<u8>>) =
            numbers.into_iter().partition(|field| is_like_thousands(field, separator));
        if grouped.len() >= ENOUGH && !others.is_empty() && others.iter().all(|field| field.len() <= 3 && is_plain_integer(field))
        {
            let (grouped, other) = (excerpt_bytes(grouped[0]), excerpt_bytes(others[0]));
            return Err(format!(
                "{grouped} beside {other} in column {} may have a separator of thousands or three decimals; save the file without \
                 separators, or say data.decimal",
                c + 1
            ));
        }
    }
    Ok(())
}

/// Decimal commas between delimiters that are commas as well: whole numbers only, every second one with leading zeros, or twice
/// as many as names.
fn refuse_split_decimals(rows: &[Row], width: usize) -> Result<(), String> {
    let body = body(rows);
    let is_pairs = |row: &Row| row.chunks(2).all(|pair| pair.len() == 2 && is_integer(&pair[0]) && is_decimals(&pair[1]));
    if width < 2 || width % 2 == 1 || !body.iter().all(is_pairs) {
        return Ok(());
    }
    let is_decimal =
        |pair: &[Vec<u8>]| pair[0] == b"-0" || pair[1].len() > 1 && pair[1][0] == b'0' && !is_plain_integer(&pair[1]);
    let is_named = rows[0].iter().any(|field| matches!(parse(field, Decimal::Point), Cell::Text(_)));
    if is_named && rows[0].len() == width || !is_named && !body.iter().any(|row| row.chunks(2).any(is_decimal)) {
        return Ok(());
    }
    if is_named && rows[0].len() * 2 != width {
        return Ok(());
    }
    Err("its numbers seem to have decimal commas, between delimiters that are commas too; write them with another delimiter"
        .into())
}
