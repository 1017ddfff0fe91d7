//! What goes wrong around a run ends it with a clear error and leaves the last checkpoint whole.

use crate::common::{Workshop, number};
use burn::tensor::{Device, Tensor};
use datasets::shards::synthetic;
use datasets::{CodecKind, ImageShape, Split};
use residual_flows::ResidualFlow;
use residual_flows::optim::Timeline;
use residual_flows::state::named_tensors;
use residual_flows::training::Samples;
use residual_flows::training::{StepOutcome, Trainer};
use std::process::Command;
use train::checkpoint;
use train::training;

/// A tiny trained model, and what makes its steps.
fn trainer(workshop: &Workshop) -> (ResidualFlow, Trainer) {
    workshop.train("run", &["run.max_steps=2"]);
    let state = checkpoint::read(&workshop.path("run/checkpoints/last.safetensors")).expect("a checkpoint");
    let [model, average] = state.models(&Device::flex()).expect("its own model");
    let description = &state.description;
    let timeline = Timeline { total_steps: 100, steps_per_epoch: 10.0 };
    let mut trainer = training::trainer(&description.config, &description.kind, timeline);
    trainer.restore(2, &state.optimizer, &model, average).expect("its own state");
    (model, trainer)
}

fn samples(x: Tensor<4>) -> Samples {
    Samples { x, labels: None, context: None }
}

#[test]
fn numbers_that_are_not_finite_never_reach_the_weights() {
    let workshop = Workshop::new();
    let (model, mut trainer) = trainer(&workshop);
    let device = Device::flex();
    let good = Tensor::<4>::full([4, 1, 8, 8], 0.4, &device);
    let bad = good.clone().slice_fill([1..2, 0..1, 3..4, 3..4], f32::NAN);
    let before = (named_tensors(&model), named_tensors(trainer.average(&model)), trainer.optimizer_state(&model));
    let (model, outcome) = trainer.step(model, vec![samples(good.clone()), samples(bad)]).expect("a step that is skipped");
    let StepOutcome::Skipped(fault) = outcome else { panic!("the step was made") };
    assert_eq!(fault.to_string(), "the output of layer `scales.0.layers.0` is not finite");
    assert!(before == (named_tensors(&model), named_tensors(trainer.average(&model)), trainer.optimizer_state(&model)));
    assert_eq!(trainer.steps(), 3, "a skipped step counts");
    let (model, outcome) = trainer.step(model, vec![samples(good)]).expect("a step");
    assert!(matches!(outcome, StepOutcome::Made(_)) && named_tensors(&model) != before.0);
}

#[test]
fn the_layer_that_broke_is_named() {
    let workshop = Workshop::new();
    let (model, mut trainer) = trainer(&workshop);
    let mut tensors = named_tensors(&model);
    let bias = tensors.iter_mut().find(|tensor| tensor.name.contains("scales.1.layers.0") && tensor.name.ends_with("bias"));
    let bias = bias.expect("a bias on the second scale");
    bias.values[0] = f32::INFINITY;
    let model = model.with_state(tensors).expect("its own tensors");
    let images = Tensor::<4>::full([4, 1, 8, 8], 0.4, &Device::flex());
    let (_, outcome) = trainer.step(model, vec![samples(images)]).expect("a step that is skipped");
    let StepOutcome::Skipped(fault) = outcome else { panic!("the step was made") };
    assert_eq!(fault.layer.as_deref(), Some("scales.1.layers.0"));
}

