//! A signal is answered within seconds, in every phase of training and by every command, and harms no file.

use crate::common::{Workshop, number};
use datasets::shards::synthetic;
use datasets::{CodecKind, ImageShape, Split};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Within which a signal is answered.
const PROMPT: Duration = Duration::from_secs(5);
/// The exit code of a run that was stopped and saved.
const STOPPED: i32 = 75;
/// A model whose step takes seconds, and whose evaluation and pictures take longer than a test.
const LARGE: [&str; 12] = [
    "data.path=images",
    "data.shape=[3, 32, 32]",
    "model.blocks=[2, 2]",
    "model.hidden_channels=256",
    "model.dense_blocks=0",
    "optim.batch_size=8",
    "optim.accumulate=2",
    "run.eval_batch_size=16",
    "run.epochs=9",
    "run.max_steps=100",
    "run.log_every_steps=1",
    "run.n_samples=16",
];

struct Program {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Program {
    fn start(workshop: &Workshop, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
        let command = command.args(arguments).current_dir(workshop.path("")).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, said: Vec::new() }
    }

    /// Waits for a line with this in it.
    fn wait_for(&mut self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(120));
            let line = line.unwrap_or_else(|error| panic!("no line with `{part}` ({error}): {}", self.said.join("\n")));
            self.said.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill").success());
    }

    /// How it ends, and when, after a signal.
    fn end(mut self, signal: &str) -> (ExitStatus, Duration, String) {
        self.signal(signal);
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                break status;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not end: {}", self.said.join("\n"));
            std::thread::sleep(Duration::from_millis(5));
        };
        let took = begun.elapsed();
        self.said.extend(self.lines.iter());
        (status, took, self.said.join("\n"))
    }

    fn stops(self, signal: &str) -> String {
        let (status, took, said) = self.end(signal);
        assert_eq!(status.code(), Some(STOPPED), "{status}: {said}");
        assert!(took < PROMPT, "{took:?}: {said}");
        assert!(said.contains("stopping: ") && said.contains("go on with: train --resume"), "{said}");
        said
    }
}

/// Images for a large model.
fn write_images(workshop: &Workshop, test: usize) {
    let shape = ImageShape { channels: 3, height: 32, width: 32 };
    for (split, n) in [(Split::Train, 64), (Split::Test, test)] {
        synthetic::write_dataset(&workshop.path("images"), split, shape, 17, n, CodecKind::Raw).expect("written");
    }
}

/// 400 times 3072 numbers of this shape, all one half.
fn write_npy(path: &Path, shape: &str) {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
    let header = format!("{header:<117}\n");
    let start = [b"\x93NUMPY\x01\x00", &118u16.to_le_bytes()[..], header.as_bytes()].concat();
    let values = std::iter::repeat_n(0.5f32.to_le_bytes(), 400 * 3072).flatten();
    std::fs::write(path, start.into_iter().chain(values).collect::<Vec<u8>>()).expect("written");
}

fn train<'a>(out: &'a str, settings: &[&'a str]) -> Vec<&'a str> {
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    ["--config", "tiny.toml", "--out", out].into_iter().chain(settings).collect()
}

/// That a run has a whole checkpoint of this step, and no unfinished file.
fn assert_saved(workshop: &Workshop, run: &str, step: u64) -> train::checkpoint::state::TrainingState {
    let dir = workshop.path(run).join("checkpoints");
    let state = train::checkpoint::read(&dir.join("last.safetensors")).expect("a whole checkpoint");
    assert_eq!(state.description.step, step);
    assert_nothing_unfinished(&dir);
    state
}

fn assert_nothing_unfinished(dir: &Path) {
    let names = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").file_name());
    let unfinished: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with('.')).collect();
    assert!(unfinished.is_empty(), "{unfinished:?}");
}

#[test]
fn a_long_step_says_how_far_it_is_and_is_left() {
    let workshop = Workshop::new();
    write_images(&workshop, 16);
    let settings = [&LARGE[..], &["optim.accumulate=64", "run.epochs=99"]].concat();
    for signal in ["-INT", "-TERM", "-HUP"] {
        let mut run = Program::start(&workshop, &[&train("run", &settings)[..], &["--force"]].concat());
        let line = run.wait_for("step 1: batch ");
        assert!(line.contains(" of 64, layer ") && line.chars().count() <= 80, "{line}");
        run.stops(signal);
        assert_saved(&workshop, "run", 0);
        assert_eq!(workshop.read("run/metrics.jsonl"), "");
    }
}

#[test]
fn a_second_signal_ends_at_once_and_leaves_the_checkpoint_before() {
    let workshop = Workshop::new();
    write_images(&workshop, 16);
    let settings = [&LARGE[..], &["optim.accumulate=64", "run.epochs=99"]].concat();
    let mut run = Program::start(&workshop, &train("run", &settings));
    run.wait_for("step 1: batch ");
    run.signal("-TERM");
    let (status, took, said) = run.end("-INT");
    let is_first_or_second = [Some(STOPPED), Some(128 + 2), Some(128 + 15)].contains(&status.code());
    assert!(is_first_or_second && took < PROMPT, "{status} {took:?}: {said}");
    train::checkpoint::read(&workshop.path("run/checkpoints/last.safetensors")).expect("a whole checkpoint");
}

