//! Damage is reported by name, never returned as an image.

use datasets::shards::{format, synthetic};
use datasets::{CodecKind, DatasetError, ImageDataset, ImageShape, Split};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const SHAPE: ImageShape = ImageShape { channels: 3, height: 4, width: 5 };
const COUNT: usize = 9;

fn write(codec: CodecKind) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    synthetic::write_dataset(dir.path(), Split::Train, SHAPE, 256, COUNT, codec).unwrap();
    dir
}

fn shard(dir: &Path) -> PathBuf {
    dir.join(format::shard_name(Split::Train, 0, 2))
}

/// Reads every image and label; all must be right.
fn read_all(dir: &Path) -> Result<(), DatasetError> {
    let dataset = ImageDataset::open(dir, Split::Train)?;
    for i in 0..COUNT {
        assert_eq!(dataset.image(i)?, synthetic::image(SHAPE, 256, i), "a wrong image was returned");
        assert_eq!(dataset.label(i), Some(synthetic::label(i)), "a wrong label was returned");
    }
    Ok(())
}

fn open_error(dir: &Path) -> DatasetError {
    ImageDataset::open(dir, Split::Train).err().expect("this data set should not open")
}

fn replace_in_manifest(dir: &Path, from: &str, to: &str) {
    let path = format::manifest_path(dir, Split::Train);
    let json = std::fs::read_to_string(&path).unwrap();
    assert!(json.contains(from), "{from} in {json}");
    std::fs::write(path, json.replace(from, to)).unwrap();
}

#[test]
fn every_flipped_bit_of_a_shard_is_noticed() {
    for codec in CodecKind::ALL {
        let dir = write(codec);
        let path = shard(dir.path());
        let good = std::fs::read(&path).unwrap();
        let mut unnoticed = 0;
        for at in 0..good.len() {
            for bit in [0, 6] {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                std::fs::write(&path, &bad).unwrap();
                match read_all(dir.path()) {
                    // Unused bits of a zstd frame may decode to the same image: then nothing is wrong with it.
                    Ok(()) => unnoticed += 1,
                    Err(error) => assert!(error.to_string().contains(path.to_str().unwrap()), "{error}"),
                }
                let dataset = ImageDataset::open(dir.path(), Split::Train);
                assert!(dataset.is_err() || dataset.unwrap().verify_shard(0).is_err(), "byte {at}");
            }
        }
        assert!(unnoticed <= good.len() / 50, "{codec}: {unnoticed} of {}", good.len());
        if codec == CodecKind::Raw {
            assert_eq!(unnoticed, 0);
        }
        std::fs::write(&path, &good).unwrap();
        read_all(dir.path()).unwrap();
    }
}

#[test]
fn a_flipped_pixel_is_named() {
    let dir = write(CodecKind::Raw);
    let path = shard(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 2 * SHAPE.len() + 3;
    bytes[at] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let dataset = ImageDataset::open(dir.path(), Split::Train).unwrap();
    assert_eq!(dataset.image(4).unwrap(), synthetic::image(SHAPE, 256, 4));
    let error = dataset.image(5).unwrap_err();
    let expected_offset = (bytes.len() - 2 * SHAPE.len()) as u64;
    assert!(matches!(&error, DatasetError::ImageChecksum { index: 5, offset, .. } if *offset == expected_offset), "{error}");
}

#[test]
fn cut_and_missing_shards_are_named() {
    let dir = write(CodecKind::MedZstd1);
    let path = shard(dir.path());
    let bytes = std::fs::read(&path).unwrap();
    for len in [0, 7, 100, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..len]).unwrap();
        let error = open_error(dir.path());
        assert!(matches!(&error, DatasetError::ShardSize { got, .. } if *got == len as u64), "{error}");
    }
    std::fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
    assert!(matches!(open_error(dir.path()), DatasetError::ShardSize { .. }));
    std::fs::remove_file(&path).unwrap();
    let error = open_error(dir.path());
    assert!(matches!(&error, DatasetError::MissingShard { path: p } if *p == path), "{error}");
}

#[test]
fn missing_manifests_and_directories_are_named() {
    let dir = write(CodecKind::Raw);
    for dir in [dir.path(), &dir.path().join("nowhere")] {
        let error = ImageDataset::open(dir, Split::Test).err().unwrap();
        assert!(matches!(error, DatasetError::NotFound { split: Split::Test, .. }));
        assert!(error.to_string().contains("test.json"), "{error}");
    }
}

