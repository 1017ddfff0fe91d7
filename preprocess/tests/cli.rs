//! Drives the program on small archives made here, whole and damaged.

use crate::archives::*;
use datasets::{CodecKind, ImageDataset, Split};
use std::path::Path;
use std::process::{Command, Output};

fn preprocess(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_preprocess")).args(args).output().unwrap()
}

fn convert(source: &str, path: &Path, out: &Path, options: &[&str]) -> Output {
    let (path, out) = (path.to_str().unwrap(), out.to_str().unwrap());
    preprocess(&[&[source, path, "--out", out], options].concat())
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn assert_success(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The program must fail with all of `words` in its message and leave no files at `out`.
fn assert_failure(output: &Output, out: &Path, words: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
    assert!(!out.exists(), "something was left at the output");
}

/// All images and labels of a split.
fn contents(dir: &Path, split: Split) -> Vec<(Vec<u8>, u32)> {
    let dataset = ImageDataset::open(dir, split).unwrap();
    (0..dataset.len()).map(|i| (dataset.image(i).unwrap(), dataset.label(i).unwrap())).collect()
}

#[test]
fn mnist_is_converted_zipped_or_not() {
    for zipped in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        mnist(dir.path(), zipped);
        let out = dir.path().join("out");
        let output = convert("mnist", dir.path(), &out, &[]);
        assert_success(&output);
        assert!(stdout(&output).contains("mnist: 12 train + 5 test images"), "{}", stdout(&output));
        for (split, count, seed) in [(Split::Train, 12, 0), (Split::Test, 5, 100)] {
            let expected: Vec<_> = (0..count).map(|i| (pixels(seed + i, 4 * 5), (i % 10) as u32)).collect();
            assert_eq!(contents(&out, split), expected);
        }
    }
}

#[test]
fn options_are_obeyed() {
    let dir = tempfile::tempdir().unwrap();
    mnist(dir.path(), false);
    let out = dir.path().join("out");
    assert_success(&convert("mnist", dir.path(), &out, &["--codec", "raw", "--limit", "7"]));
    let train = ImageDataset::open(&out, Split::Train).unwrap();
    assert_eq!((train.len(), train.manifest().codec), (7, CodecKind::Raw));
    assert!(train.manifest().provenance.notes.contains("first 7 images"));
    assert_eq!(contents(&out, Split::Test).len(), 5);

    let output = convert("mnist", dir.path(), &out, &[]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && message.contains("--force") && message.contains("train.json"), "{message}");
    assert_eq!(contents(&out, Split::Train).len(), 7, "nothing was changed");
    assert_success(&convert("mnist", dir.path(), &out, &["--force"]));
    assert_eq!(contents(&out, Split::Train).len(), 12);
    assert_eq!(convert("mnist", dir.path(), &out, &["--limit", "0"]).status.code(), Some(2));
}

#[test]
fn validation_images_are_held_out_by_a_seed() {
    let dir = tempfile::tempdir().unwrap();
    mnist(dir.path(), true);
    let converted = |name: &str, options: &[&str]| {
        let out = dir.path().join(name);
        assert_success(&convert("mnist", dir.path(), &out, options));
        [Split::Train, Split::Validation].map(|split| contents(&out, split))
    };
    let all: Vec<_> = (0..12).map(|i| (pixels(i, 4 * 5), (i % 10) as u32)).collect();
    let [train, validation] = converted("held", &["--validation", "3"]);
    assert_eq!((train.len(), validation.len()), (9, 3));
    let is_train = |image: &&(Vec<u8>, u32)| train.contains(image);
    assert_eq!(all.iter().filter(is_train).cloned().collect::<Vec<_>>(), train, "in their order, each in one split");
    assert!(all.iter().filter(|image| !is_train(image)).eq(&validation));
    assert_eq!(converted("again", &["--validation", "3"])[1], validation);
    assert_ne!(converted("other", &["--validation", "3", "--validation-seed", "1"])[1], validation);
    let out = dir.path().join("held");
    assert_eq!(contents(&out, Split::Test).len(), 5);
    for split in [Split::Train, Split::Validation] {
        let notes = ImageDataset::open(&out, split).unwrap().manifest().provenance.notes.clone();
        assert!(notes.contains("Validation: 3 of 12 training images, chosen at random with the seed 0"), "{notes}");
    }
    let told = |command: &str| stdout(&preprocess(&[command, out.to_str().unwrap()]));
    assert!(told("inspect").contains("mnist, validation"), "{}", told("inspect"));
    assert!(told("verify").contains("no image of validation is in train"), "{}", told("verify"));
    let failed = dir.path().join("failed");
    let output = convert("mnist", dir.path(), &failed, &["--validation", "12"]);
    assert!(!failed.exists() && String::from_utf8_lossy(&output.stderr).contains("12 images cannot be held out of 12"));
    // A new conversion without them leaves none behind.
    assert_success(&convert("mnist", dir.path(), &out, &["--force"]));
    assert!(ImageDataset::open(&out, Split::Validation).is_err());
}

#[test]
fn shells_and_man_know_the_program() {
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&preprocess(&["completions", shell]));
        assert!(script.contains("fashion-mnist") && script.contains("images-per-shard"), "{shell}: {script}");
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("man1");
    let write = |options: &[&str]| preprocess(&[&["man", "--out", out.to_str().unwrap()], options].concat());
    assert_success(&write(&[]));
    let page = std::fs::read_to_string(out.join("preprocess-mnist.1")).unwrap();
    assert!(page.contains("preprocess mnist ~/downloads/mnist") && out.join("preprocess.1").exists(), "{page}");
    assert!(!write(&[]).status.success() && write(&["--force"]).status.success());
}

