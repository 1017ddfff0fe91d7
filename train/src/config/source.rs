//! Where settings come from: the text of a file, and `section.key=value` settings of the command line over it.

use super::Config;
use anyhow::{Result, anyhow, bail, ensure};
use datasets::io::message::shortened;
use residual_flows::LogDetConfig;
use serde::Deserialize;
use toml::{Table, Value};

/// A configuration's text, and the settings that take precedence over it.
pub struct Source {
    name: String,
    text: String,
    settings: Vec<String>,
}

impl Source {
    /// Text called `name` in messages, and settings `section.key=value`.
    pub fn new(name: String, text: String, settings: Vec<String>) -> Self {
        Self { name, text, settings }
    }

    /// Whether settings that are left out are chosen by the data: unless the file says how many blocks a model has, or the settings
    /// say otherwise.
    pub fn chooses_by_data(&self) -> bool {
        match self.value("defaults") {
            Some(Value::String(kind)) => kind == "data",
            _ => {
                let text: Table = self.text.parse().unwrap_or_default();
                text.get("model").and_then(|model| model.get("blocks")).is_none()
            }
        }
    }

    /// Whether the file or the command line has a value for a key such as `optim.batch_size`.
    pub fn is_set(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    fn value(&self, key: &str) -> Option<Value> {
        let table = self.table().ok()?;
        key.split('.').try_fold(Value::Table(table), |value, part| value.get(part).cloned())
    }

    /// The file with the settings of the command line.
    fn table(&self) -> Result<Table> {
        let mut table: Table = self.text.parse().map_err(|error| self.fault(&error))?;
        self.settings.iter().try_for_each(|setting| apply(&mut table, setting))?;
        Ok(table)
    }

    /// The settings, not yet checked against each other.
    ///
    /// # Errors
    /// For text that is not TOML, unknown keys and wrong types.
    pub fn parse(&self) -> Result<Config> {
        // Parsed from the text first: only then does the error know the line.
        toml::from_str::<Config>(&self.text).map_err(|error| self.fault(&error))?;
        let mut table = self.table()?;
        with_evaluation_defaults(&mut table)?;
        Config::deserialize(table).map_err(|error| self.fault(&error))
    }

    /// An error in the text, with its line and what stands there.
    fn fault(&self, error: &toml::de::Error) -> anyhow::Error {
        let Some(start) = error.span().map(|span| span.start).filter(|&start| self.text.is_char_boundary(start)) else {
            return at(&self.name, error);
        };
        let (before, after) = self.text.split_at(start);
        let (lines, begun) = (before.split('\n').count(), before.rsplit('\n').next().unwrap_or_default());
        let whole = format!("{begun}{}", after.lines().next().unwrap_or_default());
        let quoted = if whole.trim().is_empty() { String::new() } else { format!(" in `{}`", shortened(whole.trim(), QUOTED)) };
        let (column, message) = (begun.chars().count() + 1, error.message());
        anyhow!("{}, line {lines}, column {column}: {message}{quoted}", self.name)
    }

    /// An error about settings as a whole: of the command line's, the one with which they cease to be good as they are
    /// applied one after the other is named before it, if the error does not name one itself.
    pub fn attributed(&self, error: anyhow::Error, is_good: impl Fn(&Config) -> bool) -> anyhow::Error {
        if self.settings.is_empty() || error.to_string().contains(SET) {
            return error;
        }
        let good_with = |n: &usize| {
            let settings = self.settings[..*n].to_vec();
            let source = Self::new(self.name.clone(), self.text.clone(), settings);
            source.parse().is_ok_and(|config| is_good(&config))
        };
        match (0..self.settings.len()).rev().find(good_with) {
            Some(n) => anyhow!("{}: {error:#}", named(&self.settings[n])),
            None => error,
        }
    }

    /// Where a key such as `optim.batch_size` was set, to begin a message with.
    pub fn place(&self, key: &str) -> String {
        let sets = |setting: &&String| setting.split_once('=').is_some_and(|(name, _)| key_or_parent(name.trim(), key));
        let written = match (self.settings.iter().rev().find(sets), self.line(key)) {
            (Some(setting), _) => return named(setting),
            (None, Some(line)) => format!("{}, line {line}", self.name),
            (None, None) => self.name.clone(),
        };
        // Of a section, what the command line changes in it.
        let within = |setting: &&String| setting.split_once('=').is_some_and(|(name, _)| key_or_parent(key, name.trim()));
        match self.settings.iter().rev().find(within) {
            Some(setting) => format!("{written} with {}", named(setting)),
            None => written,
        }
    }

    /// The line of a key, or of the innermost table around it that is written out.
    fn line(&self, key: &str) -> Option<usize> {
        let document = toml::de::DeTable::parse(&self.text).ok()?;
        let mut table = document.get_ref();
        let mut start = None;
        for part in key.split('.') {
            let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref().as_ref() == part) else { break };
            start = Some(name.span().start);
            match value.get_ref() {
                toml::de::DeValue::Table(inner) => table = inner,
                _ => break,
            }
        }
        start.map(|start| self.text.bytes().take(start).filter(|&byte| byte == b'\n').count() + 1)
    }
}

