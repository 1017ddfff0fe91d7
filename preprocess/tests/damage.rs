//! Damaged and unsuitable inputs: each is refused with a message that says where it is at fault, and nothing is left.

mod support;

use std::fs;
use std::path::Path;
use support::*;
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
            preprocess::tfrecord::write(&[0; 100_000], bytes).unwrap();
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
