//! Anybody's own pictures: which are taken, left out or refused, and that the program says so.

use crate::support::*;
use datasets::{ImageDataset, Split};
use image::{DynamicImage, ImageFormat, RgbImage};
use preprocess::formats::picture::{Size, Upright};
use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

const SIZE: Size = Size { width: 16, height: 16 };

/// A picture that no other number gives.
fn picture(i: usize, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| image::Rgb([(i * 37) as u8 ^ x as u8, (i * 11) as u8 ^ (y * 3) as u8, (x + y) as u8]))
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn png(i: usize) -> Vec<u8> {
    encoded(picture(i, 16, 16), ImageFormat::Png)
}

fn put(path: PathBuf, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A folder with as many different pictures.
fn folder(dir: &Path, n: usize) {
    (0..n).for_each(|i| put(dir.join(format!("p{i}.png")), png(i)));
}

const ARGS: [&str; 8] = ["images", "in", "--size", "16", "--test-every", "2", "--out", "out"];

/// Writing where nothing is.
const ELSEWHERE: [&str; 8] = ["images", "in", "--size", "16", "--test-every", "2", "--out", "none"];

fn convert(dir: &Path, more: &[&str]) -> Output {
    run(dir, &[&ARGS[..], more].concat())
}

/// What the program said, on both streams, when it had to succeed.
#[track_caller]
fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

#[track_caller]
fn contains(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

fn counts(dir: &Path) -> [usize; 2] {
    Split::ALL.map(|split| ImageDataset::open(dir, split).unwrap().len())
}

fn decode(bytes: &[u8]) -> anyhow::Result<Upright> {
    Upright::decode(bytes, SIZE)
}

/// Files of every kind that is read.
fn every_kind() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(fixture("pictures"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().unwrap() != "rgb")
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    let small = || picture(3, 23, 17);
    let deep = || DynamicImage::ImageRgb8(small()).into_rgb16();
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::Tiff, ImageFormat::Jpeg]
    {
        files.push((format!("made.{format:?}"), encoded(small(), format)));
    }
    files.push(("deep.png".into(), encoded(deep(), ImageFormat::Png)));
    files.push(("deep.tif".into(), encoded(deep(), ImageFormat::Tiff)));
    files.push(("grey.bmp".into(), encoded(DynamicImage::ImageRgb8(small()).into_luma8(), ImageFormat::Bmp)));
    files.sort();
    files
}

#[test]
fn every_kind_is_what_another_decoder_makes_of_it() {
    let mut compared = 0;
    for (name, bytes) in every_kind() {
        let picture = decode(&bytes).unwrap_or_else(|e| panic!("{name}: {e:#}"));
        let Ok(pillow) = fs::read(fixture(&format!("pictures/{name}.rgb"))) else { continue };
        let difference = |(a, b): (&u8, &u8)| u32::from(a.abs_diff(*b));
        let differences: Vec<_> = picture.image.as_raw().iter().zip(&pillow).map(difference).collect();
        assert_eq!(picture.image.len(), pillow.len(), "{name}");
        let (most, sum) = (*differences.iter().max().unwrap(), differences.iter().sum::<u32>());
        // Decoders smooth colours of fewer samples in different ways, and round differently.
        let allowed = if name.ends_with("gif") { (0, 0) } else { (40, 3 * differences.len() as u32) };
        assert!(most <= allowed.0 && sum <= allowed.1, "{name}: {most}, {sum} of {}", differences.len());
        compared += 1;
    }
    assert_eq!(compared, 10);
    let phone = decode(&fs::read(fixture("pictures/phone.jpg")).unwrap()).unwrap();
    assert_eq!(phone.image.dimensions(), (29, 37), "turned upright");
}

#[test]
fn pictures_cut_anywhere_are_noticed() {
    for (name, bytes) in every_kind() {
        // A TIFF has no end: bytes after the last ones that its pixels need may be missing.
        let needed = if name.to_lowercase().contains(".tif") { tiff_end(&bytes) } else { bytes.len() };
        for len in 0..needed {
            assert!(decode(&bytes[..len]).is_err(), "{name} cut at byte {len} of {}", bytes.len());
        }
    }
}

/// Behind the last byte without which the picture is another one.
fn tiff_end(bytes: &[u8]) -> usize {
    let whole = decode(bytes).unwrap().fingerprint();
    let same = |len: &usize| decode(&bytes[..*len]).is_ok_and(|picture| picture.fingerprint() == whole);
    (0..=bytes.len()).rev().take_while(same).last().unwrap()
}

#[test]
fn jpegs_without_a_part_of_their_pixels_are_noticed_whatever_is_put_in_its_place() {
    let mut tried = 0;
    for (name, bytes) in every_kind() {
        if !bytes.starts_with(b"\xff\xd8") {
            continue;
        }
        // There may be another one in the description of the picture.
        let frame = bytes.windows(2).rposition(|w| w == b"\xff\xc0" || w == b"\xff\xc2").unwrap();
        let scan = frame + bytes[frame..].windows(2).position(|w| w == b"\xff\xda").unwrap();
        let end = bytes.len() - 2;
        let noise: Vec<u8> = (0..300u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for cut in (scan..end).step_by(3) {
            let start = &bytes[..cut];
            let with = |more: &[&[u8]]| [&[start], more].concat().concat();
            for (what, changed) in [
                ("an end mark", with(&[b"\xff\xd9"])),
                ("an end mark and more", with(&[b"\xff\xd9", &noise])),
                ("another picture", with(&[&bytes])),
                ("zeros", with(&[&[0; 4096]])),
                ("zeros and an end mark", with(&[&[0; 4096], b"\xff\xd9"])),
                ("one more end mark", with(&[b"\xff\xd9\xff\xd9"])),
            ] {
                let decoded = decode(&changed);
                assert!(decoded.is_err(), "{name} cut at byte {cut} of {}, with {what}", bytes.len());
                tried += 1;
            }
        }
    }
    assert!(tried > 5000, "{tried}");
}

#[test]
fn progressive_jpegs_without_a_scan_are_noticed() {
    let mut tried = 0;
    for name in ["progressive.jpg", "grey_progressive.jpg"] {
        let bytes = fs::read(fixture(&format!("pictures/{name}"))).unwrap();
        let starts: Vec<_> =
            (0..bytes.len()).filter(|&at| bytes[at..].starts_with(b"\xff\xda")).chain([bytes.len() - 2]).collect();
        for scan in starts.windows(2) {
            // Up to the next mark: tables for the scans to come.
            let data = scan[0] + 2 + usize::from(bytes[scan[0] + 3]);
            let end = (data..).find(|&at| bytes[at] == 0xff && bytes[at + 1] != 0).unwrap();
            let without = [&bytes[..scan[0]], &bytes[end..]].concat();
            assert!(decode(&without).is_err(), "{name} without the scan at byte {}", scan[0]);
            tried += 1;
        }
    }
    assert!(tried >= 14, "{tried}");
}

#[test]
fn bytes_behind_the_end_are_of_no_matter() {
    for (name, bytes) in every_kind() {
        let whole = decode(&bytes).unwrap().fingerprint();
        let second = fs::read(fixture("pictures/sampled.jpg")).unwrap();
        for trailer in
            [&b"\0"[..], b"SEFH\x6b\0\0\0\x01\0\0\0SEFT", b"\xff\xd9\xff\xd8\xff", &second, &[0xff; 1000], &[0; 70_000]]
        {
            let longer = [bytes.as_slice(), trailer].concat();
            let decoded = decode(&longer).unwrap_or_else(|e| panic!("{name} and {} bytes: {e:#}", trailer.len()));
            assert_eq!(decoded.fingerprint(), whole, "{name}");
        }
    }
}

#[test]
fn changed_bytes_never_end_the_program() {
    for (name, bytes) in every_kind() {
        for at in 0..bytes.len().min(1500) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            let decoded = decode(&changed);
            assert!(
                decoded.is_err() || !name.ends_with(".png"),
                "{name}: every bit of a PNG is in a checksum, byte {at} was changed"
            );
        }
    }
}

#[test]
fn hidden_files_and_thumbnails_are_not_data_and_that_is_said() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("in");
    folder(&dir, 6);
    for copy in [
        ".git/objects/p2.png",
        ".thumbnails/large/p2.png",
        ".ipynb_checkpoints/p2.png",
        ".Trash-0/files/p2.png",
        "__MACOSX/p2.png",
        "a/@eaDir/p2.png/SYNOPHOTO_THUMB_M.png",
        "Thumbnails/p2.png",
        "a/.thumb.png",
    ] {
        put(dir.join(copy), png(2));
    }
    put(dir.join("._p1.png"), "not a picture");
    put(dir.join("Thumbs.db"), "not a picture");
    put(dir.join("notes.txt"), "text");
    put(dir.join("labels.csv"), "text");
    put(dir.join("empty.jpg"), "");
    put(dir.join("raw.CR2"), "II*\0");
    let text = said(&convert(temp.path(), &[]));
    contains(
        &text,
        &[
            "taken: 6 pictures (6 PNG)",
            "left out: 9 hidden files and folders, with 6 pictures in them: .Trash-0, ._p1.png, .git, …",
            "left out: 1 in folders of thumbnails, with 1 pictures in them: Thumbnails",
            "left out: 1 pictures of formats that are not read (1 .cr2): raw.CR2",
            "left out: 2 other files, by their names (1 .csv, 1 .txt): labels.csv, notes.txt",
            "left out: 1 empty files: empty.jpg",
        ],
    );
    assert_eq!(counts(&temp.path().join("out")), [3, 3]);
    contains(&succeed(temp.path(), &["verify", "out"]), &["no image of test is in train"]);
}

