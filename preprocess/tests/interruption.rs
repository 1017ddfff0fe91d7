//! A run that is killed at any moment leaves nothing that looks complete, and the next one makes the same bytes as an
//! undisturbed run.

use crate::support::*;
use datasets::{DatasetError, ImageDataset, Split};
use std::fs;
use std::path::Path;
use std::process::Stdio;

const ARGS: [&str; 9] = ["imagenet", "--size", "32", "--counts", "900,70", "--images-per-shard", "10", "--jobs", "2"];

fn inputs(dir: &Path) {
    fs::write(dir.join("train_32x32.npy"), npy_images(0..900, 32)).unwrap();
    fs::write(dir.join("valid_32x32.npy"), npy_images(900..970, 32)).unwrap();
}

/// Whole shards of an unfinished data set, by its journal.
fn whole_shards(out: &Path) -> usize {
    let journal = fs::read(out.join(".unfinished/journal.jsonl")).unwrap_or_default();
    journal.iter().filter(|&&b| b == b'\n').count().saturating_sub(1)
}

fn assert_incomplete_or_whole(out: &Path) {
    for split in Split::ALL {
        match ImageDataset::open(out, split) {
            Ok(dataset) => assert!(dataset.len() == if split == Split::Train { 900 } else { 70 }),
            Err(e) => assert!(matches!(e, DatasetError::NotFound { .. } | DatasetError::Interrupted { .. }), "{e}"),
        }
    }
}

#[test]
fn killed_runs_are_continued_to_the_same_bytes() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    inputs(dir);
    succeed(dir, &[&ARGS[..], &["--out", "undisturbed"]].concat());
    let expected = files(&dir.join("undisturbed"));
    let args = [&ARGS[..], &["--out", "out"]].concat();
    let out = dir.join("out");
    let (mut kills, mut continued) = (0, 0);
    for attempt in 0..50 {
        // Killed when some more shards are whole, at whatever moment that is noticed.
        let target = whole_shards(&out) + 1 + attempt % 7;
        let mut child = command(dir, &args).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        while child.try_wait().unwrap().is_none() && whole_shards(&out) < target {
            std::thread::yield_now();
        }
        let _ = child.kill();
        if !child.wait().unwrap().success() {
            kills += 1;
            assert_incomplete_or_whole(&out);
        }
        if out.join("train.json").exists() {
            assert_eq!(files(&out), expected);
            fs::remove_dir_all(&out).unwrap();
            continued += 1;
        }
    }
    assert!(kills >= 25, "{kills} of 50 runs were killed");
    if !out.join("train.json").exists() {
        succeed(dir, &args);
        continued += 1;
    }
    assert!(continued >= 1);
    if out.exists() {
        assert_eq!(files(&out), expected);
    }
}

/// Kills a run when some shards are whole.
fn interrupt(dir: &Path, args: &[&str], out: &Path) {
    let mut child = command(dir, args).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    while whole_shards(out) < 8 {
        assert!(child.try_wait().unwrap().is_none(), "too fast to be killed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn whole_shards_are_kept_and_damaged_ones_made_again() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    inputs(dir);
    succeed(dir, &[&ARGS[..], &["--out", "undisturbed"]].concat());
    let args = [&ARGS[..], &["--out", "out"]].concat();
    let (out, unfinished) = (dir.join("out"), dir.join("out/.unfinished"));
    interrupt(dir, &args, &out);
    // A shard changed on disk, a line cut short, a file that does not belong there.
    // Threads write them in any order.
    let made = fs::read_dir(&unfinished).unwrap().map(|e| e.unwrap().path());
    let shard = made.filter(|p| p.extension().is_some_and(|e| e == "safetensors")).min().expect("shards were made");
    let mut bytes = fs::read(&shard).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&shard, bytes).unwrap();
    fs::write(unfinished.join(".unfinished-abc.tmp"), "left by a kill").unwrap();
    fs::write(out.join(".unfinished-def.tmp"), "left by an older version").unwrap();
    let journal = unfinished.join("journal.jsonl");
    let text = fs::read(&journal).unwrap();
    fs::write(&journal, &text[..text.len() - 5]).unwrap();
    let output = run(dir, &args);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && message.contains("images were kept from an interrupted run"), "{message}");
    assert_eq!(files(&out), files(&dir.join("undisturbed")));
}