#[test]
fn a_failed_conversion_leaves_the_earlier_one() {
    let dir = tempfile::tempdir().unwrap();
    mnist(dir.path(), false);
    let out = dir.path().join("out");
    assert_success(&convert("mnist", dir.path(), &out, &[]));
    let before = contents(&out, Split::Train);
    let path = dir.path().join("t10k-images-idx3-ubyte");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(!convert("mnist", dir.path(), &out, &["--force"]).status.success());
    assert_eq!(contents(&out, Split::Train), before);
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 4, "temporary files were left");
}

#[test]
fn damaged_mnist_is_refused_by_name() {
    type Damage = fn(&mut Vec<u8>);
    let cases: [(&str, Damage, &[&str]); 9] = [
        ("train-images-idx3-ubyte", |b| b.truncate(b.len() - 1), &["ends too early", "1 more bytes at byte 255"]),
        ("train-images-idx3-ubyte", |b| b.push(0), &["more bytes"]),
        ("train-images-idx3-ubyte", |b| b[3] = 1, &["0x00000801", "0x00000803"]),
        ("train-images-idx3-ubyte", |b| b[7] = 11, &["11 images", "12 labels"]),
        ("train-images-idx3-ubyte", |b| b[8..16].fill(255), &["4294967295"]),
        ("train-images-idx3-ubyte", |b| b[15] = 4, &["more bytes than the 208"]),
        ("train-labels-idx1-ubyte", |b| b[10] = 10, &["label 2 is 10", "byte 10"]),
        ("t10k-labels-idx1-ubyte", |b| b.push(1), &["more bytes"]),
        ("t10k-labels-idx1-ubyte", |b| b.truncate(3), &["ends too early"]),
    ];
    for (name, damage, words) in cases {
        let dir = tempfile::tempdir().unwrap();
        mnist(dir.path(), false);
        let path = dir.path().join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        damage(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        let out = dir.path().join("out");
        assert_failure(&convert("mnist", dir.path(), &out, &[]), &out, &[&[name], words].concat());
    }
}

#[test]
fn damaged_gzip_is_refused_by_name() {
    let name = "train-images-idx3-ubyte.gz";
    for damage in ["cut", "flip", "tail"] {
        let dir = tempfile::tempdir().unwrap();
        mnist(dir.path(), true);
        let path = dir.path().join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let len = bytes.len();
        match damage {
            "cut" => bytes.truncate(len - 3),
            // In the checksum: the contents are whole, so only reading to the end can notice.
            "flip" => bytes[len - 6] ^= 1,
            _ => bytes.extend(b"tail"),
        }
        std::fs::write(&path, bytes).unwrap();
        let out = dir.path().join("out");
        assert_failure(&convert("mnist", dir.path(), &out, &[]), &out, &[name]);
    }
}

#[test]
fn absent_and_doubled_mnist_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    mnist(dir.path(), false);
    mnist(dir.path(), true);
    let path = dir.path().join("train-images-idx3-ubyte");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_failure(&convert("mnist", dir.path(), &out, &[]), &out, &["train-images-idx3-ubyte.gz exist, and differ"]);
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert_failure(&convert("mnist", &empty, &out, &[]), &out, &["train-images-idx3-ubyte"]);
    assert_failure(&convert("mnist", &dir.path().join("nowhere"), &out, &[]), &out, &["nowhere"]);
}

