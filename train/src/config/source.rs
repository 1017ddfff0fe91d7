//! Where settings come from: the text of a file, and `section.key=value` settings of the command line over it.

use super::Config;
use anyhow::{Result, anyhow, bail};
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

    /// The settings, not yet checked against each other.
    ///
    /// # Errors
    /// For text that is not TOML, unknown keys and wrong types.
    pub fn parse(&self) -> Result<Config> {
        // Parsed from the text first: only then does the error know the line.
        toml::from_str::<Config>(&self.text).map_err(|error| at(&self.name, &error))?;
        let mut table: Table = self.text.parse().map_err(|error| at(&self.name, &error))?;
        for setting in &self.settings {
            apply(&mut table, setting)?;
        }
        with_evaluation_defaults(&mut table)?;
        Config::deserialize(table).map_err(|error| at(&self.name, &error))
    }

    /// Where a key such as `optim.batch_size` was set, to begin a message with.
    pub fn place(&self, key: &str) -> String {
        let sets = |setting: &&String| setting.split_once('=').is_some_and(|(name, _)| key_or_parent(name.trim(), key));
        match (self.settings.iter().rev().find(sets), self.line(key)) {
            (Some(setting), _) => format!("--set {setting}"),
            (None, Some(line)) => format!("{}, line {line}", self.name),
            (None, None) => self.name.clone(),
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

/// A TOML error and its place.
fn at(place: &str, error: &toml::de::Error) -> anyhow::Error {
    anyhow!("{place}: {}", error.to_string().trim_end())
}

fn key_or_parent(name: &str, key: &str) -> bool {
    key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Puts `section.key=value` into the table.
fn apply(table: &mut Table, setting: &str) -> Result<()> {
    let Some((key, text)) = setting.split_once('=') else {
        bail!("--set {setting}: expected section.key=value, such as optim.learning_rate=2e-3");
    };
    let parts: Vec<&str> = key.trim().split('.').collect();
    let [sections @ .., last] = parts.as_slice() else { bail!("--set {setting}: there is no key before `=`") };
    if sections.is_empty() && *last != "device" {
        bail!("--set {setting}: `{last}` names no section; expected section.key=value, such as optim.{last}={text}");
    }
    let mut inner = &mut *table;
    for section in sections {
        let entry = inner.entry(section.to_string()).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(section) = entry else { bail!("--set {setting}: `{section}` is a value, not a section") };
        inner = section;
    }
    inner.insert(last.to_string(), value(text.trim()));
    Config::deserialize(table.clone()).map_err(|error| at(&format!("--set {setting}"), &error))?;
    Ok(())
}

/// A TOML value; what is none is text.
fn value(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
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
