//! What users do wrong is said clearly: what, where, expected, got.

use crate::common::{Workshop, repository, tiny_config};
use burn::tensor::{Device, Tensor};
use datasets::io::message::readable;
use residual_flows::NoiseKey;
use residual_flows::optim::Timeline;
use residual_flows::training::Samples;
use std::process::Command;
use std::time::{Duration, Instant};
use train::checkpoint;
use train::config::Source;
use train::data;
use train::run::footprint::Run;
use train::training::parallel::ProcessGroup;
use train::training::trainer;

/// The message when the tiny configuration is changed by replacing `from` with `to`.
fn message(from: &str, to: &str) -> String {
    let workshop = Workshop::new();
    let config = tiny_config().replace("validation_fraction = 0\n", "");
    assert!(config.contains(from));
    workshop.write("tiny.toml", &config.replace(from, to));
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
        &["line 17", "optim.batch_size", "1348", "5000"],
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
    let shard = repository().join("data/digits/test-00000-of-00001.safetensors");
    assert_names(&with(&std::fs::read(shard).expect("the digits")), &["another safetensors file"]);

    // The header is text, so replacements of equal length keep the file whole; the checksum is made right again.
    let text = |from: &str, to: &str| {
        let at = whole.windows(from.len()).position(|window| window == from.as_bytes()).expect("in the header");
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        // As in files of earlier versions, which have no checksums of single sections.
        let at = whole.windows(11).position(|window| window == b"\"checksums\"").expect("in the header");
        bytes[at..at + 11].copy_from_slice(b"\"checksumz\"");
        let end = bytes.len() - 4;
        let crc = crc32c::crc32c(&bytes[..end]);
        bytes[end..].copy_from_slice(&crc.to_le_bytes());
        with(&bytes)
    };
    assert_names(&text("\"version\":\"2\"", "\"version\":\"9\""), &["version 9", "version 2"]);
    assert_names(&text("hidden_channels = 16", "hidden_channels = 17"), &["model", "shape", "another architecture"]);
    assert_names(&text("average.scales.0.layers.1", "average.scales.0.layers.9"), &["another architecture"]);
}

#[test]
fn a_data_set_that_the_model_was_not_trained_on_is_refused() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=1"]);
    let shape = datasets::ImageShape { channels: 1, height: 8, width: 8 };
    let dir = workshop.path("other");
    datasets::shards::synthetic::write_dataset(&dir, datasets::Split::Test, shape, 256, 10, datasets::CodecKind::Raw)
        .expect("written");
    let message = workshop.error(&["evaluate", "run/checkpoints/last.safetensors", "--data", "other"]);
    assert_names(&message, &["other", "256", "17"]);
}

/// One setting over a configuration, as the program would take it: refused, or a tiny step and its model.
fn try_setting(text: &str, setting: &str) -> anyhow::Result<()> {
    let source = Source::new("tiny.toml".into(), text.into(), vec![setting.into()]);
    let config = source.parse()?;
    config.validate(&source)?;
    let data = data::open_all(&config, &source)?;
    Run { config: &config, source: &source, data: &data, group: &ProcessGroup::alone() }.check()?;
    let (device, shape) = (Device::flex(), data.train.shape());
    let model = config.model.init(shape, &mut NoiseKey::new(0, [0, 0]).stream(0), &device)?;
    let mut trainer = trainer(&config, &data.train.kind, Timeline { total_steps: 5, steps_per_epoch: 2.0 });
    let x = Tensor::full([2, shape[0], shape[1], shape[2]], 0.4, &device);
    trainer.step(model, vec![Samples { x, labels: None, context: None }])?;
    Ok(())
}

/// The keys of all numbers, and of lists of numbers.
fn numeric_keys(table: &toml::Table, section: &str, keys: &mut Vec<(String, bool)>) {
    for (name, value) in table {
        let key = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        match value {
            toml::Value::Integer(_) | toml::Value::Float(_) => keys.push((key, false)),
            toml::Value::Array(_) if name != "shape" => keys.push((key, true)),
            toml::Value::Table(inner) => numeric_keys(inner, &key, keys),
            _ => {}
        }
    }
}

/// Numbers that nobody expects.
const HOSTILE: [&str; 9] = ["nan", "inf", "-inf", "-1", "0", "9223372036854775807", "1e308", "5e-324", "4611686018427387904"];