/// What the synthetic CIFAR-10 archives hold.
fn assert_cifar(dir: &Path, batches: &[usize]) {
    let train: Vec<_> = batches.iter().flat_map(|&i| cifar_images(i)).collect();
    assert_eq!(contents(dir, Split::Train), train);
    assert_eq!(contents(dir, Split::Test), cifar_images(5));
}

#[test]
fn every_form_of_cifar10_gives_the_same_images() {
    for python in [false, true] {
        let files = cifar_files(python);
        for packing in ["tar.gz", "tar", "directory"] {
            let dir = tempfile::tempdir().unwrap();
            let place = match packing {
                "directory" => write_dir(&dir.path().join("cifar-10-batches"), &files),
                _ => write_tar(&dir.path().join(format!("cifar-10-some.{packing}")), &files),
            };
            // The archive or extracted directory itself, then the directory that holds it.
            for (n, path) in [place.as_path(), dir.path()].into_iter().enumerate() {
                let out = tempfile::tempdir().unwrap();
                let out = out.path().join(n.to_string());
                let output = convert("cifar10", path, &out, &["--partial"]);
                assert_success(&output);
                assert!(stdout(&output).contains("15 train + 3 test images"), "{}", stdout(&output));
                assert_cifar(&out, &[0, 1, 2, 3, 4]);
            }
        }
    }
}

#[test]
fn incomplete_cifar10_needs_partial() {
    for python in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let mut files = cifar_files(python);
        let missing = files.remove(1).0;
        let archive = write_tar(&dir.path().join("cifar-10.tar.gz"), &files);
        let output = convert("cifar10", &archive, &out, &[]);
        assert_failure(&output, &out, &["cifar-10.tar.gz", &missing, "--partial"]);
        assert_success(&convert("cifar10", &archive, &out, &["--partial"]));
        assert_cifar(&out, &[0, 2, 3, 4]);
        let notes = &ImageDataset::open(&out, Split::Test).unwrap().manifest().provenance.notes.clone();
        assert!(notes.contains(&missing), "{notes}");

        let archive = write_tar(&dir.path().join("no-test.tar"), &files[..3]);
        let out = dir.path().join("out2");
        assert_failure(&convert("cifar10", &archive, &out, &["--partial"]), &out, &["test_batch"]);
    }
}

#[test]
fn batches_of_another_size_need_partial() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let path = write_dir(&dir.path().join("bin"), &cifar_files(false));
    let output = convert("cifar10", &path, &out, &[]);
    assert_failure(&output, &out, &["data_batch_1.bin", "3 images", "expected 10,000", "--partial"]);
}