/// What settings of the command line begin with in messages.
const SET: &str = "--set ";
/// Characters of a setting that are shown.
const QUOTED: usize = 120;
/// Parts of a key, of which there are three in the longest.
const MOST_PARTS: usize = 8;

/// A setting of the command line as messages name it.
fn named(setting: &str) -> String {
    format!("{SET}{}", shortened(setting, QUOTED))
}

/// A TOML error without a line, and its place.
fn at(place: &str, error: &toml::de::Error) -> anyhow::Error {
    anyhow!("{place}: {}", error.to_string().trim_end().replace('\n', " "))
}

fn key_or_parent(name: &str, key: &str) -> bool {
    key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Puts `section.key=value` into the table.
fn apply(table: &mut Table, setting: &str) -> Result<()> {
    let place = named(setting);
    let Some((key, text)) = setting.split_once('=') else {
        bail!("{place}: expected section.key=value, such as optim.learning_rate=2e-3");
    };
    let n_parts = key.split('.').count();
    ensure!(n_parts <= MOST_PARTS, "{place}: a key has at most {MOST_PARTS} parts, this one has {n_parts}");
    let parts: Vec<&str> = key.trim().split('.').collect();
    let [sections @ .., last] = parts.as_slice() else { bail!("{place}: there is no key before `=`") };
    if sections.is_empty() && !["device", "defaults"].contains(last) {
        let (last, text) = (shortened(last, QUOTED), shortened(text, QUOTED));
        bail!("{place}: `{last}` names no section; expected section.key=value, such as optim.{last}={text}");
    }
    let mut inner = &mut *table;
    for section in sections {
        let entry = inner.entry(section.to_string()).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(section) = entry else { bail!("{place}: `{section}` is a value, not a section") };
        inner = section;
    }
    inner.insert(last.to_string(), value(text.trim()));
    Config::deserialize(table.clone()).map_err(|error| at(&place, &error))?;
    Ok(())
}

/// A TOML value; what is none is text.
fn value(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok().filter(|table| table.len() == 1);
    let parsed = parsed.and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| Value::String(text.into()))
}