#[test]
fn a_run_that_breaks_down_ends_with_its_last_good_weights() {
    let workshop = Workshop::new();
    let settings = ["optim.learning_rate=1e25", "optim.warmup_steps=1", "run.max_skipped_in_a_row=3", "checkpoint.every_steps=1"];
    let mut arguments = vec!["--config", "tiny.toml", "--out", "run"];
    arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    let output = workshop.run(&arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    for part in ["warning: step", "4 steps in a row were skipped", "of layer `scales.", "optim.learning_rate", "--resume run"] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    let warnings: Vec<_> = workshop.lines("run/metrics.jsonl").into_iter().filter(|line| line["warning"].is_string()).collect();
    assert!(warnings.len() >= 4 && warnings.iter().any(|line| line["layer"].is_string()), "{warnings:?}");
    let saved = checkpoint::read(&workshop.path("run/checkpoints/last.safetensors")).expect("a checkpoint");
    assert!(saved.weights.iter().chain(&saved.average).all(|tensor| tensor.values.iter().all(|value| value.is_finite())));
    assert_eq!(saved.log.skipped_steps, number(&warnings[warnings.len() - 1], "skipped_steps") as u64);
}

/// A data set of square images that carry their number.
fn write_images(workshop: &Workshop, train: usize, side: usize) {
    let shape = ImageShape { channels: 1, height: side, width: side };
    for (split, n) in [(Split::Train, train), (Split::Test, 3)] {
        synthetic::write_dataset(&workshop.path("images"), split, shape, 17, n, CodecKind::Raw).expect("written");
    }
}

#[test]
fn a_shard_that_rots_or_vanishes_is_named() {
    let workshop = Workshop::new();
    write_images(&workshop, 64, 8);
    let settings = ["data.path=images", "optim.batch_size=4", "run.epochs=9", "run.max_steps=9"];
    workshop.train("run", &settings);
    let is_shard = |path: &std::path::PathBuf| path.to_string_lossy().contains("train-");
    let mut files = std::fs::read_dir(workshop.path("images")).expect("images").map(|entry| entry.expect("an entry").path());
    let shard = files.find(is_shard).expect("a shard");
    let name = shard.file_name().expect("a name").to_string_lossy().into_owned();
    let whole = std::fs::read(&shard).expect("a shard");
    let mut rotten = whole.clone();
    // The last image, which is used sooner or later in an epoch.
    let at = whole.len() - 5;
    rotten[at] ^= 1;
    std::fs::write(&shard, &rotten).expect("written");
    let message = workshop.error_of_run(&["--resume", "run", "--set", "run.max_steps=40"]);
    for part in [name.as_str(), "damaged", "the run ends after", "--resume run"] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    checkpoint::read(&workshop.path("run/checkpoints/last.safetensors")).expect("a whole checkpoint");
    std::fs::remove_file(&shard).expect("removed");
    let message = workshop.error(&["--resume", "run", "--set", "run.max_steps=40"]);
    assert!(message.contains(&format!("{name}, named by its manifest, does not exist")), "{message}");
    std::fs::write(&shard, &whole).expect("written");
    assert_eq!(number(&workshop.json(&["--resume", "run", "--set", "run.max_steps=40", "--json"]), "steps"), 40.0);
}

#[cfg(unix)]
#[test]
fn a_full_disk_ends_the_run_and_leaves_the_last_checkpoint() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=4"]);
    let before = std::fs::read(workshop.path("run/checkpoints/last.safetensors")).expect("a checkpoint");
    // Files may not grow beyond what is half of a checkpoint: every write past that fails, as on a full disk.
    let blocks = before.len() / 2 / 1024;
    let program = env!("CARGO_BIN_EXE_train");
    let script = format!("ulimit -f {blocks}; exec {program} --resume run --set run.max_steps=400");
    let output = Command::new("bash").args(["-c", &script]).current_dir(workshop.path("")).output().expect("bash");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("error: the run cannot be saved: cannot write") && message.contains("File too large"), "{message}");
    assert_eq!(std::fs::read(workshop.path("run/checkpoints/last.safetensors")).expect("a checkpoint"), before);
    let names = std::fs::read_dir(workshop.path("run/checkpoints")).expect("checkpoints");
    let unfinished = names.filter(|entry| entry.as_ref().expect("an entry").file_name().to_string_lossy().starts_with('.'));
    assert_eq!(unfinished.count(), 0, "what was begun is removed");
    assert_eq!(number(&workshop.json(&["--resume", "run", "--set", "run.max_steps=8", "--json"]), "steps"), 8.0);
}

#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let workshop = Workshop::new();
    workshop.write("file", "");
    let message = workshop.error(&["--config", "tiny.toml", "--out", "file/run"]);
    assert!(message.contains("file/run"), "{message}");
}

#[cfg(target_os = "linux")]
#[test]
fn memory_that_runs_out_is_said() {
    let workshop = Workshop::new();
    write_images(&workshop, 1500, 64);
    let settings = ["data.path=images", "data.shape=[1, 64, 64]", "model.dense_blocks=0", "optim.batch_size=2"];
    workshop.train("run", &[&settings[..], &["run.max_steps=1"]].concat());
    let resume = |settings: &str| {
        let script = format!("ulimit -v 400000; exec {} --resume run {settings}", env!("CARGO_BIN_EXE_train"));
        let output = Command::new("bash").args(["-c", &script]).current_dir(workshop.path("")).output().expect("bash");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, message) = resume("--set run.max_steps=2");
    assert_eq!(code, Some(0), "there is enough for small batches: {message}");
    let before = std::fs::read(workshop.path("run/checkpoints/last.safetensors")).expect("a checkpoint");
    let (code, message) = resume("--set run.max_steps=4 --set optim.batch_size=1500");
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains("error: out of memory") && message.contains("optim.batch_size"), "{message}");
    assert_eq!(std::fs::read(workshop.path("run/checkpoints/last.safetensors")).expect("a checkpoint"), before);
}

