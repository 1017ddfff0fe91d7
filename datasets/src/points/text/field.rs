//! One field of a text: a number, a missing value, or anything else.

use crate::points::options::Decimal;
use crate::points::table::Cell;

/// Whole numbers beyond this need not be numbers of 64 bits.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// What stands for a missing value, in lower case, beside nothing at all and the errors of spreadsheets.
const MISSING: [&str; 19] = [
    "na", "n/a", "nan", "-nan", "+nan", "<na>", "null", "(null)", "none", "nil", "nat", "missing", "\\n", "-", "--", "?", ".",
    "1.#ind", "1.#qnan",
];

/// What stands for an infinite value, in lower case and without a sign.
const INFINITE: [&str; 4] = ["inf", "infinity", "1.#inf", "∞"];

/// A field without the blanks around it, and without quotes that only stand there because of such blanks.
pub(super) fn trim(field: &[u8]) -> &[u8] {
    let trimmed = field.trim_ascii();
    match trimmed {
        [b'"', inner @ .., b'"'] if field[0].is_ascii_whitespace() => inner.trim_ascii(),
        _ => trimmed,
    }
}

/// The contents of a trimmed field.
pub(super) fn parse(field: &[u8], decimal: Decimal) -> Cell<'_> {
    let unsigned = field.strip_prefix(b"-").or(field.strip_prefix(b"+")).unwrap_or(field);
    let separator = if decimal == Decimal::Comma { b',' } else { b'.' };
    match unsigned {
        [first, rest @ ..] if first.is_ascii_digit() || (*first == separator && rest.first().is_some_and(u8::is_ascii_digit)) => {
            match number(field, decimal) {
                Some(value) if value.is_finite() => {
                    Cell::Number { value, rounded: value.abs() >= WHOLE && is_rounded(unsigned, value) }
                }
                // "1.#INF" begins as a number does.
                _ => other(field, unsigned),
            }
        }
        _ => other(field, unsigned),
    }
}

fn other<'a>(field: &'a [u8], unsigned: &[u8]) -> Cell<'a> {
    if field.is_empty() || is_spreadsheet_error(field) {
        return Cell::Missing(field);
    }
    let is = |text: &[u8], words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()));
    if is(field, &MISSING) || is(unsigned, &["1.#ind", "1.#qnan"]) {
        Cell::Missing(field)
    } else if is(unsigned, &INFINITE) {
        Cell::Infinite(field)
    } else {
        Cell::Text(field)
    }
}

/// `#N/A`, `#DIV/0!`, `#NAME?`, `#WERT!`, `#N/A N/A` and their like in other languages.
fn is_spreadsheet_error(field: &[u8]) -> bool {
    let is_part = |&byte: &u8| byte.is_ascii_uppercase() || !byte.is_ascii() || b"#/0!?_ ".contains(&byte);
    matches!(field, [b'#', rest @ ..] if (2..=20).contains(&rest.len()) && rest.iter().all(is_part))
}

/// A number in decimal notation; infinite if it is too large.
fn number(field: &[u8], decimal: Decimal) -> Option<f64> {
    let text = std::str::from_utf8(field).ok()?;
    if text.contains(['d', 'D']) {
        // Double precision in Fortran: 1.5D+03.
        return number(text.replace(['d', 'D'], "e").as_bytes(), decimal);
    }
    if decimal == Decimal::Point {
        return text.parse().ok();
    }
    if text.contains('.') {
        return None;
    }
    let Some((whole, decimals)) = text.split_once(',') else { return text.parse().ok() };
    // A comma at an end belongs to a list, two of them to thousands.
    if !whole.ends_with(|c: char| c.is_ascii_digit()) || !decimals.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    format!("{whole}.{decimals}").parse().ok()
}

