//! Files written by other programs (see `fixtures/make.py`) go in, the same pixels come out.

use crate::support::*;
use datasets::{ImageDataset, Split};
use std::fs;
use std::path::Path;

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
    // As `git archive` packs it, with a header for all members.
    let mut header = tar::Header::new_ustar();
    header.set_path("pax_global_header").unwrap();
    header.set_entry_type(tar::EntryType::XGlobalHeader);
    header.set_size(20);
    header.set_mode(0o644);
    header.set_cksum();
    let global = [&header.as_bytes()[..], b"20 comment=01234567\n", &[0; 492], &fs::read(fixture("gnu.tar")).unwrap()].concat();
    fs::write(dir.join("train_4x4.tar"), global).unwrap();
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
    assert_eq!(labels.len(), 128 + 8 * 121);
    assert_eq!(&labels[128 + 8 * 5..][..8], 2i64.to_le_bytes());
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

/// Files of image-net.org's batches of 8x8, each a copy of a fixture of two images with the classes 1 and 2.
fn batches(name: &str) -> Vec<(String, Vec<u8>)> {
    let end = if name.ends_with(".npz") { ".npz" } else { "" };
    let bytes = fs::read(fixture(name)).unwrap();
    let names = (1..=10).map(|i| format!("train_data_batch_{i}{end}")).chain([format!("val_data{end}")]);
    names.map(|name| (name, bytes.clone())).collect()
}

fn write_all(dir: &Path, files: &[(String, Vec<u8>)]) {
    fs::create_dir_all(dir).unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(dir.join(name), bytes).unwrap());
}

const BATCHES: [&str; 7] = ["imagenet", "--size", "8", "--counts", "20,2", "--images-per-shard", "3"];

fn is_batches(out: &Path) {
    let train: Vec<_> = (0..10).flat_map(|_| 0..2).collect();
    assert_eq!(images(out, Split::Train), expected(train.iter().copied(), 8));
    assert_eq!(images(out, Split::Test), expected(0..2, 8));
    assert_eq!(labels(out, Split::Train), train.iter().map(|&i| i as u32).collect::<Vec<_>>());
    assert!(notes(out).contains("1,281,149") && notes(out).contains("less 1"), "{}", notes(out));
}

#[test]
fn batches_of_image_net_org_are_read_in_every_form() {
    let forms = [
        "batch_stored.npz",
        "batch_deflated.npz",
        "batch_python2.npz",
        "batch_python2_0.pickle",
        "batch_python2_longs.pickle",
        "batch_python2_1.pickle",
        "batch_python2_2.pickle",
        "batch_python3_3.pickle",
        "batch_python3_4.pickle",
        "batch_python3_5.pickle",
    ];
    for form in forms {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path();
        let files = batches(form);
        write_all(&dir.join("loose"), &files);
        succeed(dir, &[&BATCHES[..], &["loose", "--out", "1", "--jobs", "3"]].concat());
        is_batches(&dir.join("1"));
        // One of the files, in folders as archives unpack to.
        write_all(&dir.join("data/Imagenet8_train_npz"), &files[..10]);
        write_all(&dir.join("data/imagenet8_val"), &files[10..]);
        succeed(dir, &[&BATCHES[..], &["--out", "2"]].concat());
        is_batches(&dir.join("2"));
        // In archives, the training images in two parts.
        let folder = |files: &[(String, Vec<u8>)]| -> Vec<_> {
            files.iter().map(|(name, bytes)| (format!("Imagenet8_part/{name}"), bytes.clone())).collect()
        };
        let zips = [("part1", 0..5), ("part2", 5..10), ("val", 10..11)];
        let zips = zips.map(|(part, range)| (format!("Imagenet8_{part}.zip"), zip(&folder(&files[range]))));
        write_all(&dir.join("zips"), &zips);
        succeed(dir, &[&BATCHES[..], &["zips/Imagenet8_part1.zip", "--out", "3", "--jobs", "2"]].concat());
        is_batches(&dir.join("3"));
    }
}

