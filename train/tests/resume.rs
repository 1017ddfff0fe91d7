//! Runs that are stopped, killed or damaged go on with the same numbers.

mod common;

use common::{Workshop, number};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Two epochs with everything that a checkpoint must carry: momentum, averages, flips, accumulation across epochs, a last
/// partial batch, a falling learning rate, evaluations and pictures between epochs.
const SETTINGS: [&str; 8] = [
    "run.epochs=2",
    "run.max_steps=1000",
    "optim.accumulate=3",
    "optim.schedule=cosine",
    "data.flip=true",
    "run.log_every_steps=1",
    "model.dense_blocks=0",
    "checkpoint.every_steps=3",
];

fn start(workshop: &Workshop, arguments: &[&str]) -> Child {
    let mut program = Command::new(env!("CARGO_BIN_EXE_train"));
    let program = program.args(arguments).current_dir(workshop.path("")).stdout(Stdio::null()).stderr(Stdio::null());
    program.spawn().expect("the program can be started")
}

fn begin(out: &str) -> Vec<&str> {
    let settings = SETTINGS.iter().flat_map(|setting| ["--set", setting]);
    ["--config", "tiny.toml", "--out", out].into_iter().chain(settings).collect()
}

/// What must not depend on interruptions: metrics, curve, and all tensors of the last checkpoint.
fn outcome(workshop: &Workshop, run: &str) -> (String, String, Vec<u8>) {
    let checkpoint = workshop.path(run).join("checkpoints/last.safetensors");
    let mut state = train::checkpoint::read(&checkpoint).expect("a checkpoint");
    // Times differ.
    state.log.training_seconds = 0.0;
    state.log.timings_bytes = 0;
    let mut bytes = Vec::new();
    train::checkpoint::format::write(&state, &mut bytes).expect("written");
    (workshop.read(&format!("{run}/metrics.jsonl")), workshop.read(&format!("{run}/curve.svg")), bytes)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a directory");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Begins a run and kills it until it finishes: each time after `patience()`, `limit` times at the most. Returns how often.
fn kill_until_finished(workshop: &Workshop, begin: &[&str], limit: u32, mut patience: impl FnMut() -> Duration) -> u32 {
    let mut kills = 0;
    let mut child = start(workshop, begin);
    let finished = loop {
        let (begun, patience) = (Instant::now(), if kills < limit { patience() } else { Duration::from_secs(600) });
        let mut status = None;
        while status.is_none() && begun.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(2));
            status = child.try_wait().expect("a status");
        }
        if let Some(status) = status {
            break status;
        }
        child.kill().expect("SIGKILL");
        child.wait().expect("an end");
        kills += 1;
        let begun_at_all = workshop.path("killed/config.toml").exists();
        child = start(workshop, if begun_at_all { &["--resume", "killed"] } else { begin });
    };
    assert!(finished.success(), "{finished} after {kills} kills");
    kills
}

#[test]
fn killed_at_any_moment_a_run_goes_on_with_the_same_numbers() {
    // `KILLS=50 cargo test …` kills that often, in a run that is as much longer.
    let limit: u32 = std::env::var("KILLS").map_or(8, |n| n.parse().expect("KILLS is a number"));
    let epochs = format!("run.epochs={}", (limit / 4).max(2));
    let workshop = Workshop::new();
    let begin = |out| [&begin(out)[..], &["--set", &epochs]].concat();
    let begun = Instant::now();
    assert!(start(&workshop, &begin("whole")).wait().expect("an end").success());
    let most = begun.elapsed() * 3 / (2 * limit);
    // A fixed sequence of moments, from before anything is written on.
    let mut moment = 0.37f64;
    let mut patience = || {
        moment = (moment + 0.618_034) % 1.0;
        most.mul_f64(moment)
    };
    let mut kills = 0;
    // A run may finish before it was killed often enough, if the machine has become faster: then there is another one.
    while kills < limit {
        let more = kill_until_finished(&workshop, &begin("killed"), limit - kills, &mut patience);
        assert!(more > 0, "the run was too short to be killed");
        kills += more;
        assert!(outcome(&workshop, "whole") == outcome(&workshop, "killed"));
        assert_eq!(names(&workshop.path("whole/images")), names(&workshop.path("killed/images")));
        let left = names(&workshop.path("killed/checkpoints"));
        assert_eq!(left, names(&workshop.path("whole/checkpoints")), "nothing unfinished is left");
        std::fs::remove_dir_all(workshop.path("killed")).expect("removed");
    }
}