#[test]
fn links_are_followed_once_and_not_in_circles() {
    use std::os::unix::fs::symlink;
    let temp = tempfile::tempdir().unwrap();
    let (dir, elsewhere) = (temp.path().join("in"), temp.path().join("elsewhere"));
    folder(&dir, 4);
    (4..8).for_each(|i| put(elsewhere.join(format!("q{i}.png")), png(i)));
    put(temp.path().join("one/r.png"), png(8));
    symlink("../elsewhere", dir.join("class_b")).unwrap();
    symlink("../one/r.png", dir.join("r.png")).unwrap();
    // The same again, in circles, and to nowhere.
    symlink("../elsewhere", dir.join("aaa")).unwrap();
    symlink("../in", elsewhere.join("back")).unwrap();
    symlink("..", dir.join("up")).unwrap();
    symlink("p0.png", dir.join("again.png")).unwrap();
    symlink("gone.png", dir.join("dead.png")).unwrap();
    symlink("loop", dir.join("loop")).unwrap();
    fs::hard_link(dir.join("p1.png"), dir.join("p1_hard.png")).unwrap();
    let text = said(&convert(temp.path(), &[]));
    contains(&text, &["taken: 9 pictures", "2 links that lead nowhere: dead.png, loop", "5 reached a second time, by a link: "]);
    assert_eq!(counts(&temp.path().join("out")), [5, 4]);
    assert!(succeed(temp.path(), &["verify", "out"]).contains("no image of test is in train"));
}

