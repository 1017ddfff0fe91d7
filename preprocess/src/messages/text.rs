//! Numbers and names as people read them.

/// Characters of a name that are told.
const LENGTH: usize = 80;

/// `1234567` as `1,234,567`.
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A size in the largest decimal unit that leaves a number of at least 1.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// `part` of `whole` in per cent.
pub fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", 100.0 * part as f64 / whole.max(1) as f64)
}

/// A text with its control characters escaped, and those that turn the direction of writing.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

/// A name as it can be told: escaped, the beginning of a long one left out.
pub fn shown(name: &str) -> String {
    let text = escaped(name);
    match text.char_indices().rev().nth(LENGTH - 1) {
        Some((start, _)) if start > 0 => format!("…{}", &text[start..]),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        let shown = [0, 999, 1000, 60_000, 1_234_567].map(thousands);
        assert_eq!(shown, ["0", "999", "1,000", "60,000", "1,234,567"]);
        assert_eq!([999, 1000, 18_351_250].map(size), ["999 B", "1.0 kB", "18.4 MB"]);
        assert_eq!(percent(597, 1000), "59.7 %");
    }

    #[test]
    fn names_are_told_without_control_characters_and_not_at_length() {
        assert_eq!(shown("a\x1b[31m\nb.png"), "a\\u{1b}[31m\\nb.png");
        let long = format!("{}/b.png", "a".repeat(300));
        assert_eq!(shown(&long).chars().count(), LENGTH + 1);
        assert!(shown(&long).starts_with('…') && shown(&long).ends_with("aaa/b.png"));
        assert_eq!(shown("ä".repeat(LENGTH).as_str()), "ä".repeat(LENGTH));
    }
}