#[test]
fn a_stopped_run_is_saved_and_says_how_to_go_on() {
    let workshop = Workshop::new();
    workshop.json(&[&begin("whole")[..], &["--json"]].concat());
    for (signal, out, after) in [("-INT", "run", 2), ("-TERM", "other", 9)] {
        let mut run = Command::new(env!("CARGO_BIN_EXE_train"));
        let run = run.args(begin(out)).arg("--json").current_dir(workshop.path(""));
        let child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program can be started");
        let begun = Instant::now();
        while std::fs::read_to_string(workshop.path(out).join("metrics.jsonl")).map_or(0, |text| text.lines().count()) < after {
            assert!(begun.elapsed() < Duration::from_secs(60), "no steps are logged");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill").success());
        let output = child.wait_with_output().expect("an end");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(75), "{message}");
        assert!(
            message.contains("stopping: leaving what is being computed") && message.contains(&format!("train --resume {out}")),
            "{message}"
        );
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        assert_eq!(summary["finished"].as_bool(), Some(false));
        let resumed = workshop.json(&["--resume", out, "--json"]);
        assert_eq!(resumed["finished"].as_bool(), Some(true));
        assert!(outcome(&workshop, "whole") == outcome(&workshop, out), "{signal}");
    }
}

#[test]
fn a_finished_run_can_be_made_longer() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=6"]);
    let again = workshop.json(&["--resume", "run", "--json"]);
    assert_eq!((number(&again, "steps"), again["finished"].as_bool()), (6.0, Some(true)));
    let longer = workshop.json(&["--resume", "run/checkpoints/last.safetensors", "--json", "--set", "run.max_steps=9"]);
    assert_eq!((number(&longer, "steps"), number(&longer, "parameters")), (9.0, number(&again, "parameters")));
    let branch = ["--resume", "run", "--json", "--out", "branch", "--set", "run.max_steps=12"];
    assert_eq!(number(&workshop.json(&branch), "steps"), 12.0);
    let steps = |run: &str| -> Vec<u64> {
        workshop.lines(&format!("{run}/metrics.jsonl")).iter().map(|line| line["step"].as_u64().expect("a step")).collect()
    };
    assert_eq!(steps("run"), [1, 2, 4, 6, 6, 6, 8, 9, 9, 9]);
    assert_eq!(steps("branch"), [1, 2, 4, 6, 6, 6, 8, 9, 9, 9, 10, 12, 12, 12]);
}

#[test]
fn an_older_checkpoint_takes_the_run_back() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=12", "checkpoint.every_steps=4", "checkpoint.keep=3", "run.log_every_steps=1"]);
    let whole = outcome(&workshop, "run");
    assert_eq!(names(&workshop.path("run/checkpoints")).len(), 5, "three, the last one and the best one");
    let resumed = workshop.json(&["--resume", "run/checkpoints/step0000004.safetensors", "--json"]);
    assert_eq!(number(&resumed, "steps"), 12.0);
    assert!(outcome(&workshop, "run") == whole);
}

#[test]
fn a_damaged_checkpoint_is_refused_and_the_one_before_it_offered() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=8", "checkpoint.every_steps=4"]);
    let path = workshop.path("run/checkpoints/last.safetensors");
    let whole = std::fs::read(&path).expect("a checkpoint");
    for at in [whole.len() / 3, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&path, bytes).expect("written");
        for arguments in [&["--resume", "run"][..], &["sample", "run/checkpoints/last.safetensors"]] {
            let message = workshop.error(arguments);
            let parts =
                ["last.safetensors is not a usable checkpoint", "damaged: its CRC32C", "step0000004.safetensors is whole"];
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
    }
    assert_eq!(number(&workshop.json(&["--resume", "run/checkpoints/step0000004.safetensors", "--json"]), "steps"), 8.0);
    train::checkpoint::read(&path).expect("a whole checkpoint again");
}

#[test]
fn what_does_not_fit_is_refused() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=1"]);
    let error = |settings: &[&str]| workshop.error(&[&["--resume", "run"], settings].concat());
    assert!(error(&["--set", "model.hidden_channels=17"]).contains("another architecture"));
    assert!(error(&["--set", "data.levels=4"]).contains("17 levels"));
    assert!(workshop.error(&["--resume", "nowhere"]).contains("does not exist"));
    assert!(workshop.error(&["--resume", "."]).contains("no config.toml"));
    std::fs::copy(workshop.path("run/checkpoints/last.safetensors"), workshop.path("alone.safetensors")).expect("copied");
    assert!(workshop.error(&["--resume", "alone.safetensors"]).contains("--out"));
    workshop.json(&["--resume", "alone.safetensors", "--out", "other", "--json", "--set", "run.max_steps=2"]);
}