#[test]
fn other_inputs_or_options_begin_anew() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    inputs(dir);
    let args = [&ARGS[..], &["--out", "out"]].concat();
    let out = dir.join("out");
    interrupt(dir, &args, &out);
    fs::write(dir.join("train_32x32.npy"), npy_images(1..901, 32)).unwrap();
    let output = run(dir, &args);
    assert!(output.status.success() && !String::from_utf8(output.stderr).unwrap().contains("kept"));
    assert_eq!(images(&out, Split::Train), expected(1..901, 32));
    let raw = [&args[..], &["--codec", "raw", "--force"]].concat();
    interrupt(dir, &raw, &out);
    // Until the new one is complete, the old one can be read.
    assert_eq!(images(&out, Split::Train), expected(1..901, 32));
    succeed(dir, &[&args[..], &["--limit", "7", "--force"]].concat());
    assert_eq!((images(&out, Split::Train).len(), files(&out).len()), (7, 4));
}

#[test]
fn a_move_into_place_that_was_interrupted_is_finished() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    inputs(dir);
    let out = dir.join("out");
    let args = [&ARGS[..], &["--out", "out"]].concat();
    succeed(dir, &[&args[..], &["--limit", "25"]].concat());
    // As if the process had died after two shards of the new data set and a manifest had their names.
    succeed(dir, &[&ARGS[..], &["--out", "new"]].concat());
    let complete = out.join(".complete");
    fs::create_dir(&complete).unwrap();
    for (name, bytes) in files(&dir.join("new")) {
        let moved = name.starts_with("train-0000") || name == "test-00000-of-00007.safetensors";
        fs::write(if moved { out.join(&name) } else { complete.join(&name) }, bytes).unwrap();
    }
    fs::write(complete.join("journal.jsonl"), "{\"job\":\"another\"}\n").unwrap();
    let error = ImageDataset::open(&out, Split::Train).err().unwrap();
    assert!(matches!(error, DatasetError::Interrupted { .. }), "{error}");
    // Another job finds the complete data set, and is told so.
    let message = String::from_utf8(run(dir, &args).stderr).unwrap();
    assert!(message.contains("exists"), "{message}");
    assert_eq!(files(&out), files(&dir.join("new")));
}

#[test]
fn only_one_process_writes() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    inputs(dir);
    let unfinished = dir.join("out/.unfinished");
    fs::create_dir_all(&unfinished).unwrap();
    let journal = fs::File::create(unfinished.join("journal.jsonl")).unwrap();
    journal.lock().unwrap();
    let output = run(dir, &[&ARGS[..], &["--out", "out"]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("another process is writing"));
    assert!(unfinished.exists(), "the other process's files were removed");
}

#[test]
fn an_output_that_cannot_be_written_is_the_machines_fault() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    inputs(dir);
    fs::write(dir.join("file"), "").unwrap();
    let output = run(dir, &[&ARGS[..], &["--out", "file/out"]].concat());
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("file/out"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_the_machines_fault_and_names_no_image() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    succeed(dir, &["synth", "imagenet-npy", "--size", "32", "--counts", "150,70", "--out", "data"]);
    succeed(dir, &["synth", "celeba-tfr", "--size", "64", "--counts", "130,45", "--out", "data/celeba"]);
    let npy = ["imagenet", "--size", "32", "--counts", "150,70", "--images-per-shard", "100"];
    let records = ["celeba-tfr", "data/celeba", "--resolution", "64", "--counts", "130,45", "--images-per-shard", "25"];
    for (args, input) in [(&npy[..], "train_32x32"), (&records, "tfrecords")] {
        let args = [args, &["--codec", "raw", "--jobs", "1", "--out", "out"]].concat();
        let write = |blocks: &str| {
            // No file may grow beyond `blocks` kilobytes: writes past that fail, as on a full disk.
            let script = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";
            let program = [&["-c", script, "bash", blocks, env!("CARGO_BIN_EXE_preprocess")], &args[..]].concat();
            std::process::Command::new("bash").args(program).current_dir(dir).output().unwrap()
        };
        let output = write("240");
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        let [unfinished, cause] = ["keeps finished shards", "File too large"].map(|part| message.contains(part));
        assert!(unfinished && cause && !message.contains(input), "{message}");
        assert_incomplete_or_whole(&dir.join("out"));
        assert!(!dir.join("out/train.json").exists());
        let output = write("unlimited");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        succeed(dir, &[&args[..args.len() - 1], &["undisturbed"]].concat());
        assert_eq!(files(&dir.join("out")), files(&dir.join("undisturbed")));
        ["out", "undisturbed"].iter().for_each(|name| fs::remove_dir_all(dir.join(name)).unwrap());
    }
}
