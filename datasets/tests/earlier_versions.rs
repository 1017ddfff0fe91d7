//! Data sets of versions 1 and 2 are read. `fixtures/version2` was made by the program before version 3, of the first
//! three (made-up) images in each split of `preprocess/tests/fixtures/celeba-tfr.tar`; the digits that ship with this
//! project are of version 1.

use datasets::shards::format;
use datasets::{DatasetError, ImageDataset, Split};
use std::fs;
use std::path::Path;

/// A copy of a data set of an earlier version.
fn copy(from: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(from)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    dir
}

#[test]
fn version_2_is_read() {
    let dir = copy("tests/fixtures/version2");
    for (split, first) in [(Split::Train, 0), (Split::Test, 1000)] {
        let dataset = ImageDataset::open(dir.path(), split).unwrap();
        assert_eq!((dataset.len(), dataset.manifest().version), (3, 2));
        dataset.verify_shard(0).unwrap();
        for i in 0..3 {
            let number = first + i;
            let pixel = |p: usize| ((number * 37) + p / 16 * 101 + p / 4 % 4 * 13 + p % 4 * 7 + p / 4 % 4 * (p % 4)) as u8;
            assert_eq!(dataset.image(i).unwrap(), (0..48).map(pixel).collect::<Vec<_>>());
            assert_eq!(dataset.label(i), Some(number as u32 % 3));
            let attributes = (0..5).map(|b| if number >> b & 1 == 1 { 1 } else { -1 }).collect();
            assert_eq!(dataset.attributes(i), Some(attributes));
        }
    }
}

#[test]
fn damage_to_earlier_versions_is_noticed() {
    for (from, version) in [("../data/digits", 1), ("tests/fixtures/version2", 2)] {
        let dir = copy(from);
        let path = dir.path().join(format::shard_name(Split::Test, 0, 1));
        assert_eq!(ImageDataset::open(dir.path(), Split::Test).unwrap().manifest().version, version);
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        let dataset = ImageDataset::open(dir.path(), Split::Test).unwrap();
        let error = dataset.verify_shard(0).unwrap_err();
        assert!(matches!(&error, DatasetError::Mismatch { key, .. } if key == "sha256"), "{error}");
    }
}

#[test]
fn a_version_without_its_checksum_is_refused() {
    let dir = copy("tests/fixtures/version2");
    let path = format::manifest_path(dir.path(), Split::Test);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"sha256\"", "\"xxh3\"")).unwrap();
    let message = ImageDataset::open(dir.path(), Split::Test).err().unwrap().to_string();
    assert!(message.contains("shards[0]") && message.contains("with `sha256` and without `xxh3` in version 2"), "{message}");
}