#[test]
fn batches_that_are_missing_doubled_or_of_another_kind_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let files = batches("batch_stored.npz");
    let case = |name: &str, files: &[(String, Vec<u8>)], words: &[&str]| {
        write_all(&dir.join(name), files);
        refuse(dir, &[&BATCHES[..], &[name, "--out", "out"]].concat(), "out", words)
    };
    let seven: Vec<_> =
        files.iter().filter(|(name, _)| !["_3.", "_7.", "_10."].iter().any(|n| name.contains(n))).cloned().collect();
    let words = ["3 of 10 batches are missing", "train_data_batch_3.npz, train_data_batch_7.npz, train_data_batch_10.npz"];
    case("seven", &seven, &words);
    case("train", &files[..10], &["1 of 1 batches are missing", "val_data.npz"]);
    let changed = |with: &str| {
        let mut files = files.clone();
        files[4].1 = fs::read(fixture(with)).unwrap();
        files
    };
    case("other", &changed("photo.jpg"), &["train_data_batch_5.npz", "zip archive is damaged"]);
    let mut flipped = changed("batch_stored.npz");
    let at = flipped[4].1.windows(4).position(|w| w == [0, 7, 14, 21]).unwrap();
    flipped[4].1[at] ^= 1;
    case("flipped", &flipped, &["train_data_batch_5.npz, data.npy", "checksum"]);
    let mut cut = files.clone();
    cut[4].1.truncate(900);
    case("cut", &cut, &["train_data_batch_5.npz"]);
    write_all(&dir.join("size"), &files);
    refuse(dir, &["imagenet", "--size", "16", "size", "--out", "out"], "out", &["[2, 192]", "[2, 768]", "another size"]);
    refuse(dir, &["imagenet", "--size", "8", "size", "--out", "out"], "out", &["20 images, expected 1,281,167"]);
    // Both sets: the paper's is taken.
    write_all(&dir.join("size"), &[("train_8x8.npy".into(), npy_images(5..8, 8)), ("valid_8x8.npy".into(), npy_images(8..9, 8))]);
    succeed(dir, &["imagenet", "--size", "8", "size", "--counts", "3,1", "--out", "old"]);
    assert_eq!(images(&dir.join("old"), Split::Train), expected(5..8, 8));
    let again = batches("batch_python3_2.pickle");
    case("again", &again, &["train_data_batch_1", "Python 3", "image-net.org"]);
    let mut classes = batches("batch_python3_3.pickle");
    let at = classes[2].1.windows(4).rposition(|w| w == b"K\x01K\x02").unwrap();
    classes[2].1[at + 1] = 0;
    case("classes", &classes, &["train_data_batch_3", "label 0 is 0, expected 1 to 1000"]);
}

#[test]
fn headers_of_python_2_and_names_of_other_types_are_understood() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    fs::copy(fixture("python2.npy"), dir.join("train_4x4.npy")).unwrap();
    fs::copy(fixture("v1.npy"), dir.join("valid_4x4.npy")).unwrap();
    succeed(dir, &["imagenet", "--size", "4", "--out", "out"]);
    assert_eq!(images(&dir.join("out"), Split::Train), expected(0..5, 4));
    let typed = |descr: &str| {
        let header = fs::read(fixture("v1.npy")).unwrap();
        let at = header.windows(3).position(|w| w == b"|u1").unwrap();
        [&header[..at], descr.as_bytes(), &header[at + 3..]].concat()
    };
    for descr in [">u2", "<f4", ">i8", "|i1", "|b1", "|S1", "<c8"] {
        fs::write(dir.join("train_4x4.npy"), typed(descr)).unwrap();
        refuse(dir, &["imagenet", "--size", "4", "--out", "no"], "no", &["train_4x4.npy", descr, "uint8", "astype"]);
    }
    fs::write(dir.join("train_4x4.npy"), typed("<u1")).unwrap();
    succeed(dir, &["imagenet", "--size", "4", "--out", "same"]);

    let old = |mut file: Vec<u8>, from: &[u8], to: &[u8]| {
        let at = file.windows(from.len()).position(|w| w == from).unwrap();
        file.splice(at..at + from.len(), to.iter().copied());
        file
    };
    let pixels = old(npy(&[12, 8, 8], &[3; 12 * 64]), b"(12, 8, 8),", b"(12L,8,8L),");
    fs::write(dir.join("digits_8x8_0to16.npy"), pixels).unwrap();
    fs::write(dir.join("digits_labels.npy"), old(npy(&[12], &[1; 12]), b"(12), ", b"(12L,)")).unwrap();
    succeed(dir, &["digits", "digits_labels.npy", "--out", "digits"]);
}

/// MNIST's four files, 9 and 4 images, with a change to the names.
fn idx_files(dir: &Path, prefixes: [&str; 2], packed: bool, first_class: u8) {
    fs::create_dir_all(dir).unwrap();
    for (prefix, numbers) in prefixes.into_iter().zip([0..9, 50..54usize]) {
        let n = numbers.len();
        let pixels: Vec<u8> = numbers.clone().flat_map(|i| image(i, 28)[..784].to_vec()).collect();
        let classes: Vec<u8> = numbers.map(|i| (i % 7) as u8 + first_class).collect();
        for (what, file) in [("images-idx3", idx(&[n, 28, 28], &pixels)), ("labels-idx1", idx(&[n], &classes))] {
            let name = format!("{prefix}-{what}-ubyte");
            match packed {
                true => fs::write(dir.join(name + ".gz"), gzip(&file)).unwrap(),
                false => fs::write(dir.join(name), file).unwrap(),
            }
        }
    }
}