#[test]
fn small_data_sets_and_partial_batches_count_right() {
    let workshop = Workshop::new();
    // Ten images in batches of four: 4, 4, 2.
    write_images(&workshop, 10, 8);
    let settings = ["data.path=images", "run.max_steps=1000", "run.log_every_steps=1", "model.dense_blocks=0"];
    let steps = |name: &str, more: &[&str]| {
        let summary = workshop.train(name, &[&settings[..], more].concat());
        let epochs: Vec<u64> = workshop
            .lines(&format!("{name}/metrics.jsonl"))
            .iter()
            .filter(|line| line["bits_per_dim"].is_number())
            .map(|line| line["epoch"].as_u64().expect("an epoch"))
            .collect();
        (number(&summary, "epochs"), epochs)
    };
    assert_eq!(steps("kept", &["optim.batch_size=4", "run.epochs=2"]), (2.0, vec![0, 0, 0, 1, 1, 1]));
    assert_eq!(steps("dropped", &["optim.batch_size=4", "run.epochs=2", "optim.drop_last=true"]), (2.0, vec![0, 0, 1, 1]));
    // Three batches an epoch in steps of two: the last of three epochs ends with a step of a single batch.
    let accumulated = ["optim.batch_size=4", "run.epochs=3", "optim.accumulate=2"];
    assert_eq!(steps("accumulated", &accumulated), (3.0, vec![0, 0, 1, 2, 2]));
    assert_eq!(steps("whole", &["optim.batch_size=64", "run.epochs=3"]), (3.0, vec![0, 1, 2]));
}

#[test]
fn one_image_is_enough() {
    let workshop = Workshop::new();
    write_images(&workshop, 1, 8);
    let summary = workshop.train("run", &["data.path=images", "run.max_steps=3", "run.epochs=3", "run.n_samples=1"]);
    assert_eq!((number(&summary, "steps"), number(&summary, "epochs")), (3.0, 3.0));
}

/// A checkpoint's bytes with another last number, and the checksum that belongs to them.
fn with_number(mut bytes: Vec<u8>, is_last: bool, number: f32) -> Vec<u8> {
    let end = bytes.len() - 4;
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    // As in files of earlier versions, which have no checksums of single sections.
    let at = bytes.windows(11).position(|window| window == b"\"checksums\"").expect("in the header");
    bytes[at..at + 11].copy_from_slice(b"\"checksumz\"");
    // The first number is one of the averaged weights, the last one of the optimiser's memory.
    let at = if is_last { end - 4 } else { header };
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes[..end]).to_le_bytes();
    bytes[end..].copy_from_slice(&checksum);
    bytes
}

#[test]
fn checkpoints_with_numbers_that_are_not_finite_are_neither_written_nor_read() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=2"]);
    let path = workshop.path("run/checkpoints/last.safetensors");
    let whole = std::fs::read(&path).expect("a checkpoint");
    let state = checkpoint::read(&path).expect("a checkpoint");
    std::fs::write(workshop.path("good.safetensors"), with_number(whole.clone(), true, 0.25)).expect("written");
    checkpoint::read(&workshop.path("good.safetensors")).expect("finite numbers");
    for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        // Commands that use a model read its weights only; where a run goes on, everything is read.
        for (is_last, command) in [
            (false, &["evaluate", "bad.safetensors"][..]),
            (false, &["sample", "bad.safetensors"]),
            (true, &["--resume", "bad.safetensors", "--out", "o"]),
        ] {
            std::fs::write(workshop.path("bad.safetensors"), with_number(whole.clone(), is_last, number)).expect("written");
            let message = workshop.error(command);
            assert!(
                message.contains("bad.safetensors is not a usable checkpoint") && message.contains("` is not finite"),
                "{message}"
            );
        }
        for place in 0..3 {
            let mut broken = state.clone();
            let tensors = match place {
                0 => &mut broken.weights,
                1 => &mut broken.average,
                _ => broken.optimizer.slots.values_mut().next().expect("the optimiser's memory"),
            };
            tensors[0].values[0] = number;
            let path = workshop.path("never.safetensors");
            let message =
                checkpoint::save(&path, datasets::io::output::Existing::Keep, &broken).expect_err("a fault").to_string();
            assert!(message.contains(&tensors_name(place, &state)) && !path.exists(), "{message}");
        }
    }
}

