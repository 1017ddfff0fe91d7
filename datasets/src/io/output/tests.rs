use super::*;
use std::io::Read;
use std::process::Command;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn put(path: &Path, existing: Existing, text: &str) -> Result<(), DatasetError> {
    write(path, existing, |out| out.write_all(text.as_bytes()).map_err(DatasetError::io("write", path)))
}

/// Names in a directory, temporary ones too.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn message<T: std::fmt::Debug>(result: Result<T, DatasetError>) -> String {
    result.expect_err("an error").to_string()
}

#[test]
fn files_are_new_or_replaced_on_request_only() {
    let dir = folder();
    let path = dir.path().join("x.txt");
    put(&path, Existing::Keep, "one").unwrap();
    for refusal in [put(&path, Existing::Keep, "two"), check(&path, Existing::Keep)] {
        assert!(message(refusal).contains("x.txt exists; choose another name, or replace it with --force"));
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "one");
    for existing in [Existing::Replace, Existing::Own] {
        put(&path, existing, "three").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
    }
    assert_eq!(names(dir.path()), ["x.txt"]);
}

#[test]
fn a_file_that_appears_meanwhile_is_kept() {
    let dir = folder();
    let path = dir.path().join("x.txt");
    let written = write(&path, Existing::Keep, |out| {
        fs::write(&path, "another's").map_err(DatasetError::io("write", &path))?;
        out.write_all(b"ours").map_err(DatasetError::io("write", &path))
    });
    assert!(message(written).contains("exists"));
    assert_eq!((fs::read_to_string(&path).unwrap(), names(dir.path()).len()), ("another's".into(), 1));
}

#[test]
fn faults_of_the_contents_leave_what_was_there() {
    let dir = folder();
    let path = dir.path().join("x.txt");
    let fault = || DatasetError::Output { path: "y".into(), reason: "half".into() };
    let half = |existing| {
        write(&path, existing, |out| {
            out.write_all(&[7; 1 << 20]).map_err(DatasetError::io("write", &path))?;
            Err(fault())
        })
    };
    assert_eq!(message(half(Existing::Keep)), fault().to_string());
    assert!(names(dir.path()).is_empty());
    put(&path, Existing::Keep, "one").unwrap();
    assert!(half(Existing::Replace).is_err());
    assert_eq!((fs::read_to_string(&path).unwrap(), names(dir.path()).len()), ("one".into(), 1));
}

#[test]
fn names_that_cannot_be_files_are_refused() {
    let dir = folder();
    fs::create_dir(dir.path().join("sub")).unwrap();
    put(&dir.path().join("file"), Existing::Keep, "").unwrap();
    let cases =
        [("sub", "is a directory"), ("none/x", "there is no directory"), ("new/", "not the name"), ("..", "not the name")];
    for (name, reason) in cases.into_iter().chain([("sub/", "not the name"), ("file/x", "cannot write")]) {
        let path = PathBuf::from(format!("{}/{name}", dir.path().display()));
        for refusal in [check(&path, Existing::Replace), put(&path, Existing::Replace, "x")] {
            let text = message(refusal);
            assert!(text.contains(reason) && text.contains(name), "{name}: {text}");
        }
    }
    assert!(message(check(Path::new(""), Existing::Keep)).contains("not the name"));
    assert_eq!(names(dir.path()), ["file", "sub"]);
}

#[test]
fn inputs_and_other_outputs_are_never_overwritten() {
    let dir = folder();
    let [a, b, c] = ["a.npy", "b.npy", "c.npy"].map(|name| dir.path().join(name));
    put(&a, Existing::Keep, "a").unwrap();
    fs::hard_link(&a, &b).unwrap();
    let detour = dir.path().join(".").join("a.npy");
    for output in [&a, &b, &detour] {
        assert!(message(check_all(&[output], &[&a], Existing::Replace)).contains("is an input of this command"));
    }
    let twice = dir.path().join("./c.npy");
    assert!(message(check_all(&[&c, &twice], &[&a], Existing::Keep)).contains("two results"));
    check_all(&[&c], &[&a], Existing::Keep).unwrap();
    check_all(&[&c], &[&dir.path().join("absent")], Existing::Keep).unwrap();
    assert!(!c.exists());
}