#[test]
fn formats_are_known_by_their_contents() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("in");
    let make = |i, format| encoded(picture(i, 20, 20), format);
    for (i, (name, format)) in [
        ("a.png", ImageFormat::Jpeg),
        ("b.jpg", ImageFormat::Png),
        ("c.WEBP", ImageFormat::WebP),
        ("d.bmp", ImageFormat::Bmp),
        ("e.gif", ImageFormat::Gif),
        ("f.tif", ImageFormat::Tiff),
        ("g.jfif", ImageFormat::Jpeg),
        ("without_ending", ImageFormat::Png),
    ]
    .into_iter()
    .enumerate()
    {
        put(dir.join(name), make(i, format));
    }
    put(dir.join("deep.png"), encoded(DynamicImage::ImageRgb8(picture(20, 9, 9)).into_rgb16(), ImageFormat::Png));
    put(dir.join("README"), "no picture");
    put(dir.join("a.jpg~"), make(0, ImageFormat::Jpeg));
    put(dir.join("h.ppm"), "P6 1 1 255\n123");
    put(dir.join("cmyk.jpg"), fs::read(fixture("pictures/cmyk.jpg")).unwrap());
    put(dir.join("moving.gif"), fs::read(fixture("pictures/animated.gif")).unwrap());
    let text = said(&convert(temp.path(), &[]));
    contains(
        &text,
        &[
            "taken: 11 pictures (3 PNG, 3 JPEG, 1 WebP, 1 BMP, 2 GIF, 1 TIFF)",
            "1 pictures of formats that are not read (1 .ppm): h.ppm",
            "2 other files, by their names (1 without an ending, 1 .jpg~): README, a.jpg~",
            "1 pictures are smaller than 16x16 and are enlarged",
            "1 pictures have 16 bits a value",
            "1 pictures are of four inks (CMYK)",
            "1 pictures are animations",
        ],
    );
}

#[test]
fn all_damaged_pictures_are_listed_and_left_out_only_if_asked() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("in");
    folder(&dir, 6);
    let photo = fs::read(fixture("photo.jpg")).unwrap();
    for (name, bytes) in [
        ("page.jpg", b"  <!DOCTYPE html><html>404</html>".to_vec()),
        ("phone.jpg", b"\0\0\0\x18ftypheic\0\0\0\0".to_vec()),
        ("half.jpg", [&photo[..photo.len() / 2], b"\xff\xd9"].concat()),
        ("pointer.png", b"version https://git-lfs.github.com/spec/v1\n".to_vec()),
        ("zeros.png", vec![0; 100]),
        ("cut.png", png(9)[..60].to_vec()),
        ("evil\x1b[2J.png", b"\x1b[31m".to_vec()),
        ("glass.png", encoded(image::RgbaImage::new(4, 4), ImageFormat::Png)),
    ] {
        put(dir.join(name), bytes);
    }
    let message = refuse(
        temp.path(),
        &ARGS,
        "out",
        &[
            "8 of 14 pictures cannot be used",
            "--skip-damaged",
            "page.jpg: an HTML page",
            "phone.jpg: a HEIC picture",
            "half.jpg: the JPEG is cut short or damaged",
            "pointer.png: a pointer of Git LFS",
            "zeros.png: it begins with zeros only",
            "cut.png: the PNG is cut short",
            "evil\\u{1b}[2J.png: neither a PNG nor",
            "glass.png: the picture has transparent pixels",
        ],
    );
    assert!(!message.contains('\x1b'), "{message:?}");
    let text = said(&convert(temp.path(), &["--skip-damaged"]));
    contains(&text, &["8 of 14 pictures cannot be used", "half.jpg: ", "taken: 6 pictures"]);
    assert_eq!(counts(&temp.path().join("out")), [3, 3]);
    let notes = ImageDataset::open(&temp.path().join("out"), Split::Test).unwrap().manifest().provenance.notes.clone();
    contains(&notes, &["8 damaged pictures were left out: cut.png, evil\\u{1b}[2J.png, glass.png, half.jpg"]);
    (0..30).for_each(|i| put(dir.join(format!("x{i:02}.png")), "no picture"));
    let output = run(temp.path(), &ELSEWHERE);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && !temp.path().join("none").exists(), "{message}");
    contains(
        &message,
        &["38 of 44 pictures cannot be used", "in/x12.png: ", "and 18 more", "error: 38 of 44 pictures cannot be used"],
    );
    assert_eq!(message.lines().count(), 23, "{message}");
}

