//! Runs the program, and makes the images of `fixtures/make.py`.
#![allow(dead_code, reason = "the tests of MPI do not use all of it")]

use datasets::{ImageDataset, Split};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A file in `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The program with arguments, to be started in `dir`.
pub fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_preprocess"));
    command.args(args).current_dir(dir);
    command
}

pub fn run(dir: &Path, args: &[&str]) -> Output {
    command(dir, args).output().unwrap()
}

#[track_caller]
pub fn succeed(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The program must refuse its input with all of `words` in the message, and leave nothing at `out`.
#[track_caller]
pub fn refuse(dir: &Path, args: &[&str], out: &str, words: &[&str]) -> String {
    let output = run(dir, args);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    assert!(message.starts_with("error: ") && !message.contains("panicked"), "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
    assert!(!dir.join(out).exists(), "something was left at the output: {message}");
    message
}

/// Image `i` of `fixtures/make.py`, channel by channel.
pub fn image(i: usize, size: usize) -> Vec<u8> {
    let mut pixels = Vec::new();
    for c in 0..3 {
        for y in 0..size {
            pixels.extend((0..size).map(|x| (i * 37 + c * 101 + y * 13 + x * 7 + x * y) as u8));
        }
    }
    pixels
}

/// The same, pixel by pixel.
pub fn image_rgb(i: usize, size: usize) -> Vec<u8> {
    let planes = image(i, size);
    let n = size * size;
    (0..n).flat_map(|p| [planes[p], planes[n + p], planes[2 * n + p]]).collect()
}

/// All images of a split.
pub fn images(dir: &Path, split: Split) -> Vec<Vec<u8>> {
    let dataset = ImageDataset::open(dir, split).unwrap();
    (0..dataset.len()).map(|i| dataset.image(i).unwrap()).collect()
}

/// Images `numbers` of `fixtures/make.py`.
pub fn expected(numbers: impl IntoIterator<Item = usize>, size: usize) -> Vec<Vec<u8>> {
    numbers.into_iter().map(|i| image(i, size)).collect()
}

/// Names and contents of all files in a directory, subdirectories by name only.
pub fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap());
    let mut files: Vec<_> =
        entries.map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap_or_default())).collect();
    files.sort();
    files
}

/// A `.npy` file of bytes.
pub fn npy(shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let mut header =
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape:?}, }}").replace('[', "(").replace(']', ")");
    header.push_str(&" ".repeat(117 - header.len()));
    header.push('\n');
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), bytes].concat()
}

/// A `.npy` file of images `numbers`.
pub fn npy_images(numbers: std::ops::Range<usize>, size: usize) -> Vec<u8> {
    let pixels: Vec<u8> = numbers.clone().flat_map(|i| image_rgb(i, size)).collect();
    npy(&[numbers.len(), size, size, 3], &pixels)
}

/// A tar archive.
pub fn tar(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // Unlike `append_data`, this takes any name.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, bytes.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A zip archive; members are compressed by every other one.
pub fn zip(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (i, (name, bytes)) in files.iter().enumerate() {
        let method = if i % 2 == 0 { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
        archive.start_file(name.as_str(), zip::write::SimpleFileOptions::default().compression_method(method)).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Bytes zipped by gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An idx file of bytes.
pub fn idx(dims: &[usize], bytes: &[u8]) -> Vec<u8> {
    let words = [0x800 + dims.len()].into_iter().chain(dims.iter().copied());
    words.flat_map(|word| (word as u32).to_be_bytes()).chain(bytes.iter().copied()).collect()
}

/// Labels of a split.
pub fn labels(dir: &Path, split: Split) -> Vec<u32> {
    let dataset = ImageDataset::open(dir, split).unwrap();
    (0..dataset.len()).map(|i| dataset.label(i).unwrap()).collect()
}

/// The notes in a data set's manifest.
pub fn notes(dir: &Path) -> String {
    ImageDataset::open(dir, Split::Train).unwrap().manifest().provenance.notes.clone()
}
