//! Messages that quote what users and files say: with control characters escaped, and no longer than can be read.

use std::fmt::Write;

/// Characters of a line at the most; of a longer one, the beginning and the end are kept.
const LINE: usize = 500;
/// Lines at the most.
const LINES: usize = 12;

/// A message as it may be printed on a terminal: control characters escaped, long lines without their middle, and no more
/// than a few lines.
///
/// ```
/// use datasets::io::message::readable;
///
/// assert_eq!(readable("cannot read \x1b[2Jx.csv"), r"cannot read \u{1b}[2Jx.csv");
/// ```
pub fn readable(text: &str) -> String {
    let mut readable = String::new();
    for (index, line) in text.trim_end().lines().enumerate() {
        if index == LINES {
            let left = text.trim_end().lines().count() - LINES;
            // Writing to a string cannot fail.
            let _ = write!(readable, "\n({left} more lines)");
            break;
        }
        if index > 0 {
            readable.push('\n');
        }
        readable.push_str(&shortened(line, LINE));
    }
    readable
}

/// Lines as they may be printed on a terminal: control characters escaped, and long lines without their middle.
pub fn legible(text: &str) -> String {
    text.split('\n').map(|line| shortened(line, LINE)).collect::<Vec<_>>().join("\n")
}

/// Text on one line: control characters escaped; of more than `most` characters only the beginning and the end.
pub fn shortened(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return escaped(text);
    }
    let (head, tail) = (most * 2 / 3, most / 3);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{}…{}", escaped(&start), escaped(&end))
}

/// Text without characters that terminals obey instead of showing.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || turns_text(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Characters that change the direction or the place of those around them.
fn turns_text(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_comes_is_short_and_without_control_characters() {
        for text in [
            "\x1b]0;title\x07".to_string(),
            "a\rb\x08".into(),
            "\u{202e}gpj.exe".into(),
            "x".repeat(1 << 20),
            "y\n".repeat(1 << 16),
        ] {
            let readable = readable(&text);
            assert!(readable.chars().all(|c| c == '\n' || !c.is_control() && !turns_text(c)), "{readable}");
            assert!(readable.lines().count() <= LINES + 1 && readable.len() <= 20_000, "{} bytes", readable.len());
        }
        assert_eq!(readable("two\nlines, ä and 漢\n"), "two\nlines, ä and 漢");
        assert_eq!(shortened("0123456789", 6), "0123…89");
    }
}
