//! Files written by other programs (see `fixtures/make.py`) go in, the same pixels come out.

mod support;

use datasets::{ImageDataset, Split};
use std::fs;
use support::*;

#[test]
fn numpys_versions_and_tar_archives_of_two_programs_are_read() {
    for version in ["v1.npy", "v2.npy", "v3.npy", "gnu.tar"] {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path();
        fs::create_dir(dir.join("data")).unwrap();
        let end = version.rsplit('.').next().unwrap();
        fs::copy(fixture(version), dir.join(format!("data/train_4x4.{end}"))).unwrap();
        fs::copy(fixture("python.tar"), dir.join("valid_4x4.tar")).unwrap();
        // Names are looked up in `data` and the current directory, results go where the configurations look.
        succeed(dir, &["imagenet", "--size", "4"]);
        assert_eq!(images(&dir.join("data/imagenet4"), Split::Train), expected(0..5, 4), "{version}");
        assert_eq!(images(&dir.join("data/imagenet4"), Split::Test), expected(100..103, 4), "{version}");
    }
}

#[test]
fn long_names_and_pictures_of_other_encoders_are_read() {
    for archive in ["long_names.tar", "long_names_pax.tar"] {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path();
        fs::copy(fixture("v1.npy"), dir.join("train_4x4.npy")).unwrap();
        fs::copy(fixture(archive), dir.join("valid_4x4.tar")).unwrap();
        succeed(dir, &["imagenet", "--size", "4"]);
        assert_eq!(images(&dir.join("data/imagenet4"), Split::Test), expected(200..203, 4), "{archive}");
    }
}

#[test]
fn other_arrays_are_refused_with_advice() {
    let cases = [
        ("fortran.npy", "ascontiguousarray"),
        ("int16.npy", "uint8"),
        ("rank3.npy", "[n, height, width, 3]"),
        ("channels_first.npy", "transpose"),
    ];
    for (name, word) in cases {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path();
        fs::copy(fixture(name), dir.join("train_4x4.npy")).unwrap();
        fs::copy(fixture("v1.npy"), dir.join("valid_4x4.npy")).unwrap();
        refuse(dir, &["imagenet", "--size", "4", "--out", "out"], "out", &["train_4x4.npy", word]);
    }
    // No elements, but more pixels of none than can be counted.
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("train_4x4.npy"), npy(&[0, 4, 1 << 62, 3], &[])).unwrap();
    fs::copy(fixture("v1.npy"), temp.path().join("valid_4x4.npy")).unwrap();
    refuse(
        temp.path(),
        &["imagenet", "--size", "4", "--out", "out"],
        "out",
        &["train_4x4.npy", "4611686018427387904", "damaged"],
    );
}

#[test]
fn records_written_by_tensorflow_are_read_in_the_order_of_names() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    fs::copy(fixture("celeba-tfr.tar"), dir.join("celeba-tfr.tar")).unwrap();
    let args = ["celeba-tfr", "celeba-tfr.tar", "--resolution", "4"];
    let message = refuse(dir, &args, "data", &["121 images, expected 27,000", "train-r02-s-0007-of-0120", "has 2"]);
    assert!(message.contains("--counts"), "{message}");
    succeed(dir, &[&args[..], &["--counts", "121,41", "--images-per-shard", "10", "--jobs", "3"]].concat());
    // The directory that holds it will do, too.
    refuse(dir, &["celeba-tfr", ".", "--resolution", "4", "--out", "none"], "none", &["celeba-tfr.tar", "121 images"]);
    refuse(dir, &["celeba-tfr", "data", "--resolution", "4", "--out", "none"], "none", &["data/celeba-tfr.tar", "not found"]);
    let out = dir.join("data/celebahq4");
    for (split, numbers) in [(Split::Train, 0..121), (Split::Test, 1000..1041)] {
        let dataset = ImageDataset::open(&out, split).unwrap();
        assert_eq!(images(&out, split), expected(numbers.clone(), 4));
        for (i, number) in numbers.enumerate() {
            assert_eq!(dataset.label(i), Some(number as u32 % 3));
            let attributes: Vec<i8> = (0..5).map(|b| if number >> b & 1 == 1 { 1 } else { -1 }).collect();
            assert_eq!(dataset.attributes(i), Some(attributes));
        }
        assert!(dataset.manifest().provenance.notes.contains("121 and 41"));
        assert_eq!((dataset.manifest().version, dataset.manifest().attributes), (3, 5));
    }
    assert!(succeed(dir, &["inspect", "data/celebahq4"]).contains("with labels, 5 attributes"));
    assert!(succeed(dir, &["verify", "data/celebahq4"]).contains("121 images in 13 shards are intact"));
}