fn is_idx(out: &Path, transposed: bool) {
    for (split, numbers) in [(Split::Train, 0..9), (Split::Test, 50..54usize)] {
        let upright = |i: usize| {
            let file = &image(i, 28)[..784];
            (0..784).map(|p| file[if transposed { p % 28 * 28 + p / 28 } else { p }]).collect::<Vec<_>>()
        };
        assert_eq!(images(out, split), numbers.clone().map(upright).collect::<Vec<_>>());
        assert_eq!(labels(out, split), numbers.map(|i| i as u32 % 7).collect::<Vec<_>>());
    }
}

#[test]
fn folders_of_torchvision_are_read_as_they_lie_there() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let mnist = ["train", "t10k"];
    for (command, folder, source) in [
        ("mnist", "MNIST/raw", "yann.lecun.com"),
        ("fashion-mnist", "FashionMNIST/raw", "zalandoresearch"),
        ("kmnist", "KMNIST/raw", "codh.rois.ac.jp"),
    ] {
        let raw = dir.join("root").join(folder);
        idx_files(&raw, mnist, true, 0);
        idx_files(&raw, mnist, false, 0);
        let file = raw.join("t10k-labels-idx1-ubyte.gz");
        for (i, place) in [raw.clone(), dir.join("root"), file].iter().enumerate() {
            let out = format!("{command}{i}");
            let told = succeed(dir, &[command, place.to_str().unwrap(), "--out", &out]);
            assert!(told.contains("reading") && told.contains("train-images-idx3-ubyte"), "{told}");
            is_idx(&dir.join(&out), false);
            let train = ImageDataset::open(&dir.join(&out), Split::Train).unwrap();
            assert!(train.manifest().provenance.source.contains(source));
            assert!(notes(&dir.join(&out)).contains("9 and 4 images, not 60,000 and 10,000"));
        }
        succeed(dir, &[command, "--input", "root", "--out", &format!("{command}-found")]);
    }
    // EMNIST leaves the unpacked files beside one archive of all.
    let raw = dir.join("root/EMNIST/raw");
    for split in ["balanced", "byclass", "bymerge", "letters", "digits", "mnist"] {
        let prefixes = ["train", "test"].map(|part| format!("emnist-{split}-{part}"));
        idx_files(&raw, [&prefixes[0], &prefixes[1]], false, u8::from(split == "letters"));
        let out = format!("emnist-{split}");
        succeed(dir, &["emnist", "root", "--split", split, "--out", &out]);
        is_idx(&dir.join(&out), true);
        assert!(notes(&dir.join(&out)).contains("upright"));
    }
    refuse(dir, &["emnist", "root", "--out", "no"], "no", &["--split", "balanced, byclass", "letters"]);
    refuse(dir, &["emnist", "root/MNIST", "--out", "no"], "no", &["emnist-letters-train-images-idx3-ubyte.gz"]);
}

#[test]
fn emnist_is_read_from_its_archive() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    idx_files(&dir.join("gzip"), ["emnist-letters-train", "emnist-letters-test"], true, 1);
    let members: Vec<_> = files(&dir.join("gzip")).into_iter().map(|(name, bytes)| (format!("gzip/{name}"), bytes)).collect();
    fs::remove_dir_all(dir.join("gzip")).unwrap();
    fs::create_dir_all(dir.join("EMNIST/raw")).unwrap();
    fs::write(dir.join("EMNIST/raw/gzip.zip"), zip(&members)).unwrap();
    for (i, place) in [".", "EMNIST/raw/gzip.zip", "EMNIST/raw"].iter().enumerate() {
        succeed(dir, &["emnist", place, "--out", &format!("out{i}")]);
        is_idx(&dir.join(format!("out{i}")), true);
    }
    refuse(dir, &["emnist", ".", "--split", "digits", "--out", "no"], "no", &["emnist-digits-train-images-idx3-ubyte"]);
    let mut damaged = zip(&members);
    damaged[200] ^= 4;
    fs::write(dir.join("EMNIST/raw/gzip.zip"), damaged).unwrap();
    refuse(dir, &["emnist", ".", "--split", "letters", "--out", "no"], "no", &["gzip.zip"]);
}

