//! Damaged and unsuitable inputs: each is refused with a message that says where it is at fault, and nothing is left.

use crate::support::*;
use std::fs;
use std::path::Path;
use tfrecord::protobuf::Features;
use tfrecord::{Example, ExampleWriter, Feature};

/// An archive of CelebA-HQ at 4x4: one record in each file, two in those of training.
fn celeba(change: impl Fn(&str, &mut Vec<u8>)) -> Vec<u8> {
    let mut files = Vec::new();
    for (folder, n_files, n) in [("validation", 40, 1), ("train", 120, 2)] {
        for k in (0..n_files).rev() {
            let mut bytes = Vec::new();
            {
                let mut writer = ExampleWriter::from_writer(&mut bytes).unwrap();
                (0..n).for_each(|i| writer.send(example(k * n + i, 4)).unwrap());
            }
            let name = format!("celeba-tfr/{folder}/{folder}-r02-s-{k:04}-of-{n_files:04}.tfrecords");
            change(&name, &mut bytes);
            files.push((name, bytes));
        }
    }
    tar(&files)
}

fn example(i: usize, size: i64) -> Example {
    let pixels = image_rgb(i, size as usize);
    let features = [
        ("shape", Feature::from_i64_list(vec![size, size, 3])),
        ("data", Feature::from_bytes_list(vec![pixels])),
        ("label", Feature::from_i64_list(vec![0])),
        ("attr", Feature::from_i64_list(vec![1, -1])),
    ];
    Example { features: Some(Features { feature: features.into_iter().map(|(k, v)| (k.to_string(), v)).collect() }) }
}

const CELEBA: [&str; 7] = ["celeba-tfr", "a.tar", "--resolution", "4", "--counts", "240,40", "--images-per-shard=50"];
const SEVEN: &str = "train-r02-s-0007-of-0120.tfrecords";

/// Converts an archive with the contents of one record file changed.
#[track_caller]
fn refuse_celeba(change: impl Fn(&mut Vec<u8>), words: &[&str]) {
    let temp = tempfile::tempdir().unwrap();
    let archive = celeba(|name, bytes| {
        if name.ends_with(SEVEN) {
            change(bytes)
        }
    });
    fs::write(temp.path().join("a.tar"), archive).unwrap();
    refuse(temp.path(), &CELEBA, "data/celebahq4", &[&["a.tar", "0007"], words].concat());
}

#[test]
fn the_records_of_the_tfrecord_crate_are_read() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("a.tar"), celeba(|_, _| ())).unwrap();
    succeed(temp.path(), &CELEBA);
    assert_eq!(images(&temp.path().join("data/celebahq4"), datasets::Split::Train), expected(0..240, 4));
}

#[test]
fn faulty_records_are_refused_with_their_place() {
    let whole = {
        let mut record = Vec::new();
        ExampleWriter::from_writer(&mut record).unwrap().send(example(14, 4)).unwrap();
        record.len()
    };
    // Flipped: length, its checksum, contents, their checksum, all in the second record.
    refuse_celeba(|b| b[whole] ^= 1, &["record 1", "checksum of the length"]);
    refuse_celeba(|b| b[whole + 7] ^= 0x10, &["record 1", "checksum of the length"]);
    refuse_celeba(|b| b[whole + 9] ^= 1, &["record 1", "checksum of the length"]);
    refuse_celeba(|b| b[whole + 40] ^= 1, &["record 1", "byte", "checksum of the contents"]);
    refuse_celeba(|b| *b.last_mut().unwrap() ^= 1, &["record 1", "checksum of the contents"]);
    refuse_celeba(|b| b[50] ^= 1, &["record 0", "checksum of the contents"]);
    // Cut within the frame, within the contents, at the end of the frame, and between two records.
    refuse_celeba(|b| b.truncate(whole + 1), &["record 1", "cut short"]);
    refuse_celeba(|b| b.truncate(whole + 13), &["record 1", "cut short"]);
    refuse_celeba(|b| b.truncate(b.len() - 1), &["record 1", "cut short"]);
    refuse_celeba(|b| b.truncate(whole), &["239 images, expected 240", "has 1"]);
    refuse_celeba(|b| b.clear(), &["238 images, expected 240", "has 0"]);
    refuse_celeba(|b| *b = b"GIF89a, twenty bytes".to_vec(), &["record 0", "no TFRecord file"]);
}

#[test]
fn records_too_long_for_their_image_are_refused() {
    refuse_celeba(
        |bytes| {
            bytes.clear();
            preprocess::formats::tfrecord::write(&[0; 100_000], bytes).unwrap();
        },
        &["record 0, byte", "100000 bytes are too many for an image of 4x4"],
    );
}