#[test]
fn no_number_of_any_setting_panics_or_hangs() {
    let images = tiny_config();
    let points = "[data]\npoints = 'moons'\n[model]\nblocks = [1]\nhidden_channels = 4\nkernels = [1, 1]\ndense_blocks = 0\n\
                  logit_alpha = 0.0\npreactivation = false\n";
    let file = Source::new("tiny.toml".into(), images.clone(), Vec::new()).parse().expect("a configuration");
    let mut keys = Vec::new();
    numeric_keys(&file.to_toml().expect("TOML").parse().expect("a table"), "", &mut keys);
    assert!(keys.len() > 60, "{keys:?}");
    keys.extend(["data.levels", "run.max_seconds"].map(|key| (key.to_string(), false)));
    let of_points = ["data.test_points", "data.epoch_batches", "optim.batch_size", "run.n_samples", "optim.accumulate"];
    let of_images = keys.iter().map(|(key, is_list)| (&images[..], key.as_str(), *is_list));
    let of_points = of_points.map(|key| (points, key, false));
    let (mut accepted, mut refused) = (0, 0);
    for (text, key, is_list) in of_images.chain(of_points) {
        for number in HOSTILE {
            let setting = if is_list { format!("{key}=[{number}, {number}]") } else { format!("{key}={number}") };
            let begin = Instant::now();
            match try_setting(text, &setting) {
                Ok(()) => accepted += 1,
                Err(error) => {
                    refused += 1;
                    let message = readable(&format!("{error:#}"));
                    let name = key.rsplit('.').next().expect("a name");
                    assert!(message.contains(name) && message.lines().count() <= 3, "{setting}: {message}");
                }
            }
            assert!(begin.elapsed() < Duration::from_secs(5), "{setting}: {:?}", begin.elapsed());
        }
    }
    assert!(accepted > 50 && refused > 300, "{accepted} accepted, {refused} refused");
}

#[test]
fn sizes_of_the_command_line_are_refused_before_anything_is_allocated() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=1"]);
    let last = "run/checkpoints/last.safetensors";
    let (huge, larger) = ("18446744073709551615", "1000000000000");
    let refused = |arguments: &[&str], parts: &[&str]| {
        let message = workshop.error(arguments);
        assert_names(&message, parts);
        assert!(message.lines().count() <= 3, "{message}");
    };
    for n in [huge, larger] {
        refused(&["sample", last, "--n", n], &["--n", n, "the device has"]);
        refused(&["estimator", last, "--draws", n], &["--draws", "1000000"]);
        refused(&["estimator", last, "--terms", n], &["--terms", "10000"]);
        for key in ["model.hidden_channels", "model.padding_channels", "model.classes", "model.kernels", "optim.batch_size"] {
            let value = if key.ends_with("kernels") { format!("[{n},1,3]") } else { n.to_string() };
            let setting = format!("{key}={value}");
            refused(&["--config", "tiny.toml", "--out", "new", "--set", &setting], &[&setting]);
            assert!(!workshop.path("new").exists());
        }
    }
    // Within the ranges, but not within any machine.
    for (key, value) in [
        ("model.hidden_channels", "1000000"),
        ("model.dense_hidden", "1000000"),
        ("model.padding_channels", "1000000"),
        ("optim.accumulate", "1000000000"),
    ] {
        let setting = format!("{key}={value}");
        let more = ["--config", "tiny.toml", "--out", "new", "--set", "run.epochs=1000000000", "--set", &setting];
        let message = workshop.error_of_run(&more);
        assert_names(&message, &["--set", key, "takes about", "the device has"]);
        assert!(!workshop.path("new").exists());
    }
    for temperature in ["nan", "inf", "-inf", "-1", "1e300"] {
        let output = workshop.run(&["sample", last, "--temperature", temperature]);
        assert_eq!(output.status.code(), Some(2), "{temperature}");
    }
    assert!(workshop.run(&["check", last, "--n", huge]).status.success(), "no more than there are");
    assert!(workshop.run(&["evaluate", last, "--batch", huge]).status.success(), "no more than there are");
}

/// A checkpoint whose own settings are of another model than its tensors.
#[test]
fn absurd_settings_of_a_checkpoint_are_refused_from_its_header() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=1"]);
    let state = checkpoint::read(&workshop.path("run/checkpoints/last.safetensors")).expect("a checkpoint");
    let with = |change: &dyn Fn(&mut train::config::Config)| {
        let mut state = state.clone();
        change(&mut state.description.config);
        let path = workshop.path("absurd.safetensors");
        let mut bytes = Vec::new();
        checkpoint::format::write(&state, &mut bytes).expect("written");
        std::fs::write(&path, bytes).expect("the temporary directory can be written");
        let begin = Instant::now();
        let message = workshop.error(&["sample", "absurd.safetensors"]);
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
        message
    };
    assert_names(&with(&|config| config.model.dense_blocks = 1 << 62), &["its settings", "dense_blocks", "10000"]);
    assert_names(&with(&|config| config.model.blocks = vec![9_999, 9_999]), &["its settings", "numbers", "architecture"]);
    assert_names(&with(&|config| config.model.hidden_channels = (1 << 20).into()), &["its settings", "numbers"]);
    assert_names(&with(&|config| config.model.fixed_point.tol = f32::INFINITY), &["its settings", "fixed_point.tol"]);
    assert_names(&with(&|config| config.model.fixed_point.max_iters = 1 << 62), &["its settings", "max_iters"]);
    assert_names(&with(&|config| config.log_det.eval.poisson_rate = 1e6), &["its settings", "poisson_rate", "700"]);
}

