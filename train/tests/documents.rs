//! Figures in documents come from one file, links lead somewhere, and commands that are shown are understood.

use crate::common::{Workshop, repository};
use std::path::{Path, PathBuf};

/// A figure of `experiments/figures.toml`.
struct Figure {
    what: String,
    value: String,
    /// Files, and the words that the value stands in.
    said: Vec<(String, String)>,
}

fn figures() -> Vec<Figure> {
    let text = std::fs::read_to_string(repository().join("experiments/figures.toml")).expect("readable");
    let table: toml::Table = text.parse().expect("TOML");
    let word = |value: &toml::Value| value.as_str().expect("text").to_string();
    let said = |pair: &toml::Value| {
        let pair = pair.as_array().expect("a file and words");
        (word(&pair[0]), word(&pair[1]))
    };
    let figure = |figure: &toml::Value| Figure {
        what: word(&figure["what"]),
        value: word(&figure["value"]),
        said: figure["said"].as_array().expect("a list").iter().map(said).collect(),
    };
    table["figure"].as_array().expect("figures").iter().map(figure).collect()
}

/// Files of an ending below a folder, from the repository's root.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(repository().join(folder)).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut files: Vec<String> = names.filter(|name| name.ends_with(ending)).map(|name| format!("{folder}/{name}")).collect();
    files.sort();
    files
}

/// What states figures that were measured elsewhere.
fn stating() -> Vec<String> {
    let single =
        ["README.md", "preprocess/README.md", "train/python/README.md", "experiments/README.md", "experiments/digits/README.md"]
            .map(String::from);
    let pages = files("train/docs", ".md").into_iter().filter(|page| page != "train/docs/settings.md");
    single.into_iter().chain(pages).chain(files("configs", ".toml")).chain(files("configs/toy", ".toml")).collect()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(repository().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A document without line breaks, marks of comments, and the settings of a configuration.
fn prose(file: &str) -> String {
    let text = read(file);
    let is_configuration = file.ends_with(".toml");
    let lines = text.lines().filter(|line| !is_configuration || line.starts_with('#'));
    let words = lines.flat_map(|line| line.trim_start_matches(['#', '|', '>', '*', ' ']).split_whitespace());
    words.collect::<Vec<_>>().join(" ")
}

/// Units of what is measured. Sizes that settings and formats have are no measurements.
const UNITS: [&str; 12] = ["s", "seconds", "minute", "minutes", "hours", "day", "days", "MB", "bits/dim", "nats", "%", "times"];

/// Numbers with a unit, each with the words from it to its unit.
fn measured(prose: &str) -> Vec<String> {
    let words: Vec<&str> = prose.split(' ').collect();
    let bare = |word: &str| word.trim_matches(['(', ')', ',', '.', ':', ';', '[', ']', '*']).to_string();
    let is_number = |word: &str| {
        let word = bare(word);
        word.starts_with(|c: char| c.is_ascii_digit()) && word.chars().all(|c| c.is_ascii_digit() || ".,".contains(c))
            || word == "half"
    };
    let ends = |index: usize| -> Option<usize> {
        let next = bare(words.get(index + 1)?);
        if UNITS.contains(&next.as_str()) {
            return Some(index + 1);
        }
        let third = bare(words.get(index + 2)?);
        let is_long = (next.as_str(), third.as_str()) == ("a", "minute") || (next.as_str(), third.as_str()) == ("bits", "per");
        is_long.then_some(index + 2)
    };
    let found = (0..words.len()).filter(|&index| is_number(words[index])).filter_map(|index| Some((index, ends(index)?)));
    found.map(|(start, end)| words[start..=end].join(" ")).collect()
}

#[test]
fn figures_are_stated_as_they_were_measured() {
    for Figure { what, value, said } in figures() {
        for (file, words) in said {
            let words = words.replace("{}", &value);
            assert!(prose(&file).contains(&words), "{what}: {file} does not say \"{words}\"");
        }
    }
}

#[test]
fn no_figure_is_stated_that_was_not_measured() {
    let figures = figures();
    for file in stating() {
        let mut rest = prose(&file);
        let mut said: Vec<String> = figures
            .iter()
            .flat_map(|figure| {
                figure.said.iter().filter(|(other, _)| *other == file).map(|(_, words)| words.replace("{}", &figure.value))
            })
            .collect();
        said.sort_by_key(|words| std::cmp::Reverse(words.len()));
        said.iter().for_each(|words| rest = rest.replace(words, "…"));
        let unknown = measured(&rest);
        assert!(unknown.is_empty(), "{file} states figures that experiments/figures.toml does not have: {unknown:?}");
    }
}

#[test]
fn numbers_with_units_are_found() {
    let text =
        "takes 33 s with 80 MB, in half a minute on 2 cores; (0.012 nats), 1.95 bits per dimension, and 60 epochs of 5 images";
    assert_eq!(measured(text), ["33 s", "80 MB,", "half a minute", "(0.012 nats),", "1.95 bits per"]);
}

/// The targets of a page's links to files.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_string()));
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).collect()
}

/// The anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().trim().to_lowercase().replace(' ', "-")
}

#[test]
fn links_lead_somewhere() {
    let pages = stating().into_iter().filter(|file| file.ends_with(".md")).chain(["train/docs/settings.md".into()]);
    for page in pages {
        let folder = Path::new(&page).parent().map_or_else(PathBuf::new, Path::to_path_buf);
        for link in links(&read(&page)) {
            let (file, part) = link.split_once('#').map_or((link.as_str(), None), |(file, part)| (file, Some(part)));
            let target = if file.is_empty() { PathBuf::from(&page) } else { folder.join(file) };
            assert!(repository().join(&target).exists(), "{page} links to {link}");
            if let Some(part) = part {
                let text = read(&target.to_string_lossy());
                let headings: Vec<String> = text
                    .lines()
                    .filter_map(|line| line.strip_prefix('#'))
                    .map(|line| anchor(line.trim_start_matches('#')))
                    .collect();
                assert!(headings.iter().any(|heading| heading == part), "{page} links to {link}: {headings:?}");
            }
        }
    }
}

/// Commands of `train` in pages, without the prompt and what the shell does.
fn commands(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("$ "));
    let programs = ["cargo run --release --bin train -- ", "cargo run --release -p train -- ", "residual-flows train ", "train "];
    let of_train = |line: &str| programs.iter().find_map(|program| line.strip_prefix(program)).map(str::to_string);
    let plain =
        |line: &str| line.split(" #").next().and_then(|line| line.split(" > ").next()).unwrap_or_default().trim().to_string();
    lines.map(plain).filter_map(|line| of_train(&line)).filter(|line| !line.contains("...")).collect()
}

#[test]
fn commands_that_are_shown_are_understood() {
    let workshop = Workshop::new();
    // In the place of the shipped configuration, which would train.
    workshop.write("digits", "no settings");
    let mut n = 0;
    for page in stating().into_iter().filter(|file| file.ends_with(".md")) {
        for command in commands(&read(&page)) {
            let output = workshop.run(&command.split_whitespace().collect::<Vec<_>>());
            // The files are not there, but the options are.
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_ne!(output.status.code(), Some(2), "{page}: train {command}: {message}");
            n += 1;
        }
    }
    assert!(n > 20, "{n}");
}
