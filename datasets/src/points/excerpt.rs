//! Text from files as messages show it: short, and without characters that act on a terminal.

use crate::io::message::shortened;

/// Characters of a field that are shown at most.
const MOST_CHARACTERS: usize = 40;

/// Names that are listed at most.
const MOST_NAMES: usize = 6;

/// Text in backticks.
pub(super) fn excerpt(text: &str) -> String {
    format!("`{}`", plain(text))
}

/// Text, shortened, with control characters escaped.
pub(super) fn plain(text: &str) -> String {
    shortened(text, MOST_CHARACTERS)
}

/// An excerpt of bytes that need not be UTF-8.
pub(super) fn excerpt_bytes(bytes: &[u8]) -> String {
    excerpt(&String::from_utf8_lossy(bytes))
}

/// Names of columns, the first of them if there are many.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<&String> = names.into_iter().collect();
    let shown: Vec<String> = names.iter().take(MOST_NAMES).map(|name| excerpt(name)).collect();
    let more = names.len() - shown.len();
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// `1 row`, `2 rows`.
pub(super) fn count(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_a_terminal_and_everything_is_short() {
        assert_eq!(excerpt("a\x1b[31m\n\"b\""), "`a\\u{1b}[31m\\n\"b\"`");
        assert_eq!(excerpt("größe"), "`größe`");
        assert_eq!(excerpt(&"x".repeat(1 << 20)).chars().count(), 42);
        assert_eq!(excerpt_bytes(b"gr\xf6\xdfe"), "`gr\u{fffd}\u{fffd}e`");
        let names: Vec<String> = (0..9).map(|n| n.to_string()).collect();
        assert_eq!(list(&names), "`0`, `1`, `2`, `3`, `4`, `5` and 3 more");
        assert_eq!(list(&names[..1]), "`0`");
    }
}
