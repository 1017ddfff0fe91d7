//! What the program does and how far it is, on standard error: a bar on a terminal, else a line from time to time.
//!
//! A [`Stage`] is something that may take long; within it there may be others. The innermost one that has lasted for two seconds
//! is shown, with how far it is and how long the rest will take. Quick work shows nothing.

use crate::monitoring::costs::Costs;
use datasets::io::console::note;
use indicatif::{ProgressBar, ProgressStyle};
use residual_flows::Monitor;
use std::io::IsTerminal;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Stages that are younger are not shown.
const AGE: Duration = Duration::from_secs(2);
/// How often is looked whether something is to be shown.
const TICK: Duration = Duration::from_millis(200);
/// Between plain lines, in the first minute of a stage and later.
const LINES: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(30)];
/// Columns of a line at most.
const COLUMNS: usize = 80;
/// Positions of the bar.
const BAR: u64 = 1000;

/// What shows stages, from its first one until it is dropped.
pub struct Progress {
    shared: Arc<Shared>,
    ticker: Option<JoinHandle<()>>,
}

/// Something that may take long; shown until it is dropped.
pub struct Stage {
    shared: Arc<Shared>,
    id: u64,
}

/// How far something is.
#[derive(Clone)]
pub struct Work(Measure);

#[derive(Clone)]
enum Measure {
    Unknown,
    Count { noun: &'static str, total: u64, begun: u64, done: u64, is_rated: bool },
    Layers { monitor: Monitor, before: u64, rounds: u64, costs: Costs },
}

struct Shared {
    view: Mutex<View>,
    ended: Condvar,
}

struct View {
    stages: Vec<Shown>,
    next_id: u64,
    bar: Option<ProgressBar>,
    is_quiet: bool,
    /// The stage of the last plain line, and when it was.
    printed: Option<(u64, Instant)>,
    has_ended: bool,
}

struct Shown {
    id: u64,
    name: String,
    work: Work,
    note: String,
    start: Instant,
}

impl Work {
    /// It is not known how much there is to do.
    pub fn unknown() -> Self {
        Self(Measure::Unknown)
    }

    /// This many things, `noun` in the plural.
    pub fn count(noun: &'static str, total: usize) -> Self {
        Self(Measure::Count { noun, total: total as u64, begun: 0, done: 0, is_rated: true })
    }

    /// This many steps, of which some were made before.
    pub fn steps(total: u64, begun: u64) -> Self {
        Self(Measure::Count { noun: "steps", total, begun, done: begun, is_rated: false })
    }

    /// This many rounds through layers that a monitor sees, from now on.
    pub fn layers(monitor: &Monitor, costs: &Costs, rounds: usize) -> Self {
        let (monitor, costs) = (monitor.clone(), costs.clone());
        Self(Measure::Layers { before: monitor.layers(), monitor, rounds: rounds as u64, costs })
    }

    /// What is done as a part of all, if that is known.
    fn fraction(&self) -> Option<f64> {
        match &self.0 {
            Measure::Unknown => None,
            Measure::Count { total, done, .. } => (*total > 0).then(|| *done as f64 / *total as f64),
            Measure::Layers { rounds, costs, .. } => {
                let (round, layer) = self.place()?;
                Some((round as f64 + costs.before(layer)) / *rounds as f64)
            }
        }
    }

    /// Whether all that is counted is done: what else goes on says so itself.
    fn is_counted_out(&self) -> bool {
        matches!(self.0, Measure::Count { total, done, .. } if done >= total)
    }

    /// Rounds, and layers of the next one, that are done.
    fn place(&self) -> Option<(u64, usize)> {
        let Measure::Layers { monitor, before, rounds, costs } = &self.0 else { return None };
        let (passed, n) = (monitor.layers().saturating_sub(*before), costs.n_layers() as u64);
        Some(if n == 0 || passed >= n * rounds { (*rounds, 0) } else { (passed / n, (passed % n) as usize) })
    }

