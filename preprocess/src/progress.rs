//! The progress bar, and numbers as people read them.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for `n_images` images with rate and remaining time; invisible where standard error is not a terminal.
pub fn bar(n_images: usize, message: impl Into<String>) -> ProgressBar {
    let template = "{msg} [{bar:30}] {human_pos}/{human_len} images, {per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(n_images as u64).with_style(style.progress_chars("=> ")).with_message(message.into())
}

/// The same while nobody knows how many there will be.
pub fn counter(message: impl Into<String>) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}: {human_pos}, {per_sec}, {elapsed}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style).with_message(message.into())
}

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
}