/// What goes on after an interruption has the numbers of a run that was left alone.
#[test]
fn an_evaluation_and_what_follows_it_are_made_later_where_they_were_stopped() {
    let workshop = Workshop::new();
    write_images(&workshop, 16);
    let settings = [&LARGE[..], &["run.max_steps=1"]].concat();
    workshop.json(&[&train("whole", &settings)[..], &["--json"]].concat());
    // Thousands of products a layer take a minute.
    let long = ["log_det.eval.n_exact_terms=3000", "log_det.eval.truncation_tol=0.0"];
    let mut run = Program::start(&workshop, &train("run", &[&settings[..], &long].concat()));
    run.wait_for("evaluating 16 images: layer ");
    run.stops("-INT");
    let state = assert_saved(&workshop, "run", 1);
    assert!(state.log.pending && state.log.evaluated.is_none());
    // With the settings of the other run.
    let short = ["--set", "log_det.eval.n_exact_terms=5", "--set", "log_det.eval.truncation_tol=1e-4"];
    let mut run = Program::start(&workshop, &[&["--resume", "run"][..], &short].concat());
    // Measuring the layers takes seconds; the picture comes after it.
    run.wait_for("step 1: test ");
    run.stops("-TERM");
    let state = assert_saved(&workshop, "run", 1);
    assert!(state.log.pending && state.log.evaluated.is_some(), "only layers and picture are left");
    let resume = ["--resume", "run", "--json"];
    assert_eq!(number(&workshop.json(&resume), "steps"), 1.0);
    assert_eq!(workshop.read("run/metrics.jsonl"), workshop.read("whole/metrics.jsonl"));
    let picture = |run: &str| std::fs::read(workshop.path(run).join("images/end.png")).expect("a picture");
    assert!(picture("run") == picture("whole"));
    assert!(!workshop.path("run/images/start.png").exists(), "nobody asked for it");
}

#[test]
fn at_any_moment_a_run_stops_and_goes_on_with_the_same_numbers() {
    let workshop = Workshop::new();
    write_images(&workshop, 16);
    let settings = [&LARGE[..], &["run.max_steps=3", "run.epochs=1"]].concat();
    let begun = Instant::now();
    workshop.json(&[&train("whole", &settings)[..], &["--json"]].concat());
    let length = begun.elapsed();
    let (mut moment, mut stops) = (0.0f64, 0);
    for attempt in 0..20 {
        let begins_anew = !workshop.path("run/checkpoints/last.safetensors").exists();
        let arguments = if begins_anew { [&train("run", &settings)[..], &["--force"]].concat() } else { vec!["--resume", "run"] };
        let mut run = Program::start(&workshop, &arguments);
        moment = (moment + 0.618_034) % 1.0;
        let until = Instant::now() + length.mul_f64(0.5 * moment);
        while Instant::now() < until && run.child.try_wait().expect("a status").is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        if run.child.try_wait().expect("a status").is_some_and(|status| status.success()) {
            break;
        }
        let (status, took, said) = run.end(["-INT", "-TERM", "-HUP"][attempt % 3]);
        if status.success() {
            break;
        }
        assert!(status.code() == Some(STOPPED) || status.signal().is_some(), "{status}: {said}");
        assert!(took < PROMPT, "{took:?}: {said}");
        stops += 1;
    }
    assert!(stops >= 3, "{stops}");
    workshop.json(&["--resume", "run", "--json"]);
    assert_eq!(workshop.read("run/metrics.jsonl"), workshop.read("whole/metrics.jsonl"));
}

#[test]
fn before_there_is_anything_to_save_a_signal_just_ends_it() {
    let workshop = Workshop::new();
    write_images(&workshop, 16);
    let settings = [&LARGE[..], &["model.blocks=[64, 64]", "model.hidden_channels=512"]].concat();
    let mut run = Program::start(&workshop, &train("run", &settings));
    let line = run.wait_for(": layer ");
    assert!(line.starts_with("building the model") || line.starts_with("initialising"), "{line}");
    let (status, took, said) = run.end("-INT");
    assert!(status.signal() == Some(2) && took < PROMPT, "{status} {took:?}: {said}");
    assert!(said.contains("before there was anything to save"), "{said}");
    // It can begin again where it has not begun.
    workshop.json(&["--resume", "run", "--json", "--set", "model.blocks=[1]", "--set", "run.max_steps=1"]);
}