#[test]
fn records_with_other_contents_are_refused_with_their_place() {
    let replace = |second: Example| {
        move |bytes: &mut Vec<u8>| {
            bytes.clear();
            let mut writer = ExampleWriter::from_writer(bytes).unwrap();
            [example(14, 4), second.clone()].into_iter().for_each(|e| writer.send(e).unwrap());
            writer.flush().unwrap();
        }
    };
    let with = |name: &str, feature: Option<Feature>| {
        let mut example = example(15, 4);
        let features = &mut example.features.as_mut().unwrap().feature;
        features.remove(name);
        features.extend(feature.map(|f| (name.to_string(), f)));
        example
    };
    refuse_celeba(replace(example(15, 8)), &["record 1", "[8, 8, 3]", "another resolution"]);
    refuse_celeba(replace(with("data", None)), &["record 1", "no feature `data`"]);
    refuse_celeba(
        replace(with("data", Some(Feature::from_bytes_list(vec![vec![0; 47]])))),
        &["record 1", "47 bytes, expected 48"],
    );
    refuse_celeba(replace(with("data", Some(Feature::from_i64_list(vec![1])))), &["record 1", "`data` is not"]);
    refuse_celeba(replace(with("label", None)), &["record 1", "has no label"]);
    refuse_celeba(replace(with("label", Some(Feature::from_i64_list(vec![1, 2])))), &["record 1", "`label` has 2 values"]);
    refuse_celeba(replace(with("attr", Some(Feature::from_i64_list(vec![1])))), &["record 1", "1 attributes, expected 2"]);
    refuse_celeba(replace(with("attr", Some(Feature::from_i64_list(vec![1, 200])))), &["record 1", "200"]);
}

#[test]
fn faulty_archives_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let whole = celeba(|_, _| ());
    let write = |bytes: &[u8]| fs::write(dir.join("a.tar"), bytes).unwrap();
    // In a header, in contents, between members, before the end mark and within it.
    for len in [0, 100, 512, 700, 1024, whole.len() / 2, whole.len() - 1024, whole.len() - 1] {
        write(&whole[..len]);
        refuse(dir, &CELEBA, "data", &["a.tar", "cut short"]);
    }
    let mut flipped = whole.clone();
    flipped[3] ^= 1;
    write(&flipped);
    refuse(dir, &CELEBA, "data", &["a.tar", "damaged"]);
    let file = |name: &str| (name.to_string(), b"x".to_vec());
    for name in ["../evil", "a/../../evil", "/etc/evil"] {
        write(&tar(&[file(name)]));
        refuse(dir, &CELEBA, "data", &[name, "leaves the folder"]);
    }
    write(&tar(&[file("a"), file("a")]));
    refuse(dir, &CELEBA, "data", &["member a is there twice"]);
    write(&tar(&[file("readme")]));
    refuse(dir, &CELEBA, "data", &["no files train/train-r02-s-*", "resolution 4"]);
    write(b"\x1f\x8b\x08zipped");
    refuse(dir, &CELEBA, "data", &["a.tar is compressed", "gunzip"]);
    fs::remove_file(dir.join("a.tar")).unwrap();
    refuse(dir, &CELEBA, "data", &["was not found", "a.tar", "data/a.tar"]);
    assert!(std::process::Command::new("mkfifo").arg(dir.join("a.tar")).status().unwrap().success());
    refuse(dir, &CELEBA, "data", &["a.tar is not an ordinary file", "save it to disk"]);
    refuse(dir, &["celeba-tfr", "a.tar", "--resolution", "5"], "data", &["--resolution 5", "power of two"]);
}

