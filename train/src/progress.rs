//! How far the program is, on standard error: a bar on a terminal, else a line from time to time.

use datasets::console::note;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Seconds between plain lines.
const LINE_SECONDS: u64 = 10;

/// Progress through a known number of things.
pub struct Progress {
    what: &'static str,
    total: u64,
    begun: u64,
    bar: Option<ProgressBar>,
    is_quiet: bool,
    start: Instant,
    printed: Instant,
}

impl Progress {
    /// Through `total` of something, `what` in the plural.
    pub fn new(what: &'static str, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total);
            let template = "{bar:30} {pos}/{len} {prefix}, {eta} left, {msg}";
            bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(what);
            bar
        });
        let start = Instant::now();
        Self { what, total, begun: 0, bar, is_quiet: false, start, printed: start }
    }

    /// That nobody sees, unless this is so.
    pub fn seen(mut self, is_seen: bool) -> Self {
        if !is_seen {
            self.bar = None;
        }
        self.is_quiet = !is_seen;
        self
    }

    /// Of which so many were done before.
    pub fn after(mut self, begun: u64) -> Self {
        if let Some(bar) = &self.bar {
            bar.set_position(begun);
            bar.reset_eta();
        }
        self.begun = begun;
        self
    }

    /// So many are done.
    pub fn set(&mut self, done: u64, message: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(message.to_string());
        } else if self.line_is_due() || done == self.total && !self.is_quiet {
            let rest = self.start.elapsed().as_secs_f64() * (self.total.saturating_sub(done)) as f64
                / done.saturating_sub(self.begun).max(1) as f64;
            note(format_args!("{done}/{} {}, {} left, {message}", self.total, self.what, duration(rest)));
        }
    }

    /// What is going on between two steps.
    pub fn note(&mut self, message: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(message.to_string());
        } else if self.line_is_due() {
            note(message);
        }
    }

    /// Whether it is time for another plain line.
    fn line_is_due(&mut self) -> bool {
        let due = !self.is_quiet && self.printed.elapsed() >= Duration::from_secs(LINE_SECONDS);
        if due {
            self.printed = Instant::now();
        }
        due
    }

    /// A line that stays.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| note(text)),
            None if self.is_quiet => {}
            None => note(text),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A duration to be read, such as `2h05m` or `34s`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s:02}s"),
        (h, m, _) => format!("{h}h{m:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_short() {
        assert_eq!([0.4, 61.0, 7500.0].map(duration), ["0s", "1m01s", "2h05m"]);
    }
}