#[test]
fn matlab_files_written_by_scipy_are_read_compressed_or_not() {
    let temp = tempfile::tempdir().unwrap();
    let input = fixture("");
    let args = ["svhn", "--input", input.to_str().unwrap(), "--out", "out"];
    refuse(temp.path(), &args, "out", &["train_32x32.mat", "3 images, expected 73,257"]);
    succeed(temp.path(), &[&args[..], &["--counts", "3,2"]].concat());
    let out = temp.path().join("out");
    assert_eq!(images(&out, Split::Train), expected(0..3, 32));
    assert_eq!(images(&out, Split::Test), expected(100..102, 32));
    let train = ImageDataset::open(&out, Split::Train).unwrap();
    // Classes 9, 10 and 10: the last two are the digit 0.
    assert_eq!((0..3).map(|i| train.label(i)).collect::<Vec<_>>(), [Some(9), Some(0), Some(0)]);
}

#[test]
fn jpegs_are_what_another_decoder_makes_of_them() {
    let temp = tempfile::tempdir().unwrap();
    let pictures = temp.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    fs::copy(fixture("photo.jpg"), pictures.join("a.jpg")).unwrap();
    fs::copy(fixture("pictures/sampled.jpg"), pictures.join("b.JPEG")).unwrap();
    succeed(temp.path(), &["images", "pictures", "--size", "32", "--test-every", "2"]);
    let out = temp.path().join("data/images32");
    let image_is = images(&out, Split::Train);
    let pillow = fs::read(fixture("photo.rgb")).unwrap();
    for (p, pixel) in pillow.chunks(3).enumerate() {
        for (c, value) in pixel.iter().enumerate() {
            // Decoders may round differently.
            assert!(value.abs_diff(image_is[0][1024 * c + p]) <= 3, "channel {c} of pixel {p}");
        }
    }
    let notes = ImageDataset::open(&out, Split::Train).unwrap().manifest().provenance.notes.clone();
    assert!(notes.contains("Lanczos") && notes.contains("Of every 2 pictures"), "{notes}");
}

#[test]
fn folders_give_the_same_as_archives_with_any_number_of_threads() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    for (archive, folder) in [("gnu.tar", "train_4x4"), ("python.tar", "valid_4x4")] {
        tar::Archive::new(fs::File::open(fixture(archive)).unwrap()).unpack(dir).unwrap();
        fs::copy(fixture(archive), dir.join(format!("{folder}.tar"))).unwrap();
    }
    fs::write(dir.join("train_4x4/._0000001.png"), "not a picture").unwrap();
    succeed(dir, &["imagenet", "--size", "4", "--images-per-shard", "2", "--out", "tar", "--jobs", "1"]);
    fs::remove_file(dir.join("train_4x4.tar")).unwrap();
    fs::remove_file(dir.join("valid_4x4.tar")).unwrap();
    succeed(dir, &["imagenet", "--size", "4", "--images-per-shard", "2", "--out", "folder", "--jobs", "4"]);
    for split in Split::ALL {
        assert_eq!(images(&dir.join("tar"), split), images(&dir.join("folder"), split));
    }
    succeed(dir, &["imagenet", "--size", "4", "--images-per-shard", "2", "--out", "again", "--jobs", "1"]);
    assert_eq!(files(&dir.join("again")), files(&dir.join("folder")));
}

#[test]
fn five_bit_images_are_split_without_overlap_and_checked() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let mut npy = npy_images(0..9, 64);
    let start = npy.len() - 9 * 3 * 64 * 64;
    npy[start..].iter_mut().for_each(|v| *v &= 31);
    fs::write(dir.join("some.npy"), &npy).unwrap();
    succeed(dir, &["celeba-5bit", "some.npy", "--test-images", "2"]);
    let out = dir.join("data/celebahq64_5bit");
    let five_bit = |numbers: std::ops::Range<usize>| -> Vec<Vec<u8>> {
        numbers.map(|i| image(i, 64).into_iter().map(|v| v & 31).collect()).collect()
    };
    assert_eq!(images(&out, Split::Test), five_bit(0..2));
    assert_eq!(images(&out, Split::Train), five_bit(2..9));
    assert_eq!(ImageDataset::open(&out, Split::Train).unwrap().levels(), 32);
    npy[start + 5 * 3 * 64 * 64 + 7] = 32;
    fs::write(dir.join("bad.npy"), &npy).unwrap();
    refuse(
        dir,
        &["celeba-5bit", "bad.npy", "--test-images", "2", "--out", "o"],
        "o",
        &["bad.npy, image 5", "32 levels allow 0 to 31"],
    );
}