#[test]
fn data_sets_with_files_of_the_same_names_are_told_apart() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    // The classes of Fashion-MNIST begin like this, and there are 6,000 of each.
    let mut fashion = vec![9u8, 0, 0, 3, 0, 2, 7, 2, 5, 5];
    let mut left = [6000usize; 10];
    fashion.iter().for_each(|&class| left[usize::from(class)] -= 1);
    fashion.extend((0..10u8).flat_map(|class| std::iter::repeat_n(class, left[usize::from(class)])));
    let counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
    let mnist: Vec<u8> = (0..10u8).flat_map(|class| std::iter::repeat_n(class, counts[usize::from(class)])).collect();
    let write = |labels: &[u8]| {
        for (prefix, labels) in [("train", labels), ("t10k", &labels[..10_000])] {
            fs::write(dir.join(format!("{prefix}-labels-idx1-ubyte")), idx(&[labels.len()], labels)).unwrap();
            let images = dir.join(format!("{prefix}-images-idx3-ubyte"));
            fs::write(&images, idx(&[labels.len(), 2, 2], &vec![0; labels.len() * 4])).unwrap();
        }
    };
    write(&fashion);
    for command in ["mnist", "kmnist"] {
        refuse(dir, &[command, ".", "--out", "out"], "out", &["classes of Fashion-MNIST", "`preprocess fashion-mnist`"]);
    }
    succeed(dir, &["fashion-mnist", ".", "--limit", "10", "--out", "fashion"]);
    write(&mnist);
    for command in ["fashion-mnist", "kmnist"] {
        refuse(dir, &[command, ".", "--out", "out"], "out", &["classes of MNIST", "`preprocess mnist`"]);
    }
    succeed(dir, &["mnist", ".", "--limit", "10", "--out", "mnist"]);
    assert!(!notes(&dir.join("mnist")).contains("published"), "{}", notes(&dir.join("mnist")));
    write(&[&mnist[1..], &[0]].concat().iter().map(|&class| 9 - class).collect::<Vec<_>>());
    succeed(dir, &["mnist", ".", "--limit", "10", "--out", "other"]);
    assert!(notes(&dir.join("other")).contains("not those of the published MNIST"));
}

#[test]
fn an_unpacked_archive_is_as_good_as_a_packed_one() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    fs::copy(fixture("celeba-tfr.tar"), dir.join("celeba-tfr.tar")).unwrap();
    let args = ["--resolution", "4", "--counts", "121,41", "--images-per-shard", "10"];
    succeed(dir, &[&["celeba-tfr", "celeba-tfr.tar", "--out", "packed"], &args[..]].concat());
    tar::Archive::new(fs::File::open(dir.join("celeba-tfr.tar")).unwrap()).unpack(dir).unwrap();
    fs::remove_file(dir.join("celeba-tfr.tar")).unwrap();
    let record = "celeba-tfr/train/train-r02-s-0007-of-0120.tfrecords";
    for (i, place) in [Some("celeba-tfr"), Some("."), Some(record), None].into_iter().enumerate() {
        let out = format!("out{i}");
        succeed(dir, &[&["celeba-tfr", "--out", &out], &args[..], place.as_slice()].concat());
        for split in Split::ALL {
            assert_eq!(images(&dir.join(&out), split), images(&dir.join("packed"), split));
            assert_eq!(labels(&dir.join(&out), split), labels(&dir.join("packed"), split));
        }
    }
    let mut bytes = fs::read(dir.join(record)).unwrap();
    bytes[40] ^= 1;
    fs::write(dir.join(record), bytes).unwrap();
    refuse(
        dir,
        &[&["celeba-tfr", "--out", "no"], &args[..]].concat(),
        "no",
        &["celeba-tfr: train/train-r02-s-0007", "record 0", "checksum"],
    );
    fs::remove_file(dir.join(record)).unwrap();
    refuse(dir, &[&["celeba-tfr", "--out", "no"], &args[..]].concat(), "no", &["train-r02-s-0007-of-0120.tfrecords", "missing"]);
}

#[test]
fn a_file_stands_for_the_folder_it_is_in() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let svhn = fixture("test_32x32.mat");
    succeed(dir, &["svhn", svhn.to_str().unwrap(), "--counts", "3,2", "--out", "svhn"]);
    refuse(dir, &["svhn", svhn.to_str().unwrap(), "--extra", "--out", "no"], "no", &["extra_32x32.mat"]);
    write_all(&dir.join("in"), &[("train_4x4.npy".into(), npy_images(0..3, 4)), ("valid_4x4.npy".into(), npy_images(3..4, 4))]);
    for file in ["in/train_4x4.npy", "in/valid_4x4.npy", "in"] {
        succeed(dir, &["imagenet", "--size", "4", file, "--out", "imagenet", "--force"]);
        assert_eq!(images(&dir.join("imagenet"), Split::Train), expected(0..3, 4));
    }
    write_all(&dir.join("other"), &[("train_4x4.npy".into(), npy_images(0..3, 4))]);
    refuse(dir, &["imagenet", "--size", "4", "other", "--out", "no"], "no", &["other/valid_4x4.npy"]);
}

#[test]
fn without_any_form_of_imagenet_all_are_named() {
    let temp = tempfile::tempdir().unwrap();
    let words = ["Imagenet16_train_npz.zip", "train_16x16.npy", "was not found", "--input DIR"];
    refuse(temp.path(), &["imagenet", "--size", "16", "--out", "out"], "out", &words);
}
