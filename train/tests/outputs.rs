//! What commands write for people: whole or not at all, and never over what somebody may still want.

use crate::common::{POINTS, Workshop};
use std::path::Path;
use std::process::{Command, Stdio};

/// A run of images in `run`, one of points in `points`, and inputs of all commands.
fn workshop() -> Workshop {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=2"]);
    workshop.write("points.toml", POINTS);
    workshop.json(&["--config", "points.toml", "--out", "points", "--json"]);
    workshop.write("some.csv", "x,y\n0.5,1\n-1,0.25\n");
    let images = ndarray::Array4::<f32>::from_elem((2, 1, 8, 8), 0.4);
    ndarray_npy::write_npy(workshop.path("images.npy"), &images).expect("written");
    workshop
}

const CHECKPOINT: &str = "run/checkpoints/last.safetensors";
const OF_POINTS: &str = "points/checkpoints/last.safetensors";

/// Commands without the name of the output, which comes last.
fn commands() -> Vec<Vec<&'static str>> {
    vec![
        vec!["sample", CHECKPOINT, "--n", "2", "--out", "s.png"],
        vec!["sample", OF_POINTS, "--n", "2", "--out", "s.csv"],
        vec!["sample", OF_POINTS, "--n", "2", "--out", "s.npy"],
        vec!["density", OF_POINTS, "some.csv", "--out", "d.csv"],
        vec!["density", OF_POINTS, "some.csv", "--out", "d.npy"],
        vec!["encode", CHECKPOINT, "--input", "images.npy", "--output", "z.npy"],
        vec!["log-prob", CHECKPOINT, "--input", "images.npy", "--output", "p.npy"],
        vec!["log-prob", CHECKPOINT, "--input", "images.npy", "--output", "other.npy", "--log-det", "l.npy"],
        vec!["report", "run", "points", "--out", "r.html"],
        vec!["animate", "run", "--out", "a.gif"],
        vec!["export", CHECKPOINT, "--out", "e.safetensors"],
    ]
}

fn with<'a>(command: &[&'a str], output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let (_, but_last) = command.split_last().expect("a command");
    [but_last, &[output], more].concat()
}

#[test]
fn files_that_exist_are_replaced_on_request_only() {
    let workshop = workshop();
    for command in commands() {
        let output = *command.last().expect("an output");
        let written = workshop.run(&command);
        assert!(written.status.success(), "{command:?}: {}", String::from_utf8_lossy(&written.stderr));
        let first = std::fs::read(workshop.path(output)).expect("a file");
        std::fs::write(workshop.path(output), "precious").expect("written");
        let message = workshop.error(&command);
        assert!(message.contains(&format!("{output} exists")) && message.contains("--force"), "{message}");
        assert_eq!(workshop.read(output), "precious", "{command:?}");
        let forced = [&command[..], &["--force"]].concat();
        assert!(workshop.run(&forced).status.success(), "{command:?}");
        let second = std::fs::read(workshop.path(output)).expect("a file");
        // The metadata of an export have no order.
        assert!(second == first || command[0] == "export" && second.len() == first.len(), "{command:?}");
        let _ = std::fs::remove_file(workshop.path("other.npy"));
    }
    for (command, names) in [
        (&["evaluate", CHECKPOINT, "--limit", "2", "--out", "result"][..], &["result/evaluation.json"][..]),
        (
            &["estimator", OF_POINTS, "--n", "3", "--draws", "2", "--terms", "3", "--out", "study"],
            &["study/estimator.md", "study/bias.svg"],
        ),
    ] {
        assert!(workshop.run(command).status.success(), "{command:?}");
        for name in names {
            assert!(workshop.error(command).contains("exists"), "{command:?}");
            std::fs::rename(workshop.path(name), workshop.path(&format!("{name}.old"))).expect("renamed");
        }
    }
}