#[test]
fn copies_are_in_one_split_and_that_is_said() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("in");
    folder(&dir, 6);
    put(dir.join("p0 (copy).png"), png(0));
    // The same pixels in another file.
    put(dir.join("z.bmp"), encoded(picture(1, 16, 16), ImageFormat::Bmp));
    let text = said(&convert(temp.path(), &[]));
    contains(&text, &["note: 2 pictures have the same pixels as another of their split; the first: p0.png = p0 (copy).png"]);
    assert_eq!(counts(&temp.path().join("out")).iter().sum::<usize>(), 8);
    assert!(succeed(temp.path(), &["verify", "out"]).contains("no image of test is in train"));
}

#[test]
fn pictures_that_are_all_the_same_are_split_all_the_same() {
    let temp = tempfile::tempdir().unwrap();
    (0..4).for_each(|i| put(temp.path().join(format!("in/{i}.png")), png(0)));
    let text = said(&convert(temp.path(), &[]));
    contains(&text, &["warning: 2 pictures have the same pixels as one of the other split, so the test is not fair"]);
    assert_eq!(counts(&temp.path().join("out")), [2, 2]);
}

#[test]
fn kinds_that_a_decoder_does_not_know_are_refused_and_called_by_their_names() {
    let temp = tempfile::tempdir().unwrap();
    let copy = |name: &str| put(temp.path().join("in").join(name), fs::read(fixture(name)).unwrap());
    folder(&temp.path().join("in"), 2);
    copy("colours_apart.jpg");
    copy("uneven.jpg");
    let float = image::Rgb32FImage::from_fn(4, 4, |x, _| image::Rgb([x as f32 / 4.0; 3]));
    put(temp.path().join("in/float.tif"), encoded(float, ImageFormat::Tiff));
    let mut packed = fs::read(fixture("pictures/lzw.tif")).unwrap();
    // The directory's entry of the compression.
    let entry = packed.windows(8).position(|w| w == [3, 1, 3, 0, 1, 0, 0, 0]).unwrap();
    packed[entry + 8..entry + 10].copy_from_slice(&34925u16.to_le_bytes());
    put(temp.path().join("in/packed.tif"), packed);
    let words = [
        "4 of 6 pictures cannot be used",
        "colours_apart.jpg: a JPEG whose colours come one after the other",
        "uneven.jpg: its segment C0: says that another component has more samples",
        "float.tif: its values are floating-point numbers",
        "packed.tif: a TIFF of a kind that is not read",
    ];
    refuse(temp.path(), &ELSEWHERE, "none", &words);
}

#[test]
fn folders_are_classes_and_splits_if_asked() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("in");
    let labels = |split| {
        let set = ImageDataset::open(&temp.path().join("out"), split).unwrap();
        (0..set.len()).map(|i| set.label(i).unwrap()).collect::<Vec<_>>()
    };
    for i in 0..4 {
        put(dir.join(format!("dog/{i}.png")), png(i));
        put(dir.join(format!("cat/deep/{i}.png")), png(10 + i));
    }
    put(dir.join("emu/0.png"), png(20));
    put(dir.join("loose.png"), png(21));
    let text = said(&convert(temp.path(), &["--classes", "folders"]));
    contains(&text, &["1 in no folder of a class: loose.png", "warning: 1 of 3 classes have no picture for testing: emu"]);
    assert_eq!((labels(Split::Train), labels(Split::Test)), (vec![0, 0, 1, 1, 2], vec![0, 0, 1, 1]));
    let notes = ImageDataset::open(&temp.path().join("out"), Split::Train).unwrap().manifest().provenance.notes.clone();
    contains(&notes, &["Classes: 0 = cat, 1 = dog, 2 = emu.", "Of every 2 pictures of a class"]);
    refuse(
        temp.path(),
        &["images", "in/dog", "--size=16", "--classes=folders", "--out=none"],
        "none",
        &["in a folder that could be its class"],
    );
    refuse(temp.path(), &["images", "in/cat", "--size=16", "--classes=folders", "--out=none"], "none", &["deep: one class"]);

    let split = temp.path().join("splits");
    for i in 0..3 {
        put(split.join(format!("train/dog/{i}.png")), png(i));
        put(split.join(format!("train/cat/{i}.png")), png(10 + i));
    }
    put(split.join("test/dog/x.png"), png(2));
    put(split.join("test/dog/y.png"), png(30));
    put(split.join("val/cat/z.png"), png(31));
    put(split.join("z.png"), png(32));
    let args = ["images", "splits", "--size=16", "--splits=folders", "--classes=folders", "--out=out", "--force"];
    let text = said(&run(temp.path(), &args));
    contains(
        &text,
        &[
            "2 in no folder of a split: val/cat/z.png, z.png",
            "warning: 1 pictures have the same pixels as one of the other split, so the test is not fair; the first: train/dog/2.png = test/dog/x.png",
            "warning: 1 of 2 classes have no picture for testing: cat",
        ],
    );
    assert_eq!((labels(Split::Train), labels(Split::Test)), (vec![0, 0, 0, 1, 1, 1], vec![1, 1]));
    fs::remove_dir_all(split.join("test")).unwrap();
    contains(&said(&run(temp.path(), &args)), &["6 train + 1 test"]);
    let text = said(&run(temp.path(), &["images", "splits", "--size=16", "--test-every=2", "--out=mixed"]));
    contains(&text, &["--splits folders keeps them apart"]);
    fs::remove_dir_all(split.join("val")).unwrap();
    refuse(
        temp.path(),
        &["images", "splits", "--size=16", "--splits=folders", "--out=none"],
        "none",
        &["6 are in train, 0 in test"],
    );
}

