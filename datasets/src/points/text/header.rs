//! Whether the first line of a text names the columns.

use super::dialect::{Found, body, modal_width};
use super::field::{is_plain_integer, is_punctuated_number, keeps_zeros, parse};
use super::sample::Row;
use crate::points::excerpt::{count, excerpt_bytes};
use crate::points::options::Decimal;
use crate::points::table::Cell;

/// Fewer columns may grow by equal steps by chance, and so may all of fewer lines.
const PROGRESSION: (usize, usize) = (4, 10);

/// By this rule:
///
/// 1. Words, and nothing but words and gaps, are names, without a `#` and a blank before them; so are numbers behind a gap if the lines count 0, 1, 2, … there, as
///    pandas writes an index. Numbers with decimals beside words, where the other lines have numbers and words too, are a point;
///    so are numbers beside such with separators of thousands.
/// 2. Whole numbers, all different, are names if no other line has one, and the other lines show that their writer would not
///    have left out decimals that are zeros.
/// 3. A first line of numbers is a point, unless it may be names as well: it counts (0, 1, 2, … or 1, 2, 3, …), no other line has
///    a whole number, or it alone grows by equal steps.
///
/// # Errors
/// If it may be either.
pub(super) fn find(found: &Found, stated: Option<bool>) -> Result<bool, String> {
    let Some(first) = found.rows.first() else { return Ok(false) };
    if let Some(stated) = stated {
        return Ok(stated);
    }
    let cells: Vec<Cell<'_>> = first.iter().map(|field| parse(field, found.decimal)).collect();
    let is_text = |cell: &Cell<'_>| matches!(cell, Cell::Text(_));
    let n_numbers = cells.iter().filter(|cell| matches!(cell, Cell::Number { .. })).count();
    let words = || first.iter().zip(&cells).filter(|(_, cell)| is_text(cell)).map(|(field, _)| String::from_utf8_lossy(field));
    if cells.iter().any(is_text) {
        let are_like_numbers = words().all(|word| is_punctuated_number(&word));
        return match n_numbers {
            0 if are_like_numbers => Err(unclear(first, "it has numbers with separators of thousands, or with other decimals")),
            0 => Ok(true),
            _ if are_like_numbers || found.rows.len() > 1 && is_point_with_words(found) => Ok(false),
            _ => Err(unclear(first, "it has numbers and words")),
        };
    }
    let rows = body(&found.rows);
    if found.rows.len() == 1 || n_numbers == 0 {
        return Ok(false);
    }
    if n_numbers < first.len() {
        let counts = |start: usize| (start..).zip(rows).all(|(n, row)| row[0] == n.to_string().as_bytes());
        return Ok(first[0].is_empty() && n_numbers == first.len() - 1 && rows.len() > 1 && (counts(0) || counts(1)));
    }
    let values: Vec<f64> = first.iter().filter_map(|field| number(field, found.decimal)).collect();
    let is_whole = is_distinct(&values) && first.iter().all(|field| is_plain_integer(field));
    let only_whole = is_whole && !rows.iter().flatten().any(|field| is_plain_integer(field));
    if only_whole && rows.iter().flatten().any(|field| keeps_zeros(field, found.decimal)) {
        return Ok(true);
    }
    if counts(&values) {
        Err(unclear(first, "it counts, as names by pandas do"))
    } else if only_whole {
        Err(unclear(first, "it has whole numbers, the lines after it have not"))
    } else if is_the_only_progression(&values, rows, found.decimal) {
        Err(unclear(first, "its numbers grow by equal steps, those of other lines do not"))
    } else {
        Ok(false)
    }
}

/// Takes the mark of a comment from names, as `numpy.savetxt` writes them: `# a b c`.
pub(super) fn without_mark(found: &mut Found) {
    let decimal = found.decimal;
    let Some((first, rest)) = found.rows.split_first_mut() else { return };
    if rest.is_empty() {
        return;
    }
    let mut names = first.clone();
    if names.len() == modal_width(rest).0 + 1 && names[0] == b"#" {
        names.remove(0);
    } else if let Some(name) = names[0].strip_prefix(b"# ") {
        names[0] = name.trim_ascii().to_vec();
    }
    if !names.iter().any(|name| number(name, decimal).is_some()) {
        *first = names;
    }
}

