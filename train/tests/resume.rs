//! Runs that are stopped, killed or damaged go on with the same numbers.

use crate::common::{Workshop, number};
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
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().expect("eight bytes")) as usize;
    let last = "run/checkpoints/last.safetensors";
    // Sampling reads the averaged weights, which are first in the file, and verifies them; resuming reads everything.
    for (at, arguments) in [
        (header + 100, &["sample", last][..]),
        (header + 100, &["--resume", last]),
        (whole.len() / 3, &["--resume", last]),
        (whole.len() - 1, &["--resume", last]),
    ] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&path, bytes).expect("written");
        let message = workshop.error(arguments);
        let parts = ["last.safetensors is not a usable checkpoint", "damaged: its CRC32C", "step0000004.safetensors is whole"];
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
    assert_eq!(number(&workshop.json(&["--resume", "run/checkpoints/step0000004.safetensors", "--json"]), "steps"), 8.0);
    train::checkpoint::read(&path).expect("a whole checkpoint again");
}

/// Gives a file contents of its own, whatever other names it has.
fn replace(path: &Path, bytes: &[u8]) {
    std::fs::remove_file(path).expect("removed");
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn without_its_last_checkpoint_a_run_goes_on_from_the_newest_whole_one() {
    let workshop = Workshop::new();
    let settings = ["run.max_steps=12", "checkpoint.every_steps=4", "checkpoint.keep=3", "run.log_every_steps=1"];
    let dir = workshop.path("run/checkpoints");
    for (spoiled, step) in [
        (&[("last", None)][..], 12),
        (&[("last", Some(1000))], 12),
        (&[("last", Some(0))], 12),
        (&[("last", None), ("step0000012", Some(1000)), ("best", Some(10))], 8),
        (&[("last", Some(1000)), ("step0000012", None), ("best", None), ("step0000008", Some(1000))], 4),
        // Of the newest step only the name of the best one is left.
        (&[("last", None), ("step0000012", None), ("step0000008", None)], 12),
    ] {
        workshop.train("run", &settings);
        let whole = outcome(&workshop, "run");
        let (mut removed, mut cut) = (0, 0);
        for (stem, keep) in spoiled {
            let name = names(&dir).into_iter().find(|name| name.starts_with(stem)).expect("a checkpoint");
            let bytes = std::fs::read(dir.join(&name)).expect("a checkpoint");
            match keep {
                Some(keep) => replace(&dir.join(name), &bytes[..*keep]),
                None => std::fs::remove_file(dir.join(name)).expect("removed"),
            }
            if keep.is_some() { cut += 1 } else { removed += 1 }
        }
        for name in ["best.safetensors", "last.safetensors"] {
            std::fs::remove_file(workshop.path("run").join(name)).expect("a further name");
        }
        let before = names(&dir);
        assert_eq!(before.len(), 5 - removed);
        let output = workshop.run(&["--resume", "run", "--json", "--set", "run.max_steps=13"]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{spoiled:?}: {message}");
        assert!(message.contains(&format!("going on after {step} steps from")), "{spoiled:?}: {message}");
        let after = names(&dir);
        assert_eq!(after.iter().filter(|name| name.contains(".damaged")).count(), cut, "nothing is deleted: {after:?}");
        // The same run without the fault.
        std::fs::rename(workshop.path("run"), workshop.path("spoiled")).expect("renamed");
        workshop.train("run", &settings);
        assert!(outcome(&workshop, "run") == whole);
        workshop.json(&["--resume", "run", "--json", "--set", "run.max_steps=13"]);
        let metrics = |run: &str| workshop.read(&format!("{run}/metrics.jsonl"));
        if step == 12 {
            assert_eq!(metrics("run"), metrics("spoiled"), "{spoiled:?}");
        }
        ["run", "spoiled"].iter().for_each(|run| std::fs::remove_dir_all(workshop.path(run)).expect("removed"));
    }
}

#[test]
fn the_checkpoints_in_the_directory_itself_are_enough_to_go_on() {
    for name in ["best.safetensors", "last.safetensors"] {
        let workshop = Workshop::new();
        workshop.train("run", &["run.max_steps=8", "run.epochs=1"]);
        workshop.train("whole", &["run.max_steps=8", "run.epochs=1"]);
        std::fs::remove_dir_all(workshop.path("run/checkpoints")).expect("removed");
        for other in ["best.safetensors", "last.safetensors"].into_iter().filter(|other| *other != name) {
            std::fs::remove_file(workshop.path("run").join(other)).expect("removed");
        }
        let more = ["--set", "run.max_steps=11", "--json"];
        let [run, whole] = ["run", "whole"].map(|run| workshop.json(&[&["--resume", run][..], &more].concat()));
        assert_eq!((number(&run, "steps"), &run["test_bits_per_dim"]), (11.0, &whole["test_bits_per_dim"]));
    }
}

/// A run of an earlier version gave no such names in its directory.
#[test]
fn a_file_of_somebody_else_is_no_checkpoint() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=4"]);
    for name in ["files.jsonl", "best.safetensors", "last.safetensors"] {
        std::fs::remove_file(workshop.path("run").join(name)).expect("removed");
    }
    workshop.write("run/best.safetensors", "mine");
    for arguments in [&["--resume", "run", "--set", "run.max_steps=6"][..], &["--config", "tiny.toml", "--out", "run", "--force"]]
    {
        let message = workshop.error(arguments);
        assert!(message.contains("run/best.safetensors") && message.contains("move it away"), "{message}");
        assert_eq!(workshop.read("run/best.safetensors"), "mine");
    }
}

#[test]
fn a_run_that_lost_its_checkpoints_never_begins_anew() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=8", "checkpoint.every_steps=4"]);
    let dir = workshop.path("run/checkpoints");
    let metrics = workshop.read("run/metrics.jsonl");
    for name in names(&dir) {
        replace(&dir.join(name), b"half");
    }
    for name in ["best.safetensors", "last.safetensors"] {
        replace(&workshop.path("run").join(name), b"half");
    }
    let before = names(&dir);
    for list in [true, false] {
        if !list {
            std::fs::remove_file(workshop.path("run/files.jsonl")).expect("removed");
        }
        let message = workshop.error(&["--resume", "run", "--set", "run.max_steps=10"]);
        assert!(message.contains("checkpoints in run/checkpoints can be read"), "{message}");
        assert!(names(&dir) == before && workshop.read("run/metrics.jsonl") == metrics);
    }
    std::fs::remove_dir_all(&dir).expect("removed");
    for name in ["best.safetensors", "last.safetensors"] {
        std::fs::remove_file(workshop.path("run").join(name)).expect("removed");
    }
    let message = workshop.error(&["--resume", "run", "--set", "run.max_steps=10"]);
    assert!(message.contains("no checkpoint, but the run has made some") && message.contains("--force"), "{message}");
    assert_eq!(workshop.read("run/metrics.jsonl"), metrics);
}