#[test]
fn extensions_that_say_something_else_are_refused() {
    let known = &["csv", "npy"][..];
    for name in ["x.csv", "x.NPY", "x", "dir.d/x", ".hidden"] {
        check_extension(Path::new(name), known).unwrap();
    }
    for name in ["x.jpg", "x.npy.gz", "x."] {
        assert!(message(check_extension(Path::new(name), known)).contains("expected a name that ends in .csv or .npy"), "{name}");
    }
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    #[test]
    fn links_are_written_through() {
        let dir = folder();
        let elsewhere = folder();
        let (target, link, second) = (elsewhere.path().join("target"), dir.path().join("link"), dir.path().join("second"));
        fs::write(&target, "old").unwrap();
        symlink(&target, &link).unwrap();
        symlink("link", &second).unwrap();
        for name in [&link, &second] {
            assert!(message(put(name, Existing::Keep, "new")).contains("exists"));
            for existing in [Existing::Replace, Existing::Own] {
                fs::write(&target, "old").unwrap();
                put(name, existing, "new").unwrap();
                assert_eq!(fs::read_to_string(&target).unwrap(), "new");
            }
            assert!(fs::symlink_metadata(name).unwrap().is_symlink());
            assert!(message(check_all(&[name], &[&target], Existing::Replace)).contains("is an input"));
        }
        assert_eq!((names(dir.path()).len(), names(elsewhere.path()).len()), (2, 1));
        fs::remove_file(&target).unwrap();
        for refusal in [check(&second, Existing::Replace), put(&link, Existing::Replace, "x")] {
            assert!(message(refusal).contains("which does not exist; remove the link"));
        }
        fs::remove_file(&link).unwrap();
        symlink(&second, &link).unwrap();
        assert!(message(check(&link, Existing::Replace)).contains("in a circle"));
    }

    #[test]
    fn permissions_stay() {
        let dir = folder();
        let path = dir.path().join("private");
        put(&path, Existing::Keep, "x").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        put(&path, Existing::Replace, "y").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn fifos_and_sockets_are_written_through() {
        let dir = folder();
        let fifo = dir.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        check(&fifo, Existing::Keep).unwrap();
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || fs::read_to_string(fifo).unwrap()
        });
        put(&fifo, Existing::Keep, "through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());
        assert!(message(put(&fifo, Existing::Own, "x")).contains("not a regular file"));

        let socket = dir.path().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
            text
        });
        put(&socket, Existing::Keep, "through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(fs::metadata(&socket).unwrap().file_type().is_socket());
    }

    /// Only with copies of devices: those of the machine belong to everybody.
    #[test]
    fn devices_are_written_through() {
        let dir = folder();
        let null = dir.path().join("null");
        // Without the right to make devices there is nothing to see.
        if Command::new("mknod").arg(&null).args(["c", "1", "3"]).status().is_ok_and(|status| status.success()) {
            for existing in [Existing::Keep, Existing::Replace] {
                check(&null, existing).unwrap();
                check_all(&[&null, &null], &[], existing).unwrap();
                put(&null, existing, "nowhere").unwrap();
                assert!(fs::metadata(&null).unwrap().file_type().is_char_device());
            }
        }
        let full = dir.path().join("full");
        symlink("/dev/full", &full).unwrap();
        let text = message(put(&full, Existing::Replace, "x"));
        assert!(text.contains("cannot write") && text.contains("full"), "{text}");
        assert!(
            fs::symlink_metadata(&full).unwrap().is_symlink() && fs::metadata("/dev/full").unwrap().file_type().is_char_device()
        );
        assert!(message(put(&full, Existing::Own, "x")).contains("not a regular file"));
    }
}