#[test]
fn exports_give_the_pixels_back() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let counts = ["--counts", "121,41"];
    let tar = fixture("celeba-tfr.tar");
    succeed(dir, &[&["celeba-tfr", tar.to_str().unwrap(), "--resolution", "4"], &counts[..]].concat());
    succeed(dir, &["export", "data/celebahq4", "--format", "npy", "--out", "npy"]);
    let train = fs::read(dir.join("npy/train.npy")).unwrap();
    assert!(train.ends_with(&(0..121).flat_map(|i| image_rgb(i, 4)).collect::<Vec<_>>()));
    // What was exported is an input again.
    fs::rename(dir.join("npy/train.npy"), dir.join("train_4x4.npy")).unwrap();
    fs::rename(dir.join("npy/test.npy"), dir.join("valid_4x4.npy")).unwrap();
    succeed(dir, &["imagenet", "--size", "4"]);
    succeed(dir, &["export", "data/imagenet4", "--format", "png", "--out", "png"]);
    fs::rename(dir.join("png/train"), dir.join("png/train_4x4")).unwrap();
    fs::rename(dir.join("png/test"), dir.join("png/valid_4x4")).unwrap();
    succeed(dir, &["imagenet", "--size", "4", "--input", "png", "--out", "back"]);
    assert_eq!(images(&dir.join("back"), Split::Train), expected(0..121, 4));
    let labels = fs::read(dir.join("npy/train_labels.npy")).unwrap();
    assert_eq!(labels.len(), 128 + 4 * 121);
    assert_eq!(&labels[128 + 4 * 5..][..4], 2u32.to_le_bytes());
    let attributes = fs::read(dir.join("npy/train_attributes.npy")).unwrap();
    assert_eq!(attributes[128 + 5 * 6..][..5], [255, 1, 1, 255, 255]);
    refuse(dir, &["export", "data/imagenet4", "--format", "png", "--out", "back"], "none", &["back is not empty", "--force"]);
}

#[test]
fn a_contact_sheet_shows_the_images() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    fs::write(dir.join("train_32x32.npy"), npy_images(0..3, 32)).unwrap();
    fs::write(dir.join("valid_32x32.npy"), npy_images(5..6, 32)).unwrap();
    succeed(dir, &["imagenet", "--size", "32", "--counts", "3,1", "--out", "out"]);
    let text = succeed(dir, &["inspect", "out", "--sheet", "."]);
    assert!(text.contains("train.png"), "{text}");
    // A single image, four pixels for one, and a border.
    let sheet = fs::read(dir.join("test.png")).unwrap();
    let (width, height) =
        (u32::from_be_bytes(sheet[16..20].try_into().unwrap()), u32::from_be_bytes(sheet[20..24].try_into().unwrap()));
    assert_eq!((width, height), (129, 129));
}

#[test]
fn a_dry_run_writes_nothing_and_limits_are_obeyed() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    fs::write(dir.join("train_32x32.npy"), npy_images(0..9, 32)).unwrap();
    fs::write(dir.join("valid_32x32.npy"), npy_images(9..11, 32)).unwrap();
    let args = ["imagenet", "--size", "32", "--counts", "9,2", "--limit", "4", "--codec", "raw"];
    let text = succeed(dir, &[&args[..], &["--dry-run"]].concat());
    assert!(
        text.contains("would write imagenet32: 4 train + 2 test images of 3x32x32") && text.contains("data/imagenet32"),
        "{text}"
    );
    assert!(!dir.join("data").exists());
    succeed(dir, &args);
    assert_eq!(images(&dir.join("data/imagenet32"), Split::Train), expected(0..4, 32));
    let message = String::from_utf8(run(dir, &args).stderr).unwrap();
    assert!(message.contains("exists") && message.contains("--force"), "{message}");
    succeed(dir, &[&args[..], &["--force"]].concat());
}