#[test]
fn the_whole_of_cifar10_is_converted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cifar-10-batches-bin");
    std::fs::create_dir(&path).unwrap();
    for (name, _) in cifar_files(false) {
        // Sparse files: label 0 and black pixels.
        std::fs::File::create(path.join(name)).unwrap().set_len(30_730_000).unwrap();
    }
    let out = dir.path().join("out");
    let output = convert("cifar10", &path, &out, &["--limit", "20001"]);
    assert_success(&output);
    assert!(stdout(&output).contains("20,001 train + 10,000 test images"), "{}", stdout(&output));
    assert!(stdout(&output).contains("in 4 shards"), "{}", stdout(&output));
}

#[test]
fn damaged_cifar10_is_refused_by_name() {
    for python in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let mut files = cifar_files(python);
        files[2].1.pop();
        let name = files[2].0.clone();
        let place = write_dir(&dir.path().join("short"), &files);
        assert_failure(&convert("cifar10", &place, &out, &["--partial"]), &out, &["short", &name]);
        let archive = write_tar(&dir.path().join("short.tar.gz"), &files);
        assert_failure(&convert("cifar10", &archive, &out, &["--partial"]), &out, &["short.tar.gz", &name]);

        let mut bytes = std::fs::read(write_tar(&dir.path().join("whole.tar.gz"), &cifar_files(python))).unwrap();
        bytes.truncate(bytes.len() / 2);
        let cut = dir.path().join("cut.tar.gz");
        std::fs::write(&cut, bytes).unwrap();
        assert_failure(&convert("cifar10", &cut, &out, &["--partial"]), &out, &["cut.tar.gz", "cut short"]);
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut files = cifar_files(false);
    files[0].1[3073] = 10;
    let place = write_dir(&dir.path().join("labels"), &files);
    assert_failure(&convert("cifar10", &place, &out, &["--partial"]), &out, &["data_batch_1.bin", "label 1 is 10"]);
}

#[test]
fn ambiguous_cifar10_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    write_dir(&dir.path().join("cifar-10-batches-bin"), &cifar_files(false));
    write_tar(&dir.path().join("cifar-10-python.tar.gz"), &cifar_files(true));
    let output = convert("cifar10", dir.path(), &out, &["--partial"]);
    assert_failure(&output, &out, &["cifar-10-batches-bin", "cifar-10-python.tar.gz"]);
    let mixed = write_dir(&dir.path().join("mixed"), &[cifar_files(false), cifar_files(true)].concat());
    assert_failure(&convert("cifar10", &mixed, &out, &["--partial"]), &out, &["mixed"]);
}

#[test]
fn torchvisions_folder_beside_its_archive_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    write_dir(&dir.path().join("cifar-10-batches-py"), &cifar_files(true));
    write_tar(&dir.path().join("cifar-10-python.tar.gz"), &cifar_files(true));
    let output = convert("cifar10", dir.path(), &out, &["--partial"]);
    assert_success(&output);
    assert!(stdout(&output).contains("reading") && stdout(&output).contains("cifar-10-batches-py"), "{}", stdout(&output));
    assert_cifar(&out, &[0, 1, 2, 3, 4]);
    // A file of a folder stands for the folder.
    let file = dir.path().join("cifar-10-batches-py/data_batch_2");
    assert_success(&convert("cifar10", &file, &out, &["--partial", "--force"]));
    assert_cifar(&out, &[0, 1, 2, 3, 4]);
}