#[test]
fn images_can_be_grey_and_of_any_shape() {
    let temp = tempfile::tempdir().unwrap();
    for i in 0..4 {
        put(temp.path().join(format!("in/{i}.png")), encoded(picture(i, 40, 30), ImageFormat::Png));
    }
    let args = ["images", "in", "--size", "20x10", "--test-every", "2"];
    contains(&succeed(temp.path(), &args), &["images20x10", "data/images20x10"]);
    let set = ImageDataset::open(&temp.path().join("data/images20x10"), Split::Train).unwrap();
    assert_eq!((set.shape().channels, set.shape().height, set.shape().width), (3, 10, 20));
    succeed(temp.path(), &[&args[..], &["--grey", "--out", "grey"]].concat());
    let grey = ImageDataset::open(&temp.path().join("grey"), Split::Train).unwrap();
    let (color, grey) = (set.image(1).unwrap(), grey.image(1).unwrap());
    let (red, rest) = color.split_at(200);
    for (p, value) in grey.iter().enumerate() {
        let expected = 0.2126 * f64::from(red[p]) + 0.7152 * f64::from(rest[p]) + 0.0722 * f64::from(rest[200 + p]);
        assert!((f64::from(*value) - expected).abs() <= 1.0);
    }
    // A row of the whole width, which is cut at the top and the bottom.
    let text = String::from_utf8(run(temp.path(), &["images", "in", "--size", "20x"]).stderr).unwrap();
    contains(&text, &["width x height"]);
}

/// A zip archive.
fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, bytes) in files {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn archives_give_the_same_as_folders_and_other_files_are_called_by_their_names() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let files: Vec<(String, Vec<u8>)> =
        (0..6).map(|i| (format!("in/{}/{i}.png", if i % 3 == 0 { "a" } else { "b" }), png(i))).collect();
    files.iter().for_each(|(name, bytes)| put(dir.join(name), bytes));
    let hidden = [("__MACOSX/in/a/._0.png", vec![1]), ("in/.DS_Store", vec![1]), ("in/a/.1.png", vec![1]), ("in/c.txt", vec![1])];
    let all: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).chain(hidden).collect();
    fs::write(dir.join("in.zip"), zip(&all)).unwrap();
    fs::write(dir.join("in.tar"), tar(&all.iter().map(|(name, bytes)| (name.to_string(), bytes.clone())).collect::<Vec<_>>()))
        .unwrap();
    for (from, to) in [("in", "folder"), ("in.zip", "zip"), ("in.tar", "tar")] {
        let args = ["images", from, "--size=16", "--test-every=2", "--classes=folders", "--out", to];
        let text = said(&run(dir, &args));
        contains(&text, &["taken: 6 pictures (6 PNG)"]);
        if from != "in" {
            contains(&text, &["3 hidden files", "1 other files, by their names (1 .txt): in/c.txt"]);
        }
        for split in Split::ALL {
            assert_eq!(images(&dir.join(to), split), images(&dir.join("folder"), split));
        }
    }
    let whole = zip(&all);
    let mut flipped = whole.clone();
    flipped[60] ^= 1;
    let mut secret = whole.clone();
    for at in (0..secret.len() - 10).filter(|&at| whole[at..].starts_with(b"PK\x01\x02")) {
        secret[at + 8] |= 1;
    }
    let mut uncommon = whole.clone();
    let central = (0..whole.len()).find(|&at| whole[at..].starts_with(b"PK\x01\x02")).unwrap();
    uncommon[central + 10] = 12;
    // The names that some programs of Windows write.
    let windows: Vec<_> = files.iter().map(|(name, bytes)| (name.replace('/', "\\"), bytes.clone())).collect();
    let windows: Vec<_> = windows.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    fs::write(dir.join("windows.zip"), zip(&windows)).unwrap();
    said(&run(dir, &["images", "windows.zip", "--size=16", "--test-every=2", "--classes=folders", "--out=windows"]));
    assert_eq!(labels(&dir.join("windows"), Split::Train), labels(&dir.join("folder"), Split::Train));
    // One that unpacks itself.
    fs::write(dir.join("program.zip"), [&b"\x7fELF"[..], &whole].concat()).unwrap();
    let args = ["images", "program.zip", "--size=16", "--test-every=2", "--classes=folders", "--out=program"];
    contains(&said(&run(dir, &args)), &["taken: 6 pictures"]);
    for (name, bytes, words) in [
        ("uncommon.zip", uncommon, &["in/a/0.png is compressed in an uncommon way", "unpack the archive first"][..]),
        ("empty.zip", Vec::new(), &["zip archive is damaged or cut short"]),
        ("cut.zip", whole[..whole.len() - 100].to_vec(), &["cut.zip", "zip archive is damaged or cut short"]),
        ("flipped.zip", flipped, &["1 of 6 pictures cannot be used", "in/a/0.png"]),
        ("secret.zip", secret, &["encrypted"]),
        ("a.png", png(1), &["is one PNG picture; give the folder"]),
        ("none.zip", zip(&[("a.txt", vec![1])]), &["holds no pictures", "1 other files"]),
        ("a.rar", b"Rar!\x1a\x07".to_vec(), &["RAR archive"]),
        ("page.jpg", b"<html>".to_vec(), &["neither a folder nor an archive", "HTML page"]),
    ] {
        fs::write(dir.join(name), bytes).unwrap();
        refuse(dir, &["images", name, "--size=16", "--test-every=2", "--out=none"], "none", words);
    }
}