#[test]
fn inputs_are_never_overwritten() {
    let workshop = workshop();
    let path = |name: &str| workshop.path(name);
    std::fs::hard_link(path("images.npy"), path("same.npy")).expect("a second name");
    std::fs::hard_link(path(CHECKPOINT), path("model.safetensors")).expect("a second name");
    for (command, input) in [
        (&["encode", CHECKPOINT, "--input", "images.npy", "--output", "images.npy"][..], "images.npy"),
        (&["encode", CHECKPOINT, "--input", "images.npy", "--output", "same.npy"], "images.npy"),
        (&["encode", CHECKPOINT, "--input", "images.npy", "--output", "run/../images.npy"], "images.npy"),
        (&["log-prob", CHECKPOINT, "--input", "images.npy", "--output", "p.npy", "--log-det", "images.npy"], "images.npy"),
        (&["density", OF_POINTS, "some.csv", "--out", "some.csv"], "some.csv"),
        (&["export", CHECKPOINT, "--out", CHECKPOINT], CHECKPOINT),
        (&["export", CHECKPOINT, "--out", "model.safetensors"], CHECKPOINT),
    ] {
        let before = std::fs::read(path(input)).expect("an input");
        for force in [&[][..], &["--force"]] {
            let message = workshop.error(&[command, force].concat());
            assert!(message.contains("is an input of this command"), "{message}");
        }
        assert!(std::fs::read(path(input)).expect("an input") == before);
    }
    let twice = ["log-prob", CHECKPOINT, "--input", "images.npy", "--output", "p.npy", "--log-det", "./p.npy"];
    assert!(workshop.error(&twice).contains("two results would be written to it"));
    assert!(!path("p.npy").exists());
}

#[test]
fn names_that_say_something_else_are_refused_before_work() {
    let workshop = workshop();
    for command in commands() {
        for name in ["x.jpg", "none/x.png", "x.tar.gz"] {
            let message = workshop.error(&with(&command, name, &[]));
            assert!(message.contains(name), "{command:?} {name}: {message}");
        }
    }
    let left = std::fs::read_dir(workshop.path("")).expect("a directory").count();
    assert_eq!(left, 6, "nothing was begun");
    for (command, name) in [
        (&["sample", CHECKPOINT, "--out", "x.csv"][..], ".png"),
        (&["sample", OF_POINTS, "--out", "x.png"], ".npy"),
        (&["density", OF_POINTS, "some.csv", "--out", "x.json"], ".npy"),
    ] {
        assert!(workshop.error(command).contains(name));
    }
}

#[cfg(unix)]
#[test]
fn links_fifos_and_devices_are_written_through() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    let workshop = workshop();
    let path = |name: &str| workshop.path(name);
    let kind = |name: &str| std::fs::symlink_metadata(path(name)).expect("a name").file_type();
    for (number, command) in commands().into_iter().enumerate() {
        let extension =
            Path::new(command.last().expect("an output")).extension().expect("an extension").to_string_lossy().into_owned();
        let name = |kind: &str| format!("{kind}{number}.{extension}");
        let (link, target, dangling, fifo) = (name("link"), name("target"), name("dangling"), name("fifo"));
        std::fs::write(path(&target), "old").expect("written");
        symlink(&target, path(&link)).expect("a link");
        assert!(workshop.error(&with(&command, &link, &[])).contains("exists"));
        assert!(workshop.run(&with(&command, &link, &["--force"])).status.success(), "{command:?}");
        assert!(kind(&link).is_symlink() && workshop.path(&target).metadata().expect("a file").len() > 3, "{command:?}");
        let _ = std::fs::remove_file(path("other.npy"));

        symlink("nowhere", path(&dangling)).expect("a link");
        assert!(workshop.error(&with(&command, &dangling, &["--force"])).contains("which does not exist"));
        assert!(kind(&dangling).is_symlink() && !path("nowhere").exists());

        assert!(Command::new("mkfifo").arg(path(&fifo)).status().expect("mkfifo").success());
        let reader = std::thread::spawn({
            let fifo = path(&fifo);
            move || std::fs::read(fifo).expect("bytes")
        });
        assert!(workshop.run(&with(&command, &fifo, &[])).status.success(), "{command:?}");
        assert!(kind(&fifo).is_fifo() && !reader.join().expect("a reader").is_empty(), "{command:?}");
        let _ = std::fs::remove_file(path("other.npy"));

        let full = name("full");
        symlink("/dev/full", path(&full)).expect("a link");
        let message = workshop.error_of_run(&with(&command, &full, &[]));
        assert!(message.contains("cannot write") && message.contains("No space left"), "{message}");
        assert!(kind(&full).is_symlink() && std::fs::metadata("/dev/full").expect("a device").file_type().is_char_device());
        let _ = std::fs::remove_file(path("other.npy"));
    }
    // A copy of the device, which belongs to this test alone.
    let null = path("null");
    if Command::new("mknod").arg(&null).args(["c", "1", "3"]).status().is_ok_and(|status| status.success()) {
        for command in commands() {
            assert!(workshop.run(&with(&command, "null", &[])).status.success(), "{command:?}");
            assert!(kind("null").is_char_device(), "{command:?}");
            let _ = std::fs::remove_file(path("other.npy"));
        }
    }
}