#[test]
fn cifar100_is_converted_in_every_form() {
    let images = |split: usize| -> Vec<(Vec<u8>, [u8; 2])> {
        (0..4).map(|i: usize| (pixels(split * 50 + i, 3072), [i as u8 * 5, i as u8 * 33])).collect()
    };
    let binary =
        |split| -> Vec<u8> { images(split).into_iter().flat_map(|(pixels, labels)| [&labels[..], &pixels].concat()).collect() };
    let pickle = |split: usize| {
        let list = |k: usize| images(split).iter().flat_map(|(_, labels)| [b'K', labels[k]]).collect::<Vec<u8>>();
        let data: Vec<u8> = images(split).into_iter().flat_map(|(pixels, _)| pixels).collect();
        [
            b"\x80\x02}q\x01(U\x0dcoarse_labels](".as_slice(),
            &list(0),
            b"eU\x0bfine_labels](",
            &list(1),
            b"eU\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x04M\x00\x0c\x86cnumpy\ndtype\n\
              U\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T",
            &(data.len() as u32).to_le_bytes(),
            &data,
            b"tbu.",
        ]
        .concat()
    };
    for python in [false, true] {
        let files = match python {
            true => [("train".to_string(), pickle(0)), ("test".to_string(), pickle(1))],
            false => [("train.bin".to_string(), binary(0)), ("test.bin".to_string(), binary(1))],
        };
        let dir = tempfile::tempdir().unwrap();
        let place = match python {
            true => write_dir(&dir.path().join("cifar-100-python"), &files),
            false => write_tar(&dir.path().join("cifar-100-binary.tar.gz"), &files),
        };
        for (kind, k) in [("fine", 1), ("coarse", 0)] {
            for path in [place.as_path(), dir.path()] {
                let out = dir.path().join(kind);
                assert_success(&convert("cifar100", path, &out, &["--labels", kind, "--partial", "--force"]));
                for (split, number) in [(Split::Train, 0), (Split::Test, 1)] {
                    let expected: Vec<_> = images(number).into_iter().map(|(p, labels)| (p, labels[k].into())).collect();
                    assert_eq!(contents(&out, split), expected, "{kind}");
                }
                let notes = ImageDataset::open(&out, Split::Train).unwrap().manifest().provenance.notes.clone();
                assert!(notes.contains(&format!("({kind})")), "{notes}");
            }
        }
        let out = dir.path().join("out");
        assert_failure(&convert("cifar100", &place, &out, &[]), &out, &["4 images, expected 50,000", "--partial"]);
        // Superclasses end at 19.
        let mut changed = files.clone();
        let at = if python { changed[0].1.windows(2).position(|w| w == b"K\x0f").unwrap() + 1 } else { 3 * 3074 };
        changed[0].1[at] = 20;
        let place = write_dir(&dir.path().join("changed"), &changed);
        assert_failure(
            &convert("cifar100", &place, &out, &["--labels", "coarse", "--partial"]),
            &out,
            &["label 3 is 20, expected 0 to 19"],
        );
    }
}

#[test]
fn pickled_programs_are_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let (out, victim) = (dir.path().join("out"), dir.path().join("victim"));
    let mut files = cifar_files(true);
    let command = format!("touch {}", victim.display());
    let mut evil = b"\x80\x02cos\nsystem\nU".to_vec();
    evil.push(command.len() as u8);
    evil.extend(command.bytes());
    evil.extend(b"\x85R.");
    files[0].1 = evil;
    let place = write_dir(&dir.path().join("evil"), &files);
    assert_failure(&convert("cifar10", &place, &out, &["--partial"]), &out, &["data_batch_1", "os.system"]);
    assert!(!victim.exists());
}

#[test]
fn pickles_written_again_by_python_3_are_refused_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut files = cifar_files(true);
    files[0].1 = b"\x80\x02c_codecs\nencode\nX\x01\0\0\0aX\x06\0\0\0latin1\x86R.".to_vec();
    let place = write_dir(&dir.path().join("again"), &files);
    let output = convert("cifar10", &place, &out, &["--partial"]);
    assert_failure(&output, &out, &["data_batch_1", "Python 3", "Download cifar-10-binary.tar.gz"]);
}

#[test]
fn batches_of_other_sizes_are_noted() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let place = write_dir(&dir.path().join("bin"), &cifar_files(false));
    assert_success(&convert("cifar10", &place, &out, &["--partial"]));
    let notes = ImageDataset::open(&out, Split::Test).unwrap().manifest().provenance.notes.clone();
    assert!(notes.contains("data_batch_1.bin with 3 of 10,000 images") && notes.contains("test_batch.bin with 3"), "{notes}");
}