#[test]
fn archives_with_two_members_of_one_name_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let mut twice = zip(&[("a.png", png(0)), ("b.png", png(1)), ("c.png", png(2)), ("d.png", png(3))]);
    for at in 0..twice.len() - 5 {
        if twice[at..].starts_with(b"b.png") {
            twice[at] = b'a';
        }
    }
    fs::write(temp.path().join("in.zip"), &twice).unwrap();
    let args = ["images", "in.zip", "--size=16", "--test-every=2", "--out=none"];
    refuse(temp.path(), &args, "none", &["in.zip", "several members", "have one name", "pack it anew"]);
    let packed = preprocess::formats::packed::Packed::memory("in.zip", twice);
    let error = preprocess::formats::zip_file::members_of_packed(&packed).err().unwrap();
    contains(&error.to_string(), &["in.zip, a.png is there twice"]);
}

#[test]
fn contact_sheets_beside_their_shards_are_not_data() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    folder(&dir.join("in"), 5);
    put(dir.join("in/train.png"), png(9));
    let args = ["images", "in", "--size=16", "--test-every=2", "--out=in/set", "--force"];
    for times in 0..2 {
        let text = said(&run(dir, &args));
        contains(&text, &["taken: 6 pictures"]);
        assert_eq!(text.contains("left out: 2 contact sheets of data sets: set/test.png, set/train.png"), times > 0, "{text}");
        succeed(dir, &["inspect", "in/set", "--sheet", "--force"]);
    }
}

#[test]
fn folders_without_a_picture_to_take_say_why() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    put(dir.join("in/a.png"), "");
    let message = refuse(dir, &ELSEWHERE, "none", &["in holds no pictures to take", "1 empty files: a.png"]);
    assert!(!message.contains("class"), "{message}");
    put(dir.join("in/a.png"), png(0));
    let words = ["in holds no pictures to take", "1 in no folder of a class: a.png"];
    refuse(dir, &[&ELSEWHERE[..], &["--classes=folders"]].concat(), "none", &words);
    let deep = (0..70).fold(dir.join("in"), |path, _| path.join("folder"));
    put(deep.join("a.png"), png(1));
    let message = refuse(dir, &ELSEWHERE, "none", &["more than 64 folders are within each other", "move the pictures up"]);
    assert!(message.len() < 300, "{message}");
}

#[test]
fn threads_are_as_many_as_there_is_work() {
    let temp = tempfile::tempdir().unwrap();
    folder(&temp.path().join("in"), 3);
    let begin = Instant::now();
    contains(&said(&convert(temp.path(), &["--jobs=1024"])), &["taken: 3 pictures"]);
    assert!(begin.elapsed() < Duration::from_secs(20));
    refuse(temp.path(), &[&ELSEWHERE[..], &["--jobs=100000"]].concat(), "none", &["1..=1024"]);
}

#[test]
fn a_file_where_the_data_set_should_be_is_refused_and_stays() {
    let temp = tempfile::tempdir().unwrap();
    folder(&temp.path().join("in"), 3);
    fs::write(temp.path().join("out"), "mine").unwrap();
    refuse(temp.path(), &[&ARGS[..], &["--force"]].concat(), "none", &["out is there and is not a directory", "--out"]);
    for command in [&["export", "set", "--format=npy", "--out=out", "--force"][..], &["verify", "out"]] {
        said(&run(temp.path(), &[&ARGS[..7], &["set", "--force"]].concat()));
        let words = ["out is ", if command[0] == "verify" { "is a file; give the directory" } else { "not a directory" }];
        refuse(temp.path(), command, "none", &words);
    }
    assert_eq!(fs::read(temp.path().join("out")).unwrap(), b"mine");
    // What is damaged is found before the first array is written.
    fs::write(temp.path().join("set/test-00000-of-00001.safetensors"), "cut").unwrap();
    refuse(temp.path(), &["export", "set", "--format=npy", "--out=none"], "none", &["has 3 bytes"]);
}