#[test]
fn other_versions_are_refused_by_name() {
    let dir = write(CodecKind::Raw);
    replace_in_manifest(dir.path(), "\"version\": 3", "\"version\": 4, \"new_key\": 4");
    let message = open_error(dir.path()).to_string();
    assert!(message.contains("image-shards version 4") && message.contains("image-shards version 1 to 3"), "{message}");

    let dir = write(CodecKind::Raw);
    replace_in_manifest(dir.path(), "\"image-shards\"", "\"other\"");
    assert!(matches!(open_error(dir.path()), DatasetError::Version { .. }));

    // A shard of another version under a manifest that was adapted to it.
    let dir = write(CodecKind::Raw);
    let path = shard(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let key = b"\"version\":\"3\"";
    let at = bytes.windows(key.len()).position(|w| w == key).unwrap() + key.len() - 2;
    bytes[at] = b'4';
    std::fs::write(&path, bytes).unwrap();
    let message = open_error(dir.path()).to_string();
    assert!(message.contains("image-shards version 4") && message.contains(path.to_str().unwrap()), "{message}");
}

#[test]
fn manifests_that_contradict_their_shards_are_refused() {
    for (from, to) in [
        ("\"levels\": 256", "\"levels\": 255"),
        ("\"name\": \"synthetic\"", "\"name\": \"cifar10\""),
        ("\"height\": 4", "\"height\": 5"),
        ("\"codec\": \"raw\"", "\"codec\": \"med-zstd1\""),
        ("\"labelled\": true", "\"labelled\": maybe"),
        ("\"count\": 9", "\"count\": 10"),
        ("\"count\": 7", "\"count\": 6"),
        ("\"split\": \"train\"", "\"split\": \"test\""),
        ("00000-of-00002", "00000-of-00003"),
        ("\"levels\": 256", "\"levels\": 257"),
        ("\"channels\": 3", "\"channels\": 0"),
        ("\"codec\": \"raw\"", "\"codec\": \"jpeg\""),
        ("\"name\"", "\"surname\""),
    ] {
        let dir = write(CodecKind::Raw);
        replace_in_manifest(dir.path(), from, to);
        let error = open_error(dir.path());
        assert!(matches!(error, DatasetError::Mismatch { .. } | DatasetError::Manifest { .. }), "{from} -> {to}: {error}");
    }
}

#[test]
fn every_cut_manifest_is_refused() {
    let dir = write(CodecKind::Raw);
    let path = format::manifest_path(dir.path(), Split::Train);
    let json = std::fs::read(&path).unwrap();
    for len in 0..json.len() - 2 {
        std::fs::write(&path, &json[..len]).unwrap();
        assert!(matches!(open_error(dir.path()), DatasetError::Manifest { .. }), "{len} bytes");
    }
}

#[test]
fn offsets_that_leave_the_file_are_refused() {
    // Damage with all checksums of the index adapted to it: as from a faulty writer.
    let dir = write(CodecKind::MedZstd1);
    let path = shard(dir.path());
    let good = std::fs::read(&path).unwrap();
    let header = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let manifest = datasets::Manifest::read(dir.path(), Split::Train).unwrap();
    for (i, offset) in [(0, 1), (3, u64::MAX), (3, 0), (7, 1), (7, 1 << 40)] {
        let mut bytes = good.clone();
        let at = 8 + header + 8 * i;
        bytes[at..at + 8].copy_from_slice(&u64::to_le_bytes(offset));
        std::fs::write(&path, &bytes).unwrap();
        let mut manifest = manifest.clone();
        let index_len = manifest.shards[0].index_bytes as usize;
        manifest.shards[0].index_crc32c = crc32c::crc32c(&bytes[..index_len]);
        manifest.write(dir.path()).unwrap();
        let error = open_error(dir.path());
        assert!(matches!(&error, DatasetError::Mismatch { key, .. } if key.starts_with("offsets[")), "{error}");
    }
}

#[test]
fn pixels_above_the_levels_are_refused_when_reading() {
    // Files that call themselves 17-level images but hold larger values, with all checksums right.
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = synthetic::write_dataset(dir.path(), Split::Train, SHAPE, 256, 1, CodecKind::Raw).unwrap();
    let path = dir.path().join(&manifest.shards[0].file);
    let bytes = std::fs::read(&path).unwrap();
    let (from, to) = (b"\"levels\":\"256\"", b"\"levels\":\"17\" ");
    let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
    let mut bytes = bytes;
    bytes[at..at + from.len()].copy_from_slice(to);
    let last = bytes.len() - 1;
    bytes[last] = 200;
    let index_len = manifest.shards[0].index_bytes as usize;
    let crc = crc32c::crc32c(&bytes[index_len..]);
    // One image: `crc32c` and `labels` are the last eight bytes before the pixels.
    bytes[index_len - 8..index_len - 4].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    manifest.levels = 17;
    manifest.shards[0].index_crc32c = crc32c::crc32c(&bytes[..index_len]);
    manifest.write(dir.path()).unwrap();
    let error = ImageDataset::open(dir.path(), Split::Train).unwrap().image(0).unwrap_err();
    assert!(matches!(error, DatasetError::PixelValue { value: 200, levels: 17, .. }), "{error}");
}