/// Fills what `[log_det.eval]` leaves out from the evaluation's defaults, not the training's.
fn with_evaluation_defaults(table: &mut Table) -> Result<()> {
    let defaults = Table::try_from(LogDetConfig::evaluation())?;
    let log_det = table.entry("log_det").or_insert_with(|| Value::Table(Table::new()));
    let eval = log_det.as_table_mut().map(|section| section.entry("eval").or_insert_with(|| Value::Table(Table::new())));
    if let Some(eval) = eval.and_then(Value::as_table_mut) {
        for (key, value) in defaults {
            eval.entry(key).or_insert(value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str, settings: &[&str]) -> Source {
        Source::new("test.toml".into(), text.into(), settings.iter().map(|s| s.to_string()).collect())
    }

    #[test]
    fn evaluation_has_its_own_defaults() -> Result<()> {
        let text = "[data]\npath = 'x'\n[log_det.eval]\nn_draws = 3\n[log_det.train]\nn_draws = 2\n";
        let config = source(text, &["log_det.eval.poisson_rate=3.0"]).parse()?;
        let expected = LogDetConfig { n_draws: 3, poisson_rate: 3.0, ..LogDetConfig::evaluation() };
        assert_eq!(config.log_det.eval, expected);
        assert_eq!(config.log_det.train, LogDetConfig { n_draws: 2, ..LogDetConfig::training() });
        Ok(())
    }

    #[test]
    fn written_and_read_again_settings_are_the_same() -> Result<()> {
        let config = source("[data]\npath = 'x'\nlevels = 32\n", &["run.max_seconds=1.5", "model.activation=elu"]).parse()?;
        assert_eq!(source(&config.to_toml()?, &[]).parse()?, config);
        Ok(())
    }

    #[test]
    fn places_are_lines_or_settings() {
        let source = source("[data]\npath = 'x'\n\n[optim]\nbatch_size = 0\n", &["model.blocks=[1]"]);
        assert_eq!(source.place("optim.batch_size"), "test.toml, line 5");
        assert_eq!(source.place("optim.accumulate"), "test.toml, line 4");
        assert_eq!(source.place("run.epochs"), "test.toml");
        assert_eq!(source.place("model.blocks"), "--set model.blocks=[1]");
        assert_eq!(source.place("model"), "test.toml with --set model.blocks=[1]");
    }

    #[test]
    fn places_are_found_in_every_way_of_writing_tables() {
        let text = "optim = { batch_size = 0, betas = [0.9, 2.0] }\ndata.path = 'x'\n\n[model.power_iteration]\ntol = 1\n";
        let source = source(text, &["log_det.eval={n_draws=0}", "run.epochs=1", "run={seed=1}"]);
        let places = ["optim.batch_size", "optim.betas", "data.path", "model.power_iteration.tol", "model.fixed_point.tol"];
        let lines = [1, 1, 2, 5, 4].map(|line| format!("test.toml, line {line}"));
        assert_eq!(places.map(|key| source.place(key)), lines);
        assert_eq!(source.place("log_det.eval.n_draws"), "--set log_det.eval={n_draws=0}");
        assert_eq!(source.place("run.epochs"), "--set run={seed=1}", "the last one replaced the whole section");
    }

    #[test]
    fn the_setting_that_breaks_others_is_named() {
        let source = source("[data]\npath = 'x'\n", &["run.seed=3", "data.file='y'", "run.epochs=3"]);
        let message = source.parse().and_then(|config| config.validate(&source)).unwrap_err();
        let message = format!("{message:#}");
        assert!(message.contains("--set data.file='y'") && message.contains("exactly one"), "{message}");
    }

    #[test]
    fn messages_stay_short_whatever_the_setting() {
        let dots = format!("run.{}b=1", "a.".repeat(50_000));
        let (long, deep) = (format!("run.{}=1", "k".repeat(1 << 20)), format!("run.epochs={}", "[".repeat(1 << 20)));
        let value = format!("run.epochs='{}'", "v".repeat(1 << 20));
        for setting in [dots, long, deep, value, "run.epochs=3\nseed=4".into(), "=".repeat(1 << 20)] {
            let error = source("[data]\npath = 'x'\n", &[&setting]).parse().unwrap_err();
            let message = datasets::io::message::readable(&format!("{error:#}"));
            assert!(message.starts_with("--set ") && message.len() < 2_000 && message.lines().count() <= 3, "{message}");
        }
        for text in ["[".repeat(1 << 20), format!("a = {}", "{a=".repeat(1 << 20)), format!("[{}a]", "a.".repeat(50_000))] {
            let message = datasets::io::message::readable(&source(&text, &[]).parse().unwrap_err().to_string());
            assert!(message.starts_with("test.toml") && message.len() < 2_000, "{message}");
        }
    }

    #[test]
    fn settings_are_as_strict_as_the_file() {
        let message = |setting| source("[data]\npath = 'x'\n", &[setting]).parse().unwrap_err().to_string();
        for setting in ["optim.batchsize=3", "optim.batch_size=many", "optim.batch_size", "seed=3", "data.path.x=3", "=3"] {
            assert!(message(setting).starts_with(&format!("--set {setting}: ")), "{}", message(setting));
        }
        assert!(message("optim.batchsize=3").contains("batchsize"));
        assert!(message("optim.batch_size=many").contains("batch_size"), "{}", message("optim.batch_size=many"));
    }
}