/// Whether a whole number lost digits.
fn is_rounded(unsigned: &[u8], value: f64) -> bool {
    let digits = unsigned.iter().position(|&byte| byte != b'0').map_or(&[][..], |start| &unsigned[start..]);
    digits.iter().all(u8::is_ascii_digit) && format!("{:.0}", value.abs()).as_bytes() != digits
}

/// Digits only, no needless zero before them.
pub(super) fn is_plain_integer(field: &[u8]) -> bool {
    !field.is_empty() && field.iter().all(u8::is_ascii_digit) && (field[0] != b'0' || field.len() == 1)
}

/// Whether the writer of this number keeps zeros at its end: `1.50`, `3.0`, `2.0e+00`.
pub(super) fn keeps_zeros(field: &[u8], decimal: Decimal) -> bool {
    let separator = if decimal == Decimal::Comma { b',' } else { b'.' };
    let Some(start) = field.iter().position(|&byte| byte == separator) else { return false };
    let decimals = &field[start + 1..];
    let end = decimals.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(decimals.len());
    decimals[..end].ends_with(b"0")
}

/// `1,234`: one number with a separator of thousands, or one with three decimals.
pub(super) fn is_like_thousands(field: &[u8], separator: u8) -> bool {
    let unsigned = field.strip_prefix(b"-").or(field.strip_prefix(b"+")).unwrap_or(field);
    let mut parts = unsigned.split(|&byte| byte == separator);
    let (whole, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    parts.next().is_none()
        && whole.len() <= 3
        && rest.len() == 3
        && is_plain_integer(whole)
        && whole != b"0"
        && rest.iter().all(u8::is_ascii_digit)
}

/// Digits with separators of thousands, or of decimals.
pub(super) fn is_punctuated_number(text: &str) -> bool {
    let unsigned = text.trim_start_matches(['+', '-']);
    unsigned.starts_with(|c: char| c.is_ascii_digit())
        && unsigned.chars().all(|c| c.is_ascii_digit() || ".,'_ \u{a0}\u{202f}\u{2019}".contains(c))
}

/// Both separators of thousands and decimals: `1.234,5` or `1,234.5`.
pub(super) fn is_grouped_number(field: &[u8]) -> bool {
    let unsigned = field.strip_prefix(b"-").or(field.strip_prefix(b"+")).unwrap_or(field);
    let Some(at) = unsigned.iter().rposition(|byte| matches!(byte, b'.' | b',')) else { return false };
    let (separator, decimals) = (unsigned[at], &unsigned[at + 1..]);
    let mut groups = unsigned[..at].split(|byte| b".,' ".contains(byte) && *byte != separator);
    let is_digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let starts = groups.next().is_some_and(|first| is_digits(first) && first.len() <= 3);
    let mut n_groups = 0;
    starts
        && is_digits(decimals)
        && groups.all(|group| {
            n_groups += 1;
            is_digits(group) && group.len() == 3
        })
        && n_groups > 0
}

/// A guess at what a text that is no number was meant to be, with advice.
pub(super) fn explain(text: &str, decimal: Decimal) -> &'static str {
    let unsigned = text.trim_start_matches(['+', '-']);
    let has = |characters: &[char]| unsigned.contains(characters);
    let digits = unsigned.chars().filter(char::is_ascii_digit).count();
    let lower = unsigned.to_ascii_lowercase();
    if lower.starts_with("0x") {
        ": hexadecimal numbers are not read"
    } else if matches!(lower.as_str(), "true" | "false") {
        ": write 1 and 0"
    } else if unsigned.parse::<f64>().is_ok_and(f64::is_infinite) {
        ", or too large for one of 64 bits"
    } else if digits > 0 && has(&['|']) {
        ": is `|` the delimiter? Save the file with commas, semicolons, tabs or blanks"
    } else if text.len() <= 40 && (digits > 0 && has(&[':']) || digits >= 6 && unsigned.matches(['-', '/']).count() >= 2) {
        ": dates and times are not read, but seconds or days as numbers are"
    } else if digits > 0 && unsigned.ends_with(['%', '€', '$', '£', '°']) || unsigned.starts_with(['€', '$', '£']) {
        ": write numbers without units"
    } else if text.starts_with('\u{2212}') {
        ": its minus is not that of the keyboard"
    } else if is_punctuated_number(text) {
        match decimal {
            Decimal::Point if unsigned.matches(',').count() == 1 && !has(&['.']) && !is_like_thousands(text.as_bytes(), b',') => {
                ": other numbers have a decimal point, this one has a comma"
            }
            Decimal::Comma if unsigned.matches('.').count() == 1 && !has(&[',']) => {
                ": other numbers have a decimal comma, this one has a point"
            }
            _ => ": separators of thousands are not read; save the file without them",
        }
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(field: &str, decimal: Decimal) -> Option<f64> {
        match parse(field.as_bytes(), decimal) {
            Cell::Number { value, .. } => Some(value),
            _ => None,
        }
    }

    #[test]
    fn numbers_are_read_to_the_last_bit() {
        for number in [0.1, -0.0, 5e-324, f64::MIN_POSITIVE, f64::MAX, -1e300, 1.7e9 + 0.1, 1.0 / 3.0] {
            for text in [format!("{number}"), format!("{number:?}"), format!("{number:e}"), format!("{number:.25e}")] {
                assert_eq!(value(&text, Decimal::Point).map(f64::to_bits), Some(number.to_bits()), "{text}");
                let comma = text.replace('.', ",");
                assert_eq!(value(&comma, Decimal::Comma).map(f64::to_bits), Some(number.to_bits()), "{comma}");
            }
        }
        for (text, number) in
            [("1.5D+03", 1500.0), ("2d-1", 0.2), ("1.", 1.0), (".5", 0.5), ("+1e+03", 1000.0), ("-1.E-2", -0.01), ("007", 7.0)]
        {
            assert_eq!(value(text, Decimal::Point), Some(number), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_missing_infinite_or_text() {
        for text in [
            "",
            "NA",
            "N/A",
            "#N/A",
            "#N/A N/A",
            "#DIV/0!",
            "#NAME?",
            "#ÜBERLAUF!",
            "NaN",
            "nan",
            "-nan",
            "null",
            "NULL",
            "None",
            "<NA>",
            "-",
            "--",
            "?",
            ".",
            "-1.#IND",
            "1.#QNAN",
            "\\N",
        ] {
            assert!(matches!(parse(text.as_bytes(), Decimal::Point), Cell::Missing(_)), "{text}");
        }
        for text in ["inf", "-inf", "+Inf", "Infinity", "-INFINITY", "1.#INF", "-∞"] {
            assert!(matches!(parse(text.as_bytes(), Decimal::Point), Cell::Infinite(_)), "{text}");
        }
        for text in [
            "1e400", "-1e400", "0x10", "0x1p3", "1_000", "1 000", "1,5", "1.2.3", "1e", "e5", "--1", "1-", "nano", "#", "#a",
            "12:30", "true", "１", "1f", "infinite",
        ] {
            assert!(matches!(parse(text.as_bytes(), Decimal::Point), Cell::Text(_)), "{text}");
        }
        for text in ["1.5", "1,", ",", "1,2,3", "1.234,5", "-,5", "1,e5"] {
            assert!(matches!(parse(text.as_bytes(), Decimal::Comma), Cell::Text(_)), "{text}");
        }
    }

    #[test]
    fn whole_numbers_that_lose_digits_are_noticed() {
        let rounded = |text: &str| matches!(parse(text.as_bytes(), Decimal::Point), Cell::Number { rounded: true, .. });
        assert!(rounded("9007199254740993") && rounded("-1700000000000000001"));
        for text in ["9007199254740992", "9007199254740994", "1e30", "12345678901234567.0", "0009007199254740994"] {
            assert!(!rounded(text), "{text}");
        }
    }
}