#[test]
fn a_file_of_somebody_elses_with_the_name_of_a_manifest_stays() {
    let temp = tempfile::tempdir().unwrap();
    folder(&temp.path().join("in"), 3);
    put(temp.path().join("out/test.json"), r#"{"annotations": []}"#);
    for force in [&[][..], &["--force"]] {
        refuse(temp.path(), &[&ARGS[..], force].concat(), "none", &["out/test.json is there and is no manifest", "--out"]);
    }
    assert_eq!(fs::read(temp.path().join("out/test.json")).unwrap(), br#"{"annotations": []}"#);
    assert_eq!(fs::read_dir(temp.path().join("out")).unwrap().count(), 1);
}

#[test]
fn exported_labels_are_whole_numbers_of_64_bits() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    ["a", "b", "c"].iter().for_each(|class| folder(&dir.join("in").join(class), 2));
    said(&convert(dir, &["--classes=folders"]));
    succeed(dir, &["export", "out", "--format=npy", "--out=arrays"]);
    let bytes = fs::read(dir.join("arrays/test_labels.npy")).unwrap();
    contains(&String::from_utf8_lossy(&bytes[..128]), &["'descr': '<i8'", "'shape': (3,)"]);
    let values: Vec<_> = bytes[128..].as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect();
    assert_eq!(values, [0, 1, 2]);
}

#[test]
fn a_split_without_images_has_no_range_of_values() {
    let temp = tempfile::tempdir().unwrap();
    let manifest = r#"{"format": "image-shards", "version": 1, "name": "x", "split": "train", "levels": 17, "labelled": false,
        "shape": {"channels": 1, "height": 8, "width": 8}, "count": 0, "codec": "raw", "shards": [],
        "provenance": {"source": "", "licence": "", "notes": "", "tool": ""}}"#;
    fs::write(temp.path().join("train.json"), manifest).unwrap();
    contains(&succeed(temp.path(), &["verify", "."]), &["train: 0 images in 0 shards are intact, no values of 17 levels"]);
}

#[test]
fn animated_pngs_are_called_animations() {
    let still = png(3);
    // The signature and the header, then the number of frames and of repetitions.
    let frames = chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]);
    let animated = [&still[..33], &frames, &still[33..]].concat();
    assert!(!decode(&still).unwrap().traits.animated);
    let picture = decode(&animated).unwrap();
    assert!(picture.traits.animated);
    assert_eq!(picture.fingerprint(), decode(&still).unwrap().fingerprint());
}

#[test]
fn names_that_are_not_text_work() {
    use std::os::unix::ffi::OsStrExt;
    let temp = tempfile::tempdir().unwrap();
    folder(&temp.path().join("in"), 3);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.png");
    fs::write(temp.path().join("in").join(name), png(7)).unwrap();
    contains(&said(&convert(temp.path(), &[])), &["taken: 4 pictures"]);
    fs::write(temp.path().join("in").join(name), "no picture").unwrap();
    refuse(temp.path(), &ELSEWHERE, "none", &["caf\u{fffd}.png: neither a PNG"]);
    for class in [&b"caf\xe9"[..], b"dog"] {
        put(temp.path().join("in").join(std::ffi::OsStr::from_bytes(class)).join("x.png"), png(class.len()));
    }
    fs::remove_file(temp.path().join("in").join(name)).unwrap();
    refuse(temp.path(), &[&ELSEWHERE[..], &["--classes=folders"]].concat(), "none", &["not UTF-8"]);
}

/// A chunk of a PNG.
fn chunk(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    let body = [kind.as_slice(), contents].concat();
    [&(contents.len() as u32).to_be_bytes()[..], &body, &crc32fast::hash(&body).to_be_bytes()].concat()
}

/// Zeros, packed as zlib does it.
fn packed_zeros(len: usize) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let block = vec![0; 1 << 20];
    (0..len.div_ceil(block.len())).for_each(|_| encoder.write_all(&block).unwrap());
    encoder.finish().unwrap()
}

/// Runs the program; its output, and the most memory, in megabytes, that it has had. Other tests start processes meanwhile.
#[expect(clippy::zombie_processes, reason = "`wait4` waits for it")]
fn measured(dir: &Path, args: &[&str]) -> (Output, i64) {
    let [out, err] = ["stdout", "stderr"].map(|name| dir.join(name));
    let [to_out, to_err] = [&out, &err].map(|path| fs::File::create(path).unwrap());
    let child = command(dir, args).stdout(to_out).stderr(to_err).spawn().unwrap();
    let id = libc::pid_t::try_from(child.id()).unwrap();
    let mut status = 0;
    // SAFETY: the structure consists of numbers, of which zeros are some, and the call fills it and the status.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::wait4(id, &mut status, 0, &mut usage), id);
        usage
    };
    let [stdout, stderr] = [out, err].map(|path| fs::read(path).unwrap());
    (Output { status: ExitStatus::from_raw(status), stdout, stderr }, usage.ru_maxrss / 1024)
}

