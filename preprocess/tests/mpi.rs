//! Conversions by several processes under `mpirun`, as a user starts them.

mod support;

use datasets::{DatasetError, ImageDataset, Split};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::*;

const ARGS: [&str; 7] = ["imagenet", "--size", "32", "--counts", "900,70", "--images-per-shard", "10"];

fn inputs(dir: &Path) {
    fs::write(dir.join("train_32x32.npy"), npy_images(0..900, 32)).unwrap();
    fs::write(dir.join("valid_32x32.npy"), npy_images(900..970, 32)).unwrap();
}

/// This many processes of the program in `dir`.
fn mpirun(dir: &Path, processes: usize, args: &[&str]) -> Command {
    let mut command = Command::new("mpirun");
    command.args(["--oversubscribe", "--bind-to", "none", "-n", &processes.to_string(), env!("CARGO_BIN_EXE_preprocess")]);
    command.args(args).current_dir(dir);
    // Open MPI asks to be told so in containers, whose only user is root.
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    command.env("OMPI_MCA_btl_vader_single_copy_mechanism", "none");
    command
}

#[test]
fn any_number_of_processes_makes_the_same_bytes() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    inputs(dir);
    let told = succeed(dir, &[&ARGS[..], &["--out", "alone"]].concat());
    for processes in [2, 3] {
        let out = format!("together{processes}");
        let output = mpirun(dir, processes, &[&ARGS[..], &["--out", &out]].concat()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout), told.replace("alone", &out), "told by the first process only");
        assert!(files(&dir.join(&out)) == files(&dir.join("alone")), "{processes} processes");
    }
    let output = mpirun(dir, 2, &["inspect", "alone"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), succeed(dir, &["inspect", "alone"]));
}

#[test]
fn a_fault_in_the_part_of_one_process_ends_all_and_leaves_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    inputs(dir);
    fs::remove_file(dir.join("train_32x32.npy")).unwrap();
    // Pictures of 4x4 in the size asked for, of which the eighth, in the second of four shards, is cut short.
    fs::write(dir.join("valid_4x4.npy"), npy_images(0..2, 4)).unwrap();
    fs::create_dir(dir.join("train_4x4")).unwrap();
    let archive = fs::read(fixture("gnu.tar")).unwrap();
    let mut archive = tar::Archive::new(archive.as_slice());
    let mut png = Vec::new();
    let mut first = archive.entries().unwrap().map(|e| e.unwrap()).find(|e| e.path().unwrap().ends_with("0000001.png")).unwrap();
    std::io::Read::read_to_end(&mut first, &mut png).unwrap();
    for i in 0..20 {
        let len = if i == 7 { png.len() / 2 } else { png.len() };
        fs::write(dir.join(format!("train_4x4/{i:02}.png")), &png[..len]).unwrap();
    }
    let args = ["imagenet", "--size", "4", "--images-per-shard", "5", "--out", "out"];
    let output = mpirun(dir, 3, &args).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert_eq!(message.matches("error in process 1 of 3: ").count(), 1, "{message}");
    assert!(message.contains("train_4x4/07.png") && message.matches("error: ").count() == 0, "{message}");
    assert!(!dir.join("out").exists());
    // What all of them find out at once is told once.
    let output = mpirun(dir, 2, &["imagenet", "--size", "8"]).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && message.matches("error: ").count() == 1, "{message}");
}

#[test]
fn what_is_left_of_a_lost_process_is_no_data_set_and_is_gone_on_with() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    inputs(dir);
    succeed(dir, &[&ARGS[..], &["--out", "undisturbed"]].concat());
    let args = [&ARGS[..], &["--jobs", "1", "--out", "out"]].concat();
    let out = dir.join("out");
    let journal = out.join(".unfinished/journal-1.jsonl");
    let listed = || fs::read(&journal).unwrap_or_default().iter().filter(|&&byte| byte == b'\n').count();
    let mut child = mpirun(dir, 2, &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while child.try_wait().unwrap().is_none() && listed() < 5 {
        std::thread::yield_now();
    }
    kill_second(&child);
    assert!(!child.wait().unwrap().success(), "a lost process was not noticed");
    let left = ImageDataset::open(&out, Split::Train).err();
    assert!(matches!(left, Some(DatasetError::NotFound { .. })), "{left:?}");
    let output = run(dir, &args);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && message.contains("images were kept"), "{message}");
    assert!(files(&out) == files(&dir.join("undisturbed")));
}

/// Kills the process of rank 1 below `mpirun`.
fn kill_second(mpirun: &Child) {
    let script =
        "for p in $(ps -o pid= --ppid $0); do grep -qz '^OMPI_COMM_WORLD_RANK=1$' /proc/$p/environ && kill -KILL $p; done";
    assert!(Command::new("bash").args(["-c", script, &mpirun.id().to_string()]).status().unwrap().success());
}