/// Files may not grow beyond a block or a few: writing fails as on a full disk.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_no_halves() {
    let workshop = workshop();
    std::fs::create_dir(workshop.path("out")).expect("a directory");
    let limited = |arguments: &[&str]| {
        let script = format!("trap '' XFSZ; ulimit -f 0; exec {} {}", env!("CARGO_BIN_EXE_train"), arguments.join(" "));
        Command::new("bash").args(["-c", &script]).current_dir(workshop.path("")).output().expect("bash")
    };
    for command in commands() {
        let name = command.last().expect("an output");
        let output = format!("out/{name}");
        for (before, force) in [(None, &[][..]), (Some("whole"), &["--force"])] {
            before.iter().for_each(|text| workshop.write(&output, text));
            let failed = limited(&with(&command, &output, force));
            let message = String::from_utf8_lossy(&failed.stderr);
            assert!(failed.status.code() == Some(1) && message.contains("cannot write"), "{command:?}: {message}");
            let left = std::fs::read_dir(workshop.path("out")).expect("a directory").count();
            assert_eq!(left, usize::from(before.is_some()), "{command:?}");
            before.iter().for_each(|text| assert_eq!(&workshop.read(&output), text));
        }
        std::fs::remove_file(workshop.path(&output)).expect("removed");
    }
    // At their own places in a run too.
    workshop.write("run/report.html", "whole");
    assert_eq!(limited(&["report", "run"]).status.code(), Some(1));
    assert_eq!(workshop.read("run/report.html"), "whole");
    assert!(workshop.run(&["report", "run"]).status.success(), "which the run's own is replaced at");
    assert!(workshop.read("run/report.html").ends_with("</html>\n"));
}

/// What programs print, into a pipe whose reader is gone, or a full device.
#[cfg(unix)]
#[test]
fn results_that_are_not_delivered_are_no_success() {
    let workshop = workshop();
    let table: String = (0..20_000).map(|i| format!("{}.5,{}.25\n", i % 7, i % 5)).collect();
    workshop.write("many.csv", &table);
    let commands = [
        vec!["density", OF_POINTS, "many.csv"],
        vec!["devices"],
        vec!["evaluate", OF_POINTS, "--json"],
        vec!["check", CHECKPOINT, "--n", "0"],
        vec!["report", "run"],
    ];
    for command in commands {
        let start = |stdout: Stdio| {
            let mut program = Command::new(env!("CARGO_BIN_EXE_train"));
            program.args(&command).current_dir(workshop.path("")).stdout(stdout).stderr(Stdio::piped());
            program.spawn().expect("the program can be started").wait_with_output().expect("an end")
        };
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let ended = start(writer.into());
        let message = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(141), "{command:?}: {message}");
        assert!(!message.contains("error") && !message.contains("panicked"), "{command:?}: {message}");

        let full = std::fs::File::options().write(true).open("/dev/full").expect("a device");
        let ended = start(full.into());
        let message = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{command:?}: {message}");
        assert!(message.contains("error: cannot write to standard output: No space left"), "{command:?}: {message}");
    }
}