#[test]
fn missing_record_files_are_named() {
    let temp = tempfile::tempdir().unwrap();
    let archive = fs::read(fixture("celeba-tfr.tar")).unwrap();
    let at = archive.windows(SEVEN.len()).position(|w| w == SEVEN.as_bytes()).unwrap();
    // The file's number becomes 0207, and the header's checksum follows.
    let mut changed = archive.clone();
    changed[at + "train-r02-s-0".len()] = b'2';
    let header = at / 512 * 512;
    changed[header + 148..header + 156].fill(b' ');
    let sum: u32 = changed[header..header + 512].iter().map(|&b| u32::from(b)).sum();
    changed[header + 148..header + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    fs::write(temp.path().join("a.tar"), changed).unwrap();
    refuse(temp.path(), &["celeba-tfr", "a.tar", "--resolution", "4"], "data", &[SEVEN, "missing"]);
}

/// The program must refuse its input, as [`refuse`], with little memory.
#[track_caller]
fn refuse_in_little_memory(dir: &Path, args: &[&str], words: &[&str]) {
    const KILOBYTES: usize = 3_000_000;
    let line = format!("ulimit -v {KILOBYTES}; exec \"$0\" \"$@\"");
    let output = std::process::Command::new("sh")
        .args(["-c", &line, env!("CARGO_BIN_EXE_preprocess")])
        .args(args)
        .args(["--out", "out"])
        .current_dir(dir)
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
    assert!(message.len() < 2000 && !message.contains("panicked") && !dir.join("out").exists(), "{message}");
}

/// A file that begins with `start`, followed by zeros to 8 GB, which take no room on the disk.
fn huge(path: &Path, start: &[u8]) {
    fs::write(path, start).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_len(8 << 30).unwrap();
}

fn tar_header(kind: u8, name: &str, size: u64) -> [u8; 512] {
    let mut header = tar::Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_cksum();
    *header.as_bytes()
}

#[test]
fn names_and_headers_of_gigabytes_take_little_memory() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    for kind in [b'L', b'K', b'x'] {
        huge(&dir.join("a.tar"), &tar_header(kind, "long", 7 << 30));
        refuse_in_little_memory(dir, &["celeba-tfr", "a.tar"], &["a.tar", "longer headers"]);
        huge(&dir.join("cifar-10-python.tar"), &tar_header(kind, "long", 7 << 30));
        refuse_in_little_memory(dir, &["cifar10", "cifar-10-python.tar"], &["cifar-10-python.tar", "longer headers"]);
    }
    // A name too long for any file system, and one that would change the terminal's colours.
    let long = [&tar_header(b'L', "long", 5000)[..], &[b'x'; 5000], &[0; 120], &tar_header(b'0', "a", 0), &[0; 1024]].concat();
    fs::write(dir.join("a.tar"), long).unwrap();
    refuse_in_little_memory(dir, &["celeba-tfr", "a.tar"], &["a name of 5000 bytes"]);
    fs::write(dir.join("a.tar"), [&tar_header(b'2', "\x1b[31mred", 0)[..], &[0; 1024]].concat()).unwrap();
    refuse_in_little_memory(dir, &["celeba-tfr", "a.tar"], &["member \\u{1b}[31mred", "not an ordinary file"]);
    let mut sparse = tar_header(b'S', "train_4x4/a.png", 512);
    // One hole of 4 GB.
    sparse[483..495].copy_from_slice(b"40000000000\0");
    sparse[148..156].fill(b' ');
    let sum: u32 = sparse.iter().map(|&b| u32::from(b)).sum();
    sparse[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    fs::write(dir.join("train_4x4.tar"), [&sparse[..], &[0; 2048]].concat()).unwrap();
    fs::copy(fixture("gnu.tar"), dir.join("valid_4x4.tar")).unwrap();
    refuse_in_little_memory(dir, &["imagenet", "--size", "4"], &["train_4x4.tar"]);
    let pax = [&b"30 GNU.sparse.name=a\n"[..], b"22 GNU.sparse.major=1\n", b"22 GNU.sparse.minor=0\n"];
    let pax: Vec<u8> = pax.iter().flat_map(|line| [line.len().to_string().as_bytes(), &line[2..]].concat()).collect();
    let mut body = pax.clone();
    body.resize(512, 0);
    let archive = [&tar_header(b'x', "pax", pax.len() as u64)[..], &body, &tar_header(b'0', "train_4x4/a.png", 0), &[0; 1024]];
    fs::write(dir.join("train_4x4.tar"), archive.concat()).unwrap();
    refuse_in_little_memory(dir, &["imagenet", "--size", "4"], &["train_4x4.tar", "--sparse"]);
    fs::remove_file(dir.join("train_4x4.tar")).unwrap();

    let mut header = fs::read(fixture("v2.npy")).unwrap();
    header[8..12].copy_from_slice(&(7u32 << 29).to_le_bytes());
    huge(&dir.join("train_4x4.npy"), &header);
    refuse_in_little_memory(dir, &["imagenet", "--size", "4"], &["train_4x4.npy", "3758096384", "at most"]);
    // Pickles that announce more than there is, and one that is nothing but zeros.
    for start in [&b"\x80\x02T\xff\xff\xff\xff"[..], b"\x80\x04\x8e\0\0\0\0\x07\0\0\0", b"\x80\x02"] {
        fs::create_dir_all(dir.join("py")).unwrap();
        fs::write(dir.join("py/test_batch"), b"\x80\x02}.").unwrap();
        fs::write(dir.join("py/data_batch_1"), start).unwrap();
        refuse_in_little_memory(dir, &["cifar10", "py", "--partial"], &["data_batch_1", "pickle"]);
    }
    fs::copy(fixture("test_32x32.mat"), dir.join("test_32x32.mat")).unwrap();
    let mut mat = fs::read(fixture("test_32x32.mat")).unwrap()[..128].to_vec();
    mat.extend([14, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    huge(&dir.join("train_32x32.mat"), &mat);
    refuse_in_little_memory(dir, &["svhn"], &["train_32x32.mat"]);
}

#[test]
fn zipped_files_are_read_to_the_length_that_is_expected() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let zeros = vec![0; 100 << 20];
    let files = |images: &[u8], labels: &[u8]| {
        for prefix in ["train", "t10k"] {
            fs::write(dir.join(format!("{prefix}-images-idx3-ubyte.gz")), images).unwrap();
            fs::write(dir.join(format!("{prefix}-labels-idx1-ubyte.gz")), labels).unwrap();
        }
    };
    let bomb = |dims: &[usize]| gzip(&idx(dims, &zeros));
    let fine = gzip(&idx(&[3], &[1, 2, 3]));
    files(&bomb(&[3, 4, 4]), &fine);
    refuse_in_little_memory(dir, &["mnist", "."], &["train-images-idx3-ubyte.gz has more bytes than the 64"]);
    files(&gzip(&idx(&[3, 4, 4], &[0; 48])), &bomb(&[3]));
    refuse_in_little_memory(dir, &["mnist", "."], &["train-labels-idx1-ubyte.gz has more bytes than the 11"]);
    let many = 4_000_000_000;
    files(&bomb(&[many, 4, 4]), &bomb(&[many]));
    refuse_in_little_memory(dir, &["mnist", "."], &["announces 4000000000 images or labels"]);
    files(&bomb(&[3, 4_000_000_000, 4_000_000_000]), &fine);
    refuse_in_little_memory(dir, &["mnist", "."], &["4000000000"]);
    // An archive whose one member unpacks to more than any batch has, and an array with more than its header says.
    let member = ("cifar-10-batches-py/readme".to_string(), Vec::new());
    let mut archive = tar(&[member]);
    archive.truncate(archive.len() - 1024);
    archive[124..136].copy_from_slice(b"77777777777\0");
    archive[148..156].fill(b' ');
    let sum: u32 = archive[..512].iter().map(|&b| u32::from(b)).sum();
    archive[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    archive.extend(&zeros);
    archive.extend(&zeros);
    fs::write(dir.join("cifar-10-python.tar.gz"), gzip(&archive)).unwrap();
    refuse_in_little_memory(
        dir,
        &["cifar10", "cifar-10-python.tar.gz"],
        &["cifar-10-python.tar.gz", "contents, than any published one"],
    );
    let array = |dims: &[usize]| zip(&[("arr_0.npy".into(), [npy(dims, &[]), zeros.clone()].concat())]);
    for split in ["train", "test"] {
        fs::write(dir.join(format!("k49-{split}-imgs.npz")), array(&[3, 28, 28])).unwrap();
        fs::write(dir.join(format!("k49-{split}-labels.npz")), array(&[3, 1])).unwrap();
    }
    refuse_in_little_memory(dir, &["k49", "."], &["k49-train-imgs.npz, arr_0.npy", "more bytes than the 2352"]);
    fs::write(dir.join("k49-train-imgs.npz"), zip(&[("arr_0.npy".into(), npy(&[3, 28, 28], &zeros[..2352]))])).unwrap();
    refuse_in_little_memory(dir, &["k49", "."], &["k49-train-labels.npz, arr_0.npy", "more bytes than the 3"]);
}

#[test]
fn other_files_than_archives_are_called_what_they_are() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    for (start, name) in [
        (&b"PK\x03\x04rest"[..], "a zip archive"),
        (b"PK\x05\x06rest", "a zip archive"),
        (b"7z\xbc\xaf\x27\x1crest", "a 7-Zip archive"),
        (b"Rar!rest", "a RAR archive"),
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (b"\xff\xd8\xff\xe0", "a JPEG picture"),
        (b"\x93NUMPY\x01\x00", "a .npy file"),
    ] {
        fs::write(dir.join("a.tar"), start).unwrap();
        refuse(dir, &CELEBA, "data", &["a.tar is", name, "expected a tar archive"]);
        fs::write(dir.join("cifar-10-python.tar"), start).unwrap();
        refuse(dir, &["cifar10", "cifar-10-python.tar"], "data", &["cifar-10-python.tar is", name]);
    }
}

/// Converts `train` with a whole file for testing.
fn imagenet(dir: &Path, name: &str, train: &[u8], words: &[&str]) {
    fs::write(dir.join(name), train).unwrap();
    refuse(dir, &["imagenet", "--size", "4", "--out", "out"], "out", &[&[name], words].concat());
    fs::remove_file(dir.join(name)).unwrap();
}

#[test]
fn arrays_cut_anywhere_or_too_long_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    fs::write(dir.join("valid_4x4.npy"), npy_images(0..2, 4)).unwrap();
    let whole = npy_images(0..2, 4);
    for len in (0..whole.len()).step_by(23).chain([whole.len() - 1]) {
        imagenet(dir, "train_4x4.npy", &whole[..len], &[]);
    }
    imagenet(dir, "train_4x4.npy", &[&whole[..], &[0]].concat(), &["1 extra bytes"]);
    imagenet(dir, "train_4x4.npy", &npy_images(0..2, 8), &["[2, 8, 8, 3]", "expected [n, 4, 4, 3]"]);
    imagenet(dir, "train_4x4.npy", &npy(&[0, 4, 4, 3], &[]), &["no images"]);
    imagenet(dir, "train_4x4.npy", &npy(&[1 << 62, 4, 4, 3], &[]), &[]);
    // A header of 4 GB, for which no memory must be reserved.
    let mut header = fs::read(fixture("v2.npy")).unwrap();
    header[8..12].fill(0xff);
    imagenet(dir, "train_4x4.npy", &header, &["a header of 4294967295 bytes is announced"]);
}

#[test]
fn pictures_cut_anywhere_or_changed_are_refused_by_name() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    fs::write(dir.join("valid_4x4.npy"), npy_images(0..2, 4)).unwrap();
    let archive = fs::read(fixture("gnu.tar")).unwrap();
    let mut archive = tar::Archive::new(archive.as_slice());
    let mut png = Vec::new();
    let mut first = archive.entries().unwrap().map(|e| e.unwrap()).find(|e| e.path().unwrap().ends_with("0000001.png")).unwrap();
    std::io::Read::read_to_end(&mut first, &mut png).unwrap();
    let pack = |bytes: &[u8]| tar(&[("train_4x4/a.png".into(), png.clone()), ("train_4x4/b.png".into(), bytes.to_vec())]);
    for len in 0..png.len() {
        imagenet(dir, "train_4x4.tar", &pack(&png[..len]), &["train_4x4/b.png"]);
    }
    for at in (0..png.len()).step_by(5) {
        let mut flipped = png.clone();
        flipped[at] ^= 4;
        imagenet(dir, "train_4x4.tar", &pack(&flipped), &["train_4x4/b.png"]);
    }
    let photo = fs::read(fixture("photo.jpg")).unwrap();
    imagenet(dir, "train_4x4.tar", &pack(&photo), &["b.png", "32x32 pixels, expected 4x4"]);
    imagenet(dir, "train_4x4.tar", &tar(&[("readme".into(), vec![1])]), &["no pictures"]);
    fs::create_dir_all(dir.join("photos")).unwrap();
    for len in [2, 100, 600, photo.len() - 1] {
        fs::write(dir.join("photos/x.jpg"), &photo[..len]).unwrap();
        fs::write(dir.join("photos/y.jpg"), &photo).unwrap();
        refuse(dir, &["images", "photos", "--size", "4", "--test-every", "2", "--out", "out"], "out", &["x.jpg", "cut short"]);
    }
}

#[test]
fn matlab_files_cut_anywhere_or_flipped_are_refused() {
    for name in ["train_32x32.mat", "test_32x32.mat"] {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path();
        for other in ["train_32x32.mat", "test_32x32.mat"] {
            fs::copy(fixture(other), dir.join(other)).unwrap();
        }
        let args = ["svhn", "--counts", "3,2", "--out", "out"];
        let whole = fs::read(fixture(name)).unwrap();
        for len in (0..whole.len()).step_by(331).chain([whole.len() - 1]) {
            fs::write(dir.join(name), &whole[..len]).unwrap();
            refuse(dir, &args, "out", &[name]);
        }
        for at in [124, 126, 128, 131, 137, 144, 150, 160] {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x11;
            fs::write(dir.join(name), flipped).unwrap();
            let output = run(dir, &args);
            assert_ne!(output.status.code(), Some(101), "{}", String::from_utf8_lossy(&output.stderr));
            if output.status.success() {
                fs::remove_dir_all(dir.join("out")).unwrap();
            }
        }
        fs::write(dir.join(name), b"MATLAB 7.3 MAT-file".repeat(20)).unwrap();
        refuse(dir, &args, "out", &[name, "version 7.3", "-v7"]);
    }
}