    /// How far it is in words, and seconds that are left.
    fn described(&self, seconds: f64) -> (String, Option<f64>) {
        let rest = |part: f64| (part > 0.0).then(|| seconds * (1.0 - part).max(0.0) / part);
        match &self.0 {
            Measure::Unknown => (String::new(), None),
            Measure::Count { noun, total, begun, done, is_rated } => {
                let (made, left) = ((done - begun) as f64, total.saturating_sub(*done) as f64);
                let rate = if *is_rated && made > 0.0 { format!(", {}/s", rate(made / seconds)) } else { String::new() };
                (format!("{done}/{total} {noun}{rate}"), (made > 0.0).then(|| seconds * left / made))
            }
            Measure::Layers { rounds, costs, .. } => {
                let (round, layer) = self.place().unwrap_or_default();
                let n = costs.n_layers();
                let layer = format!("layer {} of {n}", (layer + 1).min(n));
                let place = match (round >= *rounds, *rounds) {
                    (true, _) => "finishing".into(),
                    (false, 1) => layer,
                    (false, rounds) => format!("batch {} of {rounds}, {layer}", round + 1),
                };
                (place, self.fraction().and_then(rest))
            }
        }
    }
}

/// A number of things a second, to be read.
pub fn rate(per_second: f64) -> String {
    match per_second {
        // What rounds to 10.0 is written as 10.
        rate if rate >= 9.95 => format!("{rate:.0}"),
        rate if rate >= 1.0 => format!("{rate:.1}"),
        rate => format!("{rate:.3}"),
    }
}

impl Progress {
    /// Nothing is shown yet.
    pub fn new() -> Self {
        let view = View { stages: Vec::new(), next_id: 0, bar: None, is_quiet: false, printed: None, has_ended: false };
        Self { shared: Arc::new(Shared { view: Mutex::new(view), ended: Condvar::new() }), ticker: None }
    }

    /// Visible only if `is_seen`.
    pub fn seen(self, is_seen: bool) -> Self {
        self.shared.view().is_quiet = !is_seen;
        self
    }

    /// Begins a stage, within those that have begun and not ended.
    pub fn stage(&mut self, name: impl Into<String>, work: Work) -> Stage {
        let id = {
            let mut view = self.shared.view();
            view.next_id += 1;
            let id = view.next_id;
            view.stages.push(Shown { id, name: name.into(), work, note: String::new(), start: Instant::now() });
            id
        };
        if self.ticker.is_none() {
            let shared = self.shared.clone();
            // Where there are no more threads, work goes on unseen.
            self.ticker = std::thread::Builder::new().spawn(move || shared.tick_until_ended()).ok();
        }
        Stage { shared: self.shared.clone(), id }
    }