/// What a command left in `out` is whole, or bears the name of an unfinished file; a command that succeeded has left a whole
/// file. A signal may meet a program between its last write and its end, so that one that was stopped may have left a whole file
/// too: it is as long as the one that the same command writes undisturbed.
fn what_is_written_is_whole(workshop: &Workshop, arguments: &[&str], succeeded: bool) {
    let entries = std::fs::read_dir(workshop.path("out")).expect("a directory").map(|entry| entry.expect("an entry").path());
    let is_unfinished = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".unfinished"));
    let (unfinished, finished): (Vec<_>, Vec<_>) = entries.partition(|path| is_unfinished(path));
    assert!(unfinished.is_empty(), "{arguments:?}: {unfinished:?}");
    let names_its_output = arguments.iter().any(|argument| argument.starts_with("out/"));
    assert!(finished.len() == usize::from(succeeded && names_its_output) || !succeeded, "{arguments:?}: {finished:?}");
    for path in &finished {
        let left = std::fs::read(path).expect("a file");
        std::fs::remove_file(path).expect("removed");
        if !succeeded {
            workshop.run(arguments);
            assert_eq!(left.len(), std::fs::read(path).expect("a file").len(), "{arguments:?}: {path:?}");
            std::fs::remove_file(path).expect("removed");
        }
    }
}

/// Commands that only read and compute end as any program does: what they write is written at once, in the end.
#[test]
fn every_command_ends_at_a_signal_and_leaves_nothing_half_written() {
    let workshop = Workshop::new();
    write_images(&workshop, 4000);
    let settings = [&LARGE[..], &["run.max_steps=1", "data.levels=17"]].concat();
    // Without its last evaluation, which would take long.
    let mut run = Program::start(&workshop, &train("run", &settings));
    run.wait_for("evaluating 4000 images: ");
    run.stops("-INT");
    let checkpoint = "run/checkpoints/last.safetensors";
    std::fs::create_dir(workshop.path("out")).expect("a directory");
    write_npy(&workshop.path("images.npy"), "400, 3, 32, 32");
    write_npy(&workshop.path("latents.npy"), "400, 3072");
    let arrays = |command, input| vec![command, checkpoint, "--input", input, "--output", "out/a.npy"];
    let commands = [
        (vec!["evaluate", checkpoint, "--out", "out"], "evaluating 4000 images: "),
        (vec!["sample", checkpoint, "--n", "2000", "--out", "out/a.png"], "sampling 2000 images: "),
        (arrays("encode", "images.npy"), ""),
        (arrays("decode", "latents.npy"), ""),
        (arrays("log-prob", "images.npy"), ""),
    ];
    for (signal, (arguments, line)) in ["-INT", "-TERM", "-HUP"].into_iter().cycle().zip(commands) {
        let mut program = Program::start(&workshop, &arguments);
        if line.is_empty() {
            std::thread::sleep(Duration::from_millis(200));
        } else {
            program.wait_for(line);
        }
        let (status, took, said) = program.end(signal);
        // Those that wait for no line may be done already, on a quick machine.
        assert!(status.signal().is_some() || line.is_empty() && status.success(), "{arguments:?}: {status}: {said}");
        assert!(took < PROMPT, "{arguments:?}: {took:?}: {said}");
        what_is_written_is_whole(&workshop, &arguments, status.success());
    }
}

/// The same of those that take long only with what nobody has: they are stopped wherever they are after a moment.
#[test]
fn commands_that_are_usually_quick_end_at_a_signal_too() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=4", "run.sample_at_start=true"]);
    workshop.write("points.toml", crate::common::POINTS);
    let large = ["--set", "model.blocks=[60]", "--set", "model.hidden_channels=128", "--set", "run.max_steps=1"];
    workshop.json(&[&["--config", "points.toml", "--out", "points", "--json"][..], &large].concat());
    let pth = crate::common::repository().join("train/tests/fixtures/research/rgb_swish/checkpoint.pth");
    std::fs::copy(pth, workshop.path("checkpoint.pth")).expect("a fixture");
    std::fs::create_dir(workshop.path("out")).expect("a directory");
    let (digits, points) = ("run/checkpoints/last.safetensors", "points/checkpoints/last.safetensors");
    let commands = [
        (vec!["check", digits, "--n", "299"], ""),
        (vec!["density", points, "--integrate"], ""),
        (vec!["estimator", digits, "--draws", "1000000", "--out", "out"], "measuring: "),
        (vec!["import", "checkpoint.pth", "--out", "out/a.safetensors"], ""),
        (vec!["export", digits, "--out", "out/a.safetensors"], ""),
        (vec!["report", "run", "--out", "out/a.html"], ""),
        (vec!["animate", "run", "--out", "out/a.gif"], ""),
        (vec!["report", "run", "--serve"], "serving the report"),
    ];
    for (signal, (arguments, line)) in ["-INT", "-TERM", "-HUP"].into_iter().cycle().zip(commands) {
        let mut program = Program::start(&workshop, &arguments);
        match line {
            "" => std::thread::sleep(Duration::from_millis(30)),
            line => drop(program.wait_for(line)),
        }
        let (status, took, said) = program.end(signal);
        assert!(status.signal().is_some() || line.is_empty() && status.success(), "{arguments:?}: {status}: {said}");
        assert!(took < PROMPT, "{arguments:?}: {took:?}: {said}");
        what_is_written_is_whole(&workshop, &arguments, status.success());
    }
}