fn tensors_name(place: usize, state: &train::checkpoint::state::TrainingState) -> String {
    match place {
        0 => format!("model.{}", state.weights[0].name),
        1 => format!("average.{}", state.average[0].name),
        _ => "optimizer.".into(),
    }
}

#[cfg(unix)]
#[test]
fn readers_of_the_log_may_die() {
    use std::process::Stdio;
    let workshop = Workshop::new();
    let closed = || -> Stdio {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        writer.into()
    };
    let full = || -> Stdio { std::fs::File::options().write(true).open("/dev/full").expect("a device").into() };
    let ends: [(&str, &dyn Fn() -> Stdio); 2] = [("closed", &closed), ("full", &full)];
    for (name, end) in ends {
        let mut program = Command::new(env!("CARGO_BIN_EXE_train"));
        program.args(["--config", "tiny.toml", "--out", name, "--set", "run.max_steps=6"]).current_dir(workshop.path(""));
        let status = program.stdout(end()).stderr(end()).status().expect("the program can be started");
        assert_eq!(status.code(), Some(0), "{name}");
        let summary: serde_json::Value = serde_json::from_str(&workshop.read(&format!("{name}/summary.json"))).expect("JSON");
        assert_eq!((number(&summary, "steps"), summary["finished"].as_bool()), (6.0, Some(true)));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_directory_may_have_any_name() {
    use std::os::unix::ffi::OsStrExt;
    let workshop = Workshop::new();
    let name = std::ffi::OsStr::from_bytes(b"r\xff");
    let run = |arguments: &[&std::ffi::OsStr]| {
        let output = Command::new(env!("CARGO_BIN_EXE_train")).args(arguments).current_dir(workshop.path("")).output();
        let output = output.expect("the program can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("one JSON object")
    };
    let text = |text: &'static str| std::ffi::OsStr::new(text);
    let summary =
        run(&[text("--config"), text("tiny.toml"), text("--out"), name, text("--json"), text("--set"), text("run.max_steps=2")]);
    assert_eq!(number(&summary, "steps"), 2.0);
    let resumed = run(&[text("--resume"), name, text("--json"), text("--set"), text("run.max_steps=3")]);
    assert_eq!(number(&resumed, "steps"), 3.0);
    let checkpoint = std::path::Path::new(name).join("checkpoints/last.safetensors");
    run(&[text("sample"), checkpoint.as_os_str(), text("--n"), text("2"), text("--json")]);
    run(&[text("evaluate"), checkpoint.as_os_str(), text("--json"), text("--out"), name]);
}

#[cfg(unix)]
#[test]
fn a_shard_that_is_cut_while_it_is_read_ends_the_run_saved() {
    use std::process::Stdio;
    let workshop = Workshop::new();
    write_images(&workshop, 400, 32);
    let settings =
        ["data.path=images", "data.shape=[1, 32, 32]", "model.dense_blocks=0", "run.epochs=100000", "run.max_steps=100000"];
    let mut arguments = vec!["--config", "tiny.toml", "--out", "run", "--set", "optim.batch_size=4"];
    arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    let mut program = Command::new(env!("CARGO_BIN_EXE_train"));
    program.args(&arguments).current_dir(workshop.path("")).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = program.spawn().expect("the program can be started");
    let begun = std::time::Instant::now();
    while std::fs::read_to_string(workshop.path("run/metrics.jsonl")).map_or(0, |text| text.lines().count()) < 2 {
        assert!(begun.elapsed().as_secs() < 60, "no steps are logged");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let entries = std::fs::read_dir(workshop.path("images")).expect("images");
    let mut names = entries.map(|entry| format!("images/{}", entry.expect("an entry").file_name().to_string_lossy()));
    let name = &names.find(|name| name.contains("/train-")).expect("a shard");
    let shard = std::fs::File::options().write(true).open(workshop.path(name)).expect("a shard");
    let whole = std::fs::read(workshop.path(name)).expect("a shard");
    shard.set_len(whole.len() as u64 / 4).expect("cut");
    let output = child.wait_with_output().expect("an end");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{:?} {message}", output.status);
    assert!(message.contains(name) && message.contains("it was cut short") && message.contains("saved in"), "{message}");
    std::fs::write(workshop.path(name), &whole).expect("written");
    let steps = checkpoint::read(&workshop.path("run/checkpoints/last.safetensors")).expect("a checkpoint").description.step;
    let most = format!("run.max_steps={}", steps + 2);
    assert_eq!(number(&workshop.json(&["--resume", "run", "--json", "--set", &most]), "steps"), steps as f64 + 2.0);
}
