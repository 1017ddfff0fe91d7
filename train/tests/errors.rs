//! What users do wrong is said clearly: what, where, expected, got.

mod common;

use common::{Workshop, tiny_config};

/// The message when the tiny configuration is changed by replacing `from` with `to`.
fn message(from: &str, to: &str) -> String {
    let workshop = Workshop::new();
    assert!(tiny_config().contains(from));
    workshop.write("tiny.toml", &tiny_config().replace(from, to));
    let message = workshop.error(&["--config", "tiny.toml", "--out", "run"]);
    assert!(!workshop.path("run").exists(), "nothing is begun: {message}");
    message
}

#[track_caller]
fn assert_names(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn unknown_keys_and_wrong_types_have_a_line() {
    assert_names(&message("hidden_channels", "hiden_channels"), &["tiny.toml", "line 7", "hiden_channels"]);
    assert_names(&message("warmup_steps = 5", "warmup_steps = \"five\""), &["tiny.toml", "line 16", "warmup_steps", "string"]);
    assert_names(&message("[optim]", "[optimiser]"), &["tiny.toml", "line 14", "optimiser"]);
    assert_names(&message("seed = 3", "seed = -3"), &["tiny.toml", "seed", "-3"]);
    assert_names(&message("epochs = 1", "epochs ="), &["tiny.toml", "line 22"]);
}

#[test]
fn impossible_values_have_a_key_and_a_line() {
    assert_names(&message("batch_size = 32", "batch_size = 0"), &["line 17", "optim.batch_size", "at least 1"]);
    assert_names(
        &message("batch_size = 32", "batch_size = 5000\ndrop_last = true"),
        &["line 17", "optim.batch_size", "1498", "5000"],
    );
    assert_names(&message("batch_size = 32", "accumulate = 0"), &["line 17", "optim.accumulate", "at least 1"]);
    assert_names(&message("[1, 8, 8]", "[1, 8, 8]\nlevels = 64"), &["line 4", "data.levels", "64", "17"]);
    assert_names(&message("[1, 8, 8]", "[1, 8, 16]"), &["line 3", "data.shape", "[1, 8, 16]", "[1, 8, 8]"]);
    let overflow = message("[1, 8, 8]", "[4, 4294967296, 4294967296]");
    assert_names(&overflow, &["line 3", "data.shape", "4294967296", "product is at most"]);
    assert_names(&message("blocks = [1, 1]", "blocks = []"), &["line 6", "model.blocks"]);
    let model = |settings: &str| message("hidden_channels = 16", settings);
    assert_names(&model("hidden_channels = [16]"), &["line 7", "model.hidden_channels", "list of 2", "[16]"]);
    assert_names(&model("hidden_channels = \"wide\""), &["line 7", "hidden_channels", "a number of channels, or a list"]);
    assert_names(&model("norm_orders = [1, 2]"), &["line 7", "model.norm_orders", "one order, or 4", "2 orders"]);
    assert_names(&model("norm_orders = [1, 2, 0.5, inf]"), &["line 7", "norm_orders", "0.5", "at least 1, or inf"]);
    assert_names(&model("activation = \"max_min\"\nhidden_channels = 15"), &["line 8", "model.hidden_channels", "even", "15"]);
    assert_names(&model("dropout = 1.0"), &["line 7", "model.dropout", "less than 1"]);
    assert_names(&message("n_exact_terms = 5", "poisson_rate = 0.0"), &["line 12", "log_det.eval.poisson_rate"]);
    assert_names(&message("shape = [1, 8, 8]", "shape = [1, 9, 9]"), &["model.blocks", "9x9"]);
    let large = "[1, 128, 128]\n\n[log_det.train]\ntrace = \"exact\"";
    assert_names(&message("[1, 8, 8]", large), &["line 6", "log_det.train.trace", "16384"]);
    assert_names(&message("n_exact_terms = 5", "method = \"truncated\"\nn_exact_terms = 0"), &["log_det.eval.n_exact_terms"]);
    assert_names(&message("warmup_steps = 5", "milestones = [9, 3]"), &["line 16", "optim.milestones", "rising"]);
    assert_names(&message("warmup_steps = 5", "weight_decay = -1.0"), &["line 16", "optim.weight_decay"]);
}

#[test]
fn settings_of_the_command_line_name_themselves() {
    let workshop = Workshop::new();
    let message = |setting| workshop.error(&["--config", "tiny.toml", "--set", setting]);
    assert_names(&message("optim.bach_size=3"), &["--set optim.bach_size=3", "bach_size", "batch_size"]);
    assert_names(&message("optim.batch_size=many"), &["--set optim.batch_size=many", "string"]);
    assert_names(&message("optim.batch_size=0"), &["--set optim.batch_size=0", "at least 1"]);
    assert_names(&message("batch_size=3"), &["--set batch_size=3", "section"]);
    assert_names(&message("optim.batch_size"), &["--set optim.batch_size", "section.key=value"]);
}

#[test]
fn missing_files_are_named() {
    let workshop = Workshop::new();
    assert_names(&workshop.error(&["--config", "none.toml"]), &["none.toml", "No such file"]);
    let message = workshop.error(&["--config", "tiny.toml", "--set", "data.path=nowhere"]);
    assert_names(&message, &["data.path=nowhere", "preprocess"]);
    assert_names(&workshop.error(&["evaluate", "none.safetensors"]), &["none.safetensors", "No such file"]);
}

#[test]
fn damaged_and_foreign_checkpoints_are_refused() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=1", "checkpoint.keep=1"]);
    let whole = std::fs::read(workshop.path("run/checkpoints/last.safetensors")).expect("a checkpoint");
    let with = |bytes: &[u8]| {
        std::fs::write(workshop.path("bad.safetensors"), bytes).expect("the temporary directory can be written");
        let message = workshop.error(&["sample", "bad.safetensors"]);
        assert_names(&message, &["bad.safetensors"]);
        message
    };
    for length in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        assert_names(&with(&whole[..length]), &["cut short"]);
    }
    assert_names(&with(b"this is not a checkpoint at all"), &["not a checkpoint"]);
    let shard = common::repository().join("data/digits/test-00000-of-00001.safetensors");
    assert_names(&with(&std::fs::read(shard).expect("the digits")), &["another safetensors file"]);

    // The header is text, so replacements of equal length keep the file whole; the checksum is made right again.
    let text = |from: &str, to: &str| {
        let at = whole.windows(from.len()).position(|window| window == from.as_bytes()).expect("in the header");
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        let end = bytes.len() - 4;
        let crc = crc32c::crc32c(&bytes[..end]);
        bytes[end..].copy_from_slice(&crc.to_le_bytes());
        with(&bytes)
    };
    assert_names(&text("\"version\":\"2\"", "\"version\":\"9\""), &["version 9", "version 2"]);
    assert_names(&text("hidden_channels = 16", "hidden_channels = 17"), &["model", "shape", "another architecture"]);
    assert_names(&text("model.scales.0.layers.1", "model.scales.0.layers.9"), &["another architecture"]);
}

#[test]
fn a_data_set_that_the_model_was_not_trained_on_is_refused() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=1"]);
    let shape = datasets::ImageShape { channels: 1, height: 8, width: 8 };
    let dir = workshop.path("other");
    datasets::synthetic::write_dataset(&dir, datasets::Split::Test, shape, 256, 10, datasets::CodecKind::Raw).expect("written");
    let message = workshop.error(&["evaluate", "run/checkpoints/last.safetensors", "--data", "other"]);
    assert_names(&message, &["other", "256", "17"]);
}
