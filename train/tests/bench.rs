//! The `bench` program.

use crate::common::{Workshop, number};
use std::process::Command;

#[test]
fn reports_what_it_measured_as_one_object() {
    let workshop = Workshop::new();
    let config = workshop.path("tiny.toml");
    let run = |more: &[&str]| {
        let mut bench = Command::new(env!("CARGO_BIN_EXE_bench"));
        let output = bench.args(["--batch", "4", "--config"]).arg(&config).args(more).output();
        output.expect("the program can be started")
    };
    let output = run(&["--json", "--repeats", "2", "--skip", "sample,evaluate"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let object = serde_json::from_slice(&output.stdout).expect("one JSON object");
    for key in ["step_seconds", "encode_seconds", "peak_memory_bytes", "parameters"] {
        assert!(number(&object, key) > 0.0);
    }
    assert!(object["sample_seconds"].is_null() && object["evaluate_seconds"].is_null());
    assert!(!run(&["--batch", "0"]).status.success());
    let version = Command::new(env!("CARGO_BIN_EXE_bench")).arg("--version").output().expect("the program can be started");
    assert_eq!(String::from_utf8_lossy(&version.stdout).trim(), format!("bench {}", env!("CARGO_PKG_VERSION")));
}