#[test]
fn a_run_that_was_killed_before_its_first_checkpoint_begins_at_its_start() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=4"]);
    let list = workshop.read("run/files.jsonl");
    let unsaved: String = list.lines().filter(|line| !line.contains("saved_step")).map(|line| format!("{line}\n")).collect();
    assert!(unsaved.len() < list.len());
    workshop.write("run/files.jsonl", &unsaved);
    std::fs::remove_dir_all(workshop.path("run/checkpoints")).expect("removed");
    workshop.write("run/notes.txt", "mine");
    workshop.write("run/images/holiday.png", "mine");
    let metrics = workshop.read("run/metrics.jsonl");
    assert_eq!(number(&workshop.json(&["--resume", "run", "--json"]), "steps"), 4.0);
    assert_eq!(workshop.read("run/metrics.jsonl"), metrics);
    assert_eq!([workshop.read("run/notes.txt"), workshop.read("run/images/holiday.png")], ["mine", "mine"]);
}

#[test]
fn a_run_that_has_made_its_steps_is_done() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=8", "checkpoint.every_steps=4"]);
    let checkpoints = names(&workshop.path("run/checkpoints"));
    let files = ["run/metrics.jsonl", "run/config.toml", "run/summary.json", "run/sessions.jsonl"];
    let before = files.map(|file| workshop.read(file));
    for set in ["run.max_steps=7", "run.max_steps=1", "run.max_steps=8", "run.max_seconds=1e-6"] {
        let output = workshop.run(&["--resume", "run", "--json", "--set", set]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success() && message.contains("has made 8 steps") && message.contains("nothing was changed"),
            "{message}"
        );
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        assert_eq!((number(&summary, "steps"), summary["finished"].as_bool()), (8.0, Some(true)));
        assert!(files.map(|file| workshop.read(file)) == before && names(&workshop.path("run/checkpoints")) == checkpoints);
    }
}