#[test]
fn bombs_do_not_fill_the_memory() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("in");
    let zeros = packed_zeros(1 << 30);
    let small = png(0);
    let (head, rest) = small.split_at(8 + 25);
    let with = |chunk: Vec<u8>| [head, &chunk, rest].concat();
    // These are pictures: what describes them is not unpacked.
    put(dir.join("profile.png"), with(chunk(b"iCCP", &[b"p\0\0", zeros.as_slice()].concat())));
    put(dir.join("text.png"), with(chunk(b"zTXt", &[b"t\0\0", zeros.as_slice()].concat())));
    put(dir.join("more.png"), with(chunk(b"iTXt", &[b"t\0\x01\0\0\0", zeros.as_slice()].concat())));
    put(dir.join("fine.png"), encoded(picture(1, 16, 16), ImageFormat::Png));
    let (output, peak) = measured(temp.path(), &ARGS);
    contains(&said(&output), &["taken: 4 pictures"]);
    assert!(peak < 600, "{peak} MB");
    // These are not.
    let header = |side: u32| chunk(b"IHDR", &[&side.to_be_bytes()[..], &side.to_be_bytes(), &[8, 2, 0, 0, 0]].concat());
    let signature = b"\x89PNG\r\n\x1a\n".as_slice();
    let huge = |side| [signature, &header(side), &chunk(b"IDAT", &zeros), &chunk(b"IEND", &[])].concat();
    put(dir.join("large.png"), huge(30_000));
    put(dir.join("short.png"), huge(16_000));
    let mut jpeg = fs::read(fixture("pictures/progressive.jpg")).unwrap();
    let frame = jpeg.windows(2).position(|w| w == b"\xff\xc2").unwrap();
    jpeg[frame + 5..frame + 9].fill(0xff);
    put(dir.join("huge.jpg"), &jpeg);
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x3f, 0xff, 0x3f, 0xff]);
    put(dir.join("large.jpg"), jpeg);
    let mut gif = encoded(picture(1, 8, 8), ImageFormat::Gif);
    gif[6..10].fill(0xff);
    put(dir.join("huge.gif"), &gif);
    let mut bmp = encoded(picture(1, 8, 8), ImageFormat::Bmp);
    bmp[18..26].copy_from_slice(&[0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0]);
    put(dir.join("huge.bmp"), bmp);
    let mut webp = encoded(picture(1, 8, 8), ImageFormat::WebP);
    webp[21..25].fill(0xff);
    put(dir.join("huge.webp"), webp);
    let tiff = encoded(picture(1, 8, 8), ImageFormat::Tiff);
    let directory = u32::from_le_bytes(*tiff[4..].first_chunk().unwrap()) as usize;
    let n = usize::from(u16::from_le_bytes(*tiff[directory..].first_chunk().unwrap()));
    for entry in 0..n {
        // The number of values of an entry, and the values.
        for (what, at) in [("count", 4), ("value", 8)] {
            let mut absurd = tiff.clone();
            absurd[directory + 2 + 12 * entry + at..][..4].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f]);
            put(dir.join(format!("{what}{entry}.tif")), absurd);
        }
    }
    let (output, peak) = measured(temp.path(), &[&ARGS[..], &["--skip-damaged", "--force"]].concat());
    let text = said(&output);
    contains(&text, &["large.png: 30000x30000 pixels are too many", "huge.jpg", "huge.gif", "huge.webp"]);
    // One job has at most 256 MB, and one picture alone at most 2 GB.
    assert!(peak < 600, "{peak} MB");
    let zeros = vec![0; 100 << 20];
    fs::write(
        temp.path().join("bomb.zip"),
        zip(&[("a.png", zeros.clone()), ("b.png", zeros), ("c.png", png(1)), ("d.png", png(2))]),
    )
    .unwrap();
    let args = ["images", "bomb.zip", "--size=16", "--test-every=2", "--out=none"];
    refuse(temp.path(), &args, "none", &["2 of 4 pictures cannot be used", "a.png: it begins with zeros only"]);
    let (_, peak) = measured(temp.path(), &args);
    assert!(peak < 600, "{peak} MB");
}

#[test]
fn a_signal_ends_the_check_at_once() {
    let temp = tempfile::tempdir().unwrap();
    let large = encoded(picture(0, 4000, 3000), ImageFormat::Png);
    (0..30).for_each(|i| put(temp.path().join(format!("in/{i}.png")), &large));
    let mut child = command(temp.path(), &ARGS).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(child.try_wait().unwrap(), None, "it is still at work");
    let begin = Instant::now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert!(!child.wait().unwrap().success());
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert!(!temp.path().join("out").exists());
}
