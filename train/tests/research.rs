//! The research code's own checkpoints, through the commands: the latents and log-determinants that it computes for them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use train::arrays;

fn fixture(case: &str, file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/research").join(case).join(file)
}

fn train(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_train")).args(arguments).output().unwrap()
}

fn run(arguments: &[&str]) -> String {
    let output = train(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn assert_close(got: &Path, want: &Path, tol: f32) {
    let (got, want) = (arrays::read(got).unwrap(), arrays::read(want).unwrap());
    assert_eq!(got.values.len(), want.values.len());
    for (index, (a, b)) in got.values.iter().zip(&want.values).enumerate() {
        assert!((a - b).abs() < tol, "element {index}: {a} for {b}");
    }
}

/// Encodes, decodes and computes exact log-determinants with one set of weights.
fn agrees(checkpoint: &Path, case: &str, weights: &str, prefix: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let text = |path: &Path| path.to_str().unwrap().to_string();
    let (checkpoint, x, z) = (text(checkpoint), text(&fixture(case, "x.npy")), text(&path("z.npy")));
    run(&["encode", &checkpoint, "--input", &x, "--output", &z, "--weights", weights]);
    assert_close(&path("z.npy"), &fixture(case, &format!("{prefix}z.npy")), 1e-4);
    run(&["decode", &checkpoint, "--input", &z, "--output", &text(&path("x.npy")), "--weights", weights]);
    assert_close(&path("x.npy"), &fixture(case, "x.npy"), 1e-4);
    let (output, log_det) = (text(&path("p.npy")), text(&path("d.npy")));
    run(&["log-prob", &checkpoint, "--input", &x, "--output", &output, "--log-det", &log_det, "--weights", weights, "--exact"]);
    assert_close(&path("d.npy"), &fixture(case, &format!("{prefix}logdet_exact.npy")), 1e-3);
}

#[test]
fn images_agree_in_both_formats_and_with_both_weights() {
    for case in ["rgb_swish", "celeba_elu"] {
        agrees(&fixture(case, "checkpoint.pth"), case, "raw", "");
        agrees(&fixture(case, "checkpoint.pth"), case, "ema", "ema_");
    }
}

#[test]
fn points_agree() {
    agrees(&fixture("toy2d", "checkpoint.pth"), "toy2d", "raw", "");
}

#[test]
fn imported_checkpoints_are_the_same_models() {
    let dir = tempfile::tempdir().unwrap();
    let imported = dir.path().join("imported.safetensors");
    let out = imported.to_str().unwrap();
    run(&["import", fixture("rgb_swish", "checkpoint.pth").to_str().unwrap(), "--out", out]);
    agrees(&imported, "rgb_swish", "raw", "");
    agrees(&imported, "rgb_swish", "ema", "ema_");
    run(&["sample", out, "--n", "2"]);
}

#[test]
fn damaged_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.pth");
    let bytes = std::fs::read(fixture("toy2d", "checkpoint.pth")).unwrap();
    for len in [2, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..len]).unwrap();
        let output = train(&["sample", path.to_str().unwrap()]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains("cut.pth") && message.contains("byte"), "{len}: {message}");
    }
}