#[test]
fn records_that_were_lost_end_no_run() {
    let workshop = Workshop::new();
    workshop.train("whole", &["run.max_steps=3", "run.log_every_steps=1"]);
    let text = workshop.read("whole/metrics.jsonl");
    let lines = text.lines().count();
    for (name, damage, kept) in [
        ("torn", text[..text.len() - 20].to_string(), lines - 1),
        ("cut", text[..text.len() / 2].to_string(), text[..text.len() / 2].matches('\n').count()),
        (
            "zeros",
            format!("{}\n{}", "\0".repeat(text.find('\n').expect("a line")), text.split_once('\n').expect("lines").1),
            lines,
        ),
        ("missing", String::new(), 0),
    ] {
        workshop.train(name, &["run.max_steps=3", "run.log_every_steps=1"]);
        let metrics = format!("{name}/metrics.jsonl");
        workshop.write(&metrics, &damage);
        let output = workshop.run(&["--resume", name, "--set", "run.max_steps=5"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
        assert!(said.contains(&format!("warning: {metrics}")), "{name}: {said}");
        let text = workshop.read(&metrics);
        let broken = text.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_err()).count();
        assert_eq!(broken, usize::from(name == "zeros"), "{name}: {text}");
        assert!(text.lines().count() > kept, "{name}: {text}");
        assert!(workshop.run(&["report", name]).status.success(), "{name}");
    }
    // A checkpoint that lies elsewhere has lost nothing.
    std::fs::copy(workshop.path("whole/checkpoints/last.safetensors"), workshop.path("alone.safetensors")).expect("copied");
    let output = workshop.run(&["--resume", "alone.safetensors", "--out", "new", "--set", "run.max_steps=5"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("warning"), "{said}");
}

#[test]
fn settings_that_were_edited_in_the_run_do_not_count_and_it_is_said() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=2"]);
    let settings = workshop.read("run/config.toml");
    let said = |arguments: &[&str]| {
        let output = workshop.run(&[&["--resume", "run"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    };
    assert!(!said(&[]).contains("warning: run/config.toml"));
    workshop.write("run/config.toml", &settings.replace("max_steps = 2", "max_steps = 9"));
    let text = said(&[]);
    assert!(
        text.contains("warning: run/config.toml has another `run.max_steps`: the settings in run/checkpoints/last"),
        "{text}"
    );
    workshop.write("run/config.toml", "[run\n");
    assert!(said(&["--set", "run.max_steps=3"]).contains("warning: run/config.toml, line 1"));
    assert!(!said(&["--set", "run.max_steps=4"]).contains("warning: run/config.toml"), "written anew");

    // Another model is refused before anything is changed.
    let before = workshop.read("run/config.toml");
    let message = workshop.error(&["--resume", "run", "--set", "model.hidden_channels=9", "--set", "run.max_steps=9"]);
    let parts = ["--set model.hidden_channels=9: run/checkpoints/last.safetensors has another model", "[9, 1, 3, 3]", "--config"];
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    assert_eq!(workshop.read("run/config.toml"), before);

    // Nothing is left to do, but the run is not as it was.
    replace(&workshop.path("run/checkpoints/last.safetensors"), b"damaged");
    let text = said(&[]);
    assert!(text.contains("last.safetensors is not a usable checkpoint") && text.contains("nothing was changed"), "{text}");
}

#[test]
fn one_process_at_a_time_writes_into_a_run() {
    let workshop = Workshop::new();
    let endless = ["--config", "tiny.toml", "--out", "run", "--set", "run.epochs=1000000", "--set", "run.max_steps=1000000"];
    let mut first = start(&workshop, &endless);
    let begun = Instant::now();
    while std::fs::read_to_string(workshop.path("run/metrics.jsonl")).map_or(0, |text| text.lines().count()) < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no steps are logged");
        std::thread::sleep(Duration::from_millis(5));
    }
    let checkpoint = "run/checkpoints/step0000000.safetensors";
    for arguments in [
        &["--resume", "run"][..],
        &["--resume", checkpoint],
        &["--config", "tiny.toml", "--out", "run", "--force"],
        &["--config", "tiny.toml", "--resume", "run"],
    ] {
        let message = workshop.error(arguments);
        assert!(message.contains(&format!("process {}", first.id())) && message.contains("is writing into"), "{message}");
    }
    assert!(workshop.error(&["--config", "tiny.toml", "--out", "run"]).contains("holds a run already"));
    assert!(first.try_wait().expect("a status").is_none(), "the first goes on");
    // A killed process holds no lock.
    first.kill().expect("SIGKILL");
    first.wait().expect("an end");
    let steps = workshop.lines("run/metrics.jsonl").len();
    assert!(steps >= 3);
    workshop.json(&["--resume", "run", "--json", "--set", "run.max_steps=10", "--set", "run.epochs=1"]);
}

#[test]
fn force_removes_what_the_run_wrote_and_nothing_else() {
    let workshop = Workshop::new();
    let config = std::fs::read_to_string(workshop.path("tiny.toml")).expect("settings");
    for has_list in [true, false] {
        workshop.train("run", &["run.max_steps=8", "checkpoint.every_steps=2"]);
        let foreign = [
            "run/images/holiday.png",
            "run/images/holiday00002.png",
            "run/checkpoints/other_model.safetensors",
            "run/checkpoints/step0000004.safetensors.bak",
            "run/notes.txt",
            "run/curve.svg.orig",
        ];
        foreign.iter().for_each(|name| workshop.write(name, "mine"));
        if !has_list {
            // As an earlier version left it.
            for name in ["files.jsonl", "best.safetensors", "last.safetensors"] {
                std::fs::remove_file(workshop.path("run").join(name)).expect("removed");
            }
        }
        let forced = ["--config", "tiny.toml", "--out", "run", "--json", "--force", "--set", "run.max_steps=2"];
        workshop.json(&forced);
        assert!(foreign.iter().all(|name| workshop.read(name) == "mine"));
        let left: Vec<_> =
            names(&workshop.path("run/checkpoints")).into_iter().filter(|name| name.contains("step0000008")).collect();
        assert!(left.is_empty(), "{left:?}");
        std::fs::remove_dir_all(workshop.path("run")).expect("removed");
    }
    // What is no run, though it looks like one at first sight.
    for (name, text) in [
        ("config.toml", "baseURL = \"https://example.org\"\n"),
        ("config.toml", &config),
        ("images/start.png", "photo"),
        ("checkpoints/last.safetensors", "model"),
        ("checkpoints/step0000100.safetensors", "model"),
        ("metrics.jsonl", "{\"step\":1}\n"),
    ] {
        for folder in ["", "images", "checkpoints"] {
            std::fs::create_dir_all(workshop.path("site").join(folder)).expect("a directory");
        }
        workshop.write(&format!("site/{name}"), text);
        workshop.write("site/images/holiday.png", "photo");
        for force in [&[][..], &["--force"]] {
            let message = workshop.error(&[&["--config", "tiny.toml", "--out", "site"], force].concat());
            assert!(message.contains(name) && message.contains("no run is known to have written it"), "{message}");
        }
        assert_eq!([workshop.read(&format!("site/{name}")), workshop.read("site/images/holiday.png")], [text, "photo"]);
        assert!(names(&workshop.path("site")).iter().all(|name| !name.starts_with('.')), "nothing is left there");
        std::fs::remove_dir_all(workshop.path("site")).expect("removed");
    }
}

#[test]
fn other_data_of_the_same_shape_are_refused() {
    let workshop = Workshop::new();
    let shape = datasets::ImageShape { channels: 1, height: 8, width: 8 };
    let write = |name: &str, n: usize, codec: datasets::CodecKind| {
        for split in datasets::Split::ALL {
            datasets::shards::synthetic::write_dataset(&workshop.path(name), split, shape, 256, n, codec).expect("a data set");
        }
    };
    write("images", 40, datasets::CodecKind::MedZstd1);
    write("stored", 40, datasets::CodecKind::Raw);
    write("others", 41, datasets::CodecKind::MedZstd1);
    let settings = ["data.path=images", "model.dense_blocks=0", "run.max_steps=2", "optim.batch_size=8"];
    workshop.train("run", &settings);
    let resume = |path: &str, steps: &str| {
        let (path, steps) = (format!("data.path={path}"), format!("run.max_steps={steps}"));
        workshop.run(&["--resume", "run", "--json", "--set", &path, "--set", &steps])
    };
    let refused = resume("others", "3");
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && message.contains("other training data than those in others"), "{message}");
    assert!(resume("stored", "3").status.success(), "the same images in other files are the same");
    let checkpoint = "run/checkpoints/last.safetensors";
    let evaluated = workshop.run(&["evaluate", checkpoint, "--data", "others"]);
    assert!(
        String::from_utf8_lossy(&evaluated.stderr).contains("note: others has other test data") && evaluated.status.success()
    );
    // Exchanged in their place.
    std::fs::rename(workshop.path("images"), workshop.path("away")).expect("renamed");
    std::fs::rename(workshop.path("others"), workshop.path("images")).expect("renamed");
    // The last settings name the other place.
    let message = workshop.error(&["--resume", "run", "--set", "run.max_steps=4", "--set", "data.path=images"]);
    assert!(message.contains("other training data"), "{message}");
    assert!(workshop.run(&["evaluate", checkpoint]).status.success());
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