    /// A line that stays.
    pub fn line(&self, text: &str) {
        self.shared.view().line(text);
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Stage {
    /// This many things are done, of those that are counted; and what else there is to say.
    pub fn set(&self, done: u64, note: impl Into<String>) {
        let note = note.into();
        self.change(|shown| {
            if let Measure::Count { done: before, .. } = &mut shown.work.0 {
                *before = done;
            }
            shown.note = note;
        });
    }

    /// What else there is to say.
    pub fn note(&self, note: impl Into<String>) {
        let note = note.into();
        self.change(|shown| shown.note = note);
    }

    fn change(&self, change: impl FnOnce(&mut Shown)) {
        let mut view = self.shared.view();
        if let Some(shown) = view.stages.iter_mut().find(|shown| shown.id == self.id) {
            change(shown);
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.shared.view().stages.retain(|shown| shown.id != self.id);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.shared.view().has_ended = true;
        self.shared.ended.notify_all();
        if let Some(ticker) = self.ticker.take() {
            // It has nothing to say any more.
            let _ = ticker.join();
        }
        if let Some(bar) = self.shared.view().bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Shared {
    fn view(&self) -> MutexGuard<'_, View> {
        // What a thread that panicked left is whole: it is only shown.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick_until_ended(&self) {
        let is_terminal = std::io::stderr().is_terminal();
        let mut view = self.view();
        while !view.has_ended {
            view = self.ended.wait_timeout(view, TICK).unwrap_or_else(PoisonError::into_inner).0;
            if !view.is_quiet && !view.has_ended {
                view.show(is_terminal);
            }
        }
    }
}

impl View {
    fn show(&mut self, is_terminal: bool) {
        let is_shown = |shown: &&Shown| shown.start.elapsed() >= AGE && !shown.work.is_counted_out();
        let Some(shown) = self.stages.iter().rev().find(is_shown) else { return };
        if is_terminal {
            let bar = self.bar.get_or_insert_with(bar);
            bar.set_position((shown.work.fraction().unwrap_or(0.0) * BAR as f64) as u64);
            bar.set_message(shown.text());
            bar.tick();
            return;
        }
        let interval = if shown.start.elapsed() < Duration::from_secs(60) { LINES[0] } else { LINES[1] };
        let is_due = match self.printed {
            None => true,
            Some((id, at)) => at.elapsed() >= if id == shown.id { interval } else { AGE },
        };
        if is_due {
            note(shown.text());
            self.printed = Some((shown.id, Instant::now()));
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            _ if self.is_quiet => {}
            Some(bar) => bar.suspend(|| note(text)),
            None => note(text),
        }
    }
}

impl Shown {
    /// On one line of 80 columns.
    fn text(&self) -> String {
        let seconds = self.start.elapsed().as_secs_f64();
        let (place, rest) = self.work.described(seconds);
        let place = if place.is_empty() { format!("{} so far", duration(seconds)) } else { place };
        let name = if self.name.is_empty() { String::new() } else { format!("{}: ", self.name) };
        let rest = rest.map_or_else(String::new, |rest| format!(", {} left", duration(rest)));
        let note = if self.note.is_empty() { String::new() } else { format!(", {}", self.note) };
        let text = format!("{name}{place}{rest}{note}");
        match text.chars().count() > COLUMNS {
            true => text.chars().take(COLUMNS - 1).chain(['…']).collect(),
            false => text,
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:16} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(BAR).with_style(style)
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
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!([0.4, 61.0, 7500.0].map(duration), ["0s", "1m01s", "2h05m"]);
    }

    fn shown(work: Work, seconds: u64) -> Shown {
        let start = Instant::now().checked_sub(Duration::from_secs(seconds)).expect("a clock that is older");
        Shown { id: 1, name: "evaluating".into(), work, note: "3.1234 bits/dim".into(), start }
    }

    #[test]
    fn what_is_counted_has_a_rate_and_a_rest() {
        let Work(mut measure) = Work::count("images", 3000);
        if let Measure::Count { done, .. } = &mut measure {
            *done = 600;
        }
        let text = shown(Work(measure), 60).text();
        assert_eq!(text, "evaluating: 600/3000 images, 10/s, 4m00s left, 3.1234 bits/dim");
        assert!(text.len() <= 80);
        assert_eq!(shown(Work::unknown(), 61).text(), "evaluating: 1m01s so far, 3.1234 bits/dim");
        let long = Shown { note: "scale.1.block.17.layers.2.weight ".repeat(9), ..shown(Work::unknown(), 61) }.text();
        assert!(long.chars().count() == 80 && long.ends_with('…'), "{long}");
    }

    #[test]
    fn layers_count_as_they_cost() {
        let costs = Costs::new(vec![1.0, 2.0, 1.0]);
        for (layers, part) in [(0, 0.0), (1, 0.25), (2, 0.75), (3, 1.0)] {
            assert!((costs.before(layers) - part).abs() < 1e-3, "{layers}");
        }
        let monitor = Monitor::default();
        let described = |rounds| Work::layers(&monitor, &costs, rounds).described(10.0);
        assert_eq!(described(15), ("batch 1 of 15, layer 1 of 3".into(), None));
        assert_eq!(described(1), ("layer 1 of 3".into(), None));
    }
}
