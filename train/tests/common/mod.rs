//! Drives the real `train` program in a temporary directory.

#![allow(dead_code, reason = "not every test binary uses all of it")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A temporary directory with a configuration for a tiny model of the digits.
pub struct Workshop {
    dir: TempDir,
}

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The configuration of the tests: a second or two of training.
pub fn tiny_config() -> String {
    let digits = repository().join("data/digits");
    format!(
        r#"[data]
path = {digits:?}
shape = [1, 8, 8]
validation_fraction = 0

[model]
blocks = [1, 1]
hidden_channels = 16
dense_blocks = 1
dense_hidden = 8

[log_det.eval]
n_exact_terms = 5

[optim]
learning_rate = 5e-3
warmup_steps = 5
batch_size = 32
ema_decay = 0.9

[run]
seed = 3
epochs = 1
max_steps = 30
eval_batch_size = 128
log_every_steps = 2
n_samples = 5
"#
    )
}

/// The configuration of a few steps with points on the plane.
pub const POINTS: &str = r#"[data]
points = "moons"
epoch_batches = 4
test_points = 50
validation_points = 0

[model]
blocks = [1]
hidden_channels = 8
kernels = [1, 1, 1]
dense_blocks = 0
logit_alpha = 0

[optim]
batch_size = 16

[run]
epochs = 1
eval_batch_size = 20
n_samples = 5
"#;

impl Workshop {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let workshop = Self { dir };
        workshop.write("tiny.toml", &tiny_config());
        workshop
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("the temporary directory can be written");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Runs the program there.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let program = Command::new(env!("CARGO_BIN_EXE_train")).args(arguments).current_dir(self.dir.path()).output();
        program.expect("the program can be started")
    }

    /// The JSON object that a successful run prints.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("one JSON object")
    }

    /// The message of a run that fails as it should.
    pub fn error(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?} should fail");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(message.starts_with("error: ") && !message.contains("panicked"), "{message}");
        message
    }

    /// The message of a run that begins, and then fails as it should.
    pub fn error_of_run(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && !message.contains("panicked"), "{message}");
        message[message.find("error: ").unwrap_or(0)..].to_string()
    }

    /// Trains the tiny model into a directory.
    pub fn train(&self, out: &str, settings: &[&str]) -> Value {
        let mut arguments = vec!["--config", "tiny.toml", "--json", "--out", out];
        arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
        self.json(&arguments)
    }

    /// The objects of a file of JSON lines.
    pub fn lines(&self, name: &str) -> Vec<Value> {
        self.read(name).lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect()
    }
}

/// A number in an object.
pub fn number(object: &Value, key: &str) -> f64 {
    object[key].as_f64().unwrap_or_else(|| panic!("no number `{key}` in {object}"))
}
