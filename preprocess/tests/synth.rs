//! What `synth` makes up is read back to the same pixels, by this program and by others' readers.

use crate::support::*;
use datasets::{ImageDataset, Split};
use preprocess::commands::synth::{attributes, label, picture};
use preprocess::sources::interleave::split_channels;
use std::fs;
use std::path::Path;

/// Made-up images `numbers` as shards hold them.
fn pictures(numbers: impl IntoIterator<Item = usize>, size: usize, channels: usize, shift: u32) -> Vec<Vec<u8>> {
    let image = |i| {
        let pixels: Vec<u8> = picture(i, size, channels).into_iter().map(|v| v >> shift).collect();
        let mut planes = pixels.clone();
        if channels == 3 {
            split_channels(&pixels, &mut planes);
        }
        planes
    };
    numbers.into_iter().map(image).collect()
}

const FIRST_TEST: usize = 1 << 31;

/// Makes an input up and converts it; returns what the second command printed.
fn convert(dir: &Path, synth: &str, convert: &str) -> String {
    let split = |line: &str| line.split(' ').map(str::to_string).collect::<Vec<_>>();
    let run = |line: String| succeed(dir, &split(&line).iter().map(String::as_str).collect::<Vec<_>>());
    let told = run(format!("synth {synth} --out input"));
    let expected = format!("preprocess {convert} --input input");
    assert!(told.contains(&expected), "`{expected}` is not in: {told}");
    run(format!("{convert} --input input --out out"))
}

#[track_caller]
fn comes_back(synth: &str, command: &str, counts: [usize; 2], size: usize, channels: usize, shift: u32) -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    convert(temp.path(), synth, command);
    let out = temp.path().join("out");
    assert_eq!(images(&out, Split::Train), pictures(0..counts[0], size, channels, shift), "{synth}");
    assert_eq!(images(&out, Split::Test), pictures(FIRST_TEST..FIRST_TEST + counts[1], size, channels, shift), "{synth}");
    temp
}

#[test]
fn imagenet_comes_back() {
    for form in ["npy", "tar", "png"] {
        let synth = format!("imagenet-{form} --size 8 --counts 7,3");
        comes_back(&synth, "imagenet --size 8 --counts 7,3", [7, 3], 8, 3, 0);
    }
}

#[test]
fn celeba_comes_back() {
    comes_back("celeba-5bit --counts 5,2", "celeba-5bit --test-images 2", [5, 2], 64, 3, 3);
    let temp = comes_back("celeba-tfr --size 4 --counts 121,45", "celeba-tfr --resolution 4 --counts 121,45", [121, 45], 4, 3, 0);
    let train = ImageDataset::open(&temp.path().join("out"), Split::Train).unwrap();
    assert_eq!((train.label(13), train.attributes(13)), (Some(label(13).into()), Some(attributes(13).to_vec())));

    // The records as another reader sees them.
    let archive = fs::read(temp.path().join("input/celeba-tfr.tar")).unwrap();
    let mut archive = tar::Archive::new(archive.as_slice());
    let (mut files, mut n) = (0, 0);
    for entry in archive.entries().unwrap() {
        let config = tfrecord::RecordReaderConfig { check_integrity: true };
        for example in tfrecord::ExampleIter::from_reader(entry.unwrap(), config) {
            assert_eq!(example.unwrap().features.unwrap().feature.len(), 4);
            n += 1;
        }
        files += 1;
    }
    assert_eq!((files, n), (160, 121 + 45));
}

#[test]
fn small_images_come_back() {
    comes_back("mnist --counts 9,4", "mnist", [9, 4], 28, 1, 0);
    comes_back("cifar10 --counts 9,4", "cifar10 --partial", [9, 4], 32, 3, 0);
    let temp = comes_back("svhn --counts 11,4", "svhn --counts 11,4", [11, 4], 32, 3, 0);
    let train = ImageDataset::open(&temp.path().join("out"), Split::Train).unwrap();
    assert_eq!((0..11).map(|i| train.label(i)).collect::<Vec<_>>(), (0..11).map(|i| Some(label(i).into())).collect::<Vec<_>>());
}

#[test]
fn todays_downloads_come_back() {
    let labels = |dir: &Path, split| {
        let dataset = ImageDataset::open(&dir.join("out"), split).unwrap();
        let notes = dataset.manifest().provenance.notes.clone();
        ((0..dataset.len()).map(|i| dataset.label(i).unwrap()).collect::<Vec<_>>(), notes)
    };
    let digits = |n| (0..n).map(|i| u32::from(label(i))).collect::<Vec<_>>();
    let temp = comes_back("imagenet-npz --size 8 --counts 23,4", "imagenet --size 8 --counts 23,4", [23, 4], 8, 3, 0);
    let (classes, notes) = labels(temp.path(), Split::Train);
    assert_eq!(classes, digits(23), "counted from 0");
    assert!(notes.contains("another set than the older one") && notes.contains("less 1"), "{notes}");

    let temp = comes_back("emnist --counts 13,4", "emnist --split letters", [13, 4], 28, 1, 0);
    let (classes, notes) = labels(temp.path(), Split::Train);
    assert_eq!(classes, digits(13), "a is 0");
    assert!(notes.contains("letters") && notes.contains("upright") && notes.contains("less 1"), "{notes}");
    comes_back("fashion-mnist --counts 9,4", "fashion-mnist", [9, 4], 28, 1, 0);
    comes_back("kmnist --counts 9,4", "kmnist", [9, 4], 28, 1, 0);
    let temp = comes_back("k49 --counts 9,4", "k49 --counts 9,4", [9, 4], 28, 1, 0);
    assert_eq!(labels(temp.path(), Split::Train).0, digits(9));

    let temp = comes_back("cifar100 --counts 12,4", "cifar100 --partial", [12, 4], 32, 3, 0);
    assert_eq!(labels(temp.path(), Split::Train).0, digits(12));
    succeed(temp.path(), &["cifar100", "--labels", "coarse", "--partial", "--input", "input", "--out", "out", "--force"]);
    let (classes, notes) = labels(temp.path(), Split::Train);
    assert_eq!(classes, digits(12).into_iter().map(|class| class / 5).collect::<Vec<_>>());
    assert!(notes.contains("superclasses (coarse)"), "{notes}");

    let temp = comes_back("svhn-extra --counts 7,3", "svhn --extra --counts 14,3", [14, 3], 32, 3, 0);
    assert_eq!(labels(temp.path(), Split::Train).0, digits(14));
    comes_back("celeba-tfr-folder --size 4 --counts 121,45", "celeba-tfr --resolution 4 --counts 121,45", [121, 45], 4, 3, 0);
}

#[test]
fn occupied_directories_and_impossible_sizes_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    fs::create_dir(dir.join("full")).unwrap();
    fs::write(dir.join("full/file"), "").unwrap();
    refuse(dir, &["synth", "mnist", "--out", "full"], "none", &["full is not empty", "--force"]);
    refuse(dir, &["synth", "mnist", "--out", "out", "--size", "32"], "out", &["--size", "one size"]);
    refuse(dir, &["synth", "celeba-tfr", "--out", "out", "--size", "48"], "out", &["--size 48", "power of two"]);
    refuse(dir, &["synth", "imagenet-npz", "--out", "out", "--counts", "9,3"], "out", &["--counts 9,3", "ten batches"]);
    refuse(dir, &["synth", "svhn", "--out", "out", "--counts", "0,3"], "out", &["--counts 0,3", "at least one"]);
}
