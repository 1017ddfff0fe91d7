//! The command line is what people expect: examples, lists that parse as they print, completions, manual pages.

use crate::common::Workshop;

/// Every command of the program, with its help.
fn helps(workshop: &Workshop) -> Vec<(String, String)> {
    let help = |arguments: &[&str]| {
        let output = workshop.run(arguments);
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let program = help(&["--help"]);
    let (_, commands) = program.split_once("Commands:\n").expect("commands");
    let commands = commands.lines().take_while(|line| line.starts_with("  "));
    let names = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()));
    let names: Vec<String> = names.filter(|name| *name != "help").map(String::from).collect();
    assert!(names.len() >= 15, "{names:?}");
    let of_command = |name: &String| (name.clone(), help(&[name.as_str(), "--help"]));
    std::iter::once((String::new(), program.clone())).chain(names.iter().map(of_command)).collect()
}

#[test]
fn every_help_has_examples_that_the_program_understands() {
    let workshop = Workshop::new();
    // In the place of the shipped configuration, which would train.
    workshop.write("digits", "no settings");
    for (name, help) in helps(&workshop) {
        let (_, examples) = help.split_once("Examples:\n").unwrap_or_else(|| panic!("{name} has no examples"));
        let lines: Vec<&str> = examples.lines().filter_map(|line| line.strip_prefix("  train ")).collect();
        assert!(!lines.is_empty(), "{name}");
        for line in lines {
            let line = line.split(" > ").next().expect("a command");
            let output = workshop.run(&line.split(' ').collect::<Vec<_>>());
            // The files of examples are not there; their options are.
            assert_ne!(output.status.code(), Some(2), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn every_help_begins_with_what_to_do() {
    let workshop = Workshop::new();
    for (name, help) in helps(&workshop) {
        let first = help.split_whitespace().next().expect("a word");
        assert!(!first.ends_with('s'), "{name}: {first}");
        let described = help.lines().map(str::trim_start).filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
        for line in described {
            for verb in ["Prints", "Writes", "Replaces", "Decides", "Shows", "Makes", "Measures", "Goes on"] {
                assert!(!line.starts_with(verb), "{name}: {line}");
            }
        }
    }
}

#[test]
fn lists_are_printed_as_they_are_written() {
    let workshop = Workshop::new();
    let help = String::from_utf8(workshop.run(&["estimator", "--help"]).stdout).expect("text");
    let (_, rest) = help.split_once("[default: 2,").expect("a list with commas");
    let list = format!("2,{}", rest.split(']').next().expect("an end"));
    let message = workshop.error(&["estimator", "nowhere.toml", "--terms", &list]);
    assert!(message.contains("nowhere.toml"), "{message}");
}

#[test]
fn outputs_of_another_kind_are_refused_with_the_right_ones() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=1"]);
    let checkpoint = "run/checkpoints/last.safetensors";
    let refused = |arguments: &[&str], kinds: &[&str]| {
        let message = workshop.error(arguments);
        assert!(kinds.iter().all(|kind| message.contains(kind)), "{arguments:?}: {message}");
    };
    refused(&["sample", checkpoint, "--out", "x.jpg"], &["x.jpg", ".png"]);
    refused(&["sample", checkpoint, "--out", "x.csv"], &["x.csv", ".png"]);
    refused(&["report", "run", "--out", "x.pdf"], &["x.pdf", ".html"]);
    refused(&["animate", "run", "--out", "x.mp4"], &["x.mp4", ".gif"]);
    refused(&["export", checkpoint, "--out", "x.pth"], &["x.pth", ".safetensors"]);
    refused(&["encode", checkpoint, "--input", "x.npy", "--output", "z.txt"], &["z.txt", ".npy"]);
}

#[test]
fn shells_and_man_know_every_command() {
    let workshop = Workshop::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = String::from_utf8(workshop.run(&["completions", shell]).stdout).expect("text");
        for word in ["evaluate", "log-prob", "--temperature"] {
            assert!(script.contains(word.trim_start_matches('-')), "{shell} does not know {word}");
        }
    }
    let output = workshop.run(&["man", "--out", "pages"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (name, _) in helps(&workshop) {
        let page = workshop.read(&if name.is_empty() { "pages/train.1".into() } else { format!("pages/train-{name}.1") });
        assert!(page.contains(".SH SYNOPSIS") && page.contains("Examples:"), "{name}");
    }
    assert!(workshop.error(&["man", "--out", "pages"]).contains("--force"));
}
