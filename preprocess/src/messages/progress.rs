//! Progress bars.

use datasets::io::console;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a line is written where standard error is not a terminal.
const EVERY: Duration = Duration::from_secs(10);

/// A bar for `n_images` images with rate and remaining time; now and then a line where standard error is not a terminal.
pub fn bar(n_images: usize, message: impl Into<String>) -> ProgressBar {
    let template = "{msg} [{bar:30}] {human_pos}/{human_len} images, {per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(n_images as u64), target());
    bar.with_style(style.progress_chars("=> ")).with_message(message.into())
}

/// The same while nobody knows how many there will be.
pub fn counter(message: impl Into<String>) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg}: {human_pos}, {per_sec}, {elapsed}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::with_draw_target(None, target()).with_style(style).with_message(message.into())
}

fn target() -> ProgressDrawTarget {
    match io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::term_like_with_hz(Box::new(Log::new(EVERY, |line| console::note(line))), 1),
    }
}

/// A place for bars that is no terminal: lines come there one below the other, and seldom.
#[derive(Debug)]
struct Log {
    every: Duration,
    write: fn(&str),
    /// What would be seen on a terminal, and when it is written next.
    state: Mutex<(String, Instant)>,
}

impl Log {
    fn new(every: Duration, write: fn(&str)) -> Self {
        Log { every, write, state: Mutex::new((String::new(), Instant::now() + every)) }
    }

    fn with(&self, change: impl FnOnce(&mut (String, Instant))) -> io::Result<()> {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

impl TermLike for Log {
    fn width(&self) -> u16 {
        120
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.with(|(line, _)| line.push_str(text))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.with(|(line, _)| line.clear())
    }

    fn flush(&self) -> io::Result<()> {
        self.with(|(line, next)| {
            if Instant::now() >= *next && !line.trim().is_empty() {
                (self.write)(line.trim());
                *next = Instant::now() + self.every;
            }
        })
    }
}

/// A bar for a few long steps, with the elapsed time.
pub fn steps(n: usize, message: impl Into<String>) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len}, {elapsed}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(n as u64).with_style(style.progress_chars("=> ")).with_message(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_seldom_where_there_is_no_terminal() {
        static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let write = |line: &str| LINES.lock().unwrap().push(line.into());
        for every in [Duration::ZERO, Duration::from_secs(1000)] {
            let target = ProgressDrawTarget::term_like(Box::new(Log::new(every, write)));
            let bar = ProgressBar::with_draw_target(Some(3), target);
            bar.set_style(ProgressStyle::with_template("{pos} of {len}").unwrap());
            (0..3).for_each(|_| bar.inc(1));
            bar.finish_and_clear();
        }
        let lines = LINES.lock().unwrap();
        assert!(lines.contains(&"1 of 3".to_string()) && lines.iter().all(|line| line.ends_with(" of 3")), "{lines:?}");
    }
}