#[test]
fn inspect_and_verify_describe_a_whole_set_and_find_damage() {
    let dir = tempfile::tempdir().unwrap();
    mnist(dir.path(), false);
    let out = dir.path().join("out");
    let path = out.to_str().unwrap();
    assert!(!preprocess(&["inspect", path]).status.success());
    assert_success(&convert("mnist", dir.path(), &out, &["--codec", "raw"]));
    let output = preprocess(&["inspect", path]);
    assert_success(&output);
    for word in ["mnist, train", "12 of 1x4x5", "256 levels", "codec raw", "CC BY-SA"] {
        assert!(stdout(&output).contains(word), "{}", stdout(&output));
    }
    let output = preprocess(&["verify", path]);
    assert_success(&output);
    assert!(stdout(&output).contains("no image of test is in train"), "{}", stdout(&output));

    let shard = out.join("test-00000-of-00001.safetensors");
    let mut bytes = std::fs::read(&shard).unwrap();
    let len = bytes.len();
    bytes[len - 20 * 2] ^= 1;
    std::fs::write(&shard, bytes).unwrap();
    let output = preprocess(&["verify", path]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(message.contains("image 3") && message.contains("xxh3") && message.contains("2 faults"), "{message}");
}

#[test]
fn verify_reports_images_in_both_splits() {
    let dir = tempfile::tempdir().unwrap();
    mnist(dir.path(), false);
    let path = dir.path().join("t10k-images-idx3-ubyte");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[16 + 2 * 20..16 + 3 * 20].copy_from_slice(&pixels(7, 20));
    std::fs::write(&path, bytes).unwrap();
    let out = dir.path().join("out");
    assert_success(&convert("mnist", dir.path(), &out, &[]));
    let output = preprocess(&["verify", out.to_str().unwrap()]);
    assert_success(&output);
    assert!(stdout(&output).contains("test image 2 = train image 7"), "{}", stdout(&output));
}

#[test]
fn the_digits_are_split_by_the_stated_rule() {
    let dir = tempfile::tempdir().unwrap();
    let images: Vec<u8> = (0..20).flat_map(|i| pixels(i, 64).into_iter().map(|k| k % 17)).collect();
    std::fs::write(dir.path().join("digits_8x8_0to16.npy"), npy("(20, 8, 8)", &images)).unwrap();
    let labels: Vec<u8> = (0..20).map(|i| i % 10).collect();
    std::fs::write(dir.path().join("digits_labels.npy"), npy("(20,)", &labels)).unwrap();
    let out = dir.path().join("out");
    assert_success(&convert("digits", dir.path(), &out, &[]));
    let expected = |keep: fn(&usize) -> bool| -> Vec<_> {
        (0..20).filter(keep).map(|i| (images[64 * i..][..64].to_vec(), (i % 10) as u32)).collect()
    };
    assert_eq!(contents(&out, Split::Test), expected(|i| i % 6 == 5));
    assert_eq!(contents(&out, Split::Train), expected(|i| i % 6 != 5));

    let out = dir.path().join("out2");
    let mut bad = images.clone();
    bad[64 * 7] = 17;
    std::fs::write(dir.path().join("digits_8x8_0to16.npy"), npy("(20, 8, 8)", &bad)).unwrap();
    assert_failure(&convert("digits", dir.path(), &out, &[]), &out, &["digits_8x8_0to16.npy", "image 7", "17"]);
}

#[cfg(not(feature = "mpi"))]
#[test]
fn a_program_without_mpi_refuses_to_be_one_of_several() {
    let temp = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_preprocess"));
    // As `mpirun` starts it.
    program.args(["digits", "."]).current_dir(temp.path()).env("OMPI_COMM_WORLD_SIZE", "2");
    let message = String::from_utf8(program.output().unwrap().stderr).unwrap();
    assert!(message.starts_with("error: several processes were started") && message.contains("--features mpi"), "{message}");
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
}