/// The characters with which a comment may begin.
pub(super) fn mark(line: &[u8]) -> Option<char> {
    line.first().filter(|mark| b"#%/;!".contains(mark)).map(|mark| char::from(*mark))
}

/// Checks that there are as many names as most lines have fields.
///
/// # Errors
/// The error, with its known cause if there is one.
pub(super) fn check_width(found: &Found) -> Result<(), String> {
    let Some((first, rest)) = found.rows.split_first() else { return Ok(()) };
    let (got, expected) = (first.len(), modal_width(rest).0);
    if rest.is_empty() {
        let is_quotation = first.iter().any(|name| name.contains(&b'\n') || name.contains(&b'\r'));
        return if is_quotation {
            Err("a quotation does not end before the end of the file: is a quotation mark missing?".into())
        } else {
            Ok(())
        };
    }
    if rest.iter().any(|row| row.len() == got) {
        return Ok(());
    }
    // The mark may have been taken from the names.
    let advice = match mark(&first[0]).or((got == 1).then_some('#')) {
        Some(mark) => format!("if it is a comment, say data.comment = \"{mark}\", else correct or remove it"),
        None if expected == got + 1 => "if R wrote names of rows, write the file with row.names=FALSE".into(),
        None => "correct it".into(),
    };
    let (names, values) = (count(got as u64, "name"), count(expected as u64, "value"));
    Err(format!(
        "{names} (first {}), but most lines after it have {values} with the delimiter {}; {advice}",
        excerpt_bytes(&first[0]),
        found.delimiter
    ))
}

fn unclear(first: &Row, why: &str) -> String {
    format!(
        "{} may be names of columns or a point: {why}; say data.header = true (names) or data.header = false (a point)",
        excerpt_bytes(&first.join(&b','))
    )
}

fn number(field: &[u8], decimal: Decimal) -> Option<f64> {
    match parse(field, decimal) {
        Cell::Number { value, .. } => Some(value),
        _ => None,
    }
}

/// Words where the other lines have words, and numbers with decimals where they have numbers.
fn is_point_with_words(found: &Found) -> bool {
    let is_like = |c: usize, field: &Vec<u8>| {
        let is_text = |field: &[u8]| matches!(parse(field, found.decimal), Cell::Text(_));
        let in_column = || body(&found.rows).iter().filter_map(|row| row.get(c));
        if is_text(field) {
            in_column().all(|field| is_text(field))
        } else {
            !is_plain_integer(field) && !in_column().any(|field| is_text(field))
        }
    };
    found.rows[0].iter().enumerate().all(|(c, field)| is_like(c, field))
}

fn is_distinct(values: &[f64]) -> bool {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.windows(2).all(|pair| pair[0] != pair[1])
}

/// 0, 1, 2, … or 1, 2, 3, …; of a single column 0 only.
fn counts(values: &[f64]) -> bool {
    let from = |start: f64| values.iter().enumerate().all(|(n, &value)| value == start + n as f64);
    from(0.0) || values.len() > 1 && from(1.0)
}

fn is_the_only_progression(values: &[f64], rows: &[Row], decimal: Decimal) -> bool {
    let (columns, lines) = PROGRESSION;
    let is_progression = |values: &[f64]| {
        let step = values[1] - values[0];
        step != 0.0 && values.windows(2).all(|pair| (pair[1] - pair[0] - step).abs() <= 1e-9 * step.abs().max(pair[1].abs()))
    };
    values.len() >= columns && rows.len() >= lines && is_progression(values) && {
        let other = |row: &Row| row.iter().map(|field| number(field, decimal)).collect::<Option<Vec<f64>>>();
        !rows.iter().filter_map(other).any(|values| values.len() > 1 && is_progression(&values))
    }
}
