//! The program under `mpirun`, as a user runs it.

mod common;

use common::{Workshop, number};
use serde_json::Value;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Log-determinants without noise, and a step that is the gradient itself.
const ONE_EXACT_STEP: [&str; 8] = [
    "log_det.train.method=exact",
    "optim.optimizer=sgd",
    "optim.learning_rate=0.1",
    "optim.warmup_steps=0",
    "optim.clip_norm=inf",
    "optim.batch_size=11",
    "run.max_steps=1",
    "optim.drop_last=true",
];

/// This many processes of the program, in the workshop's directory.
fn mpirun(workshop: &Workshop, processes: usize, arguments: &[&str]) -> Command {
    let mut command = Command::new("mpirun");
    command.args(["--oversubscribe", "--bind-to", "none", "-n", &processes.to_string(), env!("CARGO_BIN_EXE_train")]);
    command.args(arguments).current_dir(workshop.path("."));
    // Open MPI asks to be told so in containers, whose only user is root.
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    command.env("OMPI_MCA_btl_vader_single_copy_mechanism", "none").env("RAYON_NUM_THREADS", "1");
    command
}

fn succeeded(output: Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object, of the first process")
}

fn train(workshop: &Workshop, processes: usize, out: &str, settings: &[&str]) -> Value {
    let mut arguments = vec!["--config", "tiny.toml", "--json", "--out", out];
    arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    succeeded(mpirun(workshop, processes, &arguments).output().expect("mpirun can be started"))
}

#[track_caller]
fn assert_close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * b.abs(), "{a} {b}");
}

#[test]
fn several_processes_make_the_step_of_one() {
    let workshop = Workshop::new();
    let alone = workshop.train("alone", &ONE_EXACT_STEP);
    for processes in [2, 4] {
        let run = format!("together{processes}");
        let together = train(&workshop, processes, &run, &ONE_EXACT_STEP);
        let [a, b] = ["alone", &run].map(|run| workshop.lines(&format!("{run}/metrics.jsonl"))[0].clone());
        for key in ["gradient_norm", "bits_per_dim", "log_det", "max_lipschitz"] {
            assert_close(number(&b, key), number(&a, key), 1e-5);
        }
        assert_close(number(&together, "test_bits_per_dim"), number(&alone, "test_bits_per_dim"), 1e-5);
        assert_eq!(workshop.lines(&format!("{run}/sessions.jsonl"))[0]["processes"], processes);
    }
}

#[test]
fn the_same_seed_gives_the_same_run_which_any_number_of_processes_goes_on_with() {
    let workshop = Workshop::new();
    let settings = ["run.max_steps=6"];
    let [first, second] = ["first", "second"].map(|out| train(&workshop, 2, out, &settings));
    assert_eq!(workshop.read("first/metrics.jsonl"), workshop.read("second/metrics.jsonl"));
    assert_eq!(number(&first, "test_bits_per_dim"), number(&second, "test_bits_per_dim"));

    // Evaluation and samples do not depend on the number of processes.
    let checkpoint = "first/checkpoints/last.safetensors";
    let evaluate = ["evaluate", checkpoint, "--json"];
    let together = succeeded(mpirun(&workshop, 3, &evaluate).output().expect("mpirun can be started"));
    assert_eq!(number(&together, "bits_per_dim"), number(&workshop.json(&evaluate), "bits_per_dim"));
    let sample = |out| ["sample", checkpoint, "--n", "5", "--json", "--out", out];
    let together = succeeded(mpirun(&workshop, 2, &sample("a")).output().expect("mpirun can be started"));
    let alone = workshop.json(&sample("b"));
    let [a, b] = [together, alone].map(|outcome| std::fs::read(workshop.path(outcome["picture"].as_str().unwrap())).unwrap());
    assert!(a == b, "the pictures differ");

    let go_on = ["--resume", "first", "--json", "--set", "run.max_steps=8"];
    let summary = succeeded(mpirun(&workshop, 3, &go_on).output().expect("mpirun can be started"));
    assert_eq!(number(&summary, "steps"), 8.0);
    assert_eq!(number(&workshop.json(&["--resume", "second", "--json", "--set", "run.max_steps=8"]), "steps"), 8.0);
}

#[test]
fn errors_are_said_once_and_end_all_processes() {
    let workshop = Workshop::new();
    let run = |arguments: &[&str]| {
        let output = mpirun(&workshop, 2, arguments).output().expect("mpirun can be started");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let message = run(&["--config", "none.toml"]);
    assert!(message.matches("error: cannot read the configuration none.toml").count() == 1, "{message}");
    let message = run(&["--config", "tiny.toml", "--out", "run", "--set", "optim.batch_size=1497"]);
    assert!(message.contains("an epoch has a batch of 1, too few for 2 processes"), "{message}");
}

#[test]
fn losing_a_process_ends_the_run_with_a_whole_checkpoint() {
    let workshop = Workshop::new();
    let message = signal_second_process(&workshop, "-KILL");
    assert!(message.contains("rank 1"), "{message}");
}

#[test]
fn a_process_that_hangs_ends_the_run_with_a_whole_checkpoint() {
    let workshop = Workshop::new();
    let message = signal_second_process(&workshop, "-STOP");
    assert!(message.contains("error: a process has not answered for 5 s: it hangs"), "{message}");
}

#[test]
fn the_timeout_is_a_number_of_seconds() {
    let workshop = Workshop::new();
    for (variable, value) in [("PROCESS_GROUP_TIMEOUT_SECONDS", "long"), ("TEAM_PATIENCE_SECONDS", "0")] {
        let mut command = mpirun(&workshop, 2, &["--config", "tiny.toml"]);
        let output = command.env(variable, value).output().expect("mpirun can be started");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && message.contains(&format!("{variable} is `{value}`")), "{message}");
    }
}

/// Sends a signal to the second of two processes in training, which must end the run: what was said.
fn signal_second_process(workshop: &Workshop, signal: &str) -> String {
    let endless = ["run.epochs=1000", "run.max_steps=100000", "checkpoint.every_steps=2", "run.evaluate_every_epochs=0"];
    let mut arguments = vec!["--config", "tiny.toml", "--out", "run"];
    arguments.extend(endless.iter().flat_map(|setting| ["--set", setting]));
    let mut command = mpirun(workshop, 2, &arguments);
    command.env("PROCESS_GROUP_TIMEOUT_SECONDS", "5");
    let mpirun = command.stderr(Stdio::piped()).spawn().expect("mpirun can be started");
    wait_until(|| workshop.path("run/checkpoints/step0000004.safetensors").exists());
    assert!(Command::new("kill").args([signal, &second_process(&mpirun)]).status().expect("kill").success());
    let output = mpirun.wait_with_output().expect("mpirun ends");
    assert!(!output.status.success());
    let evaluation = workshop.json(&["evaluate", "run/checkpoints/last.safetensors", "--json", "--limit", "10"]);
    assert!(number(&evaluation, "step") >= 4.0, "{evaluation}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn wait_until(done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(120), "nothing happens");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The process of rank 1 below `mpirun`.
fn second_process(mpirun: &Child) -> String {
    let children = Command::new("ps").args(["-o", "pid=", "--ppid", &mpirun.id().to_string()]).output().expect("ps");
    let children = String::from_utf8_lossy(&children.stdout).into_owned();
    let is_second = |pid: &&str| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == b"OMPI_COMM_WORLD_RANK=1")
    };
    children.split_whitespace().find(is_second).expect("a second process").to_string()
}
