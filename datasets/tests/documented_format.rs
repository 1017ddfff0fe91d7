//! Reads a shard with nothing but `FORMAT.md` at hand: safetensors, zstd, and the prediction rule spelled out.

use datasets::shards::synthetic;
use datasets::{CodecKind, ImageShape, Split};
use safetensors::SafeTensors;

const SHAPE: ImageShape = ImageShape { channels: 3, height: 6, width: 5 };

fn u32s(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn u64s(bytes: &[u8]) -> Vec<usize> {
    bytes.chunks(8).map(|b| u64::from_le_bytes(b.try_into().unwrap()) as usize).collect()
}

/// The decoder of `FORMAT.md`, pixel by pixel.
fn decode(frame: &[u8]) -> Vec<u8> {
    let ImageShape { channels, height, width } = SHAPE;
    let residuals = zstd::bulk::decompress(frame, SHAPE.len()).unwrap();
    let mut x = vec![vec![vec![0i32; width + 1]; height + 1]; channels];
    let mut residuals = residuals.into_iter();
    for plane in &mut x {
        for i in 1..=height {
            for j in 1..=width {
                let (a, b, c) = (plane[i][j - 1], plane[i - 1][j], plane[i - 1][j - 1]);
                let mut three = [a, b, a + b - c];
                three.sort();
                plane[i][j] = (three[1] + i32::from(residuals.next().unwrap())) % 256;
            }
        }
    }
    let pixel = |k: usize, p: usize| x[k][1 + p / width][1 + p % width];
    let mut image = Vec::new();
    for k in 0..channels {
        for p in 0..height * width {
            let green = if k == 1 { 128 } else { pixel(1, p) };
            image.push((pixel(k, p) + green + 128).rem_euclid(256) as u8);
        }
    }
    image
}

#[test]
fn med_zstd1_is_as_documented() {
    let dir = tempfile::tempdir().unwrap();
    synthetic::write_dataset(dir.path(), Split::Train, SHAPE, 256, 9, CodecKind::MedZstd1).unwrap();
    let bytes = std::fs::read(dir.path().join("train-00001-of-00002.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let offsets = u64s(file.tensor("offsets").unwrap().data());
    let crc = u32s(file.tensor("crc32c").unwrap().data());
    let labels = u32s(file.tensor("labels").unwrap().data());
    let data = file.tensor("data").unwrap();
    assert_eq!((offsets.len(), crc.len(), labels.len()), (3, 2, 2));
    for i in 0..2 {
        let image = decode(&data.data()[offsets[i]..offsets[i + 1]]);
        assert_eq!(image, synthetic::image(SHAPE, 256, 7 + i));
        assert_eq!(crc[i], crc32c::crc32c(&image));
        assert_eq!(labels[i], synthetic::label(7 + i));
    }
}

#[test]
fn raw_is_as_documented() {
    let dir = tempfile::tempdir().unwrap();
    synthetic::write_dataset(dir.path(), Split::Test, SHAPE, 32, 2, CodecKind::Raw).unwrap();
    let bytes = std::fs::read(dir.path().join("test-00000-of-00001.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let images = file.tensor("images").unwrap();
    assert_eq!(images.shape(), [2, 3, 6, 5]);
    assert_eq!(images.data(), [synthetic::image(SHAPE, 32, 0), synthetic::image(SHAPE, 32, 1)].concat());
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().clone().unwrap();
    for (key, value) in [
        ("format", "image-shards"),
        ("version", "3"),
        ("name", "synthetic"),
        ("split", "test"),
        ("codec", "raw"),
        ("levels", "32"),
        ("channels", "3"),
        ("height", "6"),
        ("width", "5"),
        ("count", "2"),
    ] {
        assert_eq!(metadata.get(key).map(String::as_str), Some(value), "{key}");
    }
}

#[test]
fn the_manifest_is_as_documented() {
    use twox_hash::xxhash3_128::Hasher;
    let dir = tempfile::tempdir().unwrap();
    synthetic::write_dataset(dir.path(), Split::Train, SHAPE, 256, 9, CodecKind::MedZstd1).unwrap();
    let json = std::fs::read(dir.path().join("train.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(manifest["count"], 9);
    assert_eq!(manifest["shape"], serde_json::json!({"channels": 3, "height": 6, "width": 5}));
    let shard = &manifest["shards"][1];
    assert_eq!(shard["count"], 2);
    let bytes = std::fs::read(dir.path().join(shard["file"].as_str().unwrap())).unwrap();
    assert_eq!(shard["bytes"], bytes.len());
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let data = file.tensor("data").unwrap().data();
    assert_eq!(shard["xxh3"], format!("{:032x}", Hasher::oneshot(data)));
    let index_bytes = bytes.len() - data.len();
    assert_eq!(shard["index_bytes"], index_bytes);
    assert_eq!(shard["index_crc32c"], crc32c::crc32c(&bytes[..index_bytes]));
}