#[cfg(target_os = "linux")]
#[test]
fn limits_of_threads_stacks_and_memory_are_errors() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=1"]);
    let program = env!("CARGO_BIN_EXE_train");
    let limited = |limit: &str, arguments: &str| {
        let script = format!("ulimit {limit}; exec {program} {arguments}");
        let output = Command::new("bash").args(["-c", &script]).current_dir(workshop.path("")).output().expect("bash");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let sample = "sample run/checkpoints/last.safetensors --n 4 --out x.png --force";
    for stack in ["-s 256", "-s 1000000", "-s unlimited"] {
        let (code, message) = limited(stack, sample);
        assert_eq!(code, Some(0), "{stack}: {message}");
    }
    let kibibytes_of_program = std::fs::metadata(program).expect("the program").len() / 1024;
    for beside_the_program in [4_000, 8_000, 12_000, 18_000, 38_000] {
        let kibibytes = kibibytes_of_program + beside_the_program;
        let (code, message) = limited(&format!("-v {kibibytes}"), sample);
        // With very little, the system does not even load the program.
        assert!(matches!(code, Some(0 | 1 | 127)), "{kibibytes}: {code:?} {message}");
        assert!(code != Some(1) || message.contains("error: "), "{kibibytes}: {message}");
        assert!(!message.contains("panicked"), "{kibibytes}: {message}");
    }
    // The limit of processes does not hold root, so that nobody tries it then; where nobody may, it is not tried.
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let nobody = if is_root { "setpriv --reuid=65534 --clear-groups" } else { "" };
    let script = format!("{nobody} bash -c 'ulimit -u 1; exec {program} devices'");
    let output = Command::new("bash").args(["-c", &script]).output().expect("bash");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    if !matches!(output.status.code(), Some(126 | 127)) {
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert_names(&message, &["error: no thread can be started", "ulimit -u"]);
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_neither_waited_for_nor_read_without_end() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=1"]);
    assert!(Command::new("mkfifo").arg(workshop.path("pipe")).status().expect("mkfifo").success());
    let begin = Instant::now();
    assert_names(&workshop.error(&["sample", "pipe"]), &["pipe", "it is a pipe, expected a file"]);
    assert_names(&workshop.error(&["sample", "/dev/zero"]), &["/dev/zero", "it is a device"]);
    std::fs::create_dir(workshop.path("folder")).expect("a directory");
    assert_names(&workshop.error(&["sample", "folder"]), &["folder has no checkpoint"]);
    let last = "run/checkpoints/last.safetensors";
    assert_names(&workshop.error(&["decode", last, "--input", "pipe", "--output", "x.npy"]), &["it is a pipe"]);
    assert_names(&workshop.error(&["--config", "/dev/zero"]), &["/dev/zero", "1048576 bytes"]);
    assert!(begin.elapsed() < Duration::from_secs(9), "{:?}", begin.elapsed());
    // A pipe that somebody writes to is as good as a file.
    let script =
        format!("cat tiny.toml > pipe & exec {} --config pipe --set run.max_steps=1 --out piped", env!("CARGO_BIN_EXE_train"));
    let output = Command::new("bash").args(["-c", &script]).current_dir(workshop.path("")).output().expect("bash");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_names(&workshop.error(&["--config", "pipe"]), &["pipe", "nothing was written"]);
}

#[cfg(unix)]
#[test]
fn messages_show_control_characters_instead_of_obeying_them() {
    let workshop = Workshop::new();
    workshop.write("bad.toml", "[data]\npath = 'x'\n\n[\"\\u001b[31mred\"]\na = 1\n");
    for arguments in [
        &["--config", "\x1b]0;title\x07.toml"][..],
        &["--config", "bad.toml"],
        &["--config", "tiny.toml", "--set", "\x1b[2J.x=1"],
        &["sample", "\x1b[31m.safetensors"],
        &["report", "\x1b[31m"],
    ] {
        let output = workshop.run(arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains("error: "), "{message}");
        assert!(message.chars().all(|c| c == '\n' || !c.is_control()), "{message:?}");
        assert!(message.contains("\\u{1b}"), "{message}");
    }
}
