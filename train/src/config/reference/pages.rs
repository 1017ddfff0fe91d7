//! The settings as text: for a terminal, as a page, and as a configuration with every default.

use super::suggestions::nearest;
use super::{Section, Setting, sections, settings};
use crate::config::defaults::rule;
use anyhow::{Result, anyhow};
use std::fmt::Write;

/// Columns of comments in a configuration.
const COLUMNS: usize = 110;
/// Columns of a terminal.
const TERMINAL: usize = 80;

/// What a key or a section is, or the keys of that name in any section.
///
/// # Errors
/// If there is none, with those that are near.
pub fn explanation(key: &str) -> Result<String> {
    let key = key.trim().trim_start_matches('[').trim_end_matches(']');
    if let Some(setting) = settings().iter().find(|setting| setting.key == key) {
        return Ok(explained(setting));
    }
    if let Some(section) = sections().iter().find(|section| !section.name.is_empty() && section.name == key) {
        return Ok(listed(section));
    }
    let of_that_name: Vec<String> = settings().iter().filter(|setting| last(&setting.key) == key).map(explained).collect();
    if !of_that_name.is_empty() {
        return Ok(of_that_name.join("\n\n"));
    }
    let names = settings().iter().map(|setting| setting.key.as_str());
    let near = nearest(key, names.chain(sections().iter().map(|section| section.name.as_str()).filter(|name| !name.is_empty())));
    Err(match near.as_slice() {
        [] => anyhow!("there is no setting `{key}`; `train config --default` prints all of them"),
        near => anyhow!("there is no setting `{key}`; near it are {}", near.join(", ")),
    })
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn explained(setting: &Setting) -> String {
    let mut lines = vec![setting.key.clone()];
    lines.extend(wrapped(&setting.text, "  ", TERMINAL));
    lines.push(String::new());
    lines.extend(facts(setting).into_iter().map(|(name, value)| format!("  {:<9}{value}", format!("{name}:"))));
    if let Some(words) = rule(&setting.key) {
        lines.extend(wrapped(&format!("chosen by the data: {words}, where the file does not say model.blocks"), "  ", TERMINAL));
    }
    for (name, text) in &setting.choices {
        lines.push(format!("  {name:?}"));
        lines.extend(wrapped(text, "      ", TERMINAL));
    }
    lines.join("\n")
}

fn listed(section: &Section) -> String {
    let mut lines = vec![format!("[{}]", section.name)];
    lines.extend(wrapped(&section.text, "  ", TERMINAL));
    lines.push(String::new());
    lines.extend(section.settings.iter().map(|setting| {
        let default = setting.default_text().or_else(|| setting.default_words.clone());
        format!(
            "  {:<26} {}",
            last(&setting.key),
            default.map_or_else(|| setting.kind.clone(), |text| format!("[default: {text}]"))
        )
    }));
    let within = format!("{}.", section.name);
    let inner = sections().iter().filter(|other| other.name.starts_with(&within)).map(|other| format!("  [{}]", other.name));
    lines.extend(inner);
    lines.push(String::new());
    lines.push(format!("`train config --explain {}.KEY` explains one of them.", section.name));
    lines.join("\n")
}

/// What there is to say of a key beside its text.
fn facts(setting: &Setting) -> Vec<(&'static str, String)> {
    let default = setting.default_text().or_else(|| setting.default_words.clone());
    let facts = [
        ("value", Some(setting.kind.clone())),
        ("unit", setting.unit.clone()),
        ("range", setting.range.map(|range| range.words())),
        ("default", default),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Lines of this many columns, each after an indentation.
fn wrapped(text: &str, indentation: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        let mut line = String::from(indentation);
        for word in paragraph.split_whitespace() {
            if line.len() > indentation.len() && line.chars().count() + 1 + word.chars().count() > columns {
                lines.push(std::mem::replace(&mut line, indentation.into()));
            }
            if line.len() > indentation.len() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// A configuration in which every default is written out, with comments that say what each is.
pub fn default_toml() -> String {
    let mut text = String::from(
        "# Every setting with its default. A line that begins with `# key =` has none, or is chosen by the data: without its\n\
         # `#` it is set.\n\
         # Exactly one of data.path, data.points and data.file has to be set. `train config --explain KEY` says more.\n\
         # Keys are chosen by the data, where it is said how, if they are left out and model.blocks is not set either.\n",
    );
    for section in sections() {
        if !section.name.is_empty() {
            text.push('\n');
            wrapped(&section.text, "# ", COLUMNS).iter().for_each(|line| text += &format!("{line}\n"));
            let mark = if section.absent.is_some() { "# " } else { "" };
            text += &format!("{mark}[{}]\n", section.name);
        }
        for setting in &section.settings {
            let notes: Vec<String> = facts(setting)
                .into_iter()
                .filter(|(name, _)| ["unit", "range"].contains(name) || *name == "default" && setting.default.is_none())
                .map(|(name, value)| format!("{name}: {value}"))
                .chain(rule(&setting.key).map(|words| format!("chosen by the data: {words}")))
                .collect();
            let names: Vec<String> = setting.choices.iter().map(|(name, _)| format!("{name:?}")).collect();
            let mut comment = setting.text.clone();
            if !names.is_empty() {
                let _ = write!(comment, " One of {}.", names.join(", "));
            }
            if !notes.is_empty() {
                let _ = write!(comment, " ({})", notes.join("; "));
            }
            wrapped(&comment, "# ", COLUMNS).iter().for_each(|line| text += &format!("{line}\n"));
            let name = last(&setting.key);
            text += &match setting.default_text().filter(|_| section.absent.is_none() && !depends_on_data(setting)) {
                Some(default) => format!("{name} = {default}\n"),
                None => format!("# {name} = {}\n", setting.default_text().unwrap_or_else(|| example(setting))),
            };
        }
    }
    text
}

/// Whether a key goes with one kind of data only, so that where it is set no other kind can be; or is chosen by the data.
fn depends_on_data(setting: &Setting) -> bool {
    setting.key.starts_with("data.") || rule(&setting.key).is_some()
}

/// A value for a key that has no default.
fn example(setting: &Setting) -> String {
    match (setting.choices.first(), setting.kind.as_str()) {
        (Some((name, _)), _) => format!("{name:?}"),
        (None, "number") if setting.range.is_some_and(|range| range.below.is_some()) => "0.1".into(),
        (None, "whole number" | "number") => setting.range.and_then(|range| range.greatest).map_or("1".into(), |_| "100".into()),
        (None, "true or false") => "true".into(),
        (None, kind) if kind.starts_with("list of 3") => "[3, 32, 32]".into(),
        (None, kind) if kind.starts_with("list") => "[\"a\", \"b\"]".into(),
        (None, _) if last(&setting.key) == "comment" => "\"#\"".into(),
        (None, _) => "\"…\"".into(),
    }
}

/// A page about all settings.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Settings\n\n<!-- Written by `train config --markdown > train/docs/settings.md`. A test fails where it is not up to date. -->\n\n\
         A configuration is a [TOML](https://toml.io) file. Only `[data]` is required; every other key has the default that is given\n\
         here. An unknown key, a wrong type and a number outside its range are errors that name the line.\n\n\
         Where a file does not say `model.blocks`, what it leaves out is *chosen by the data*, for the keys of which it is said how: a file\n\
         with only `[data]` trains something sensible. The run says at its start what was chosen, and its own `config.toml` has it.\n\n\
         ```console\n\
         $ train --config mine.toml --set optim.learning_rate=5e-3   # changes a setting\n\
         $ train config --default > mine.toml                        # a configuration with every default\n\
         $ train config --explain optim.ema_decay                    # one key, or a section\n\
         $ train config --schema > schema.json                       # for editors, see configs/schema.json\n\
         ```\n\n",
    );
    let named = sections().iter().filter(|section| !section.name.is_empty());
    let links: Vec<String> =
        named.map(|section| format!("[`[{0}]`](#{1})", section.name, section.name.replace('.', ""))).collect();
    let _ = writeln!(page, "Sections: {}.", links.join(", "));
    for section in sections() {
        let title = if section.name.is_empty() { "At the top".into() } else { format!("`[{}]`", section.name) };
        let _ = write!(page, "\n## {title}\n");
        if !section.name.is_empty() {
            let absent = section.absent.as_ref().map_or_else(String::new, |absent| format!(" Without this section {absent}."));
            let _ = write!(page, "\n{}{absent}\n", section.text);
        }
        for setting in &section.settings {
            let facts = facts(setting).into_iter().map(|(name, value)| match name {
                "default" if setting.default.is_some() => format!("default `{value}`"),
                "value" => value,
                _ => format!("{name} {value}"),
            });
            let facts = facts.collect::<Vec<_>>().join(" · ");
            let by_data = rule(&setting.key).map_or_else(String::new, |words| format!("\n\nChosen by the data: {words}."));
            let _ = write!(page, "\n**`{}`** — {facts}\n\n{}{by_data}\n", last(&setting.key), setting.text);
            if !setting.choices.is_empty() {
                page.push('\n');
            }
            for (name, text) in &setting.choices {
                let text = text.replace("\n\n", " ");
                let _ = if text.is_empty() { writeln!(page, "- `{name:?}`") } else { writeln!(page, "- `{name:?}`: {text}") };
            }
        }
    }
    page
}
